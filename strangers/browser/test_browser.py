"""Plays pages of other sites, in headless Chromium, against sqsd: none of them purges
a queue or reads of one. sqsd is OMNIBUS_BIN/sqsd, Chromium the one at CHROMIUM
(default: /usr/bin/chromium)."""

import functools
import html
import http.server
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import unittest
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SQSD = pathlib.Path(os.environ["OMNIBUS_BIN"]) / "sqsd"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE = 180  # seconds that Chromium may take on a busy machine


class Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Browser(unittest.TestCase):
    def setUp(self):
        self.pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Pages, directory=HERE))
        threading.Thread(target=self.pages.serve_forever, daemon=True).start()
        self.addCleanup(self.pages.server_close)
        self.addCleanup(self.pages.shutdown)
        self.port = self.pages.server_port
        self.allowed = f"http://app.example:{self.port}"

        self.log = tempfile.TemporaryFile("w+")
        self.addCleanup(self.log.close)
        self.sqsd = subprocess.Popen(
            [SQSD, "-addr", "127.0.0.1:0", "-log", "json", "-lenient", "-cors", self.allowed],
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        self.addCleanup(self.sqsd.stdout.close)
        self.addCleanup(self.sqsd.wait)
        self.addCleanup(self.sqsd.terminate)
        self.endpoint = re.search(r"http://\S+:\d+", self.sqsd.stdout.readline())[0]
        self.call("Action=CreateQueue&QueueName=donors")
        self.call("Action=SendMessage&QueueUrl=donors&MessageBody=a+donor")

    def call(self, form):
        """Calls an action as a program does."""
        with urllib.request.urlopen(self.endpoint, form.encode()) as answer:
            return answer.read().decode()

    def messages(self):
        with urllib.request.urlopen(self.endpoint + "/messages?QueueUrl=donors") as answer:
            return [m["Body"] for m in json.load(answer).get("Messages", [])]

    def statuses(self):
        """The statuses that the log has."""
        self.log.seek(0)
        return [json.loads(line)["status"] for line in self.log]

    def browse(self, url):
        """Returns the document after its scripts are done."""
        with tempfile.TemporaryDirectory() as profile:
            done = subprocess.run(
                [
                    CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--disable-dev-shm-usage", f"--user-data-dir={profile}",
                    # All names are this machine, as after a rebinding.
                    "--host-resolver-rules=MAP *.example 127.0.0.1",
                    "--virtual-time-budget=20000", "--dump-dom", url,
                ],
                capture_output=True, text=True, timeout=PATIENCE,
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        return html.unescape(done.stdout)

    def page(self, name, origin):
        document = self.browse(f"{origin}/{name}?target={urllib.parse.quote(self.endpoint)}")
        found = re.search('<pre id="outcomes">(.*?)</pre>', document, re.DOTALL)
        self.assertIsNotNone(found, document)
        return found[1]

    def test_another_site_cannot_purge(self):
        """Whatever a page of another site sends arrives, and is refused."""
        for origin in [f"http://evil.example:{self.port}", f"http://127.0.0.1:{self.port}"]:  # the other is same-site
            before = len(self.statuses())
            outcomes = json.loads(self.page("attacks.html", origin))
            print(origin, outcomes)
            self.assertEqual(self.messages(), ["a donor"], origin)
            refused = self.statuses()[before:]
            self.assertEqual(refused[-1], 200)  # that of messages
            self.assertEqual(set(refused[:-1]), {403}, origin)
            self.assertGreaterEqual(len(refused[:-1]), len(outcomes), f"not all of {outcomes} arrived")

    def test_rebinding_reads_nothing(self):
        """A name that a stranger points here gets nothing by it, from its own page either."""
        port = urllib.parse.urlsplit(self.endpoint).port
        document = self.browse(f"http://evil.example:{port}/messages?QueueUrl=donors")
        self.assertIn("AccessDenied", document)
        self.assertNotIn("a donor", document)
        self.assertIn("a donor", self.browse(f"{self.endpoint}/messages?QueueUrl=donors"))
        self.assertIn("a donor", self.browse(f"http://sqs.us-east-1.localhost:{port}/messages?QueueUrl=donors"))

    def test_cors(self):
        """The pages of the origin that -cors names use the endpoint as an SDK does; those of others do not."""
        self.assertRegex(self.page("allowed.html", self.allowed), r'^200 true \{"QueueUrls":')
        self.assertRegex(self.page("allowed.html", f"http://evil.example:{self.port}"), "^refused: TypeError")


if __name__ == "__main__":
    unittest.main(verbosity=2)
