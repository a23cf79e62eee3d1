#!/usr/bin/env python3
"""The log and standard error: nobody waits for it, nothing is taken for it, nothing in it is forged."""
import os
import signal
import subprocess

from lib import *

STRAY = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO,
	signal.SIGPIPE, signal.SIGPWR, signal.SIGXFSZ, signal.SIGRTMIN, signal.SIGRTMAX]


def files_of(directory):
	"""{path: content} of the small files below."""
	found = {}
	for top, _, names in os.walk(directory):
		for name in names:
			with open(f"{top}/{name}", "rb") as file:
				found[f"{top}/{name}"] = file.read()
	return found


@test
def a_closed_standard_error_is_no_file_of_the_daemons(scene):
	echoing = scene.upstream(echo)
	relay = scene.relay(start=False, routes=[route("static.example", echoing)], admin={"socket": None})
	del relay.settings["admin"]
	relay.write(relay.settings)
	agent = scene.agent(relay, [passthrough("app.example", echoing)], authority().agent("app", "app.example"),
		start=False)
	for daemon in relay, agent:
		daemon.closed = (2,)
		daemon.start()
	first = hello("app.example")
	until(lambda: dial(relay.port, first).recv(1) == first[:1], 15, "a flow passes")
	found = {**files_of(scene.state("relay")), **files_of(scene.state("agent"))}
	equal(found[f"{scene.state('relay')}/lock"], b"%d\n" % relay.pid, "the relay's lock")
	for path, content in found.items():
		check(b"event" not in content, f"{path} has lines of the log: {content!r}")


@test
def the_tools_take_no_file_for_standard_output(scene):
	with open(f"{scene.dir}/hello", "wb") as file:
		file.write(hello("app.example"))
	for argv in ([PROGRAMS["sni"], f"{scene.dir}/hello"], [PROGRAMS["pki"], "list", "--ca", authority().dir]):
		for closed in (0,), (1,), (1, 2), (0, 1, 2):
			done = subprocess.run(argv, stdout=subprocess.DEVNULL, preexec_fn=lambda: [os.close(fd) for fd in closed])
			equal(done.returncode, 0, f"status of {argv[0]} without {closed}")


@test
def signals_that_say_nothing_end_no_daemon(scene):
	echoing = scene.upstream(echo)
	relay = scene.relay(workers=2)
	agent = scene.agent(relay, [passthrough("app.example", echoing)], authority().agent("app", "app.example"))
	for daemon in relay, agent:
		for number in STRAY:
			daemon.signal(number)
	first = hello("app.example")
	until(lambda: dial(relay.port, first).recv(1) == first[:1], 15, "a flow passes")
	for daemon in relay, agent:
		check(daemon.alive(), f"{daemon.label} is gone")


main()
