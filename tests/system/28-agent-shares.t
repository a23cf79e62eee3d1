#!/usr/bin/env -S python3 -B
"""What comes through one relay leaves what comes through the others alone."""
from lib import *

NAME, SEALED = "app.example.com", "sealed.example.com"
FLOWS = 12


def joined(relay, name=SEALED):
	"""A flow that stays."""
	client = dial(relay.port, hello(name))
	client.sendall(b"more")
	return client


def is_served(client):
	return client.recv(4) != b""


def ends_by_reset(client):
	while isinstance(end := closed_how(client), bytes):
		pass
	return end == "reset"


def two_relays(scene, **limits):
	relays = [scene.relay("one"), scene.relay("two")]
	upstream = scene.upstream(echo)
	agent = scene.agent(relays, [passthrough(SEALED, upstream), terminate(NAME, scene.upstream(http))],
		authority().agent("agent", SEALED, NAME), limits=limits)
	return relays, agent


@test
def the_relay_with_most_flows_pays_with_its_newest(scene):
	(one, two), agent = two_relays(scene, flows=FLOWS)
	held = []
	for _ in range(FLOWS):
		held.append(scene.keep(joined(one)))
		check(is_served(held[-1]), "while there is room one relay may have all")
	equal(agent.events("flow-closed"), [], "nobody is pushed out yet")
	other = [scene.keep(joined(two)) for _ in range(2)]
	check(all(is_served(client) for client in other), "the other relay's clients are served")
	agent.wait_event("flow-closed", count=2, reason="displaced")
	check(all(ends_by_reset(client) for client in held[-2:]), "the newest have paid, by a reset")
	for client in held[:-2] + other:
		client.sendall(b"again")
		check(is_served(client), "the others go on")


@test
def a_flow_of_the_heaviest_is_refused_with_flow_limit(scene):
	(one, _), agent = two_relays(scene, flows=FLOWS)
	for _ in range(FLOWS):
		check(is_served(scene.keep(joined(one))), "there is room")
	with dial(one.port, hello(SEALED)) as refused:
		equal(alert_of(refused), 80, "the alert of a limit")
	agent.wait_event("flow-closed", reason="flow-limit")


@test
def stalled_handshakes_push_each_other_out(scene):
	(one, two), agent = two_relays(scene, handshakes=4)
	stalled = [scene.keep(dial(one.port, hello(NAME))) for _ in range(8)]
	agent.wait_event("flow-closed", count=4, reason="displaced")
	status, out, err = curl(two.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)
	check(len(stalled) == 8, "all were held")


POURED = "poured.example.com"
STALLED = 160


@test
def when_memory_is_short_the_relay_with_most_standing_still_pays(scene):
	one, two = [scene.relay(label, limits={"memory": "off"}) for label in ("one", "two")]
	agent = scene.agent([one, two], [passthrough(POURED, scene.upstream(pour))],
		authority().agent("pouring", POURED), limits={"memory": "40MiB"})
	paused = [scene.keep(stalled_reader(two.port, hello(POURED))) for _ in range(3)]
	for client in paused:
		read_exactly(client, 1000)
	for _ in range(STALLED):
		scene.keep(stalled_reader(one.port, hello(POURED)))
	agent.wait_event("flow-closed", 30, STALLED // 8, reason="stalled-memory")
	check(agent.events("memory-pressure"), "it is told")
	for client in paused:
		read_exactly(client, 4 << 20)


@test
def the_limit_follows_a_reload(scene):
	(one, two), agent = two_relays(scene, flows=2)
	for _ in range(2):
		check(is_served(scene.keep(joined(one))), "there is room")
	agent.write(dict(agent.settings, limits={"flows": FLOWS}))
	agent.reload()
	agent.wait_event("reloaded")
	check(is_served(scene.keep(joined(one))), "there is more room")


@test
def no_relay_can_want_the_descriptors_of_another(scene):
	relays = [scene.relay(name, pool={"least": 200}) for name in ("one", "two")]
	agent = scene.agent(relays, [passthrough(SEALED, scene.upstream(echo))],
		authority().agent("agent", SEALED), start=False)
	agent.most_files = 256
	agent.start()
	scene.wait_serving(agent, 2)
	equal([event["most"] for event in agent.wait_event("pool", count=2)], [32, 32])
	check(is_served(scene.keep(joined(relays[0]))), "a flow finds its descriptors")


main()
