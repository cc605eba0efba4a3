"""Creates the lab's queue and prints its URL. A name that ends in .fifo makes it a
FIFO queue that deduplicates by content."""

import lab

attributes = {"DelaySeconds": "5", "MessageRetentionPeriod": "86400"}
if lab.FIFO:
    attributes |= {"DelaySeconds": "0", "FifoQueue": "true", "ContentBasedDeduplication": "true"}
print(lab.sqs.create_queue(QueueName=lab.QUEUE_NAME, Attributes=attributes)["QueueUrl"])
