#!/usr/bin/env -S python3 -B
"""The life of sessions: who is let in, takeover, sets of agents, kill and restart."""
import os
import signal
import socket
import threading
import time

from lib import *
from lib.scene import Configured, free_port
from lib.session import GOODBYE, NEED, Session

NAME = "app.example.com"


def answer(text):
	return lambda stream: (skip_hello(stream), stream.sendall(text), stream.recv(1))


def first_bytes(relay, name=NAME):
	"""What the upstream says first, or the alert."""
	with dial(relay.port, hello(name)) as client:
		return client.recv(100)


UNKNOWN, NO_AGENT = (b"\x15\x03\x03\0\2\2" + bytes([code]) for code in (112, 80))


def agent_once(scene, relay, certificate, name=NAME, **settings):
	agent = scene.agent(relay, [passthrough(name, "tcp://127.0.0.1:9")], certificate, start=False,
		**settings)
	agent.argv = agent.argv + ["--once"]
	return agent.start(wait_ready=False)


def refused_agent(scene, certificate, *, relay=None, name=NAME, **settings):
	"""Runs an agent once; (relay, agent, exit status)."""
	relay = relay or scene.relay()
	agent = agent_once(scene, relay, certificate, name, **settings)
	agent.expected = 77
	return relay, agent, agent.wait(20)


@test
def an_agent_that_is_killed_comes_back(scene):
	relay = scene.relay()
	upstream = scene.upstream(answer(b"here"))
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	equal(first_bytes(relay), b"here")
	agent.kill()
	until(lambda: first_bytes(relay) == NO_AGENT, 5, "nobody serves the name any more")
	agent.start()
	scene.wait_serving(agent)
	equal(first_bytes(relay), b"here", "after the restart")


@test
def a_client_does_not_notice_that_its_agent_is_started_anew(scene):
	relay = scene.relay()
	upstream = scene.upstream(answer(b"here"))
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	for count, stop in enumerate((agent.kill, agent.stop), 1):
		stop()
		relay.wait_event("session-down", count=count)
		client = scene.keep(dial(relay.port, hello(NAME)))
		agent.start()
		equal(client.recv(100), b"here", "after the restart")
	equal(relay.events("flow-refused"), [], "refusals")


@test
def a_client_whose_agent_stays_away_is_told_so_after_5_s(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:9")], authority().agent("agent", NAME))
	agent.kill()
	relay.wait_event("session-down")
	started = time.monotonic()
	equal(first_bytes(relay), NO_AGENT)
	check(4.9 < time.monotonic() - started < 9, "the time that it waited")
	equal(first_bytes(relay, "other.example.com"), UNKNOWN, "a name that nobody has served")


@test
def a_relay_that_is_killed_is_found_again(scene):
	relay = scene.relay()
	upstream = scene.upstream(answer(b"here"))
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	equal(first_bytes(relay), b"here")
	relay.kill()
	agent.wait_event("relay-down")
	relay.start()
	until(lambda: first_bytes(relay) == b"here", 15, "the agent comes back to the new relay")


@test
def a_relay_that_starts_late_is_found(scene):
	relay = scene.relay(start=False)
	upstream = scene.upstream(answer(b"here"))
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME), start=False)
	agent.start(wait_ready=False)
	agent.wait_event("relay-unreachable")
	relay.start()
	until(lambda: first_bytes(relay) == b"here", 15, "the agent comes")


@test
def joined_flows_outlive_their_session(scene):
	relay = scene.relay()
	upstream = scene.upstream(lambda s: (skip_hello(s), echo(s)))
	agent = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	with dial(relay.port, hello(NAME) + b"one") as client:
		equal(read_exactly(client, 3), b"one")
		# The same instance again: the old session is replaced, its flows live on.
		twin = scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME),
			label="twin", start=False)
		agent.freeze()
		scene.copy_state("agent", "twin")
		twin.start()
		scene.wait_serving(twin)
		agent.thaw()
		client.sendall(b"two")
		equal(read_exactly(client, 3), b"two")


