#!/usr/bin/env -S python3 -B
"""The key process: what it serves, its end, and doing without."""
import os
import signal

from lib import *

NAME = "api.example.com"


def children_of(pid):
	try:
		with open(f"/proc/{pid}/task/{pid}/children") as file:
			return [int(child) for child in file.read().split()]
	except OSError:	# it has gone
		return []


def descendants(pid):
	return [one for child in children_of(pid) for one in [child] + descendants(child)]


def called_keys(pid):
	try:
		with open(f"/proc/{pid}/comm") as file:
			return file.read().strip() == "keys"
	except OSError:
		return False


def key_process(daemon):
	"""Its number, or None; its keeper has the same name, and it as a child."""
	found = [pid for pid in descendants(daemon.pid) if called_keys(pid) and not children_of(pid)]
	return found[0] if found else None


def serving(scene, tls=None, **settings):
	relay = scene.relay(**settings)
	agent = scene.agent(relay, [terminate(NAME, scene.upstream(echo), tls=tls)], authority().agent("keys-agent", NAME), **settings)
	return relay, agent


def talks(relay):
	client = TlsClient(relay.port, NAME, authority().root)
	client.sendall(b"hello")
	equal(client.recv(), b"hello")
	client.socket.close()


def can_talk(relay):
	try:
		talks(relay)
	except Exception:	# whatever a client is told meanwhile
		return False
	return True


@test_over("p256", "ed25519", "rsa2048", "rsa3072")
def each_type_of_key_serves_clients_of_both_versions(scene, kind):
	pair = authority().issue("server", f"keys-{kind}", "--host", NAME, "--key-type", kind)
	relay, _ = serving(scene, tls={"server_certificate": pair[0], "server_private_key": pair[1]})
	for version in ("-tls1_2", "-tls1_3"):
		status, out, err = run("openssl", "s_client", "-connect", f"127.0.0.1:{relay.port}", "-servername", NAME, version,
			"-CAfile", authority().root, "-verify_return_error", "-verify_hostname", NAME, data=b"")
		equal(status, 0, f"{kind} {version}: {err}")


@test
def one_that_dies_comes_back(scene):
	relay, agent = serving(scene)
	talks(relay)
	for daemon in (agent, relay):
		before = key_process(daemon)
		check(before, f"{daemon.label} has a key process")
		os.kill(before, signal.SIGKILL)
		daemon.wait_event("helper-died")
		until(lambda: key_process(daemon) not in (None, before), 20, f"another one for {daemon.label}")
	until(lambda: can_talk(relay), 20, "clients are served again")
	agent.kill()
	agent.start()
	scene.wait_serving(agent)	# which the relay has signed for
	talks(relay)


@test
def it_ends_with_its_daemon(scene):
	relay, agent = serving(scene)
	of_agent, of_relay = key_process(agent), key_process(relay)
	agent.stop()
	relay.kill()
	until(lambda: not called_keys(of_agent) and not called_keys(of_relay), 20, "both have ended")


@test
def a_daemon_does_without_if_it_is_told_to(scene):
	relay, agent = serving(scene, key_process="off")
	talks(relay)
	equal((key_process(relay), key_process(agent)), (None, None))


main()
