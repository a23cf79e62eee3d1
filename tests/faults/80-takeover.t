#!/usr/bin/env -S python3 -B
"""A relay is replaced by another process while 500 clients come in each second and 1000 flows are open: none is
refused, none is reset, and the figures are printed."""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.attempts import Attempts, LoadUpstream
from lib.scene import Configured

NAME, STATIC, HELD = "app.example.com", "static.example.com", "held.example.com"
RATE, FLOWS, AGENTS, TURNS = 500, 1000, 20, 3


def newer(scene, relay, label, start=True):
	daemon = Configured("relay", label, scene.dir, relay.settings)
	daemon.argv += ["--takeover"]
	daemon.port = relay.port
	return scene._add(daemon, start)


def served(port, name):
	wire = hello(name)
	with dial(port, wire) as client:
		client.settimeout(5)
		try:
			return read_exactly(client, len(wire)) == wire
		except (OSError, EOFError):
			return False


def stage(scene):
	"""A relay, agents of one name with one upstream, and a name for what stays open."""
	upstream, echoing = scene.keep(LoadUpstream(scene.dir)), scene.upstream(echo)
	relay = scene.relay(workers=2, log={"level": "info"}, drain_timeout="5m",
		routes=[route(STATIC, echoing)])
	identity = authority().agent("agent", NAME, HELD)
	for number in range(AGENTS):
		scene.agent(relay, [terminate(NAME, f"tcp://127.0.0.1:{upstream.port}"), passthrough(HELD, echoing)],
			identity, label=f"agent{number}", log={"level": "info"})
	return relay


def open_flows(scene, port):
	flows = []
	for number in range(FLOWS):
		wire = hello(STATIC if number % 2 else HELD)
		flows.append(scene.keep(dial(port, wire)))
		equal(read_exactly(flows[-1], len(wire)), wire)
	return flows


@test
def takes_over_under_500_flows_a_second_and_1000_joined_flows(scene):
	relay = stage(scene)
	flows = open_flows(scene, relay.port)
	visitors = Attempts(relay.port, authority().cas("server"), RATE, [f"agent,{NAME},127.0.0.1,1"])
	scene.keep(visitors)
	visitors.wait_more(RATE)
	older, chain = relay, [relay]
	for turn in range(TURNS):
		began = time.monotonic()
		chain.append(newer(scene, older, f"newer{turn}"))
		print(f"# takeover {turn}: {time.monotonic() - began:.2f} s until the newer one accepts", flush=True)
		older = chain[-1]
		visitors.wait_more(RATE)
	results = visitors.end()
	failed = [result for result in results if not result[3].startswith("ok ")]
	times = sorted((ended - began) / 1000 for _, began, ended, _ in results)
	print(f"# {len(results)} clients, {len(failed)} failed: {failed[:3]}", flush=True)
	print(f"# time of one in ms: median {statistics.median(times):.1f}, 99 % {times[len(times) * 99 // 100]:.1f}, "
		f"longest {times[-1]:.1f}", flush=True)
	equal(failed[:3], [], f"failed clients of {len(results)}")
	for flow in flows:
		flow.sendall(b"still here")
	for number, flow in enumerate(flows):
		equal(read_exactly(flow, 10), b"still here", f"flow {number}")
		flow.close()
	for process in chain[:-1]:
		equal(process.wait(60), 0, f"exit status of {process.label}")
		equal(process.events("drain-timeout"), [], f"flows that {process.label} has cut")


@test
def one_that_hangs_is_given_up_and_the_older_one_goes_on(scene):
	upstream = scene.upstream(echo)
	relay = scene.relay(routes=[route(STATIC, upstream)])
	agent = scene.agent(relay, [passthrough(HELD, upstream)], authority().agent("agent", HELD))
	agent.freeze()		# so that it does not move, and the older one waits
	hanging = newer(scene, relay, "hanging", start=False).start(wait_ready=False)
	relay.wait_event("moving")
	hanging.freeze()
	began = time.monotonic()
	relay.wait_event("takeover-failed", 40, pid=hanging.pid)
	print(f"# given up after {time.monotonic() - began:.1f} s", flush=True)
	agent.thaw()
	for name in (STATIC, HELD):
		until(lambda: served(relay.port, name), 30, f"{name} is served by the older one")
	hanging.thaw()
	equal(hanging.wait(30), 69, "exit status of the one that woke up")
	hanging.expected = 69
	for name in (STATIC, HELD):
		check(served(relay.port, name), f"{name} is served after its end")
	newer(scene, relay, "right")
	equal(relay.wait(60), 0, "exit status once somebody has taken over")


main()
