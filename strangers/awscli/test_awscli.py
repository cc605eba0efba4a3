"""Goes through every action that the AWS CLI has for SQS, on the endpoint at
SQS_ENDPOINT, and checks the answers. The CLI is the one at AWS_CLI (default:
/usr/bin/aws)."""

import hashlib
import json
import os
import re
import subprocess
import time
import unittest

AWS = os.environ.get("AWS_CLI", "/usr/bin/aws")
ENDPOINT = os.environ["SQS_ENDPOINT"]
ENVIRONMENT = os.environ | {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
    "AWS_PAGER": "",
    "AWS_MAX_ATTEMPTS": "1",
}
BODY = 'a <body> & "more", ä'
used = set()


def run(action, *args):
    used.add(action)
    return subprocess.run(
        [AWS, "--endpoint-url", ENDPOINT, "--output", "json", "sqs", action, *args],
        env=ENVIRONMENT, text=True, capture_output=True, timeout=60,
    )


def sqs(action, *args):
    """Runs an action that must succeed and returns its answer."""
    done = run(action, *args)
    if done.returncode != 0:
        raise AssertionError(f"{action} {args}: status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else None


def actions():
    """All actions that this CLI has, but help and waiters."""
    done = subprocess.run([AWS, "sqs", "no-such-action"], env=ENVIRONMENT, text=True, capture_output=True)
    choices = done.stderr.split("valid choices are:")[1]
    found = set(re.findall(r"[a-z]+(?:-[a-z]+)+", choices))
    assert "send-message" in found, done.stderr
    return found


class AWSCLI(unittest.TestCase):
    def setUp(self):
        self.name = f"cli-{time.time_ns()}"

    def create(self, name, attributes="{}"):
        return sqs("create-queue", "--queue-name", name, "--attributes", attributes)["QueueUrl"]

    def refused(self, code, action, *args):
        done = run(action, *args)
        self.assertNotEqual(done.returncode, 0, f"{action} {args} succeeded: {done.stdout}")
        self.assertIn(f"({code})", done.stderr)

    def test_queues(self):
        """create-queue, get-queue-url, list-queues, get- and set-queue-attributes, delete-queue"""
        url = self.create(self.name, '{"DelaySeconds": "5", "MessageRetentionPeriod": "86400"}')
        self.assertEqual(self.create(self.name, '{"DelaySeconds": "5"}'), url)
        self.refused("QueueAlreadyExists", "create-queue", "--queue-name", self.name, "--attributes", '{"DelaySeconds": "6"}')
        self.refused("InvalidParameterValue", "create-queue", "--queue-name", "no such name")
        self.assertEqual(sqs("get-queue-url", "--queue-name", self.name), {"QueueUrl": url})

        sqs("set-queue-attributes", "--queue-url", url, "--attributes", '{"VisibilityTimeout": "7"}')
        got = sqs("get-queue-attributes", "--queue-url", url, "--attribute-names", "All")["Attributes"]
        want = {
            "ApproximateNumberOfMessages": "0",
            "ApproximateNumberOfMessagesDelayed": "0",
            "ApproximateNumberOfMessagesNotVisible": "0",
            "DelaySeconds": "5",
            "MaximumMessageSize": "1048576",
            "MessageRetentionPeriod": "86400",
            "QueueArn": got["QueueArn"],
            "ReceiveMessageWaitTimeSeconds": "0",
            "VisibilityTimeout": "7",
        }
        self.assertEqual(got, got | want)
        self.assertRegex(got["QueueArn"], rf"^arn:aws:sqs:us-east-1:\d{{12}}:{self.name}$")
        self.assertAlmostEqual(int(got["CreatedTimestamp"]), time.time(), delta=60)
        self.assertAlmostEqual(int(got["LastModifiedTimestamp"]), time.time(), delta=60)
        self.refused("InvalidAttributeValue", "set-queue-attributes", "--queue-url", url, "--attributes", '{"DelaySeconds": "901"}')
        self.refused("InvalidAttributeName", "get-queue-attributes", "--queue-url", url, "--attribute-names", "Colour")

        urls = [url] + [self.create(f"{self.name}-{i}") for i in (1, 2)]
        self.assertEqual(sqs("list-queues", "--queue-name-prefix", self.name), {"QueueUrls": urls})
        pages = sqs("list-queues", "--queue-name-prefix", self.name, "--page-size", "2")
        self.assertEqual(pages, {"QueueUrls": urls})
        first = sqs("list-queues", "--queue-name-prefix", self.name, "--page-size", "2", "--max-items", "2")
        rest = sqs("list-queues", "--queue-name-prefix", self.name, "--page-size", "2", "--starting-token", first["NextToken"])
        self.assertEqual(first["QueueUrls"] + rest["QueueUrls"], urls)

        for url in reversed(urls):  # the one looked for below last, since a minute counts
            sqs("delete-queue", "--queue-url", url)
        self.refused("AWS.SimpleQueueService.NonExistentQueue", "get-queue-url", "--queue-name", self.name)
        self.refused("AWS.SimpleQueueService.QueueDeletedRecently", "create-queue", "--queue-name", self.name)
        self.assertIsNone(sqs("list-queues", "--queue-name-prefix", self.name))

    def test_messages(self):
        """send-message, receive-message, change-message-visibility, delete-message"""
        url = self.create(self.name)
        attributes = {
            "JobType": {"DataType": "String", "StringValue": "100%25 of 50%"},
            "Amount": {"DataType": "Number.euro", "StringValue": "97.50"},
            "Photo": {"DataType": "Binary", "BinaryValue": "AAEC/w=="},
        }
        sent = sqs(
            "send-message", "--queue-url", url, "--message-body", BODY, "--message-attributes", json.dumps(attributes),
            "--message-system-attributes", '{"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}',
        )
        md5 = hashlib.md5(BODY.encode()).hexdigest()
        self.assertEqual(sent["MD5OfMessageBody"], md5)

        receive = ["receive-message", "--queue-url", url, "--attribute-names", "All", "--message-attribute-names", "All"]
        (got,) = sqs(*receive, "--wait-time-seconds", "5", "--visibility-timeout", "30")["Messages"]
        self.assertEqual(
            (got["MessageId"], got["Body"], got["MD5OfBody"], got["MessageAttributes"], got["MD5OfMessageAttributes"]),
            (sent["MessageId"], BODY, md5, attributes, sent["MD5OfMessageAttributes"]),
        )
        system = got["Attributes"]
        self.assertEqual(system["ApproximateReceiveCount"], "1")
        self.assertEqual(system["AWSTraceHeader"], "Root=1-5759e988-bd862e3fe1be46a994272793")
        self.assertTrue(system["SenderId"])
        self.assertLessEqual(int(system["SentTimestamp"]), int(system["ApproximateFirstReceiveTimestamp"]))
        self.assertIsNone(sqs(*receive), "a message in flight was received")

        handle = ["--queue-url", url, "--receipt-handle", got["ReceiptHandle"]]
        self.refused("InvalidParameterValue", "change-message-visibility", *handle, "--visibility-timeout", "43201")
        sqs("change-message-visibility", *handle, "--visibility-timeout", "0")
        (again,) = sqs(*receive)["Messages"]
        self.assertEqual((again["MessageId"], again["Attributes"]["ApproximateReceiveCount"]), (got["MessageId"], "2"))
        sqs("delete-message", "--queue-url", url, "--receipt-handle", again["ReceiptHandle"])
        self.refused("ReceiptHandleIsInvalid", "delete-message", "--queue-url", url, "--receipt-handle", "nonsense")
        self.assertIsNone(sqs(*receive))

        self.refused("InvalidParameterValue", "send-message", "--queue-url", url, "--message-body", "late", "--delay-seconds", "901")
        self.refused("InvalidParameterValue", "receive-message", "--queue-url", url, "--max-number-of-messages", "11")
        self.refused("AWS.SimpleQueueService.NonExistentQueue", "send-message", "--queue-url", url + "-not", "--message-body", "lost")

    def test_batches(self):
        """send-message-batch, change-message-visibility-batch, delete-message-batch, purge-queue"""
        url = self.create(self.name)
        answer = sqs("send-message-batch", "--queue-url", url, "--entries", json.dumps([
            {"Id": "good", "MessageBody": BODY},
            {"Id": "late", "MessageBody": BODY, "DelaySeconds": 901},
            {"Id": "well", "MessageBody": "second"},
        ]))
        self.assertEqual([e["Id"] for e in answer["Successful"]], ["good", "well"])
        self.assertEqual([(e["Id"], e["Code"], e["SenderFault"]) for e in answer["Failed"]], [("late", "InvalidParameterValue", True)])
        self.refused(
            "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "send-message-batch", "--queue-url", url, "--entries",
            json.dumps([{"Id": "same", "MessageBody": "a"}, {"Id": "same", "MessageBody": "b"}]),
        )
        self.refused(
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "send-message-batch", "--queue-url", url, "--entries",
            json.dumps([{"Id": str(i), "MessageBody": "a"} for i in range(11)]),
        )
        messages = sqs("receive-message", "--queue-url", url, "--max-number-of-messages", "10")["Messages"]
        self.assertEqual({m["Body"] for m in messages}, {BODY, "second"})
        answer = sqs("change-message-visibility-batch", "--queue-url", url, "--entries", json.dumps(
            [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0} for i, m in enumerate(messages)]
            + [{"Id": "bad", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0}]
        ))
        self.assertEqual([e["Id"] for e in answer["Successful"]], ["0", "1"])
        self.assertEqual([(e["Id"], e["Code"]) for e in answer["Failed"]], [("bad", "ReceiptHandleIsInvalid")])
        messages = sqs("receive-message", "--queue-url", url, "--max-number-of-messages", "10")["Messages"]
        answer = sqs("delete-message-batch", "--queue-url", url, "--entries", json.dumps(
            [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
        ))
        self.assertEqual([e["Id"] for e in answer["Successful"]], ["0", "1"])

        sqs("send-message", "--queue-url", url, "--message-body", "unwanted")
        sqs("purge-queue", "--queue-url", url)
        self.assertIsNone(sqs("receive-message", "--queue-url", url))
        self.refused("AWS.SimpleQueueService.PurgeQueueInProgress", "purge-queue", "--queue-url", url)

    def test_fifo(self):
        """The actions on a FIFO queue."""
        url = self.create(self.name + ".fifo", '{"FifoQueue": "true", "ContentBasedDeduplication": "true"}')
        self.refused("MissingParameter", "send-message", "--queue-url", url, "--message-body", "no group")
        sent = [
            sqs("send-message", "--queue-url", url, "--message-body", body, "--message-group-id", "g")
            for body in ("one", "two", "one")
        ]
        self.assertEqual(sent[0]["MessageId"], sent[2]["MessageId"])
        self.assertRegex(sent[0]["SequenceNumber"], r"^\d{20}$")
        self.assertLess(sent[0]["SequenceNumber"], sent[1]["SequenceNumber"])
        got = sqs("receive-message", "--queue-url", url, "--max-number-of-messages", "10", "--attribute-names", "All")["Messages"]
        self.assertEqual([m["Body"] for m in got], ["one", "two"])
        self.assertEqual([m["Attributes"]["MessageGroupId"] for m in got], ["g", "g"])
        self.assertEqual([m["Attributes"]["SequenceNumber"] for m in got], [s["SequenceNumber"] for s in sent[:2]])
        self.assertEqual(got[0]["Attributes"]["MessageDeduplicationId"], hashlib.sha256(b"one").hexdigest())

    def test_dead_letters(self):
        """list-dead-letter-source-queues, and what a redrive policy does"""
        dead = self.create(self.name + "-dead")
        arn = sqs("get-queue-attributes", "--queue-url", dead, "--attribute-names", "QueueArn")["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
        url = self.create(self.name, json.dumps({"RedrivePolicy": policy, "VisibilityTimeout": "0"}))
        self.assertEqual(sqs("list-dead-letter-source-queues", "--queue-url", dead), {"queueUrls": [url]})
        sqs("send-message", "--queue-url", url, "--message-body", BODY)
        self.assertEqual(len(sqs("receive-message", "--queue-url", url)["Messages"]), 1)
        self.assertIsNone(sqs("receive-message", "--queue-url", url))
        (got,) = sqs("receive-message", "--queue-url", dead, "--attribute-names", "All")["Messages"]
        self.assertEqual(got["Body"], BODY)
        self.assertEqual(got["Attributes"]["DeadLetterQueueSourceArn"], arn.removesuffix("-dead"))

    def test_tags(self):
        """tag-queue, list-queue-tags, untag-queue"""
        url = self.create(self.name)
        sqs("tag-queue", "--queue-url", url, "--tags", '{"team": "donors", "cost of it": "ä"}')
        self.assertEqual(sqs("list-queue-tags", "--queue-url", url), {"Tags": {"team": "donors", "cost of it": "ä"}})
        sqs("untag-queue", "--queue-url", url, "--tag-keys", "team")
        self.assertEqual(sqs("list-queue-tags", "--queue-url", url), {"Tags": {"cost of it": "ä"}})

    def test_permissions(self):
        """add-permission, remove-permission"""
        url = self.create(self.name)
        sqs("add-permission", "--queue-url", url, "--label", "sending", "--aws-account-ids", "111122223333", "--actions", "SendMessage")
        attributes = sqs("get-queue-attributes", "--queue-url", url, "--attribute-names", "Policy")["Attributes"]
        (statement,) = json.loads(attributes["Policy"])["Statement"]
        self.assertEqual((statement["Sid"], statement["Effect"], statement["Action"]), ("sending", "Allow", "SQS:SendMessage"))
        sqs("remove-permission", "--queue-url", url, "--label", "sending")
        self.refused("InvalidParameterValue", "remove-permission", "--queue-url", url, "--label", "sending")


def load_tests(loader, tests, pattern):
    """Runs all tests, and after them the check that no action was left out."""
    tests.addTest(unittest.FunctionTestCase(every_action_was_used, description="every action of the CLI was used"))
    return tests


def every_action_was_used():
    unused = actions() - used
    assert not unused, f"not used: {sorted(unused)}"


if __name__ == "__main__":
    unittest.main(verbosity=2)
