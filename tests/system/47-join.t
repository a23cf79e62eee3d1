#!/usr/bin/env -S python3 -B
"""valise-agent join and valise-relay join: what a host gets, and whom it never tells the secret of its invitation.
The servers here are hostile ones; pki-92-join.t joins for real."""
import base64
import fcntl
import os
import pty
import re
import stat
import subprocess
import termios

from lib import *
from lib.est import *

SECRET = "ab" * 16
AUTHORIZATION = "Basic " + base64.b64encode(f"00112233445566aa:{SECRET}".encode()).decode()


def server_identity():
	return authority().issue("server", "est", "--host", "localhost")


class Host:
	"""Where a daemon would live: its directories, and joining there."""

	def __init__(self, scene, kind="agent"):
		self.kind, self.etc, self.state = kind, f"{scene.dir}/etc", f"{scene.dir}/{kind}-state"

	@property
	def config(self):
		return f"{self.etc}/{self.kind}.yml"

	def command(self, *options):
		return [PROGRAMS[self.kind], "join", "-c", self.config, "--dir", self.state, "--user", "root", *options]

	def join(self, line, *options):
		"""(status, standard output, standard error)"""
		status, out, err = run(*self.command(*options), data=(line + "\n").encode())
		check("Sanitizer" not in err and "runtime error" not in err, err)
		check(SECRET not in err and SECRET.encode() not in out, f"the secret is told: {out}{err}")
		return status, out.decode(), err

	def refuses(self, status, words, line, *options):
		"""It ends so, and nothing was made but perhaps the key, which no one else may read."""
		before = self.files()
		got, out, err = self.join(line, *options)
		equal((got, out), (status, ""), err)
		check(words in err, f"{err!r} does not say {words!r}")
		made = set(self.files()) - set(before)
		check(made <= {self.key}, f"it has made {made}")
		check(all(self.files()[path] == text for path, text in before.items()), "it has changed a file")
		return err

	def checks(self):
		"""What was written is found good without a change."""
		status, out, err = run(PROGRAMS[self.kind], "check", "-c", self.config)
		equal(status, 0, f"check: {out.decode()}{err}")

	@property
	def key(self):
		return f"{self.state}/keys/{self.kind}.key"

	def files(self):
		return {os.path.join(top, name): read(os.path.join(top, name))
			for where in (self.etc, self.state) for top, _, names in os.walk(where) for name in names}


def serve(scene, *identities, **keys):
	return scene.keep(EstServer(authority(), *(identities or [server_identity()]), **keys))


def line_of(server, root=None, **keys):
	return join_line(server.url, root or authority().root, **keys)


# ---- what a host gets ----

@test
def a_host_becomes_an_agent(scene):
	server, host = serve(scene), Host(scene)
	status, out, err = host.join(line_of(server, relay="connect.example.net:443"))
	equal((status, err), (0, ""))
	for file, mode in ((host.key, 0o600), (f"{host.state}/agent.crt", 0o644), (host.config, 0o644),
			(f"{host.etc}/relays-ca.crt", 0o644), (f"{host.etc}/servers-ca.crt", 0o644)):
		equal(stat.S_IMODE(os.stat(file).st_mode), mode, file)
		check(file in out, f"{file} is not told: {out}")
	equal(stat.S_IMODE(os.stat(host.state).st_mode), 0o700)
	equal(sorted(read(f"{host.state}/crls/{name}") for name in os.listdir(f"{host.state}/crls")),
		sorted(read(authority().crls(role)) for role in ("relay", "server")))
	equal(server.secrets_seen(), [AUTHORIZATION], "the secret was sent once")
	text = read(host.config).decode()
	check('connect_url: ["connect.example.net:443"]' in text and '"tls://app.example.com"' in text, text)
	check(f'renew: {{url: "{server.url}", cas: {host.etc}/servers-ca.crt}}' in text, text)
	check("valise-agent check" in out, out)
	host.checks()
	equal(authority().pki("verify", f"{host.state}/agent.crt", "--as", "agent", "--serve", "app.example.com") and 0, 0)


