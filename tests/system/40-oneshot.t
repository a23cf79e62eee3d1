#!/usr/bin/env -S python3 -B
"""valise-agent tls: one endpoint from the command line."""
import signal
import time

from lib import *
from lib.scene import free_port

NAME = "quick.example.com"


def oneshot(scene, relay, upstream, *more, name=NAME, certificate=None, label="oneshot", **keys):
	agent_certificate, agent_key = certificate or authority().agent("quick-agent", NAME)
	daemon = Daemon(label, [PROGRAMS["agent"], "tls", upstream, "--url", f"tls://{name}",
		"--relay", f"localhost:{relay.port}", "--relay-ca", authority().cas("relay"),
		"--relay-crl", authority().crls("relay"),
		"--agent-crt", agent_certificate, "--agent-key", agent_key, *more], scene.dir)
	return scene._add(daemon, False)


def serving(daemon):
	daemon.start(wait_ready=False)
	daemon.wait_text("endpoint-up")
	return daemon


@test
def passes_sealed_bytes(scene):
	relay = scene.relay()
	upstream = scene.tls_upstream(http, NAME)
	serving(oneshot(scene, relay, upstream.url))
	status, out, err = curl(relay.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)


@test
def takes_a_bare_port_or_address_as_upstream(scene):
	relay = scene.relay()
	upstream = scene.tls_upstream(http, NAME)
	serving(oneshot(scene, relay, f"127.0.0.1:{upstream.port}"))
	status, out, err = curl(relay.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)


@test
def terminates_with_its_own_certificate(scene):
	relay = scene.relay()
	certificate, key = authority().server(NAME)
	daemon = serving(oneshot(scene, relay, scene.upstream(http).url, "--crt", certificate, "--key", key))
	status, out, err = curl(relay.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)
	daemon.signal(signal.SIGINT)
	equal(daemon.wait(5), 0, "exit status after Ctrl-C")


@test
def asks_clients_for_certificates(scene):
	relay = scene.relay()
	certificate, key = authority().server(NAME)
	serving(oneshot(scene, relay, scene.upstream(http).url, "--crt", certificate, "--key", key,
		"--mutual-tls-cas", authority().cas("client"), "--mutual-tls-crls", authority().crls("client")))
	status, out, err = curl(relay.port, NAME, authority().root)
	check(status != 0 and out == b"", f"without: {status} {out} {err}")
	own = authority().client("ann")
	status, out, err = curl(relay.port, NAME, authority().root, "--cert", own[0], "--key", own[1])
	equal((status, out), (0, b"hello"), err)


@test
def sends_a_proxy_header(scene):
	relay = scene.relay()
	first = []
	upstream = scene.upstream(lambda s: first.append(s.recv(1000)))
	serving(oneshot(scene, relay, upstream.url, "--upstream-proxy-protocol", "1"))
	with dial(relay.port, hello(NAME)):
		until(lambda: first, what="the upstream has the header")
	check(first[0].startswith(b"PROXY TCP4 127.0.0.1 "), f"{first[0]!r}")


@test
def a_permanent_refusal_exits_77_and_says_why(scene):
	relay = scene.relay()
	daemon = oneshot(scene, relay, "tcp://127.0.0.1:9", name="not.granted.example")
	daemon.start(wait_ready=False)
	daemon.expected = 77
	equal(daemon.wait(), 77, "exit status")
	check("name-not-granted" in daemon.log_text() and "not.granted.example" in daemon.log_text(), "says why")


@test
def what_speaks_no_tls_is_told_and_the_relay_is_found_behind_it(scene):
	web = scene.upstream(lambda s: (s.recv(1000), s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
	daemon = oneshot(scene, web, "tcp://127.0.0.1:9")
	daemon.start(wait_ready=False)
	told = daemon.wait_event("relay-unproven")[0]
	equal(told["code"], "not-a-relay")
	check("does not speak TLS" in told["message"] and "nothing proves" in told["message"], told["message"])
	web.close()
	scene.relay(port=web.port)
	daemon.wait_event("endpoint-up")
	equal(daemon.events("relay-refused"), [], "refused for good")


@test
def our_own_expired_certificate_is_a_fact(scene):
	certificate = authority().agent("expired-agent", NAME, options=("--valid-for", "1s"))
	alert = scene.upstream(lambda s: (s.recv(1000), s.sendall(bytes((21, 3, 3, 0, 2, 2, 45)))))
	time.sleep(2.1)
	daemon = oneshot(scene, alert, "tcp://127.0.0.1:9", certificate=certificate)
	daemon.start(wait_ready=False)
	daemon.expected = 77
	equal(daemon.wait(), 77, "exit status")


def by_configuration(scene, path, upstream, *more):
	return scene._add(Daemon("oneshot", [PROGRAMS["agent"], "tls", upstream, "--url", f"tls://{NAME}", "-c", path, *more],
		scene.dir), False)


@test
def who_it_is_may_come_from_the_configuration(scene):
	relay = scene.relay()
	certificate = authority().agent("both-agent", NAME, "first.example.com")
	service = scene.agent(relay, [passthrough("first.example.com", scene.upstream(echo))], certificate,
		admin={"http": f"127.0.0.1:{free_port()}"})
	upstream = scene.tls_upstream(http, NAME)
	serving(by_configuration(scene, service.config_path, upstream.url))
	status, out, err = curl(relay.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)
	check(service.alive() and not service.events("session-lost"), "the service goes on beside it")
	equal([e["server_name"] for e in relay.events("endpoint-up")], ["first.example.com", NAME])


@test
def where_who_it_is_comes_from_is_said_once(scene):
	relay = scene.relay()
	service = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("quick-agent", NAME))
	missing = f"{scene.dir}/none.yml"
	for argv, code, words in ((["-c", service.config_path, "--relay", "x:1"], 64, "--relay needs --relay-ca"),
			(["-c", missing], 66, f"--config {missing}: No such file"),
			([], 64, "valise-agent join writes")):
		status, _, err = run(PROGRAMS["agent"], "tls", "8080", "--url", f"tls://{NAME}", *argv)
		equal(status, code, err)
		check(words in err, err)


@test
def needs_no_state_directory(scene):
	relay = scene.relay()
	upstream = scene.tls_upstream(http, NAME)
	daemons = [serving(oneshot(scene, relay, upstream.url, label=f"oneshot{n}")) for n in range(2)]
	check(all(d.alive() for d in daemons), "two at once")


main()
