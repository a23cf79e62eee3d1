#!/usr/bin/env -S python3 -B
"""Mistakes that people make, and what `check` says of each: what is wrong, which value, where, and what to do."""
import os
import re
import shutil
import socket
import subprocess

from lib import *

NAME = "app.messages.example"
CURVE = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def ask(scene, program, text, environment=None):
	"""The exit status of a check, what it says on standard error, and on standard output."""
	path = f"{scene.dir}/{program}.yml"
	with open(path, "w", encoding="utf-8") as file:
		file.write(text)
	done = subprocess.run([PROGRAMS[program], "check", "-c", path], capture_output=True, text=True, timeout=60,
		env=dict(os.environ, **(environment or {})))
	return done.returncode, done.stderr, done.stdout


def agent_text(scene, more="", endpoint=None, **agent):
	certificate, key = authority().agent("messages", NAME, "*.acme.example")
	keys = dict({"connect_url": "localhost:1", "connect_cas": authority().cas("relay"), "connect_crls": authority().crls("relay"),
		"certificate": certificate, "private_key": key, "state_dir": f"{scene.dir}/state"}, **agent)
	lines = [f"  {word}: {value}" for word, value in keys.items() if value is not None]
	endpoint = endpoint or [f"url: tls://{NAME}", "upstream: tcp://127.0.0.1:1"]
	return "\n".join(["version: 1", "agent:", *lines, "endpoints:", "- name: one", *(f"  {line}" for line in endpoint), more, ""])


def relay_text(scene, listeners='[{address: "127.0.0.1:1"}]', more="", **connect):
	certificate, key = authority().relay()
	keys = dict({"server_name": "localhost", "certificate": certificate, "private_key": key, "agent_cas": authority().cas("agent"),
		"agent_crls": authority().crls("agent")}, **connect)
	lines = [f"  {word}: {value}" for word, value in keys.items() if value is not None]
	return "\n".join(["version: 1", f"listeners: {listeners}", f"state_dir: {scene.dir}/relay-state", "connect:", *lines, more, ""])


def endpoint(*lines):
	return lambda scene: agent_text(scene, endpoint=lines)


def judge(scene, label, program, text, wanted, words, environment=None):
	status, err, out = ask(scene, program, text, environment)
	check(status == wanted, f"{label}: exit status {status}, not {wanted}: {err}{out}")
	for word in words:
		check(re.search(word, err), f"{label}: nothing of {word!r} in: {err}")
	return err