@test
def a_host_becomes_a_relay_with_the_authority_behind_it(scene):
	server, host = serve(scene, kind="relay", name="relay7", hosts=("connect.example.net",)), Host(scene, "relay")
	line = join_line("https://localhost", authority().root, kind="relay")
	status, out, err = host.join(line, "--address", f"127.0.0.1:{server.port}")
	equal((status, err), (0, ""))
	text = read(host.config).decode()
	check("server_name: connect.example.net" in text, text)
	check(f'servers-ca.crt, address: "127.0.0.1:{server.port}"}}' in text, text)
	check(re.search(rf'^routes:\n  - server_name: "localhost"\n    upstream: "tcp://127.0.0.1:{server.port}"$', text, re.M), text)
	host.checks()
	check(os.path.exists(f"{host.etc}/agents-ca.crt") and os.path.exists(f"{host.state}/relay.crt"), str(host.files().keys()))


@test
def a_host_behind_a_proxy_joins_through_it(scene):
	server, host, proxy = serve(scene), Host(scene), scene.keep(Proxy("joe:let me out"))
	with open(f"{scene.dir}/password", "w") as file:
		file.write("let me out\n")
	os.chmod(f"{scene.dir}/password", 0o600)
	options = ["--proxy", f"http://127.0.0.1:{proxy.port}"]
	host.refuses(69, "407", line_of(server), *options)
	options += ["--proxy-user", "joe", "--proxy-password-file", f"{scene.dir}/password"]
	equal(host.join(line_of(server, relay="connect.example.net:443"), *options)[::2], (0, ""))
	equal({target for target, _ in proxy.asked}, {f"localhost:{server.port}"})
	check(f'proxy: {{url: "http://127.0.0.1:{proxy.port}", username: joe, password_file: {scene.dir}/password}}' in
		read(host.config).decode(), read(host.config).decode())
	host.checks()


@test
def the_request_has_nothing_but_the_key(scene):
	server, host = serve(scene), Host(scene)
	equal(host.join(line_of(server))[0], 0)
	[request] = server.enrolled()
	status, out, _ = run("openssl", "req", "-inform", "DER", "-noout", "-text", "-verify", data=base64.b64decode(request))
	equal(status, 0)
	check(re.search(rb"Subject:\s*\n", out) and b"(none)" in out and b"X509v3" not in out, out.decode())


# ---- who is not told the secret ----

def another_authority(scene):
	other = Authority()
	return serve(scene, other.issue("server", "est", "--host", "localhost")), "leads to no root", {}


def an_agent(scene):
	return serve(scene, authority().issue("agent", "impostor", "--host", "localhost")), "does not have serverAuth", {}


def a_client(scene):
	return serve(scene, authority().issue("client", "visitor")), "does not have serverAuth", {}


def a_server_of_another_name(scene):
	return serve(scene, authority().issue("server", "other", "--host", "other.example")), 'is not for "localhost"', {}


def a_server_that_was_revoked(scene):
	pki = Authority()
	identity = pki.issue("server", "est", "--host", "localhost")
	pki.revoke("est")
	server = scene.keep(EstServer(pki, identity))
	return server, "revoked", {"root": pki.root}


def a_server_without_crls(scene):
	server = serve(scene)
	del server.answers["/crl/servers.pem"]
	return server, "404", {}


def a_server_with_the_crls_of_another_role(scene):
	server = serve(scene)
	server.answers["/crl/servers.pem"] = server.answers["/crl/agents.pem"]
	return server, "no CRL", {}


def a_server_with_forged_crls(scene):
	server = serve(scene)
	server.answers["/crl/servers.pem"] = read(Authority().crls("server"))
	return server, "is not believed", {}


def a_server_that_sends_another_root(scene):
	server = serve(scene)
	server.answers[CACERTS] = certs_only(Authority().root)
	return server, "none of its CAs is the root", {}


def a_server_that_sends_no_cms(scene):
	server = serve(scene)
	server.answers[CACERTS] = base64.encodebytes(os.urandom(600))
	return server, "cannot be used", {}


