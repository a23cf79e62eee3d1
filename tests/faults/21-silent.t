#!/usr/bin/env -S python3 -B
"""Peers that are switched off without a word: who finds it out, and what it is called."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.lab import Lab, want_lab
from lib.scene import Configured, free_port

want_lab()
# Keepalive asks after 30 s, and gives up after three questions of 10 s; the first look at a flow's peers, which
# turns it on, comes within half a minute.
DEAD = 130


def joined(scene, place, relay, name):
	"""A client, there, of a flow that is joined and then idle."""
	wire = hello(name)
	with place:
		stream = scene.keep(dial(relay.port, wire, host=relay.place_address))
	equal(read_exactly(stream, len(wire)), wire, "the echo")
	return stream


def handoff(name, upstream):
	return passthrough(name, upstream, carrier="handoff")


def forward_at(scene, place, relay, name):
	"""A forward, there, and a program of that host that uses it."""
	port = free_port()
	certificate = authority().client("vendor")
	daemon = Configured("agent", place.label, scene.dir, {"version": 1, "workers": 1,
		"agent": {"state_dir": scene.state(place.label)}, "log": {"level": "debug", "format": "json"},
		"forwards": [{"name": "shop", "listen": f"127.0.0.1:{port}", "url": f"tls://{name}",
			"address": f"{relay.place_address}:{relay.port}", "certificate": certificate[0],
			"private_key": certificate[1], "cas": authority().cas("server"), "crls": authority().crls("server")}]})
	scene._add(daemon, True, place)
	with place:
		stream = scene.keep(dial(port, b"to the server"))
	equal(read_exactly(stream, 13), b"to the server", "the echo through the forward")
	return daemon


@test
def a_flow_whose_peer_is_switched_off_ends_as_peer_silent_whoever_it_was(scene):
	lab = Lab(scene)
	street = lab.place("street")
	clients, dying = lab.place("clients"), lab.place("dying")
	home, shop = lab.place("home", relay=street), lab.place("shop", relay=street)
	far, desk = lab.place("far"), lab.place("desk")
	relay = scene.relay(place=street)
	relay.place_address = street.address
	with home:
		echoed = scene.upstream(echo)
	with shop:
		shops = scene.upstream(echo)
	with far:
		fars = scene.upstream(echo, host=far.address)
	agent = scene.agent(relay, [passthrough("sealed.home.example", echoed), handoff("bare.home.example", echoed),
		passthrough("far.home.example", fars), terminate("open.home.example", echoed)], authority().agent("home", "*.home.example"), label="home", place=home)
	other = scene.agent(relay, [passthrough("sealed.shop.example", shops), handoff("bare.shop.example", shops)],
		authority().agent("shop", "*.shop.example"), label="shop", place=shop)
	agent.wait_parked()
	other.wait_parked()
	for name in ("sealed.home.example", "bare.home.example"):
		joined(scene, dying, relay, name)		# the client is switched off
	joined(scene, clients, relay, "far.home.example")	# the upstream is
	for name in ("sealed.shop.example", "bare.shop.example"):
		joined(scene, clients, relay, name)		# the agent is
	forward = forward_at(scene, desk, relay, "open.home.example")	# the host of the forward is cut off
	for place in (dying, far, shop, desk):
		place.cut()
	began = time.monotonic()
	wanted = [(relay, "sealed.home.example", "client"), (relay, "bare.home.example", "client"),
		(relay, "sealed.shop.example", "agent"), (relay, "bare.shop.example", "agent"),
		(agent, "far.home.example", "upstream"), (other, "sealed.shop.example", "relay"),
		(other, "bare.shop.example", "relay"), (relay, "open.home.example", "client"),
		(forward, "open.home.example", "upstream")]
	for daemon, name, end in wanted:
		event = daemon.wait_event("flow-closed", DEAD, server_name=name)[0]
		print(f"# {daemon.label}, {name}: {event['reason']} after {time.monotonic() - began:.0f} s", flush=True)
		equal((event["reason"], event["silent"]), ("peer-silent", end), f"the end of {name} in the log of {daemon.label}")
	for daemon, name in ((agent, "sealed.home.example"), (agent, "bare.home.example"), (relay, "far.home.example")):
		event = daemon.wait_event("flow-closed", server_name=name)[0]
		check(event["reason"].endswith("-reset"), f"{name} ends in the log of {daemon.label} as {event['reason']}")


main()