@test
def the_same_instance_takes_over_at_once(scene):
	relay = scene.relay()
	first = scene.upstream(answer(b"first"))
	second = scene.upstream(answer(b"second"))
	certificate = authority().agent("agent", NAME)
	agent = scene.agent(relay, [passthrough(NAME, first)], certificate)
	equal(first_bytes(relay), b"first")
	agent.freeze()	# as after a lost network: it neither answers nor ends
	twin = scene.agent(relay, [passthrough(NAME, second)], certificate, label="twin", start=False)
	scene.copy_state("agent", "twin")
	twin.start()
	scene.wait_serving(twin, seconds=5)
	started = time.monotonic()
	until(lambda: first_bytes(relay) == b"second", 5, "the new one serves")
	check(time.monotonic() - started < 5, "soon")
	agent.kill()


@test
def two_instances_of_one_identity_share_the_flows(scene):
	relay = scene.relay(workers=2)
	certificate = authority().agent("agent", NAME)
	for label in ("one", "two"):
		scene.agent(relay, [passthrough(NAME, scene.upstream(answer(label.encode())))], certificate, label)
	clients = [scene.keep(dial(relay.port, hello(NAME))) for _ in range(40)]
	answers = [client.recv(100) for client in clients]
	check(min(answers.count(b"one"), answers.count(b"two")) >= 10, f"answers: {answers}")
	scene.daemons[-1].kill()
	for _ in range(20):
		equal(first_bytes(relay), b"one", "the other serves on")


@test
def an_agent_that_stands_still_costs_the_clients_of_its_set_nothing_but_time(scene):
	relay = scene.relay(workers=2)
	certificate = authority().agent("agent", NAME)
	one, two = (scene.agent(relay, [passthrough(NAME, scene.upstream(answer(label.encode())))], certificate, label)
		for label in ("one", "two"))
	one.freeze()
	clients = [scene.keep(dial(relay.port, hello(NAME))) for _ in range(20)]
	equal({client.recv(100) for client in clients}, {b"two"}, "who answers")
	relay.wait_event("session-silent")
	check(relay.events("flow-attempt-failed", message="the agent answers neither this flow nor a ping"),
		"its clients do not wait for the end of the attempt")
	equal(first_bytes(relay), b"two", "who is asked first from now on")
	one.thaw()
	relay.wait_event("session-answers")
	equal(len(relay.events("session-silent")), 1, "lines about its silence")


def syns_sent_again(port):
	"""How often, to this port, which does not answer."""
	with open("/proc/net/tcp") as lines:
		rows = [line.split() for line in lines][1:]
	return max([int(row[6], 16) for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "02"], default=0)


@test
def an_agent_whose_upstream_is_slow_is_not_doubted(scene):
	relay = scene.relay()
	listener = scene.keep(socket.create_server(("127.0.0.1", 0), backlog=0))
	port = listener.getsockname()[1]
	crowd = [scene.keep(dial(port))]	# the queue is full now, and whoever comes is not answered
	scene.agent(relay, [passthrough(NAME, f"tcp://127.0.0.1:{port}")], authority().agent("agent", NAME))
	client = scene.keep(dial(relay.port, hello(NAME)))
	until(lambda: syns_sent_again(port), what="a second has passed")
	crowd += [scene.keep(listener.accept()[0])]
	upstream = scene.keep(listener.accept()[0])
	upstream.sendall(b"late")
	equal(client.recv(100), b"late")
	equal(relay.events("flow-attempt-failed") + relay.events("session-silent"), [], "doubts")


@test
def cloned_instances_do_not_evict_each_other(scene):
	relay = scene.relay()
	certificate = authority().agent("agent", NAME)
	for label in ("one", "two"):
		if label == "two":
			scene.copy_state("one", "two")
		scene.agent(relay, [passthrough(NAME, scene.upstream(answer(label.encode())))], certificate, label)
	relay.wait_text("duplicate-instance")
	time.sleep(1)
	answers = {first_bytes(relay) for _ in range(40)}
	equal(answers, {b"one", b"two"})


