#!/usr/bin/env -S python3 -B
"""valise-agent diagnose: the way to each relay, what it says to each endpoint, upstreams, and who answers outside."""
import json
import os
import shutil
import socket

from lib import *
from lib.clock import Clock
from lib.proxies import OwnProxy
from lib.scene import free_port
from lib.session import Session

NAME, OTHER = "app.example.com", "elsewhere.example.com"


def certificate():
	return authority().agent("diagnosed", NAME)


def diagnose(agent, *more):
	status, out, err = run(PROGRAMS["agent"], "diagnose", "-c", agent.config_path, "--json", *more)
	check(out.startswith(b"{"), f"{status} {out} {err}")
	return status, json.loads(out)


def found(document, step, result=None):
	some = [one for one in document["findings"] if one["step"] == step and result in (None, one["result"])]
	check(some, f"nothing is said of {step} {result or ''}: {document}")
	return some[0]


def nowhere():
	"""Public names that nobody answers for, without a resolver's delay."""
	return {"interval": "1h", "address": f"127.0.0.1:{free_port()}"}


def settled(scene, endpoints, **settings):
	relay = scene.relay()
	return relay, scene.agent(relay, endpoints, certificate(), start=False,
		probe={"interval": "1h", "address": f"127.0.0.1:{relay.port}"}, **settings)


@test
def says_fine_of_what_works_beside_the_agent_itself(scene):
	relay, agent = settled(scene, [terminate(NAME, scene.upstream(http))])
	agent.start()
	scene.wait_serving(agent)
	status, document = diagnose(agent)
	equal((status, document["failed"], document["warnings"]), (0, 0, 0), f"{document}")
	for step in ("dns", "tcp", "tls", "crl", "session", "clock", "endpoint", "upstream", "public name"):
		found(document, step, "ok")
	equal(agent.events("relay-down"), [], "the agent's own session")
	status, out, err = run(PROGRAMS["agent"], "diagnose", "-c", agent.config_path)
	equal(status, 0, err)
	check(b"  [ OK ] session " in out and b"0 failed, 0 warnings" in out, f"{out}")


@test
def a_dry_run_serves_nobody_and_displaces_nobody(scene):
	relay, agent = settled(scene, [passthrough(NAME, scene.tls_upstream(http, NAME))])
	agent.start()
	scene.wait_serving(agent)
	status, document = diagnose(agent)
	equal(status, 0, f"{document}")
	equal(len(relay.events("endpoint-up")), 1, "endpoints that came up")
	equal(curl(relay.port, NAME, authority().root)[:2], (0, b"hello"), "the agent serves")


@test
def each_refusal_of_an_endpoint_is_told_with_its_code(scene):
	relay, agent = settled(scene, [passthrough(NAME, scene.tls_upstream(http, NAME)),
		passthrough(OTHER, scene.tls_upstream(http, OTHER))])
	agent.settings["probe"] = nowhere()	# the session below has no channels for anybody
	agent.write(agent.settings)
	first = scene.keep(Session(relay, authority().agent("first", NAME)))
	first.up()
	equal(first.announce(1, NAME), 0, "announced")
	status, document = diagnose(agent)
	equal(status, 1, f"{document}")
	codes = [one["code"] for one in document["findings"] if one["step"] == "endpoint"]
	equal(codes, ["name-taken", "name-not-granted"], "codes")
	found(document, "upstream tls", "ok")


@test
def an_upstream_that_is_away_or_shows_another_name_is_told(scene):
	relay, agent = settled(scene, [passthrough(NAME, scene.tls_upstream(http, OTHER)),
		terminate(OTHER, f"tcp://127.0.0.1:{free_port()}")])
	status, document = diagnose(agent)
	equal(status, 1, "exit status")
	check("not for " + NAME in found(document, "upstream tls", "failed")["sentence"], f"{document}")
	found(document, "upstream", "failed")


@test
def who_opens_tls_on_the_way_is_named(scene):
	"""What a middlebox of the network shows: the relay's name, by a CA of its own."""
	relay, agent = settled(scene, [passthrough(NAME, scene.tls_upstream(http, NAME))])
	stranger = Authority()
	folder = os.path.dirname(relay.settings["connect"]["certificate"])	# the relay's sandbox reaches no other one later
	relay.settings["connect"]["certificate"], relay.settings["connect"]["private_key"] = (
		shutil.copy(source, f"{folder}/stranger{source[-4:]}") for source in stranger.relay())
	relay.write(relay.settings)
	relay.reload()
	relay.wait_event("reloaded")
	status, document = diagnose(agent)
	equal(status, 1, "exit status")
	tls = found(document, "tls", "failed")
	check("exempt localhost:%d from TLS inspection" % relay.port in tls["sentence"], f"{tls}")
	check(len(tls["sha256"]) == 64 and tls["issuer"] and tls["subject"], f"{tls}")


