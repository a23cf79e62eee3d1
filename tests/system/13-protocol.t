#!/usr/bin/env -S python3 -B
"""The relay as valise-protocol(7) describes it, seen by an agent that was written from that page alone."""
import hashlib
import os
import signal
import struct
import time

from lib import *
from lib.session import *

NAME = "app.example.com"
STATIC = "static.example.com"


def session(scene, relay, *, up=True, **keys):
	peer = scene.keep(Session(relay, authority().agent("raw", NAME, STATIC, "*.many.example.com")))
	if up:
		peer.up(**keys)
	return peer


@test
def a_version_1_agent_is_served_without_a_byte_that_it_does_not_know(scene):
	relay = scene.relay()
	peer = session(scene, relay, up=False)
	welcome = peer.up(newest=1)
	equal(welcome[0], 1, "the version")
	name = welcome[21]
	equal(len(welcome), 22 + name + 12, "bytes of the welcome")
	peer.send(frame(ANNOUNCE, announcement(1, NAME)), frame(ANNOUNCE, announcement(2, "other.example.org")))
	equal(peer.expect(ACCEPTED), struct.pack(">I", 1), "accepted")
	equal(peer.expect(REFUSED)[:6], struct.pack(">IH", 2, 20), "refused")
	relay.wait_event("endpoint-up", server_name=NAME)


@test
def version_2_has_facts_and_frames_of_several(scene):
	relay = scene.relay()
	peer = session(scene, relay, up=False)
	welcome = peer.up(newest=9)
	equal(welcome[0], 2, "the version")
	facts = facts_in(welcome)
	clock = struct.unpack(">Q", facts.pop(32772))[0]
	check(abs(clock - time.time()) < 60, f"the relay's clock says {clock}")
	equal(facts[32769], struct.pack(">I", 200), "the budget in the welcome")
	names = [f"n{i}.many.example.com" for i in range(1, 401)]
	bodies = [announcement(i, name, fact(40000, b"?")) for i, name in enumerate(names, 1)]
	bodies[9] = announcement(10, names[9], fact(7))
	entries = [struct.pack(">H", len(b)) + b for b in bodies]
	for at in range(0, 400, 50):
		peer.send(frame(ANNOUNCE_MANY, b"".join(entries[at:at + 50])))
	verdicts = peer.answers(400)
	equal({n for n, code in verdicts.items() if code}, {10}, "refused")
	equal(verdicts[10], 61, "not-understood")


def many(first, names):
	bodies = [announcement(number, name) for number, name in enumerate(names, first)]
	return frame(ANNOUNCE_MANY, b"".join(struct.pack(">H", len(b)) + b for b in bodies))


@test
def several_are_withdrawn_in_one_frame(scene):
	relay = scene.relay()
	peer = session(scene, relay)
	names = [f"n{i}.many.example.com" for i in range(6)]
	peer.send(many(1, names))
	equal(set(peer.answers(6).values()), {0}, "accepted")
	peer.send(frame(WITHDRAW_MANY, struct.pack(">IIII", 1, 3, 5, 250)))	# not all of these are there
	peer.send(many(101, names))
	equal({n - 101 for n, code in peer.answers(6).items() if code == 25}, {3}, "what is still there is a duplicate")
	peer.send(frame(WITHDRAW_MANY, struct.pack(">II", 1, 257)))
	equal(peer.goodbye(), (GOODBYE, 1), "for more numbers than a frame may have")


RESUME, RESUMING = 32784, 32785


