"""Sends donors to a FIFO queue (QUEUE_NAME), all in one message group."""

import sys

import lab

assert lab.FIFO, "QUEUE_NAME must end in .fifo"
count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
lab.produce("Fast", lab.donors("fast")[:count], delay=0)