def a_server_that_changes_behind_the_first_connection(scene):
	"""Everything that the second one presents is good, too; but it is another key than the one that was judged."""
	return serve(scene, server_identity(), server_identity(), authority().issue("server", "est2", "--host", "localhost")), "key", {}


@test_over(another_authority, an_agent, a_client, a_server_of_another_name, a_server_that_was_revoked, a_server_without_crls,
	a_server_with_the_crls_of_another_role, a_server_with_forged_crls, a_server_that_sends_another_root,
	a_server_that_sends_no_cms, a_server_that_changes_behind_the_first_connection)
def the_secret_is_not_told_to(scene, who):
	server, words, keys = who(scene)
	host = Host(scene)
	host.refuses(69, words, line_of(server, **keys))
	check(server.requests, "it was asked at all")
	equal(server.secrets_seen(), [])
	equal(server.enrolled(), [])


@test
def plain_http_is_no_authority(scene):
	host = Host(scene)
	host.refuses(65, "names a place that is not https", join_line("http://localhost", authority().root))


# ---- what comes back ----

def later(scene, server):
	server.answers[ENROLL] = (503, {"Retry-After": 7, "Content-Type": "text/plain"}, b"too many signatures this hour\n")
	return 75, "too many signatures this hour"


def the_secret_is_wrong(scene, server):
	server.answers[ENROLL] = (401, {"WWW-Authenticate": "Basic", "Content-Type": "text/plain"}, b"unknown invitation\x1b[2J\n")
	return 77, "unknown invitation?[2J"


def no_base64(scene, server):
	server.answers[ENROLL] = b"\xff\xfe"
	return 77, "base64"


def too_much(scene, server):
	server.answers[ENROLL] = b"A" * (1 << 20)
	return 69, ""


def somebody_elses_certificate(scene, server):
	server.answers[ENROLL] = certs_only(authority().agent("somebody", "app.example.com")[0])
	return 77, "no certificate for the key"


def a_client_certificate(scene, server):
	server.kind, server.hosts = "client", ()
	return 76, "does not have the agent purpose"


def cas_of_another_root(scene, server):
	server.answers["/ca/relays.pem"] = read(Authority().cas("relay"))
	return 76, "has another root"


def crls_that_do_not_fit(scene, server):
	server.answers["/crl/relays.pem"] = read(Authority().crls("relay"))[:-40]
	return 76, "/crl/relays.pem"


@test_over(later, the_secret_is_wrong, no_base64, too_much, somebody_elses_certificate, a_client_certificate,
	cas_of_another_root, crls_that_do_not_fit)
def what_cannot_be_used_leaves_the_key_alone(scene, answer):
	server, host = serve(scene), Host(scene)
	status, words = answer(scene, server)
	host.refuses(status, words, line_of(server))
	check(os.path.exists(host.key), "the key is kept, so that the invitation is not lost with it")
	if answer in (cas_of_another_root, crls_that_do_not_fit):
		equal(server.secrets_seen(), [], "the invitation was not used")


@test
def a_lost_answer_is_asked_for_again_with_the_same_key(scene):
	server, host = serve(scene), Host(scene)
	server.answers[ENROLL] = lambda request: None
	host.refuses(69, "", line_of(server))
	key = read(host.key)
	server.answers[ENROLL] = server.enroll
	status, out, err = host.join(line_of(server))
	equal((status, err), (0, ""))
	check("an earlier join has made it" in out, out)
	equal(read(host.key), key)
	first, last = (run("openssl", "req", "-inform", "DER", "-noout", "-pubkey", data=base64.b64decode(body))[1]
		for body in (server.enrolled()[0], server.enrolled()[-1]))
	equal(first, last)


# ---- nothing is overwritten ----

@test
def a_second_join_says_what_exists(scene):
	server, host = serve(scene), Host(scene)
	equal(host.join(line_of(server))[0], 0)
	asked = len(server.requests)
	err = host.refuses(73, host.config, line_of(server))
	check("agent.crt" in err and host.key in err, err)
	equal(len(server.requests), asked, "nobody was asked")


def the_configuration(host):
	return host.config


def the_certificate(host):
	return f"{host.state}/agent.crt"