class Offer:
	"""An agent that goes on with what it has announced: three names, whose announcements have a fact of their own."""
	numbers = (7, 3, 5)

	def __init__(self, scene, relay):
		self.scene, self.relay, self.instance, self.start = scene, relay, os.urandom(16), os.urandom(8)
		self.bodies = {n: announcement(n, f"n{n}.many.example.com", fact(40000, b"?")) for n in self.numbers}
		said = b"".join(struct.pack(">H", len(body)) + body for _, body in sorted(self.bodies.items()))
		self.digest = hashlib.sha256(said).digest()

	def comes(self, *hosts, **keys):
		"""The session, and the answer to the offer."""
		keys = dict({"instance": self.instance, "start": self.start, "digest": self.digest}, **keys)
		certificate = authority().agent("raw", NAME, STATIC, "*.many.example.com")
		if hosts:
			certificate = authority().agent("raw-less", *hosts, options=("--identity", "raw"))
		peer = self.scene.keep(Session(self.relay, certificate))
		welcome = peer.up(oldest=2, facts=fact(RESUME, keys.pop("digest")), **keys)
		equal(facts_in(welcome).get(RESUMING), b"", "the fact resuming")
		return peer, peer.expect(RESUMED)[0]

	def goes(self, peer):
		count = len(self.relay.events("session-down"))
		peer.close()
		self.relay.wait_event("session-down", count=count + 1)


@test
def what_was_announced_need_not_be_said_again(scene):
	relay = scene.relay()
	offer = Offer(scene, relay)
	peer, answer = offer.comes()
	equal(answer, 0, "the answer to the first offer")
	peer.send(*(frame(ANNOUNCE, offer.bodies[number]) for number in offer.numbers))
	equal(set(peer.answers(3).values()), {0}, "accepted")
	offer.goes(peer)
	for what, keys in (("another instance", {"instance": os.urandom(16)}), ("another digest", {"digest": bytes(32)})):
		peer, answer = offer.comes(**keys)
		equal(answer, 0, f"the answer to {what}")
		peer.close()
	peer, answer = offer.comes()
	equal(answer, 1, "the answer to the same offer")
	equal(peer.answers(3), dict.fromkeys(offer.numbers, 0), "what is accepted anew")
	equal(relay.wait_event("endpoints-resumed")[0]["endpoints"], 3, "as the log says")
	again, answer = offer.comes()
	equal(answer, 1, "the answer beside a session that is still there")
	equal(again.answers(3), dict.fromkeys(offer.numbers, 0), "what is accepted anew")
	equal(peer.goodbye(), (GOODBYE, 8), "replaced")
	equal(len(relay.events("endpoint-up")), 3, "lines of endpoints that come up")
	equal(again.announce(3, "n3.many.example.com"), 0, "an announcement beside it")


@test
def what_is_resumed_is_judged_by_the_certificate_of_the_new_session(scene):
	relay = scene.relay()
	offer = Offer(scene, relay)
	peer, _ = offer.comes()
	peer.send(*(frame(ANNOUNCE, offer.bodies[number]) for number in offer.numbers))
	equal(set(peer.answers(3).values()), {0}, "accepted")
	offer.goes(peer)
	peer, answer = offer.comes("n3.many.example.com", "n7.many.example.com")
	equal(answer, 1, "the answer to the same offer")
	equal(peer.answers(3), {3: 0, 7: 0, 5: 20}, "name-not-granted")
	offer.goes(peer)
	equal(offer.comes()[1], 0, "what was refused is not a part of it any more")


@test
def refusals_by_the_thousand_end_no_session(scene):
	relay = scene.relay()
	peers = [session(scene, relay) for _ in range(6)]
	relay.freeze()	# so that it finds all of them at once
	for peer in peers:
		peer.send(*(many(1 + 200 * i, [f"{j}.ex" for j in range(200)]) for i in range(20)))
	relay.thaw()
	for peer in peers:
		equal(set(peer.answers(4000).values()), {20}, "name-not-granted")


@test
def an_endpoint_that_is_up_comes_up_once(scene):
	relay = scene.relay()
	peer = session(scene, relay)
	for name in (NAME, NAME, "one.many.example.com", NAME, NAME):
		equal(peer.announce(1, name), 0, name)
	peer.send(frame(WITHDRAW, struct.pack(">I", 1)))
	equal(peer.announce(1, NAME), 0, "after its withdrawal")
	names = [event["server_name"] for event in relay.wait_event("endpoint-up", count=4)]
	equal(names, [NAME, "one.many.example.com", NAME, NAME], "what is logged")


