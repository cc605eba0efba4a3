"""Plays the lab's programs in their boto3 form on the endpoint at SQS_ENDPOINT, and
our own programs (in the folder OMNIBUS_BIN) against them. Each test has a queue of
its own."""

import base64
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

import lab

HERE = pathlib.Path(__file__).resolve().parent
ENDPOINT = os.environ["SQS_ENDPOINT"]
BIN = pathlib.Path(os.environ["OMNIBUS_BIN"])
SPEED = 10
PATIENCE = 240  # seconds a program may take on a busy machine

# What a message may carry: a percent sign that is no escape and one that looks like
# one, text beyond ASCII, a number that no float holds, bytes that are no text, labels.
ATTRIBUTES = {
    "Percent": {"DataType": "String", "StringValue": "100%25 of 50% & <more>"},
    "Name.of-it": {"DataType": "String", "StringValue": "Zoë Müller 東京 😀"},
    "Amount": {"DataType": "Number", "StringValue": "12345678901234567890.125"},
    "Price": {"DataType": "Number.euro", "StringValue": "97.50"},
    "Photo": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    "Logo": {"DataType": "Binary.png", "BinaryValue": b"\x89PNG\r\n"},
}
BODY = 'a body with %41, <tags> & "quotes", ä, 😀\nand a second line'


def md5_of_attributes(attributes):
    """The MD5 of message attributes as AWS's developer guide defines it."""
    digest = hashlib.md5()

    def add(data):
        digest.update(len(data).to_bytes(4, "big") + data)

    for name, a in sorted(attributes.items()):
        add(name.encode())
        add(a["DataType"].encode())
        binary = a["DataType"].startswith("Binary")
        digest.update(b"\x02" if binary else b"\x01")
        add(a["BinaryValue"] if binary else a["StringValue"].encode())
    return digest.hexdigest()


def handled(out):
    """Producer, job type and donor of each message that a consumer printed."""
    line = re.compile("Producer: (.*), JobType: (.*), Body: (.*)")
    return [(m[1], m[2], json.loads(m[3])) for m in map(line.fullmatch, out.splitlines()) if m]


def sent_by(which, count):
    """The same of the first messages that a producer sends."""
    return [(which.title(), "NewDonor", donor) for donor in lab.donors(which)[:count]]


def as_json(attributes):
    """Attributes as our command attributes reads and writes them."""
    return {
        name: {k: base64.b64encode(v).decode() if k == "BinaryValue" else v for k, v in a.items()}
        for name, a in attributes.items()
    }


class LabTest(unittest.TestCase):
    suffix = ""

    def setUp(self):
        self.name = f"{self.id().split('.')[-1]}-{time.time_ns()}{self.suffix}"
        self.env = os.environ | {"QUEUE_NAME": self.name, "LAB_SPEED": str(SPEED)}
        self.url = self.run_boto3("create_queue").strip()
        self.env["BUS_URL"] = self.url
        self.assertTrue(self.url.startswith(ENDPOINT + "/"), self.url)
        self.assertTrue(self.url.endswith("/" + self.name), self.url)

    def run_program(self, *command, stdin=None):
        done = subprocess.run(
            command, env=self.env, input=stdin, text=True, capture_output=True, timeout=PATIENCE
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), f"{command}\n{done.stdout}")
        return done.stdout

    def run_boto3(self, program, *args):
        return self.run_program(sys.executable, str(HERE / f"{program}.py"), *args)

    def run_ours(self, program, *args, stdin=None):
        return self.run_program(str(BIN / program), *args, stdin=stdin)

    def counts(self):
        return [int(line.split()[0]) for line in self.run_boto3("queue_status", "1").splitlines()]