@test_over(the_configuration, the_certificate)
def what_is_there_stays(scene, file):
	server, host = serve(scene), Host(scene)
	os.makedirs(host.etc), os.makedirs(host.state)
	with open(file(host), "w") as out:
		out.write("mine\n")
	host.refuses(73, file(host), line_of(server))
	equal(server.requests, [])


@test
def other_cas_in_the_way_are_found_before_the_invitation_is_used(scene):
	server, host = serve(scene), Host(scene)
	os.makedirs(host.etc)
	with open(f"{host.etc}/servers-ca.crt", "wb") as out:
		out.write(read(Authority().cas("server")))
	host.refuses(73, "servers-ca.crt", line_of(server))
	equal(server.secrets_seen(), [])
	os.unlink(f"{host.etc}/servers-ca.crt")
	with open(f"{host.etc}/servers-ca.crt", "wb") as out:
		out.write(read(authority().cas("server")))	# as another daemon's join on this host leaves it
	equal(host.join(line_of(server))[0], 0)


# ---- the line ----

@test
def the_line_comes_from_a_file_that_others_cannot_read(scene):
	server, host = serve(scene), Host(scene)
	path = f"{scene.dir}/line"
	with open(path, "w") as file:
		file.write(line_of(server) + "\n")
	os.chmod(path, 0o644)
	status, out, err = run(*host.command("--file", path))
	check(status == 66 and "everybody may read" in err, err)
	os.chmod(path, 0o600)
	equal(run(*host.command("--file", path))[0], 0)


@test
def the_terminal_does_not_show_the_line(scene):
	server, host = serve(scene), Host(scene)
	ours, theirs = pty.openpty()
	child = subprocess.Popen(host.command(), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
		preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
	os.close(theirs)
	shown = b""
	while b"invitation" not in shown:
		shown += os.read(ours, 1000)
	os.write(ours, line_of(server).encode() + b"\n")
	while True:
		try:
			part = os.read(ours, 1000)
		except OSError:
			break
		if not part:
			break
		shown += part
	equal(child.wait(30), 0, shown.decode())
	check(b"valise-join:" not in shown and b"agent.yml" in shown, shown.decode())
	os.close(ours)


@test
def an_interrupt_ends_the_question_for_the_line(scene):
	host = Host(scene)
	child, ours = os.forkpty()
	if child == 0:
		os.execv(host.command()[0], host.command())
	shown = b""
	while b"invitation" not in shown:
		shown += os.read(ours, 1000)
	os.write(ours, b"\x03")		# and no end of a line
	try:
		while part := os.read(ours, 1000):
			shown += part
	except OSError:
		pass
	equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 66, shown.decode())
	check(b"interrupted" in shown, shown.decode())
	os.close(ours)


def an_argument(server):
	return 64, "revoke it", "", [line_of(server)]


def another_kind(server):
	return 65, "for a relay, not for an agent", line_of(server, kind="relay"), []


def a_line_that_is_cut_off(server):
	return 65, "the join line", line_of(server)[:-5], []


def no_line(server):
	return 65, "the join line is empty", "", []


def an_address_without_a_port(server):
	return 64, "is not host:port", line_of(server), ["--address", "localhost"]


def an_unknown_type_of_key(server):
	return 64, "rsa1024", line_of(server), ["--key-type", "rsa1024"]


def a_password_without_a_user(server):
	return 64, "come together", line_of(server), ["--proxy", "http://127.0.0.1:1", "--proxy-password-file", "/dev/null"]


def a_proxy_that_is_none(server):
	return 64, "is not a proxy", line_of(server), ["--proxy", "ftp://127.0.0.1:1"]


@test_over(an_argument, another_kind, a_line_that_is_cut_off, no_line, an_address_without_a_port, an_unknown_type_of_key,
	a_password_without_a_user, a_proxy_that_is_none)
def nothing_is_made_of(scene, case):
	server, host = serve(scene), Host(scene)
	status, words, line, options = case(server)
	host.refuses(status, words, line, *options)
	equal(server.requests, [])
	check(not os.path.exists(host.state), "a directory was made")


main()
