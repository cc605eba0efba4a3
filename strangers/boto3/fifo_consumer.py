"""Handles a FIFO queue's messages (QUEUE_NAME), working 2 s on each before it deletes it."""

import sys

import lab

assert lab.FIFO, "QUEUE_NAME must end in .fifo"
lab.consume(visibility=5, work=2, count=int(sys.argv[1]) if len(sys.argv) > 1 else None)