@test
def a_closed_port_a_dead_name_and_another_service_are_told_apart(scene):
	relay, agent = settled(scene, [passthrough(NAME, scene.tls_upstream(http, NAME))])
	mail = scene.upstream(lambda stream: stream.sendall(b"220 mail.example.com\r\n"))
	for target, step, words in ((f"localhost:{free_port()}", "tcp", "no relay listens"),
			("nowhere.invalid:443", "dns", "agent.connect_url"), (f"localhost:{mail.port}", "session", "not-a-relay")):
		agent.settings["agent"]["connect_url"] = [target]
		agent.write(agent.settings)
		status, document = diagnose(agent)
		equal(status, 1, "exit status")
		check(words in found(document, step, "failed")["sentence"], f"{document}")


@test
def it_is_told_where_no_crl_says_whether_the_relay_is_revoked(scene):
	relay, agent = settled(scene, [terminate(NAME, scene.upstream(http))])
	del agent.settings["agent"]["connect_crls"]
	agent.write(agent.settings)
	check("agent.connect_crls" in found(diagnose(agent)[1], "crl", "warning")["sentence"], "what to give")


@test
def a_port_that_answers_nobody_is_told_from_a_closed_one(scene):
	"""Its queue is full, and the kernel drops who comes, as a firewall does."""
	relay, agent = settled(scene, [passthrough(NAME, scene.tls_upstream(http, NAME))])
	listener = scene.keep(socket.create_server(("127.0.0.1", 0), backlog=0))
	port = listener.getsockname()[1]
	full = [scene.keep(socket.socket()) for _ in range(3)]
	for stream in full:
		stream.setblocking(False)
		stream.connect_ex(("127.0.0.1", port))
	agent.settings["agent"]["connect_url"] = [f"127.0.0.1:{port}"]
	agent.write(agent.settings)
	told = found(diagnose(agent)[1], "tcp", "failed")["sentence"]
	check("does not answer within 5 s" in told and "agent.proxy" in told, told)


@test
def two_clocks_that_differ_are_told(scene):
	relay, clock = scene.relay(start=False), Clock(scene.dir)
	clock.set(150)
	clock.rule(relay)
	relay.start()
	agent = scene.agent(relay, [passthrough(NAME, scene.tls_upstream(http, NAME))], certificate(), start=False,
		probe=nowhere())
	status, document = diagnose(agent)
	equal(status, 1, f"{document}")
	told = found(document, "clock", "failed")["sentence"]
	check(" s behind that of the relay" in told and abs(int(told.split("clock is ")[1].split()[0]) - 150) < 30, told)


@test
def so_many_endpoints_that_they_do_not_fit_into_a_session_s_queue_are_judged_all(scene):
	"""Each has a long list of addresses."""
	relay, count = scene.relay(), 150
	allow = [f"2001:db8:{i:x}::/64" for i in range(150)]
	agent = scene.agent(relay, [passthrough(f"n{i}.example.com", "tcp://127.0.0.1:9", allow=allow) for i in range(count)],
		authority().agent("many", "*.example.com"), start=False, probe=nowhere())
	document = diagnose(agent)[1]
	found(document, "session", "ok")
	equal(sum(one["step"] == "endpoint" and one["result"] == "ok" for one in document["findings"]), count, "endpoints that would be accepted")


@test
def a_proxy_that_ends_what_lasts_is_told_with_its_time(scene):
	relay, proxy = scene.relay(), scene.keep(OwnProxy(lets_live=4))
	agent = scene.agent(relay, [passthrough(NAME, scene.tls_upstream(http, NAME))], certificate(), start=False,
		agent={"proxy": f"http://127.0.0.1:{proxy.port}"}, probe=nowhere())
	status, document = diagnose(agent, "--hold", "30")
	equal(status, 1, f"{document}")
	hold = found(document, "hold", "failed")
	check(hold["seconds"] <= 4 and "ask for an exception" in hold["sentence"], f"{hold}")


@test
def a_connection_is_held_for_as_long_as_is_asked(scene):
	relay, agent = settled(scene, [passthrough(NAME, scene.tls_upstream(http, NAME))])
	equal(found(diagnose(agent, "--hold", "1")[1], "hold", "ok")["seconds"], 1, "held")
	status, out, err = run(PROGRAMS["agent"], "diagnose", "-c", agent.config_path, "--hold", "soon")
	check(status == 64 and "from 1 to 86400" in err, f"{status} {err}")


@test
def a_wrong_configuration_is_told_as_by_check(scene):
	relay, agent = settled(scene, [passthrough(NAME, scene.tls_upstream(http, NAME))])
	agent.settings["agent"]["private_key"] = agent.settings["agent"]["certificate"]
	agent.write(agent.settings)
	status, out, err = run(PROGRAMS["agent"], "diagnose", "-c", agent.config_path)
	check(status == 78 and agent.settings["agent"]["private_key"] in err, f"{status} {out} {err}")


main()