@test
def a_clone_that_comes_again_and_again_is_told_of_once(scene):
	relay = scene.relay()
	certificate = authority().agent("agent", NAME)
	scene.agent(relay, [passthrough(NAME, scene.upstream(answer(b"one")))], certificate, "one")
	scene.copy_state("one", "two")
	clone = scene.agent(relay, [passthrough(NAME, scene.upstream(answer(b"two")))], certificate, "two")
	relay.wait_event("duplicate-instance")
	for downs in range(1, 5):
		clone.kill()
		relay.wait_event("session-down", count=downs)
		clone.start()
		scene.wait_serving(clone)
	equal(len(relay.events("duplicate-instance")), 1, "lines about the clone")


@test
def another_identity_cannot_take_the_name(scene):
	relay = scene.relay()
	upstream = scene.upstream(answer(b"first"))
	scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	other = scene.agent(relay, [passthrough(NAME, scene.upstream(answer(b"other")))],
		authority().agent("other-agent", NAME), "other", start=False)
	other.start(wait_ready=False)
	other.wait_text("name-taken")
	for _ in range(5):
		equal(first_bytes(relay), b"first")


@test
def one_refused_endpoint_leaves_the_others(scene):
	relay = scene.relay()
	upstream = scene.upstream(answer(b"here"))
	agent = scene.agent(relay, [passthrough(NAME, upstream), passthrough("not.granted.example", upstream)],
		authority().agent("agent", NAME), start=False)
	agent.start()
	scene.wait_serving(agent)
	agent.wait_text("name-not-granted")
	equal(first_bytes(relay), b"here")
	equal(first_bytes(relay, "not.granted.example"), UNKNOWN)


@test
def a_name_outside_the_grant_is_refused(scene):
	relay, agent, status = refused_agent(scene, authority().agent("agent", NAME), name="other.example.com")
	equal(status, 77, "exit status")
	check("name-not-granted" in agent.log_text(), "the agent says why")
	equal(first_bytes(relay, "other.example.com"), UNKNOWN)


@test
def static_routes_and_the_connect_name_are_reserved(scene):
	upstream = scene.upstream(answer(b"static"))
	relay = scene.relay(routes=[route(NAME, upstream)])
	_, agent, status = refused_agent(scene, authority().agent("agent", NAME), relay=relay)
	equal(status, 77, "exit status")
	check("name-reserved" in agent.log_text(), "the agent says why")
	equal(first_bytes(relay), b"static")


@test
def a_wildcard_grant_covers_one_label(scene):
	relay = scene.relay()
	upstream = scene.upstream(answer(b"here"))
	wild = authority().agent("wild-agent", "*.w.example.com")
	agent = scene.agent(relay, [passthrough("a.w.example.com", upstream), passthrough("*.w.example.com", upstream),
		passthrough("a.b.w.example.com", upstream)], wild, start=False)
	agent.start()
	scene.wait_serving(agent, 2)
	agent.wait_text("name-not-granted")
	equal([first_bytes(relay, n) for n in ("a.w.example.com", "z.w.example.com", "a.b.w.example.com")],
		[b"here", b"here", UNKNOWN])


@test
def a_revoked_agent_is_refused(scene):
	certificate = authority().agent("revoked-agent", NAME)
	authority().revoke("revoked-agent")
	_, agent, status = refused_agent(scene, certificate)
	equal(status, 77, "exit status")
	check("revoked" in agent.log_text(), "the agent says why")


@test
def an_expired_agent_is_refused(scene):
	certificate = authority().agent("expired-agent", NAME, options=("--valid-for", "1s"))
	time.sleep(2.1)
	_, agent, status = refused_agent(scene, certificate)
	equal(status, 77, "exit status")
	check("expired" in agent.log_text(), "the agent says why")


@test
def a_certificate_for_another_purpose_is_refused(scene):
	for number, certificate in enumerate((authority().client("ann"), authority().server(NAME), authority().relay())):
		_, agent, status = refused_agent(scene, certificate, label=f"agent{number}",
			relay=scene.daemons[0] if scene.daemons else None)
		equal(status, 77, f"exit status with {certificate[0]}")


@test
def an_agent_of_another_ca_is_refused(scene):
	_, agent, status = refused_agent(scene, Authority().agent("agent", NAME))
	equal(status, 77, "exit status")
	check("unknown-ca" in agent.log_text() or "certificate-refused" in agent.log_text(), "the agent says why")


