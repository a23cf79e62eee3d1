#!/usr/bin/env -S python3 -B
"""Those who take what is not theirs, as a program of its own: in `make attack` at nice 19, else two cores would measure the
attacker.

attackers.py KIND PORT SERVER_NAME COUNT SOURCE...	COUNT connections (or as many a second, 0: as fast as it goes),
		from each of the sources in turn
It says "ready" when all is set up, or "ready" at once and goes on, until its standard input ends; then how many
connections it has made.
"""
import os
import select
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
from lib.client import dial, stalled_reader
from lib.hello import hello

class Ended(Exception):
	pass


def is_over():
	return select.select([sys.stdin], [], [], 0)[0]


def say(*words):
	print(*words, flush=True)


def pause(seconds):
	if select.select([sys.stdin], [], [], seconds)[0]:
		raise Ended


def connected(port, source, first, reads=True):
	"""A connection on which `first` was sent, or None."""
	try:
		return (dial if reads else stalled_reader)(port, first, source=source, timeout=5)
	except OSError:
		return None


def hold(port, count, sources, first, reads):
	streams = [connected(port, sources[i % len(sources)], first, reads) for i in range(count)]
	streams = [stream for stream in streams if stream]
	say("ready", len(streams))
	while True:
		pause(0.2)
		for stream in select.select(streams if reads else [], [], [], 0)[0]:
			try:
				stream.recv(65536)
			except OSError:
				pass


def stalled(port, name, count, sources):
	"""Downloads that nobody reads."""
	hold(port, count, sources, hello(name), False)


def idle(port, name, count, sources):
	"""Flows on which nothing more is said."""
	hold(port, count, sources, hello(name), True)


def flood(port, rate, sources, first, lingers):
	"""Connections one after the other. lingers: they stay open until the other side ends them."""
	made, began, kept = 0, time.monotonic(), []
	say("ready")
	try:
		while not (made % 32 == 0 and is_over()):
			stream = connected(port, sources[made % len(sources)], first)
			made += 1
			if stream and lingers:
				kept = kept[-2000:] + [stream]
			elif stream:
				stream.close()
			if rate:
				time.sleep(max(0, began + made / rate - time.monotonic()))
	finally:
		say(made, f"{time.monotonic() - began:.3f}")


def refused(port, name, rate, sources):
	"""Names that nobody serves, whose alerts are not read: each refusal lingers."""
	flood(port, rate, sources, hello(name), True)


def sessions(port, name, rate, sources):
	"""The first flight of an agent, over and over."""
	flood(port, rate, sources, hello(name, alpn=["valise/1"]), True)


def churn(port, name, rate, sources):
	"""New flows."""
	flood(port, rate, sources, hello(name), False)


KINDS = {f.__name__: f for f in (stalled, idle, refused, sessions, churn)}


def main(kind, port, name, count, *sources):
	os.nice(int(os.environ.get("ATTACK_NICE", "0")))
	try:
		KINDS[kind](int(port), name, int(count), sources)
	except Ended:
		pass


main(*sys.argv[1:])