# mistake: (program, its configuration, exit status, what must be said)
MISTAKES = {
	"a wildcard without quotes": ("agent", endpoint("url: *.acme.example", "upstream: tcp://127.0.0.1:1"), 78,
		[r"agent\.yml:11:8: ", r'in quotes: "\*\.acme\.example"', "alias in YAML"]),
	"an address in brackets without quotes": ("relay", lambda scene: relay_text(scene, "[{address: [::]:443}]"), 78,
		[r"relay\.yml:2:23: ", r'in quotes: "\[::\]:443"']),
	"a name that is not ASCII": ("agent", endpoint("url: tls://b\u00fccher.example", "upstream: tcp://127.0.0.1:1"), 78,
		[r":11:8: ", r"xn--bcher-kva\.example"]),
	"an address as server name": ("agent", endpoint("url: tls://10.0.0.1", "upstream: tcp://127.0.0.1:1"), 78,
		[r":11:8: ", "10.0.0.1", "RFC 6066"]),
	"an address as a route's name": ("relay", lambda scene: relay_text(scene,
		more="routes: [{server_name: 10.0.0.1, upstream: {url: tcp://127.0.0.1:1}}]"), 78, ["10.0.0.1", "RFC 6066"]),
	"ALPN in capitals": ("agent", endpoint(f"url: tls://{NAME}", "upstream: tcp://127.0.0.1:1",
		"agent_tls_termination: {server_certificate: /x, server_private_key: /x, alpn: [H2]}"), 78, ["write h2"]),
	"labels as a mapping": ("agent", lambda scene: agent_text(scene, labels="{site: berlin}"), 78, [r":9:11: ", r"\[site=berlin\]"]),
	"labels as a list of mappings": ("agent", lambda scene: agent_text(scene, labels="[{site: berlin}]"), 78, [r"\[site=berlin\]"]),
	"a path for a shell": ("agent", lambda scene: agent_text(scene, private_key="~/api.key"), 78,
		[r":7:16: ", "~/api.key", "not expanded", "write the path"]),
	"a variable in a path": ("agent", lambda scene: agent_text(scene, certificate="$HOME/api.crt"), 78, [r"\$HOME/api.crt", "not expanded"]),
	"a variable in braces": ("relay", lambda scene: relay_text(scene, private_key='"${KEYS}/relay.key"'), 78, [r"\$\{KEYS\}", "not expanded"]),
	"a relay's configuration for the agent": ("agent", relay_text, 78, [r":2:1: ", "relay's configuration", r"valise-relay\.yml\(5\)"]),
	"an agent's configuration for the relay": ("relay", agent_text, 78, [r":2:1: ", "agent's configuration", r"valise-agent\.yml\(5\)"]),
	"ngrok's addr": ("agent", endpoint(f"url: tls://{NAME}", "addr: 8080"), 78, [r":12:3: ", "upstream: tcp://HOST:PORT"]),
	"ngrok's hostname": ("agent", endpoint("hostname: app.example.com", "upstream: tcp://127.0.0.1:1"), 78, ["url: tls://NAME"]),
	"ngrok's authtoken": ("agent", lambda scene: agent_text(scene, authtoken="2abc"), 78, ["no tokens", "agent.certificate"]),
	"ngrok's tunnels": ("agent", lambda scene: agent_text(scene, "tunnels: {web: {addr: 80}}"), 78, ['"endpoints"']),
	"ngrok's traffic policy": ("agent", endpoint(f"url: tls://{NAME}", "upstream: tcp://127.0.0.1:1", "traffic_policy: {}"), 78,
		["nothing of HTTP"]),
	"a parent of state_dir that is missing": ("agent", lambda scene: agent_text(scene, state_dir=f"{scene.dir}/no/where"), 73,
		["/no/where: a start cannot make it", "agent.state_dir"]),
	"a state_dir that is a file": ("agent", lambda scene: agent_text(scene, state_dir=f"{scene.dir}/agent.yml"), 73, ["is not a directory"]),
	"a file in the place of a socket": ("agent", lambda scene: agent_text(scene, f"admin: {{socket: {scene.dir}/agent.yml}}"), 73,
		["is not a socket", "admin.socket"]),
	"the clients' CA for relays": ("agent", lambda scene: agent_text(scene, connect_cas=authority().cas("client"),
		connect_crls=authority().crls("client")), 1, ["agent.connect_cas", "other roles than relay", "serverAuth"]),
	"the relays' CA for agents": ("relay", lambda scene: relay_text(scene, agent_cas=authority().cas("relay"),
		agent_crls=authority().crls("relay")), 1, ["connect.agent_cas", "other roles than agent"]),
	"the CRL of another issuer": ("relay", lambda scene: relay_text(scene, agent_crls=authority().crls("client")), 1,
		["there is no CRL of", r"has that of"]),
}


@test
def each_mistake_is_told_with_its_place_and_its_cure(scene):
	for label, (program, text, status, words) in MISTAKES.items():
		judge(scene, label, program, text(scene), status, words)


@test
def a_configuration_of_the_other_program_is_one_mistake(scene):
	for program, text in (("agent", relay_text), ("relay", agent_text)):
		_, err, _ = ask(scene, program, text(scene))
		equal(len(err.splitlines()), 1, err)


@test
def what_is_right_is_fine(scene):
	for program, text in (("agent", agent_text(scene)), ("relay", relay_text(scene)),
			("agent", agent_text(scene, endpoint=[f"url: tls://{NAME}", "upstream: [tcp://127.0.0.1:1, tcp://127.0.0.1:2]"])),
			("relay", relay_text(scene, '[{address: "[::]:1"}, {address: "0.0.0.0:1"}]'))):
		judge(scene, text, program, text, 0, [])
	check(not os.path.exists(f"{scene.dir}/state"), "a check makes no directory")


def openssl(*argv):
	done = subprocess.run(["openssl", *argv], capture_output=True, text=True, timeout=60)
	check(done.returncode == 0, done.stderr)