def not_believed(scene, certificate, code):
	"""Somebody in between may show it, so the agent goes on, even with --once."""
	relay = scene.relay(connect=dict(zip(("certificate", "private_key"), certificate)))
	agent = agent_once(scene, relay, authority().agent("agent", NAME))
	agent.wait_event("move", machine="relay", to="connecting", count=3)
	equal([event["code"] for event in agent.events("relay-unproven", level="warning")], [code], "it is told once")


@test
def a_relay_of_another_ca_is_not_believed(scene):
	not_believed(scene, Authority().relay(), "unknown-ca")


@test
def a_relay_whose_certificate_is_no_relays_is_not_believed(scene):
	not_believed(scene, authority().server("localhost"), "unknown-ca")


@test
def a_frozen_end_is_given_up_by_the_other(scene):
	relay = scene.relay(connect={"heartbeat_tolerance": "1s"})
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(answer(b"here")))],
		authority().agent("agent", NAME),
		agent={"heartbeat_interval": "1s", "heartbeat_tolerance": "1s"})
	agent.freeze()
	until(lambda: first_bytes(relay) == NO_AGENT, 6, "nobody serves the name any more")
	agent.thaw()
	until(lambda: first_bytes(relay) == b"here", 10, "it comes back")
	relay.freeze()
	agent.wait_text("heartbeat-lost", 6)
	relay.thaw()
	until(lambda: first_bytes(relay) == b"here", 10, "it comes back again")


@test
def a_draining_relay_sends_its_agents_away(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(lambda s: (skip_hello(s), echo(s))))],
		authority().agent("agent", NAME))
	with dial(relay.port, hello(NAME) + b"in") as running:
		equal(read_exactly(running, 2), b"in")
		relay.signal(signal.SIGTERM)
		agent.wait_event("relay-drains")
		running.sendall(b"still here")
		equal(read_exactly(running, 10), b"still here", "the running flow")
	equal(relay.wait(5), 0, "exit status once the flow is over")


@test
def strangers_at_the_connect_name_get_nowhere(scene):
	relay = scene.relay()
	ca = authority().root
	common = ("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", "localhost",
		"-CAfile", ca, "-tls1_3", "-ign_eof")
	status, out, err = run(*common, "-alpn", "valise/1", data=b"")
	check(status != 0 and "alert" in err, f"a session without a certificate: {status} {out} {err}")
	status, out, err = run(*common, "-alpn", "valise-data/1", data=b"")
	check(status != 0 and "alert" in err, f"a channel without a key: {status} {out} {err}")
	status, out, err = run(*common, "-alpn", "valise-data/1", "-psk", "00" * 32, "-psk_identity",
		"v1." + "00" * 16, "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-allow_no_dhe_kex", data=b"")
	check(status != 0 and "alert" in err, f"a channel with a wrong key: {status} {out} {err}")
	check(relay.alive(), "the relay lives")


@test
def unfinished_handshakes_do_not_keep_an_agent_out(scene):
	relay = scene.relay(workers=2)
	wire = hello("localhost", alpn=["valise/1"])
	crowd = [scene.keep(dial(relay.port, wire)) for _ in range(400)]
	upstream = scene.upstream(answer(b"here"))
	scene.agent(relay, [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	equal(first_bytes(relay), b"here", f"with {len(crowd)} handshakes begun")


@test
def the_other_relays_serve_when_one_is_gone(scene):
	one, two = scene.relay("one"), scene.relay("two")
	upstream = scene.upstream(answer(b"here"))
	scene.agent([one, two], [passthrough(NAME, upstream)], authority().agent("agent", NAME))
	equal([first_bytes(one), first_bytes(two)], [b"here", b"here"])
	one.kill()
	for _ in range(10):
		equal(first_bytes(two), b"here")
	one.start()
	until(lambda: first_bytes(one) == b"here", 15, "the agent comes back to the first")


@test
def a_dead_upstream_is_retried_at_another_agent(scene):
	relay = scene.relay()
	certificate = authority().agent("agent", NAME)
	gone = scene.upstream(echo)
	gone.close()
	scene.agent(relay, [passthrough(NAME, gone)], certificate, "broken")
	equal(first_bytes(relay), NO_AGENT, "one agent, whose upstream is down")
	scene.agent(relay, [passthrough(NAME, scene.upstream(answer(b"here")))], certificate, "sound")
	for _ in range(10):
		equal(first_bytes(relay), b"here", "the other agent serves")


@test
def an_agent_whose_two_urls_lead_to_one_relay_says_so_and_rests(scene):
	ports = free_port(), free_port()
	relay = scene.relay(port=ports[0], listeners=[{"address": f"127.0.0.1:{port}"} for port in ports])
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME),
		start=False)
	agent.write(dict(agent.settings, agent=dict(agent.settings["agent"],
		connect_url=[f"localhost:{port}" for port in ports])))
	agent.start()
	told = agent.wait_event("relay-refused", 10, code="replaced")[0]
	check("connect_url" in told["message"] and told["retry_ms"] > 60000, f"{told}")
	time.sleep(2)
	equal(len(relay.events("session-up")), 2, "sessions in all")
	wire = hello(NAME)
	with dial(relay.port, wire) as client:
		equal(read_exactly(client, len(wire)), wire, "through the other")


