"""What the lab's programs share: where the queue is, the donors, and the loops of
producers and consumers.

Environment variables:
  SQS_ENDPOINT  where SQS is (default: http://127.0.0.1:9324, as sqsd listens)
  QUEUE_NAME    the queue (default: mynewq)
  LAB_SPEED     divides pauses and delays by this number (default: 1)
"""

import json
import os
import pathlib
import sys
import time

import boto3

QUEUE_NAME = os.environ.get("QUEUE_NAME", "mynewq")
SPEED = int(os.environ.get("LAB_SPEED", "1"))
FIFO = QUEUE_NAME.endswith(".fifo")
DATA = pathlib.Path(__file__).resolve().parents[2] / "testdata"

sqs = boto3.client(
    "sqs",
    endpoint_url=os.environ.get("SQS_ENDPOINT", "http://127.0.0.1:9324"),
    region_name="us-east-1",
    aws_access_key_id="local",
    aws_secret_access_key="local",
)


def queue_url():
    return sqs.get_queue_url(QueueName=QUEUE_NAME)["QueueUrl"]


def donors(which):
    return json.loads((DATA / f"donors-{which}.json").read_text())


def say(line):
    """Prints a line in one piece, so that programs can share an output."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def pause(seconds):
    time.sleep(seconds / SPEED)


def produce(producer, donors, delay):
    """Sends the donors, one a second."""
    url = queue_url()
    for number, donor in enumerate(donors, 1):
        # A FIFO queue needs a group, and delays only as a whole.
        where = {"MessageGroupId": "donors"} if FIFO else {"DelaySeconds": delay // SPEED}
        sqs.send_message(
            QueueUrl=url,
            MessageBody=json.dumps(donor),
            MessageAttributes={
                "JobType": {"DataType": "String", "StringValue": "NewDonor"},
                "Producer": {"DataType": "String", "StringValue": producer},
            },
            **where,
        )
        say(f"sent {number} {donor['name']}")
        pause(1)


def consume(visibility, work=0, rest=0, count=None):
    """Handles one message at a time, for ever or until count are done."""
    url = queue_url()
    done = 0
    while count is None or done < count:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=1,
            VisibilityTimeout=visibility,
            WaitTimeSeconds=10,
            MessageAttributeNames=["All"],
        )
        for message in answer.get("Messages", []):  # an empty answer has no such key
            attributes = message.get("MessageAttributes", {})
            text = {name: a.get("StringValue") for name, a in attributes.items()}
            say(f"Producer: {text.get('Producer')}, JobType: {text.get('JobType')}, Body: {message['Body']}")
            pause(work)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            done += 1
            pause(rest)
