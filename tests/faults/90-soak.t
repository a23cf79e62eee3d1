#!/usr/bin/env -S python3 -B
"""A soak: flows that halt, half-close and reset at random while daemons stop, reload and reconnect.  Both ends of every flow
are watched: what one has sent the other has, byte by byte, and both have seen the same end.

SOAK_SECONDS (60; an hour by hand) is how long, SEED which dice."""
import os
import random
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.both_ends import BothEnds
from lib.tap import progress

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
SEED = int(os.environ.get("SEED", str(random.randrange(1 << 30))))
FLOWS = 150			# at the same time
SEALED, HANDOFF, STATIC = "sealed.example.com", "handoff.example.com", "static.example.com"


def plan_of(number, way):
	dice, steps = random.Random(f"{SEED}/{number}/{way}"), []
	for _ in range(dice.randrange(1, 5)):
		steps.append(("send", int(2 ** dice.uniform(0, 20))))
		kind = dice.random()
		if kind < 0.4:
			steps.append(("pause", dice.uniform(0, 0.5)))
		elif kind < 0.5:
			steps.append(("deaf", dice.uniform(0, 2)))
	return steps + [("reset", 0) if dice.random() < 0.15 else ("end", 0)]


def another_certificate(agent, certificate, key):
	"""Of the same identity, with another key: its sessions move over to new ones."""
	authority().pki("rekey", "soak")
	for source, target in ((certificate, agent.settings["agent"]["certificate"]), (key, agent.settings["agent"]["private_key"])):
		shutil.copy(source, target + ".new")
		os.chmod(target + ".new", 0o600)
		os.replace(target + ".new", target)


@test
def both_ends_of_every_flow_have_seen_the_same(scene):
	print(f"# seed {SEED}")
	soak, dice, halted = BothEnds(scene, plan_of), random.Random(SEED), []
	relay = scene.relay(workers=2, routes=[route(STATIC, soak.listen())], log={"level": "info"})
	soak.address = ("127.0.0.1", relay.port)
	pair = [f"{scene.dir}/soak.crt", f"{scene.dir}/soak.key"]
	issued = authority().agent("soak", SEALED, HANDOFF)
	for source, target in zip(issued, pair):
		shutil.copy(source, target)
		os.chmod(target, 0o600)
	agents = [scene.agent(relay, [passthrough(SEALED, soak.listen(), carrier="sealed"), passthrough(HANDOFF, soak.listen())],
		pair, label=f"agent{n}", workers=2, log={"level": "info"}) for n in range(2)]
	daemons = [relay, *agents]

	def go_on():
		halted.pop(0).thaw()

	until_s, event_at = time.monotonic() + SECONDS, time.monotonic() + 1
	while time.monotonic() < until_s or soak.flows:
		now = time.monotonic()
		while len(soak.flows) < FLOWS and now < until_s:
			soak.begin(dice.choice((SEALED, HANDOFF, STATIC)))
		if now > event_at and now < until_s:
			event_at = now + 1
			progress()
			daemon = dice.choice([daemon for daemon in daemons if daemon not in halted])
			kind = dice.choice(("halt", "reload", "reconnect"))
			soak.counts[kind] += 1
			if kind == "halt":
				daemon.freeze()
				halted.append(daemon)
				soak.later(dice.uniform(0.1, 2), go_on)
			elif kind == "reload":
				daemon.reload()
			else:
				another_certificate(agents[0], *issued)
		soak.turn()
		check(len(soak.faults) < 20, "\n".join(soak.faults))
	for daemon in daemons:
		daemon.thaw()
	for one in relay.events("flow-refused"):
		print(f"# refused: {one}")
	print("# " + ", ".join(f"{what} {count}" for what, count in sorted(soak.counts.items())))
	equal(soak.faults, [], "flows whose ends disagree")
	check(soak.counts["ended"] > 100 and soak.counts["reset"] > 10, f"too few: {soak.counts}")


main()
