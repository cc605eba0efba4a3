"""Empties the queue."""

import lab

lab.sqs.purge_queue(QueueUrl=lab.queue_url())
print("purged", lab.QUEUE_NAME)