def make(scene, label, key, *sign, days=29):
	"""A certificate for NAME below a root of its own; returns leaf, key and root."""
	base = f"{scene.dir}/{label}"
	openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{base}-ca.key",
		"-out", f"{base}-ca.crt", "-subj", f"/CN={label} root", "-days", "30")
	openssl("req", "-newkey", *key, "-nodes", "-keyout", f"{base}.key", "-out", f"{base}.csr", "-subj", f"/CN={NAME}")
	with open(f"{base}.ext", "w") as file:
		file.write(f"subjectAltName=DNS:{NAME}\nextendedKeyUsage=serverAuth\n")
	openssl("x509", "-req", "-in", f"{base}.csr", "-CA", f"{base}-ca.crt", "-CAkey", f"{base}-ca.key", "-CAcreateserial",
		"-out", f"{base}.crt", "-days", str(days), "-extfile", f"{base}.ext", *sign)
	return f"{base}.crt", f"{base}.key", f"{base}-ca.crt"


@test
def what_clients_would_refuse_is_no_success(scene):
	good, key, _ = make(scene, "good", CURVE, "-sha256")
	_, _, other = make(scene, "other", CURVE, "-sha256")
	with open(f"{scene.dir}/wrong.crt", "w") as file:
		file.write(open(good).read() + open(other).read())
	cases = {
		"RSA with 1024 bits": make(scene, "short", ("rsa:1024",), "-sha256")[:2] + ("1024",),
		"SHA-1": make(scene, "old", CURVE, "-sha1")[:2] + ("SHA1|sha1|SHA-1",),
		"a wrong intermediate": (f"{scene.dir}/wrong.crt", key, "not followed by the certificate of its issuer"),
	}
	for label, (certificate, private, word) in cases.items():
		text = agent_text(scene, endpoint=[f"url: tls://{NAME}", "upstream: tcp://127.0.0.1:1",
			f"agent_tls_termination: {{server_certificate: {certificate}, server_private_key: {private}}}"])
		judge(scene, label, "agent", text, 1, [word, re.escape(certificate)])


@test
def what_another_program_has_is_told(scene):
	with socket.socket() as taken:
		taken.bind(("127.0.0.1", 0))
		taken.listen()
		port = taken.getsockname()[1]
		judge(scene, "a listener", "relay", relay_text(scene, f'[{{address: "127.0.0.1:{port}"}}]'), 69,
			[f"127.0.0.1:{port}", "another program listens there"])
		for key in ("http", "health"):
			for program, text in (("relay", relay_text), ("agent", agent_text)):
				judge(scene, key, program, text(scene, more=f"admin: {{{key}: 127.0.0.1:{port}}}"), 69, [f"127.0.0.1:{port}"])
		certificate, key = authority().client("forward")
		forward = f"forwards: [{{name: db, listen: \"127.0.0.1:{port}\", url: tls://{NAME}, cas: {authority().root}, " \
			f"certificate: {certificate}, private_key: {key}}}]"
		judge(scene, "a forward", "agent", agent_text(scene, forward), 69, ["forward db", f"127.0.0.1:{port}"])


@test
def what_the_running_daemons_have_is_no_obstacle(scene):
	relay = scene.relay()
	certificate, key, _ = make(scene, "past", CURVE, "-sha256", days=-1)
	own = authority().agent("messages", NAME, "*.acme.example")
	past = passthrough("past.acme.example", "tcp://127.0.0.1:1",
		agent_tls_termination={"server_certificate": certificate, "server_private_key": key})
	agent = scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:1"), past], own)
	told, = agent.wait_event("certificate-expires")
	equal((told["level"], told["endpoint"], told["file"]), ("error", past["name"], certificate), "what is told at the start")
	agent.settings["endpoints"].pop()
	agent.write(agent.settings)
	for daemon in (relay, agent):
		done = subprocess.run([*daemon.argv[:1], "check", *daemon.argv[2:]], capture_output=True, text=True, timeout=60)
		equal(done.returncode, 0, f"{daemon.label}: {done.stderr}")
		check(f"running: process {daemon.pid}" in done.stdout, done.stdout)