@test_over(*[type(word, (), {"__name__": word, "said": said}) for word, said in (
	("a range from 2 to 1", frame(HELLO, bytes([2, 1]) + bytes(64))),
	("half a hello", frame(HELLO, bytes([1, 2, 0]))),
	("endpoint 0", None), ("a fact too long", fact(40000)[:-2] + b"\xff\xff"))])
def what_is_malformed_is_answered_by_goodbye(scene, way):
	relay = scene.relay()
	if way.__name__ == "endpoint 0":
		peer = session(scene, relay)
		peer.send(frame(ANNOUNCE, announcement(0, NAME)))
	elif way.__name__ == "a fact too long":
		peer = session(scene, relay)
		peer.send(frame(ANNOUNCE, announcement(1, NAME, way.said)))
	else:
		peer = session(scene, relay, up=False)
		peer.send(way.said)
	equal(peer.goodbye(), (GOODBYE, 1), "protocol-error")


@test
def a_hello_that_can_be_read_but_not_be_taken_is_refused(scene):
	relay = scene.relay()
	peer = session(scene, relay, up=False)
	peer.hello(oldest=3, newest=9)
	equal(peer.goodbye(), (REFUSED, 2), "version")
	peer = session(scene, relay, up=False)
	peer.hello(oldest=2, facts=fact(5))
	equal(peer.goodbye(), (REFUSED, 61), "not-understood")


@test
def who_does_not_greet_is_told_goodbye(scene):
	relay = scene.relay(limits={"handshake_timeout": "1s"})
	peer = session(scene, relay, up=False)
	started = time.monotonic()
	equal(peer.goodbye(), (GOODBYE, 10), "heartbeat-lost")
	check(time.monotonic() - started < 5, "it took long")


@test
def a_name_has_one_endpoint_in_a_session(scene):
	relay = scene.relay()
	peer = session(scene, relay)
	equal(peer.announce(1, NAME), 0)
	equal(peer.announce(2, NAME), 25, "a second number for the name")
	equal(peer.announce(3, NAME.upper() + "."), 25, "the same name, written otherwise")
	equal(peer.announce(1, NAME), 0, "the same number once more")
	peer.send(frame(WITHDRAW, struct.pack(">I", 1)))
	equal(peer.announce(2, NAME), 0, "a number that was refused, when the name is free")
	other = session(scene, relay)
	equal(other.announce(1, NAME), 0, "another session of the identity")


@test
def what_cannot_be_a_server_name_is_invalid(scene):
	peer = session(scene, scene.relay())
	for number, name in enumerate(("", ".", "192.0.2.1", "::1", "[2001:db8::1]", "*", "a..b", "*.*.example.com",
			"a b.example.com"), 1):
		equal(peer.announce(number, name), 23, f"'{name}'")


@test
def a_drain_does_not_end_announcing(scene):
	relay = scene.relay(routes=[route("kept.example.com", scene.upstream(echo))])
	peer = session(scene, relay)
	peer.send(frame(DRAIN, struct.pack(">I", 30000)))
	equal(peer.announce(1, NAME), 0, "while the agent drains")
	peer = session(scene, relay)
	wire = hello("kept.example.com")
	running = scene.keep(dial(relay.port, wire))
	equal(read_exactly(running, len(wire)), wire)
	relay.signal(signal.SIGTERM)
	peer.expect(DRAIN)
	equal(peer.announce(2, NAME), 0, "while the relay drains")


@test_over(*[type(word, (), {"__name__": word}) for word in ("time", "a second signal")])
def a_drain_that_is_cut_short_ends_with_goodbye(scene, way):
	cut_by_time = way.__name__ == "time"
	relay = scene.relay(routes=[route("kept.example.com", scene.upstream(echo))],
		drain_timeout="1s" if cut_by_time else "30s")
	peer = session(scene, relay)
	wire = hello("kept.example.com")
	running = scene.keep(dial(relay.port, wire))
	equal(read_exactly(running, len(wire)), wire)
	relay.signal(signal.SIGTERM)
	peer.expect(DRAIN)
	if not cut_by_time:
		relay.signal(signal.SIGTERM)
	equal(peer.goodbye(), (GOODBYE, 11), "shutdown")
	peer.close()
	equal(relay.wait(4), 0, "exit status")
	check(closed_how(running) in ("fin", "reset"), "the flow ends")


