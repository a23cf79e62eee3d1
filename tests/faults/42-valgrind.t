#!/usr/bin/env -S python3 -B
"""Both daemons under valgrind, over a scene with every kind of flow, reloads and a drain: no error, and nothing lost."""
import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../system"))
from lib import *
from lib.process import SANITIZED

STATIC, SEALED, OPEN, HANDED = "static.example.com", "sealed.example.com", "open.example.com", "handed.example.com"
FLAWED = 99
# The thread that frees routes after a grace period (liburcu) lives until the end, and valgrind finds only the middle of
# what the C library keeps for it.
KNOWN = """{
	a-thread-that-lives
	Memcheck:Leak
	match-leak-kinds: possible
	...
	fun:_dl_allocate_tls
	...
	fun:pthread_create*
	...
	fun:urcu_bp_get_default_call_rcu_data
}
"""


def watched(scene, daemon):
	"""To be started under valgrind, which tells what it finds in a file.  It needs calls that the sandbox takes away."""
	daemon.findings, known = f"{scene.dir}/{daemon.label}.valgrind", f"{scene.dir}/known"
	with open(known, "w") as file:
		file.write(KNOWN)
	daemon.argv = ["valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
		f"--suppressions={known}", f"--error-exitcode={FLAWED}", "--num-callers=30", f"--log-file={daemon.findings}", *daemon.argv, "--no-sandbox"]
	return daemon.start(seconds=120)


def found(daemon):
	with open(daemon.findings, errors="replace") as file:
		return file.read()


def visit(relay, name, *more, **keys):
	return curl(relay.port, name, authority().root, *more, **keys)[:2]


@test
def nothing_is_lost_and_nothing_is_misread(scene):
	if SANITIZED or not shutil.which("valgrind"):
		skip("valgrind is not there, or the program has a sanitizer's allocator")
	upstream, sealed = scene.upstream(http), scene.tls_upstream(http, SEALED)
	relay = watched(scene, scene.relay(start=False, routes=[route(STATIC, scene.tls_upstream(http, STATIC))]))
	mutual = {"mutual_tls_certificate_authorities": [authority().cas("client")], "mutual_tls_crls": [authority().crls("client")]}
	agent = watched(scene, scene.agent(relay, [passthrough(SEALED, sealed), terminate(OPEN, upstream, mutual),
		terminate(HANDED, upstream, carrier="handoff")], authority().agent("agent", SEALED, OPEN, HANDED), start=False))
	scene.wait_serving(agent, 3, 120)
	ann = authority().client("ann")

	def visit_all():
		for name in (STATIC, SEALED, HANDED):
			until(lambda: visit(relay, name) == (0, b"hello"), 60, f"{name} is served")
		until(lambda: visit(relay, OPEN, "--cert", ann[0], "--key", ann[1]) == (0, b"hello"), 60, f"{OPEN} is served")
		equal(len(visit(relay, SEALED, path="/bytes/3000000")[1]), 3000000)
		equal(len(visit(relay, HANDED, path="/bytes/3000000")[1]), 3000000)
		check(visit(relay, OPEN)[0] != 0, "who has no certificate is refused")
		check(curl(relay.port, "nobody.example.net", authority().root)[0] != 0, "an unknown name is refused")
		with dial(relay.port, b"GET / HTTP/1.0\r\n\r\n") as client:
			closed_how(client)

	visit_all()
	for daemon in (relay, agent):
		daemon.write({**daemon.settings, "log": {"level": "info", "format": "json"}})
		daemon.reload()
		daemon.wait_event("reloaded", 60)
	visit_all()
	for daemon in (agent, relay):
		daemon.signal(signal.SIGTERM)
		status = daemon.wait(120)
		daemon.process = None
		lines = [line for line in found(daemon).splitlines() if "lost:" in line or "SUMMARY" in line]
		print(f"# {daemon.label}:", *[line.partition("== ")[2].strip() for line in lines], sep="\n#   ")
		check(status == 0, f"{daemon.label} ended with {status}\n{found(daemon)}")


main()
