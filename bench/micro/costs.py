#!/usr/bin/env -S python3 -B
"""What one of each state costs the relay: memory that it has allocated (its own and its libraries'),
descriptors, and processor time until it is in that state. The kernel's memory for sockets is not in it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/system"))
from lib.costs import BESIDE, STATES
from lib.scene import Scene


def main():
	failed = False
	for what, measure, most, descriptors_most in STATES:
		scene = Scene()
		try:
			bytes_each, descriptors, us = measure(scene)
		finally:
			scene.close()
			scene.remove()
		failed |= bytes_each > most or descriptors > descriptors_most + BESIDE
		print(f"{what:34} {bytes_each:8.0f} bytes  {descriptors:4.1f} descriptors  {us:6.0f} us"
			+ f"  (to hold: {most})", flush=True)
	sys.exit(failed)


main()
