#!/usr/bin/env -S python3 -B
"""Very many names in one agent: what a reload costs its loop, how fast they are announced, and that they are not
announced again after a reconnect."""
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.lab import Lab, want_lab

DOMAIN = "example.com"
LIMITS = {"endpoints_per_session": 200000, "endpoints": 400000}
want_lab()


def name(number):
	return f"n{number}.{DOMAIN}"


def endpoints(count, weight=100):
	return [{"name": f"n{i}", "url": f"tls://{name(i)}", "upstream": "tcp://127.0.0.1:9", "weight": weight}
		for i in range(count)]


def ask(path, command):
	"""The answer of the admin socket, and how long it took."""
	began = time.monotonic()
	with socket.socket(socket.AF_UNIX) as stream:
		stream.settimeout(30)
		stream.connect(path)
		stream.sendall(json.dumps({"command": command}).encode() + b"\n")
		answer = b""
		while not answer.endswith(b"\n") and (part := stream.recv(1 << 16)):
			answer += part
	return json.loads(answer), time.monotonic() - began


def count_of(scene, relay):
	return ask(f"{scene.dir}/{relay.label}.sock", "status")[0]["endpoints"]


def start(scene, count, place=(None, None), **agent):
	relay = scene.relay(place=place[0], limits=LIMITS, log={"level": "info"})
	daemon = scene.agent(relay, endpoints(count), authority().agent("many", f"*.{DOMAIN}"), place=place[1], start=False,
		log={"level": "info"}, admin={"socket": f"{scene.dir}/agent.sock"}, agent=agent)
	return relay, daemon


def wait_for_names(scene, relay, count, seconds=60):
	until(lambda: count_of(scene, relay) == count, seconds, f"the relay has {count} names")


@test
def ten_thousand_names_are_reloaded_without_the_loop_waiting(scene):
	count = 10000
	relay, agent = start(scene, count)
	agent.start()
	wait_for_names(scene, relay, count)
	agent.write(dict(agent.settings, endpoints=endpoints(count - 1) + [dict(endpoints(1)[0], name="new", url=f"tls://new.{DOMAIN}")]))
	began, longest, looks = time.monotonic(), 0, 0
	agent.reload()
	while not agent.events("reloaded"):
		longest = max(longest, ask(f"{scene.dir}/agent.sock", "nothing")[1])
		looks += 1
	took = time.monotonic() - began
	until(lambda: relay.events("endpoint-up", server_name=f"new.{DOMAIN}"), 10, "the relay has the new name")
	print(f"# a reload of {count} names took {took:.2f} s; the longest answer of {looks} meanwhile {longest * 1000:.0f} ms")
	check(longest < 0.2, f"the agent's loop did not answer for {longest:.3f} s")


@test
def a_hundred_thousand_names_are_announced_in_five_seconds_and_resumed(scene):
	count = 100000
	lab = Lab(scene)
	street = lab.place("street")
	home = lab.place("home", relay=street)
	relay, agent = start(scene, count, (street, home), heartbeat_interval="1s", heartbeat_tolerance="1s")
	rss = relay.memory_kib()
	agent.start()
	agent.wait_event("relay-up", 60)
	began = time.monotonic()
	wait_for_names(scene, relay, count)
	announced = time.monotonic() - began
	print(f"# {count} names were announced in {announced:.2f} s; {(relay.memory_kib() - rss) * 1024 / count:.0f} bytes of the relay each")
	check(announced < 5, f"{count} names were announced in {announced:.2f} s")

	# The relay sees its end.
	agent.kill()
	until(lambda: count_of(scene, relay) == 0, 10, "the relay has no session")
	agent.start()
	agent.wait_event("relay-up", 60)
	began = time.monotonic()
	wait_for_names(scene, relay, count)
	print(f"# the same were resumed by another process in {time.monotonic() - began:.2f} s")
	equal(relay.events("endpoints-resumed")[-1]["endpoints"], count, "names that are resumed")

	# The relay sees nothing, and the agent comes back beside a session that looks alive.
	home.forget()
	agent.wait_event("relay-up", 60, 2)
	began = time.monotonic()
	until(lambda: len(relay.events("endpoints-resumed")) == 2, 30, "the names are resumed again")
	wait_for_names(scene, relay, count)
	print(f"# and after a link that was lost in silence in {time.monotonic() - began:.2f} s")
	equal(len(agent.events("endpoints-resumed")), 2, "as the agent says")


main()
