"""Runs both producers and both consumers beside the status, until all that was sent
is done. The argument is how many messages each producer sends (default: 50)."""

import pathlib
import subprocess
import sys
import time

import lab
from queue_status import status

HERE = pathlib.Path(__file__).resolve().parent


def start(program, *args):
    return subprocess.Popen([sys.executable, HERE / f"{program}.py", *args])


count = sys.argv[1] if len(sys.argv) > 1 else "50"
url = lab.queue_url()
forever = [start("queue_status"), start("fast_consumer"), start("slow_consumer")]
try:
    for producer in [start("fast_producer", count), start("slow_producer", count)]:
        if producer.wait() != 0:
            sys.exit(f"{producer.args[1]} failed")
    while status(url) != [0, 0, 0]:
        if any(p.poll() is not None for p in forever):
            sys.exit("a consumer or the status ended early")
        time.sleep(1)
finally:
    for p in forever:
        p.terminate()
        p.wait()
print("left:", *status(url))