@test
def a_check_goes_on_to_the_relays_when_it_is_told_to(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, "tcp://127.0.0.1:1"), passthrough("foreign.example", "tcp://127.0.0.1:1")],
		authority().agent("messages", NAME, "*.acme.example"), start=False)
	ask_relay = lambda: subprocess.run([*agent.argv[:1], "check", "--connect", *agent.argv[2:]], capture_output=True, text=True, timeout=60)
	done = ask_relay()
	equal(done.returncode, 1, done.stderr)
	check(re.search(r"\[FAIL\] endpoint .*foreign\.example.*name-not-granted", done.stdout), done.stdout)
	agent.settings["endpoints"].pop()
	agent.write(agent.settings)
	done = ask_relay()
	equal(done.returncode, 0, done.stdout + done.stderr)
	for step in ("dns", "tcp", "tls", "session", f"endpoint .*{NAME}"):
		check(re.search(rf"\[ OK \] {step}", done.stdout), f"nothing of {step} in: {done.stdout}")
	check("upstream" not in done.stdout, done.stdout)
	relay.stop()
	done = ask_relay()
	equal(done.returncode, 1, done.stdout + done.stderr)
	check("[FAIL] tcp" in done.stdout, done.stdout)


@test
def a_proxy_of_the_environment_is_told(scene):
	for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
		judge(scene, variable, "agent", agent_text(scene), 0, [variable, "agent.proxy: environment"], {variable: "http://127.0.0.1:1"})


@test
def paths_may_come_from_the_environment_and_from_one_place_only(scene):
	certificate, key = authority().agent("messages", NAME, "*.acme.example")
	text = agent_text(scene, private_key=None, state_dir=None)
	judge(scene, "nothing", "agent", text, 78, ["agent.private_key"])
	given = {"VALISE_AGENT_PRIVATE_KEY": key, "VALISE_AGENT_STATE_DIR": f"{scene.dir}/state"}
	judge(scene, "by variables", "agent", text, 0, [], given)
	judge(scene, "by both", "agent", agent_text(scene), 78,
		[r":7:16: ", "agent.private_key is given here and by the variable VALISE_AGENT_PRIVATE_KEY"], {"VALISE_AGENT_PRIVATE_KEY": key})
	judge(scene, "a path for a shell", "agent", text, 78, ["VALISE_AGENT_PRIVATE_KEY: .*not expanded"],
		dict(given, VALISE_AGENT_PRIVATE_KEY="~/x"))
	judge(scene, "a relay's list", "relay", relay_text(scene, agent_cas=None), 0, [],
		{"VALISE_CONNECT_AGENT_CAS": authority().cas("agent")})


@test
def a_port_to_which_only_the_unit_has_the_right_is_no_obstacle(scene):
	"""`runuser -u valise-relay -- valise-relay check && systemctl enable --now valise-relay` is what people are told to do."""
	with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
		if os.geteuid() != 0 or int(file.read()) <= 1:
			skip("root is wanted, and a port that others may not have")
	files = [*authority().relay(), authority().cas("agent"), authority().crls("agent")]
	own = [shutil.copy(path, scene.dir) for path in files]
	path = f"{scene.dir}/relay.yml"
	with open(path, "w") as file:
		file.write(relay_text(scene, certificate=own[0], private_key=own[1], agent_cas=own[2], agent_crls=own[3]))
	for top in (scene.dir, f"{scene.dir}/relay.yml", *own):
		os.chown(top, 65534, 65534)
	as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", PROGRAMS["relay"]]
	if run(*as_nobody, "--version")[0] != 0:
		skip("the programs are where only root can call them")
	status, out, err = run(*as_nobody, "check", "-c", path)
	equal((status, err), (0, ""), out.decode())
	check("CAP_NET_BIND_SERVICE" in out.decode() and "valise-relay.service gives it" in out.decode(), f"it is told: {out}")


@test
def the_configuration_itself_may_be_named_by_the_environment(scene):
	for program, text in (("agent", agent_text(scene)), ("relay", relay_text(scene))):
		path = f"{scene.dir}/named-{program}.yml"
		with open(path, "w") as file:
			file.write(text)
		done = subprocess.run([PROGRAMS[program], "check"], capture_output=True, text=True, timeout=60,
			env=dict(os.environ, **{f"VALISE_{program.upper()}_CONFIG": path}))
		equal(done.returncode, 0, done.stderr)
		check(path in done.stdout, done.stdout)


@test
def the_directory_of_an_authority_may_stand_first(scene):
	status, out, err = run(PROGRAMS["pki"], "--ca", authority().dir, "list")
	equal(status, 0, err)


main()
