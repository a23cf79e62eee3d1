#!/usr/bin/env -S python3 -B
"""Whose key answers for a public name: valise-agent probe, and the agent's own look from outside."""
import hashlib
import json
import socket

from lib import *
from lib.scene import free_port
from lib.upstream import server_context

NAME = "watched.example.com"


def spki_of(certificate):
	_, public, _ = run("openssl", "x509", "-in", certificate[0], "-noout", "-pubkey")
	_, der, _ = run("openssl", "pkey", "-pubin", "-outform", "DER", data=public)
	return hashlib.sha256(der).hexdigest()


def stranger():
	"""Somebody else's certificate for the same name."""
	if not hasattr(stranger, "pair"):
		stranger.authority = Authority()
		stranger.pair = stranger.authority.server(NAME)
	return stranger.pair


def probing(scene, endpoint, address=None, **probe):
	"""A relay and an agent that looks at its name there, or at another address."""
	relay = scene.relay()
	agent = scene.agent(relay, [endpoint], authority().agent("watched-agent", NAME, "*." + NAME),
		probe={"interval": "1s", "address": address or f"127.0.0.1:{relay.port}", **probe})
	return relay, agent


def at(upstream):
	return f"127.0.0.1:{upstream.port}"


def terminating(scene, tls=None):
	return terminate(NAME, scene.upstream(http), tls)


def status_of(agent):
	status, out, err = run(PROGRAMS["agent"], "status", "-c", agent.config_path)
	equal(status, 0, err)
	return json.loads(out)["endpoints"][0]["probe"]


def ask(address, expected, *more, name=NAME):
	return run(PROGRAMS["agent"], "probe", "--expect", expected, "--address", address, f"tls://{name}", *more)


def still_serves(relay, agent):
	status, out, err = curl(relay.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)
	equal(agent.events("endpoint-down"), [], "endpoints that went down")


@test
def another_machine_asks_which_key_answers(scene):
	relay = scene.relay()
	mutual = {"mutual_tls_certificate_authorities": [authority().cas("client")]}
	scene.agent(relay, [terminating(scene, mutual)], authority().agent("watched-agent", NAME, "*." + NAME))
	address, own, other = f"127.0.0.1:{relay.port}", spki_of(authority().server(NAME)), spki_of(stranger())
	for expected, status, word in ((own, 0, "match"), (f"{other},{own}", 0, "match"), (other, 1, "mismatch")):
		got, out, err = ask(address, expected)
		equal(got, status, f"{out} {err}")
		check(word in out.decode() and own in out.decode() and NAME in out.decode(), f"{out}")


