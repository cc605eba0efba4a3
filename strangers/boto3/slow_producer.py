"""Sends 50 donors, or as many as the argument says, each delayed by 10 s."""

import sys

import lab

count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
lab.produce("Slow", lab.donors("slow")[:count], delay=10)
