"""Handles messages for ever, or as many as the argument says, resting 2 s after each."""

import sys

import lab

lab.consume(visibility=5, rest=2, count=int(sys.argv[1]) if len(sys.argv) > 1 else None)
