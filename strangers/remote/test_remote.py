"""Reaches for sqsd from another machine: a network namespace, THERE, that is joined
by one link to the one where sqsd runs, HERE, at the address ADDRESS. sqsd is
OMNIBUS_BIN/sqsd. Run it as root, outside of both."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SQSD = pathlib.Path(os.environ["OMNIBUS_BIN"]) / "sqsd"
HERE, THERE, ADDRESS = os.environ["HERE"], os.environ["THERE"], os.environ["ADDRESS"]
PORT = 9324
URL = f"http://{ADDRESS}:{PORT}"

# What runs there: a request of a program's, or a call of boto3's.
GET = """
import sys, urllib.error, urllib.request
url, host, body = sys.argv[1:4]
r = urllib.request.Request(url, body.encode() or None, {"Host": host} if host else {})
try:
    with urllib.request.urlopen(r, timeout=5) as a:
        print(a.status, a.read().decode())
except urllib.error.HTTPError as e:
    print(e.code, e.read().decode())
except OSError as e:
    print("no answer:", e)
"""
SEND = """
import sys, boto3
url, key, secret = sys.argv[1:4]
sqs = boto3.client("sqs", endpoint_url=url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)
try:
    queue = sqs.create_queue(QueueName="donors")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="a donor é")
    print(queue, sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"])
    print(sqs.generate_presigned_url("get_queue_attributes", Params={"QueueUrl": queue, "AttributeNames": ["QueueArn"]}, HttpMethod="GET"))
except sqs.exceptions.ClientError as e:
    print(e.response["Error"]["Code"])
"""


def run(netns, program, *args):
    done = subprocess.run(
        ["ip", "netns", "exec", netns, sys.executable, "-c", program, *args], capture_output=True, text=True, timeout=120
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stdout.strip()


class Remote(unittest.TestCase):
    def start(self, *flags):
        """Starts sqsd here and returns what it wrote to standard error until it listened."""
        errors = tempfile.TemporaryFile("w+")
        self.addCleanup(errors.close)
        sqsd = subprocess.Popen(
            ["ip", "netns", "exec", HERE, SQSD, *flags], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        self.addCleanup(sqsd.stdout.close)
        self.addCleanup(sqsd.wait)
        self.addCleanup(sqsd.terminate)
        self.assertIn("listening on", sqsd.stdout.readline())
        errors.seek(0)
        return errors.read()

    def there(self, path, host="", body=""):
        return run(THERE, GET, URL + path, host, body)

    def test_not_by_default(self):
        """An sqsd that nobody has told otherwise is not there for another machine."""
        self.assertEqual(self.start(), "")
        self.assertRegex(run(HERE, GET, f"http://127.0.0.1:{PORT}/health", "", ""), "^200 ")
        self.assertRegex(self.there("/health"), "^no answer: .*refused")

    def test_not_by_an_address_alone(self):
        """An address of the network needs a word that it is meant."""
        done = subprocess.run(
            ["ip", "netns", "exec", HERE, SQSD, "-addr", f"{ADDRESS}:{PORT}"], capture_output=True, text=True, timeout=20
        )
        self.assertEqual(done.returncode, 2)
        self.assertIn("-allow-remote", done.stderr)

    def test_when_allowed(self):
        """With -allow-remote it is there by its address, and by the names of -host; pages for tests are not."""
        warning = self.start("-addr", f"0.0.0.0:{PORT}", "-allow-remote", "-host", "sqsd")
        self.assertIn("warning: all who reach", warning)
        self.assertRegex(self.there("/health"), "^200 ")
        queue = f"{URL}/000000000000/donors"
        self.assertEqual(run(THERE, SEND, URL, "local", "local").splitlines()[0], f"{queue} a donor é")
        self.assertRegex(self.there("/?Action=ListQueues", "sqsd:9324"), "^200 .*http://sqsd:9324/000000000000/donors<")
        self.assertRegex(self.there("/?Action=ListQueues", "evil.example"), "^403 .*AccessDenied")
        self.assertRegex(self.there("/messages?QueueUrl=donors"), "^404 ")
        self.assertRegex(self.there("/reset", "", " "), "^400 ")
        self.assertRegex(self.there("/?Action=ListQueues"), "^200 .*/donors<")

    def test_pages_for_tests_when_asked_for(self):
        self.start("-addr", f"{ADDRESS}:{PORT}", "-allow-remote", "-inspect")
        run(THERE, SEND, URL, "local", "local")
        self.assertRegex(self.there("/messages?QueueUrl=donors"), "^200 ")
        self.assertRegex(self.there("/reset", "", " "), "^200 ")
        self.assertNotIn("donors", self.there("/?Action=ListQueues"))

    def test_with_keys(self):
        """With -keys it answers those who sign, by the header or in a URL, and nobody else."""
        with tempfile.NamedTemporaryFile("w") as keys:
            keys.write("[donors]\naws_access_key_id = AKIDDONORS\naws_secret_access_key = a secret\n")
            keys.flush()
            self.assertEqual(self.start("-addr", f"0.0.0.0:{PORT}", "-keys", keys.name), "")
        sent, presigned = run(THERE, SEND, URL, "AKIDDONORS", "a secret").splitlines()
        self.assertEqual(sent, f"{URL}/000000000000/donors a donor é")
        self.assertRegex(run(THERE, GET, presigned, "", ""), "^200 .*QueueArn")
        self.assertRegex(run(THERE, GET, presigned + "&AttributeName.2=All", "", ""), "^403 .*SignatureDoesNotMatch")
        self.assertEqual(run(THERE, SEND, URL, "AKIDDONORS", "another"), "SignatureDoesNotMatch")
        self.assertEqual(run(THERE, SEND, URL, "AKIDOTHER", "a secret"), "InvalidClientTokenId")
        self.assertRegex(self.there("/?Action=ListQueues"), "^403 .*MissingAuthenticationToken")
        self.assertRegex(self.there("/health"), "^200 ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
