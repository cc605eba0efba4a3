"""Goes through every action of SNS that the endpoint at SQS_ENDPOINT has, and STS,
with the AWS CLI at AWS_CLI (default: /usr/bin/aws)."""

import json
import os
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


def run(service, action, *args, **environment):
    return subprocess.run(
        [AWS, "--endpoint-url", ENDPOINT, "--output", "json", service, action, *args],
        env=ENVIRONMENT | environment, text=True, capture_output=True, timeout=60,
    )


def aws(service, action, *args, **environment):
    """Runs an action that must succeed and returns its answer."""
    done = run(service, action, *args, **environment)
    if done.returncode != 0:
        raise AssertionError(f"{action} {args}: status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else None


class SNS(unittest.TestCase):
    def refused(self, code, action, *args):
        done = run("sns", action, *args)
        self.assertNotEqual(done.returncode, 0, f"{action} {args} succeeded: {done.stdout}")
        self.assertIn(f"({code})", done.stderr)

    def test_every_action(self):
        name = f"cli-{time.time_ns()}"
        self.assertEqual(aws("sts", "get-caller-identity")["Account"], "000000000000")
        topic = aws("sns", "create-topic", "--name", name, "--attributes", "DisplayName=Donors", "--tags", "Key=k,Value=v")["TopicArn"]
        self.assertIn({"TopicArn": topic}, aws("sns", "list-topics")["Topics"])
        aws("sns", "set-topic-attributes", "--topic-arn", topic, "--attribute-name", "SignatureVersion", "--attribute-value", "2")
        got = aws("sns", "get-topic-attributes", "--topic-arn", topic)["Attributes"]
        self.assertEqual((got["DisplayName"], got["SignatureVersion"], got["SubscriptionsConfirmed"]), ("Donors", "2", "0"))
        aws("sns", "tag-resource", "--resource-arn", topic, "--tags", "Key=l,Value=w")
        aws("sns", "untag-resource", "--resource-arn", topic, "--tag-keys", "k")
        self.assertEqual(aws("sns", "list-tags-for-resource", "--resource-arn", topic), {"Tags": [{"Key": "l", "Value": "w"}]})
        aws("sns", "add-permission", "--topic-arn", topic, "--label", "l", "--aws-account-id", "111111111111", "--action-name", "Publish")
        self.assertIn('"Sid":"l"', aws("sns", "get-topic-attributes", "--topic-arn", topic)["Attributes"]["Policy"])
        aws("sns", "remove-permission", "--topic-arn", topic, "--label", "l")

        url = aws("sqs", "create-queue", "--queue-name", name)["QueueUrl"]
        arn = aws("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "QueueArn")["Attributes"]["QueueArn"]
        subscription = aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn)["SubscriptionArn"]
        for list in (("list-subscriptions",), ("list-subscriptions-by-topic", "--topic-arn", topic)):
            self.assertIn(subscription, [s["SubscriptionArn"] for s in aws("sns", *list)["Subscriptions"]])
        aws("sns", "set-subscription-attributes", "--subscription-arn", subscription,
            "--attribute-name", "FilterPolicy", "--attribute-value", '{"kind": ["new"]}')
        got = aws("sns", "get-subscription-attributes", "--subscription-arn", subscription)["Attributes"]
        self.assertEqual((got["FilterPolicy"], got["PendingConfirmation"]), ('{"kind": ["new"]}', "false"))
        self.refused("InvalidParameter", "set-subscription-attributes", "--subscription-arn", subscription,
                     "--attribute-name", "FilterPolicy", "--attribute-value", '{"kind": "new"}')

        aws("sns", "publish", "--topic-arn", topic, "--message", "filtered out")
        sent = aws("sns", "publish", "--topic-arn", topic, "--subject", "s", "--message", 'a <body> & "more", ä',
                   "--message-attributes", '{"kind": {"DataType": "String", "StringValue": "new"}}')
        aws("sns", "publish-batch", "--topic-arn", topic, "--publish-batch-request-entries",
            '[{"Id": "1", "Message": "b", "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "new"}}}]')
        got = [json.loads(m["Body"]) for m in aws("sqs", "receive-message", "--queue-url", url, "--max-number-of-messages", "10")["Messages"]]
        self.assertEqual([m["Message"] for m in got], ['a <body> & "more", ä', "b"])
        self.assertEqual((got[0]["MessageId"], got[0]["SignatureVersion"]), (sent["MessageId"], "2"))

        self.refused("InvalidParameter", "confirm-subscription", "--topic-arn", topic, "--token", "none")
        aws("sns", "unsubscribe", "--subscription-arn", subscription)
        self.refused("NotFound", "get-subscription-attributes", "--subscription-arn", subscription)
        aws("sns", "delete-topic", "--topic-arn", topic)
        self.refused("NotFound", "get-topic-attributes", "--topic-arn", topic)

    def test_places(self):
        """A topic and a queue of an account in a region are that one's only, and deliver there."""
        name = f"cli-places-{time.time_ns()}"
        for account, region in (("111111111111", "eu-west-1"), ("222222222222", "us-west-2")):
            place = {"AWS_ACCESS_KEY_ID": account, "AWS_REGION": region}
            topic = aws("sns", "create-topic", "--name", name, **place)["TopicArn"]
            self.assertEqual(topic, f"arn:aws:sns:{region}:{account}:{name}")
            self.assertEqual([t for t in aws("sns", "list-topics", **place)["Topics"] if t["TopicArn"].endswith(name)], [{"TopicArn": topic}])
            url = aws("sqs", "create-queue", "--queue-name", name, **place)["QueueUrl"]
            arn = f"arn:aws:sqs:{region}:{account}:{name}"
            aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn,
                "--attributes", "RawMessageDelivery=true", **place)
            aws("sns", "publish", "--topic-arn", topic, "--message", account, **place)
            got = aws("sqs", "receive-message", "--queue-url", url, "--max-number-of-messages", "10", **place)["Messages"]
            self.assertEqual([m["Body"] for m in got], [account])


if __name__ == "__main__":
    unittest.main(verbosity=2)