def waiting(scene):
	"""(relay, agent, client): the agent was asked for a channel for the client, and has not dialled one."""
	relay = scene.relay()
	peer = session(scene, relay)
	equal(peer.announce(1, NAME), 0)
	client = scene.keep(dial(relay.port, hello(NAME)))
	peer.expect(NEED)
	return relay, peer, client


@test
def who_waits_for_a_channel_goes_to_another_agent_when_this_one_drains(scene):
	relay, peer, client = waiting(scene)
	scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("raw", NAME, STATIC, "*.many.example.com"))
	peer.send(frame(DRAIN, struct.pack(">I", 30000)))
	equal(client.recv(1), b"\x16", "the first byte of the echo")
	told = relay.wait_event("flow-attempt-failed")
	equal(len(told), 1, "attempts that failed")
	check("drains" in told[0]["message"], f"it waited for its time: {told}")


@test
def who_waits_for_a_channel_is_refused_when_the_relay_drains(scene):
	relay, peer, client = waiting(scene)
	relay.signal(signal.SIGTERM)
	peer.expect(DRAIN)
	equal(alert_of(client), 80)
	check("drains" in relay.wait_event("flow-refused")[0]["error"], "why")
	equal(peer.goodbye(), (GOODBYE, 11), "shutdown")
	peer.close()


@test
def an_agent_whose_drain_is_cut_short_says_goodbye(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME))
	wire = hello(NAME)
	running = scene.keep(dial(relay.port, wire))
	equal(read_exactly(running, len(wire)), wire)
	agent.signal(signal.SIGTERM)
	relay.wait_event("agent-draining")
	check(agent.alive(), "it waits for the flow")
	agent.signal(signal.SIGTERM)
	equal(agent.wait(3), 0, "exit status")
	equal(relay.wait_event("session-down")[0]["code"], "shutdown", "why the session is down")


@test
def agents_hear_that_a_reserved_name_may_be_free(scene):
	upstream = scene.upstream(echo)
	relay = scene.relay(routes=[route(STATIC, upstream)])
	peer = session(scene, relay)
	equal(peer.announce(1, STATIC), 22, "name-reserved")
	equal(peer.announce(2, NAME), 0)
	relay.write(dict(relay.settings, routes=[]))
	relay.reload()
	equal(peer.expect(AGAIN), struct.pack(">H", 22), "again")
	equal(peer.announce(1, STATIC), 0, "when the name is free")
	agent = scene.agent(relay, [passthrough(STATIC, upstream)], authority().agent("raw", NAME, STATIC))
	relay.write(dict(relay.settings, routes=[route(STATIC, upstream)]))
	relay.reload()
	equal(peer.answers(1), {1: 22}, "taken back")
	agent.wait_event("endpoint-refused", code="name-reserved")
	relay.write(dict(relay.settings, routes=[]))
	relay.reload()
	agent.wait_event("endpoint-up", count=2)


@test
def a_clone_beyond_the_grant_ends_with_session_limit(scene):
	relay = scene.relay()
	clones = authority().agent("clones", NAME, options=("--max-sessions", 1))
	instance = bytes(range(16))
	first = scene.keep(Session(relay, clones))
	first.up(instance=instance, start=b"first...")
	second = scene.keep(Session(relay, clones))
	second.up(instance=instance, start=b"second..")
	equal(first.announce(1, NAME), 0, "the first lives")	# and answers the probe meanwhile
	equal(second.goodbye(), (GOODBYE, 9), "session-limit")
	equal(first.announce(1, NAME), 0, "and stays")


main()