@test
def who_proves_no_key_is_unknown(scene):
	own = spki_of(authority().server(NAME))
	plain = scene.upstream(lambda s: (s.recv(1000), s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
	silent = scene.upstream(lambda s: s.close())
	for address in (f"127.0.0.1:{free_port()}", at(plain), at(silent), f"127.0.0.1:{scene.relay().port}"):
		got, out, err = ask(address, own)
		equal(got, 69, f"{address}: {out} {err}")
		check("unknown" in out.decode(), f"{out}")


@test
def refuses_what_makes_no_sense(scene):
	own = spki_of(authority().server(NAME))
	probe = (PROGRAMS["agent"], "probe")
	for words in ((), (f"tls://{NAME}",), ("--expect", own), ("--expect", own[:-1], f"tls://{NAME}"),
			("--expect", own, "tls://*.example.com"), ("--expect", own, NAME),
			("--expect", own, f"tls://{NAME}", f"tls://{NAME}"),
			("--expect", own, "--address", "127.0.0.1", f"tls://{NAME}")):
		status, out, err = run(*probe, *words)
		equal((status, out), (64, b""), f"{words}: {err}")


@test
def an_agent_finds_its_own_key(scene):
	relay, agent = probing(scene, terminating(scene))
	own = spki_of(authority().server(NAME))
	agent.wait_event("probe-match", server_name=NAME, spki=own)
	told = until(lambda: (s := status_of(agent))["matches"] > 1 and s)
	equal((told["result"], told["spki"], told["mismatches"], told["unknown"]), ("match", own, 0, 0))
	equal(len(agent.events("probe-match")), 1, "a match is told once")
	still_serves(relay, agent)


@test
def a_wildcard_is_asked_for_by_some_name(scene):
	relay, agent = probing(scene, terminate("*." + NAME, scene.upstream(http)))
	agent.wait_event("probe-match", server_name="*." + NAME)
	agent.wait_event("flow-closed", server_name="valise-probe." + NAME)


@test
def an_upstream_that_holds_the_key_is_looked_at(scene):
	pair = authority().server(NAME)
	context = server_context(*pair)

	def behind_a_header(stream):
		header = b""
		while not header.endswith(b"\n"):
			header += read_exactly(stream, 1)
		headers.append(header)
		with context.wrap_socket(stream, server_side=True) as tls:
			tls.recv(1)

	headers = []
	_, agent = probing(scene, passthrough(NAME, {"url": scene.upstream(behind_a_header).url, "proxy_protocol": 1}))
	agent.wait_event("probe-match", server_name=NAME, spki=spki_of(pair))
	check(b"PROXY UNKNOWN\r\n" in headers, f"{headers}")


@test
def a_renewed_key_of_an_upstream_is_no_mismatch(scene):
	upstream = scene.tls_upstream(http, NAME)
	_, agent = probing(scene, passthrough(NAME, upstream))
	agent.wait_event("probe-match")
	renewed = stranger()
	upstream.tls.load_cert_chain(*renewed)
	until(lambda: (s := status_of(agent))["spki"] == spki_of(renewed) and s["result"] == "match")
	equal((agent.events("probe-mismatch"), status_of(agent)["mismatches"]), ([], 0))


@test
def several_upstreams_may_have_a_key_each(scene):
	upstreams = [scene.tls_upstream(http, NAME), scene.upstream(http, tls=server_context(*stranger()))]
	_, agent = probing(scene, passthrough(NAME, {"url": [u.url for u in upstreams]}))
	until(lambda: status_of(agent)["matches"] > 3)
	equal((agent.events("probe-mismatch"), status_of(agent)["mismatches"]), ([], 0))


@test
def another_key_is_an_error_once_it_is_confirmed_and_changes_nothing(scene):
	for n, endpoint in enumerate((terminating(scene), passthrough(NAME, scene.tls_upstream(http, NAME)))):
		impostor = scene.upstream(http, tls=server_context(*stranger()))
		relay = scene.relay(f"relay{n}")
		agent = scene.agent(relay, [endpoint], authority().agent("watched-agent", NAME, "*." + NAME), f"agent{n}",
			probe={"interval": "1s", "address": at(impostor)})
		line = agent.wait_event("probe-mismatch", server_name=NAME, spki=spki_of(stranger()))[0]
		equal(line["level"], "error")
		check("another key answers" in line["message"] and "valise-agent probe" in line["message"], f"{line}")
		check(impostor.seen >= 2, "it was asked once more before anything was said")
		told = status_of(agent)
		check(told["result"] == "mismatch" and told["mismatches"] > 0 and told["from"] == at(impostor), f"{told}")
		still_serves(relay, agent)


@test
def a_key_that_is_right_the_second_time_is_no_mismatch(scene):
	contexts = [server_context(*stranger()), server_context(*authority().server(NAME))]

	def in_turn(stream):
		with contexts[len(seen) > 0].wrap_socket(stream, server_side=True) as tls:
			seen.append(tls)
			tls.recv(1)

	seen = []
	_, agent = probing(scene, terminating(scene), at(scene.upstream(in_turn)))
	agent.wait_event("probe-match", spki=spki_of(authority().server(NAME)))
	equal((agent.events("probe-mismatch"), status_of(agent)["mismatches"]), ([], 0))


@test
def keys_of_other_agents_may_be_listed(scene):
	other = scene.upstream(http, tls=server_context(*stranger()))
	_, agent = probing(scene, terminating(scene), at(other), spki=spki_of(stranger()))
	agent.wait_event("probe-match", spki=spki_of(stranger()))
	equal(agent.events("probe-mismatch"), [])


@test
def who_cannot_be_reached_is_unknown_and_changes_nothing(scene):
	relay, agent = probing(scene, terminating(scene), f"127.0.0.1:{free_port()}")
	line = agent.wait_event("probe-unknown", server_name=NAME)[0]
	check("Connection refused" in line["message"], f"{line}")
	told = until(lambda: (s := status_of(agent))["unknown"] > 1 and s)
	equal((told["result"], told["matches"], told["mismatches"]), ("unknown", 0, 0))
	equal(len(agent.events("probe-unknown")), 1, "it is told once")
	still_serves(relay, agent)


@test
def a_reload_begins_and_ends_it(scene):
	_, agent = probing(scene, terminating(scene))
	agent.wait_event("probe-match")
	probe = agent.settings.pop("probe")
	for settings, probes in ((None, False), (probe, True)):
		if settings:
			agent.settings["probe"] = settings
		agent.write(agent.settings)
		before = len(agent.events("reloaded"))
		agent.reload()
		agent.wait_event("reloaded", count=before + 1)
		equal(status_of(agent) is not None, probes, "is it probed")
	until(lambda: status_of(agent)["result"] == "match")


def reload_probe(agent, **probe):
	agent.settings["probe"].update(probe)
	agent.write(agent.settings)
	before = len(agent.events("reloaded"))
	agent.reload()
	agent.wait_event("reloaded", count=before + 1)


@test
def a_reload_that_changes_how_it_looks_is_obeyed_at_once(scene):
	relay, agent = probing(scene, terminating(scene), interval="1h")
	reload_probe(agent, interval="1s")
	until(lambda: status_of(agent)["matches"] > 1, what="it does not wait for the hour to end")
	silent = scene.upstream(lambda s: list(iter(lambda: s.recv(4096), b"")))
	reload_probe(agent, address=at(silent))
	until(lambda: silent.seen > 0)
	matches = status_of(agent)["matches"]
	reload_probe(agent, address=f"127.0.0.1:{relay.port}")
	until(lambda: status_of(agent)["matches"] > matches)
	equal(agent.events("probe-unknown"), [], "a look that was given up says nothing")


main()