class Standard(LabTest):
    def test_all_at_once(self):
        """The whole lab in its boto3 form ends with three zeros."""
        out = self.run_boto3("run_all", "5")
        self.assertEqual(out.count("sent "), 10)
        self.assertCountEqual(handled(out), sent_by("fast", 5) + sent_by("slow", 5))
        self.assertEqual(out.splitlines()[-1], "left: 0 0 0")

    def test_purge(self):
        """Purge empties the queue, and is refused for a minute after."""
        self.run_boto3("slow_producer", "3")
        self.assertEqual(sum(self.counts()), 3)
        self.run_boto3("purge")
        self.assertEqual(self.counts(), [0, 0, 0])
        with self.assertRaises(lab.sqs.exceptions.PurgeQueueInProgress):
            lab.sqs.purge_queue(QueueUrl=self.url)

    def test_ours_to_boto3(self):
        """boto3 consumers get what our producers send."""
        self.run_ours("omnibus", "produce", "-preset", "fast", "-count", "3", "-every", "0s", "-delay", "0s")
        self.assertCountEqual(handled(self.run_boto3("fast_consumer", "3")), sent_by("fast", 3))
        self.assertEqual(self.counts(), [0, 0, 0])

    def test_boto3_to_ours(self):
        """Our consumers get what boto3 producers send."""
        self.run_boto3("slow_producer", "3")
        out = self.run_ours("omnibus", "consume", "-preset", "slow", "-pause", "0s", "-max", "3")
        self.assertCountEqual(handled(out), sent_by("slow", 3))
        self.assertEqual(out.splitlines()[-1], "3 messages received, 3 deleted, 0 redelivered")
        self.assertEqual(self.counts(), [0, 0, 0])

    def test_attributes_from_boto3_to_ours(self):
        """Typed attributes that boto3 sends arrive with us as they were sent."""
        sent = lab.sqs.send_message(
            QueueUrl=self.url, MessageBody=BODY, MessageAttributes=ATTRIBUTES, DelaySeconds=0
        )
        self.assertEqual(sent["MD5OfMessageBody"], hashlib.md5(BODY.encode()).hexdigest())
        self.assertEqual(sent["MD5OfMessageAttributes"], md5_of_attributes(ATTRIBUTES))
        got = json.loads(self.run_ours("attributes", "receive"))
        self.assertEqual(got["body"], BODY)
        self.assertEqual(got["attributes"], as_json(ATTRIBUTES))
        # The portable type has text only, and has it as it was sent.
        self.assertEqual(got["metadata"]["Percent"], ATTRIBUTES["Percent"]["StringValue"])
        self.assertEqual(got["metadata"]["Amount"], ATTRIBUTES["Amount"]["StringValue"])

    def test_attributes_from_ours_to_boto3(self):
        """Typed attributes that we send arrive with boto3 as they were sent."""
        message = {"body": BODY, "attributes": as_json(ATTRIBUTES)}
        self.run_ours("attributes", "send", stdin=json.dumps(message))
        got = self.receive_one()
        self.assertEqual(got["Body"], BODY)
        self.assertEqual(got["MessageAttributes"], ATTRIBUTES)
        self.assertEqual(got["MD5OfBody"], hashlib.md5(BODY.encode()).hexdigest())
        self.assertEqual(got["MD5OfMessageAttributes"], md5_of_attributes(ATTRIBUTES))

    def test_plain_metadata_from_ours_to_boto3(self):
        """The portable metadata of our command line arrives as String attributes."""
        self.run_ours("omnibus", "produce", "-data", "-", "-delay", "0s", "-attr", "JobType=NewDonor", stdin='{"n": 1}')
        got = self.receive_one()
        self.assertEqual(got["MessageAttributes"], {"JobType": {"DataType": "String", "StringValue": "NewDonor"}})

    def receive_one(self):
        messages = lab.sqs.receive_message(
            QueueUrl=self.url, WaitTimeSeconds=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        )["Messages"]
        self.assertEqual(len(messages), 1)
        lab.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=messages[0]["ReceiptHandle"])
        return messages[0]


class Fifo(LabTest):
    suffix = ".fifo"

    def test_fifo_programs(self):
        """The FIFO producer's donors come in order, and twice the same only once."""
        self.run_boto3("fifo_producer", "4")
        self.run_boto3("fifo_producer", "5")  # four are known: deduplicated by content
        self.assertEqual(self.counts(), [5, 0, 0])
        self.assertEqual(handled(self.run_boto3("fifo_consumer", "5")), sent_by("fast", 5))
        self.assertEqual(self.counts(), [0, 0, 0])

    def test_fifo_ours_to_boto3(self):
        self.run_ours("omnibus", "produce", "-preset", "fast", "-count", "4", "-every", "0s", "-delay", "0s", "-group", "donors")
        self.assertEqual(handled(self.run_boto3("fifo_consumer", "4")), sent_by("fast", 4))

    def test_fifo_boto3_to_ours(self):
        self.run_boto3("fifo_producer", "4")
        self.assertEqual(handled(self.run_ours("omnibus", "consume", "-max", "4")), sent_by("fast", 4))

    def test_fifo_attributes(self):
        """Attributes and the group arrive on FIFO queues too."""
        lab.sqs.send_message(
            QueueUrl=self.url, MessageBody=BODY, MessageAttributes=ATTRIBUTES, MessageGroupId="group-1"
        )
        got = json.loads(self.run_ours("attributes", "receive"))
        self.assertEqual((got["body"], got["group"], got["attributes"]), (BODY, "group-1", as_json(ATTRIBUTES)))


del LabTest  # a base, not a test

if __name__ == "__main__":
    unittest.main(verbosity=2)
