#!/usr/bin/env -S python3 -B
"""Links that lose packets: 100 flows of 10 MB each way, by both carriers, arrive whole."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.both_ends import BothEnds
from lib.lab import Lab, want_lab
from lib.tap import progress

FLOWS, BYTES = 100, 10_000_000
NAME = "app.example.com"
want_lab()


def lossy(carrier, percent):
	def one(scene):
		lab = Lab(scene)
		street = lab.place("street")
		home, anywhere = lab.place("home", relay=street), lab.place("anywhere")
		flows = BothEnds(scene, lambda number, way: [("send", BYTES), ("end", 0)])
		with home:
			url = flows.listen()
		relay = scene.relay(place=street, log={"level": "info"})
		scene.agent(relay, [passthrough(NAME, url, carrier=carrier)], authority().agent("agent", NAME), place=home,
			log={"level": "info"})
		home.loss(percent)
		anywhere.loss(percent)
		flows.address, began = (street.address, relay.port), time.monotonic()
		with anywhere:
			for _ in range(FLOWS):
				flows.begin(NAME)
		while flows.flows:
			flows.turn()
			progress()
		took = time.monotonic() - began
		print(f"# {carrier}, {percent} % lost on two links: {flows.counts['bytes'] / 1e6:.0f} MB in {took:.0f} s")
		equal(flows.faults, [], "flows whose ends disagree")
		equal((flows.counts["ended"], flows.counts["bytes"]), (FLOWS, 2 * FLOWS * BYTES), "flows, and bytes that arrived")
	one.__name__ = f"all arrives by {carrier} although {percent} of a hundred packets are lost".replace(" ", "_")
	return test(one)


for percent in (1, 5):
	for carrier in ("sealed", "handoff"):
		lossy(carrier, percent)
main()
