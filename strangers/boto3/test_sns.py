"""Plays fan-out with boto3 on the endpoint at SQS_ENDPOINT, which answers SNS and
STS too: topics to standard and FIFO queues, filters, raw delivery, dead letters, in
two regions and two accounts. Each test has topics and queues of its own."""

import json
import os
import time
import unittest
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["SQS_ENDPOINT"]
BLOB = bytes(range(256))


def client(service, account="000000000000", region="us-east-1"):
    return boto3.client(
        service, region_name=region, endpoint_url=ENDPOINT, config=Config(retries={"total_max_attempts": 1}),
        aws_access_key_id=account, aws_secret_access_key="local",
    )


class SNS(unittest.TestCase):
    def setUp(self):
        self.sns, self.sqs = self.client("sns"), self.client("sqs")
        self.name = f"boto3-{time.time_ns()}"

    def client(self, *arguments):
        made = client(*arguments)
        self.addCleanup(made.close)
        return made

    def topic(self, suffix="", **attributes):
        if suffix.endswith(".fifo"):
            attributes["FifoTopic"] = "true"
        return self.sns.create_topic(Name=self.name + suffix, Attributes=attributes)["TopicArn"]

    def queue(self, suffix):
        attributes = {"FifoQueue": "true"} if suffix.endswith(".fifo") else {}
        url = self.sqs.create_queue(QueueName=self.name + suffix, Attributes=attributes)["QueueUrl"]
        return url, self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def subscribe(self, topic, suffix, **attributes):
        url, arn = self.queue(suffix)
        answer = self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes, ReturnSubscriptionArn=True)
        return url, answer["SubscriptionArn"]

    def receive(self, url):
        return self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"],
        ).get("Messages", [])

    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as refused:
            call(**arguments)
        self.assertEqual(refused.exception.response["Error"]["Code"], code)
        return refused.exception.response["Error"]["Message"]

    def test_fan_out(self):
        topic = self.topic()
        plain, _ = self.subscribe(topic, "-plain")
        raw, _ = self.subscribe(topic, "-raw", RawMessageDelivery="true")
        large, _ = self.subscribe(topic, "-large", RawMessageDelivery="true", FilterPolicy='{"amount": [{"numeric": [">", 100]}]}')
        body, _ = self.subscribe(
            topic, "-body", RawMessageDelivery="true", FilterPolicy='{"donor": {"name": [{"prefix": "Ha"}]}}', FilterPolicyScope="MessageBody")
        message = json.dumps({"donor": {"name": "Harper <ä> & \U0001F600"}})
        sent = self.sns.publish(TopicArn=topic, Message=message, Subject="A donor", MessageAttributes={
            "amount": {"DataType": "Number", "StringValue": "97.5"},
            "photo": {"DataType": "Binary.png", "BinaryValue": BLOB},
        })
        self.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[
            {"Id": "1", "Message": "much", "MessageAttributes": {"amount": {"DataType": "Number", "StringValue": "1e3"}}},
            {"Id": "2", "Message": "little"},
        ])
        envelope = json.loads(self.receive(plain)[0]["Body"])
        self.assertEqual((envelope["MessageId"], envelope["Message"], envelope["Subject"]), (sent["MessageId"], message, "A donor"))
        self.assertEqual(envelope["MessageAttributes"]["amount"], {"Type": "Number", "Value": "97.5"})
        got = self.receive(raw)
        self.assertEqual([m["Body"] for m in got], [message, "much", "little"])
        self.assertEqual(got[0]["MessageAttributes"]["photo"], {"DataType": "Binary.png", "BinaryValue": BLOB})
        self.assertEqual([m["Body"] for m in self.receive(large)], ["much"])
        self.assertEqual([m["Body"] for m in self.receive(body)], [message])

    def test_fifo(self):
        topic = self.topic(".fifo", ContentBasedDeduplication="true")
        fifo, _ = self.subscribe(topic, "-q.fifo", RawMessageDelivery="true")
        standard, _ = self.subscribe(topic, "-q")
        for _ in range(2):
            for i in range(5):
                self.sns.publish(TopicArn=topic, Message=str(i), MessageGroupId="g")
        got = self.receive(fifo)
        self.assertEqual([m["Body"] for m in got], ["0", "1", "2", "3", "4"])
        self.assertEqual(got[0]["Attributes"]["MessageGroupId"], "g")
        envelopes = [json.loads(m["Body"]) for m in self.receive(standard)]
        self.assertEqual([e["Message"] for e in envelopes], ["0", "1", "2", "3", "4"])
        self.assertNotIn("Signature", envelopes[0])
        self.assertEqual(len(envelopes[0]["SequenceNumber"]), 20)
        self.refused("InvalidParameter", self.sns.publish, TopicArn=topic, Message="m")
        self.refused("InvalidParameter", self.sns.subscribe, TopicArn=self.topic("-standard"), Protocol="sqs", Endpoint=self.queue("-x.fifo")[1])

    def test_dead_letters(self):
        topic = self.topic()
        dead, dead_arn = self.queue("-dead")
        url, subscription = self.subscribe(topic, "-q", RawMessageDelivery="true")
        self.sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName="RedrivePolicy", AttributeValue=json.dumps({"deadLetterTargetArn": dead_arn}))
        eleven = {f"a{i}": {"DataType": "String", "StringValue": "v"} for i in range(11)}
        self.sns.publish(TopicArn=topic, Message="eleven", MessageAttributes=eleven)
        self.assertEqual(self.receive(url), [])
        self.sqs.delete_queue(QueueUrl=url)
        self.sns.publish(TopicArn=topic, Message="to nowhere", MessageAttributes={"a": eleven["a1"]})
        first, second = self.receive(dead)
        self.assertEqual(len(json.loads(first["Body"])["MessageAttributes"]), 11)
        self.assertEqual((second["Body"], list(second["MessageAttributes"])), ("to nowhere", ["a"]))

    def test_links(self):
        topic = self.topic()
        url, subscription = self.subscribe(topic, "-q")
        self.sns.publish(TopicArn=topic, Message="m")
        envelope = json.loads(self.receive(url)[0]["Body"])
        with urllib.request.urlopen(envelope["SigningCertURL"]) as answer:
            self.assertTrue(answer.read().startswith(b"-----BEGIN CERTIFICATE-----"))
        urllib.request.urlopen(envelope["UnsubscribeURL"]).close()
        self.refused("NotFound", self.sns.get_subscription_attributes, SubscriptionArn=subscription)

    def test_rules(self):
        topic = self.topic()
        for subject in ("", "x" * 101, "two\nlines"):
            self.refused("InvalidParameter", self.sns.publish, TopicArn=topic, Message="m", Subject=subject)
        self.assertEqual(
            self.refused("InvalidParameter", self.sns.publish, TopicArn=topic, Message="x" * 262145), "Invalid parameter: Message too long")
        self.assertEqual(self.refused("NotFound", self.sns.publish, TopicArn=topic + "x", Message="m"), "Topic does not exist")
        self.refused("TooManyEntriesInBatchRequest", self.sns.publish_batch, TopicArn=topic,
                     PublishBatchRequestEntries=[{"Id": str(i), "Message": "m"} for i in range(11)])
        self.sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "k", "Value": "v"}])
        self.assertEqual(self.sns.list_tags_for_resource(ResourceArn=topic)["Tags"], [{"Key": "k", "Value": "v"}])

    def test_accounts(self):
        """Two accounts have topics and subscriptions of their own, and STS tells which is which."""
        for account in ("111111111111", "222222222222"):
            self.assertEqual(self.client("sts", account).get_caller_identity()["Account"], account)
            arn = self.client("sns", account, "eu-west-1").create_topic(Name=self.name)["TopicArn"]
            self.assertEqual(arn, f"arn:aws:sns:eu-west-1:{account}:{self.name}")
            listed = [t["TopicArn"] for t in self.client("sns", account, "eu-west-1").list_topics()["Topics"]]
            self.assertIn(arn, listed)
            self.assertTrue(all(f":{account}:" in t for t in listed), listed)
            self.refused("InvalidParameter", self.client("sns", account).publish, TopicArn=arn, Message="another region")

    def test_places(self):
        """The same names in two regions and two accounts are topics and queues of their own, and deliver in their own."""
        places = [(a, r) for a in ("111111111111", "222222222222") for r in ("eu-west-1", "us-east-1")]
        queues = {}
        for place in places:
            sns, sqs = self.client("sns", *place), self.client("sqs", *place)
            topic = sns.create_topic(Name=self.name)["TopicArn"]
            url = sqs.create_queue(QueueName=self.name)["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            self.assertEqual(arn, f"arn:aws:sqs:{place[1]}:{place[0]}:{self.name}")
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
            queues[place] = sqs, url, sns, topic
        for place, (_, _, sns, topic) in queues.items():
            sns.publish(TopicArn=topic, Message=" in ".join(place))
        for place, (sqs, url, _, _) in queues.items():
            got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            self.assertEqual([m["Body"] for m in got], [" in ".join(place)])

    def test_between_regions(self):
        """A topic feeds a queue of another region, and one of another account when its owner has confirmed."""
        sns = self.client("sns", "111111111111", "eu-west-1")
        topic = sns.create_topic(Name=self.name)["TopicArn"]
        there = self.client("sqs", "111111111111", "us-east-1")
        url = there.create_queue(QueueName=self.name)["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:111111111111:{self.name}", Attributes={"RawMessageDelivery": "true"})
        sns.publish(TopicArn=topic, Message="across regions")
        self.assertEqual([m["Body"] for m in there.receive_message(QueueUrl=url)["Messages"]], ["across regions"])

        theirs = self.client("sqs", "222222222222", "eu-west-1")
        url = theirs.create_queue(QueueName=self.name)["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:eu-west-1:222222222222:{self.name}")
        request = json.loads(theirs.receive_message(QueueUrl=url)["Messages"][0]["Body"])
        self.assertEqual((request["Type"], request["TopicArn"]), ("SubscriptionConfirmation", topic))
        with urllib.request.urlopen(request["SubscribeURL"]) as answer:
            self.assertIn(b"ConfirmSubscriptionResponse", answer.read())
        sns.publish(TopicArn=topic, Message="across accounts")
        bodies = [json.loads(m["Body"]).get("Message") for m in theirs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
        self.assertIn("across accounts", bodies)


if __name__ == "__main__":
    unittest.main(verbosity=2)
