"""Prints the queue's three counts every second, or as often as the argument says."""

import sys
import time

import lab

NAMES = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]


def status(url):
    counts = lab.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=NAMES)["Attributes"]
    return [int(counts[name]) for name in NAMES]


def main():
    looks = int(sys.argv[1]) if len(sys.argv) > 1 else None
    url = lab.queue_url()
    while looks is None or looks > 0:
        for count, name in zip(status(url), NAMES):
            lab.say(f"{count} {name}")
        if looks is not None:
            looks -= 1
        if looks != 0:
            time.sleep(1)


if __name__ == "__main__":
    main()
