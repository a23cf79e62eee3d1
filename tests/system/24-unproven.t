#!/usr/bin/env -S python3 -B
"""What is said before the relay has proved who it is puts no agent to rest."""
import os

from lib import *
from lib.authority import CONNECT_NAME
from lib.upstream import server_context

NAME = "api.example.com"
BACKOFF_MOST_MS = 30000


def answering(data):
	def serve(stream):
		stream.recv(4096)
		stream.sendall(data)
	return serve


def alert(number):
	return bytes((21, 3, 3, 0, 2, 2, number))


def agent_of(scene, upstream, certificate=None):
	return scene.agent(upstream, [passthrough(NAME, "tcp://127.0.0.1:9")],
		certificate or authority().agent("agent", NAME), start=False).start()


def first_told(agent):
	told = agent.wait_event("relay-unproven", 10)[0]
	check(told["retry_ms"] <= BACKOFF_MOST_MS, f"tries again in {told['retry_ms']} ms")
	return told


ANSWERS = (
	("certificate-revoked", alert(44)),
	("certificate-expired", alert(45)),
	("certificate-refused", alert(48)),
	("connect-name-unknown", alert(112)),
	("not-a-relay", b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
)


@test
def plaintext_answers_are_no_facts_and_the_relay_is_found_soon_after(scene):
	for number, (code, data) in enumerate(ANSWERS):
		liar = scene.upstream(answering(data))
		agent = scene.agent(liar, [passthrough(NAME, "tcp://127.0.0.1:9")],
			authority().agent("agent", NAME), label=f"agent{number}", start=False).start()
		told = first_told(agent)
		equal(told["code"], code)
		check("nothing proves" in told["message"], told["message"])
		liar.close()
		scene.relay(label=f"relay{number}", port=liar.port)
		agent.wait_event("relay-up", 15)
		equal(agent.events("relay-refused"), [], f"refused for good by {code}")


@test
def a_wrong_certificate_has_two_readings(scene):
	certificate = Authority().server(CONNECT_NAME)
	impostor = scene.upstream(answering(b""), tls=server_context(*certificate))
	told = first_told(agent_of(scene, impostor))
	equal(told["code"], "unknown-ca")
	check("is wrong, or somebody in between" in told["message"], told["message"])
	check(told["subject"] and told["issuer"] and len(told["sha256"]) == 64, f"what was presented: {told}")


@test
def what_the_relay_itself_says_is_final_until_our_files_change(scene):
	issuer = Authority()
	certificate, key = issuer.agent("gone", NAME)
	issuer.revoke("gone")
	relay = scene.relay(connect={"agent_cas": [issuer.cas("agent")], "agent_crls": [issuer.crls("agent")]})
	mine = [f"{scene.dir}/mine.crt", f"{scene.dir}/mine.key"]
	copy_over((certificate, key), mine)
	agent = agent_of(scene, relay, mine)
	told = agent.wait_event("relay-refused", 10)[0]
	equal(told["code"], "certificate-revoked")
	check(told["retry_ms"] > 200000, f"tries again in {told['retry_ms']} ms")
	copy_over(issuer.agent("new", NAME), mine)
	agent.wait_event("relay-up", 10)


def copy_over(froms, tos):
	for source, target in zip(froms, tos):
		with open(source, "rb") as file, open(target + ".new", "wb") as copy:
			copy.write(file.read())
			os.fchmod(copy.fileno(), 0o600)
		os.replace(target + ".new", target)


main()