def timers_towards(port):
	"""Of each connection to this port that is up: which timer runs; 02 is that of keepalive."""
	rows = []
	for table in ("/proc/net/tcp", "/proc/net/tcp6"):
		with open(table) as lines:
			rows += [line.split() for line in lines][1:]
	return [row[5][:2] for row in rows if row[2].endswith(f":{port:04X}") and row[3] == "01"]


@test
def sessions_and_parked_channels_are_kept_alive(scene):
	relay = scene.relay(pool={"least": 4})
	scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:9")], authority().agent("agent", NAME))
	until(lambda: timers_towards(relay.port) == ["02"] * 5, what="one session and four channels are kept alive")


CAN_MOVE = 2	# of the features


@test
def names_are_served_by_the_session_before_until_the_next_one_of_the_process_has_them(scene):
	"""The next one announces them a round trip later, and clients come all the time."""
	relay = scene.relay(workers=2)
	certificate, process = authority().agent("agent", NAME), {"instance": os.urandom(16), "start": os.urandom(8)}
	before, after = [scene.keep(Session(relay, certificate)) for _ in range(2)]
	before.up(features=CAN_MOVE, **process)
	equal(before.announce(1, NAME), 0, "announced")
	after.up(features=CAN_MOVE, **process)
	scene.keep(dial(relay.port, hello(NAME)))
	before.expect(NEED)
	equal(after.announce(1, NAME), 0, "announced again")
	scene.keep(dial(relay.port, hello(NAME)))
	after.expect(NEED)
	equal(before.goodbye(), (GOODBYE, 8), "an agent that says no goodbye is told one")
	equal(relay.events("flow-refused"), [], "clients that were refused")


def hear_all(session):
	try:
		while session.next():
			pass
	except (OSError, ValueError):
		pass	# it was closed at the end of the test


def served_by(relay, count):
	"""What as many clients get that come at once, and stay until all are served."""
	clients = [dial(relay.port, hello(NAME), timeout=20) for _ in range(count)]
	try:
		return [client.recv(100) for client in clients]
	finally:
		for client in clients:
			client.close()


@test
def who_answers_pings_and_nothing_else_delays_no_client_but_the_first(scene):
	"""It has the fewest flows of all, and would be asked first again and again."""
	relay = scene.relay(workers=1)
	certificate = authority().agent("agent", NAME)
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(answer(b"here")))], certificate)
	scene.wait_serving(agent)
	relay.wait_parked()
	mute = scene.keep(Session(relay, certificate))
	mute.up()
	equal(mute.announce(1, NAME), 0, "announced")
	threading.Thread(target=hear_all, args=(mute,), daemon=True).start()
	equal(served_by(relay, 4), [b"here"] * 4, "clients, of which some had to wait")
	relay.wait_event("flow-closed", count=4)	# what was told of these flows before is written by then
	delayed = len(relay.events("flow-attempt-failed"))
	check(delayed > 0, "nobody was given to the mute one")
	equal(served_by(relay, 8), [b"here"] * 8, "those that come then")
	relay.wait_event("flow-closed", count=12)
	equal(len(relay.events("flow-attempt-failed")), delayed, "clients that were delayed")


main()
