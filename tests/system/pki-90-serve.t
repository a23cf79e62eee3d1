#!/usr/bin/env -S python3 -B
"""valise-pki serve: EST as curl, openssl and strongSwan speak it, CRLs and CA certificates, and its own certificate."""
import base64
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, "tests/pki_tool")
from lib import *
from lib.process import SANITIZED
from kit import *
from lib.scene import free_port
import asn1

EST = "/.well-known/est"


def invited(ca, kind, name, *options):
	"""An invitation's handle and secret."""
	told = ca.json("invite", kind, name, *options)
	return told["handle"], told["secret"]


def key_and_csr(directory, label, subject, san=None):
	"""A fresh key and the base64 of a request for it, made by openssl."""
	key, csr = f"{directory}/{label}.key", f"{directory}/{label}.csr"
	succeeds("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
		"-out", csr, "-outform", "DER", "-subj", subject, *(["-addext", f"subjectAltName={san}"] if san else []))
	with open(csr, "rb") as file:
		body = base64.encodebytes(file.read())
	with open(f"{csr}.b64", "wb") as file:
		file.write(body)
	return key, f"{csr}.b64"


def public(key=None, certificate=None):
	"""The public key of either, in PEM."""
	return succeeds("openssl", "x509", "-in", certificate, "-noout", "-pubkey") if certificate else \
		succeeds("openssl", "pkey", "-in", key, "-pubout")


def der_of(path, kind):
	return subprocess.run(["openssl", kind, "-in", path, "-outform", "DER"], capture_output=True, check=True).stdout


class Client:
	"""curl, which believes the authority's root."""

	def __init__(self, scene, ca, pki):
		self.dir, self.ca, self.pki = scene.dir, ca, pki

	def __call__(self, path, *options):
		"""(status, headers, body)"""
		status, out, err = tool("curl", "-sS", "-D", f"{self.dir}/headers", "-o", f"{self.dir}/body", "-w", "%{http_code}",
			"--cacert", self.ca.path("root.crt"), "--resolve", self.pki.url.removeprefix("https://") + ":127.0.0.1",
			*options, self.pki.url + path)
		check(status == 0, f"curl {path}: {status} {err}")
		with open(f"{self.dir}/headers") as file:
			headers = dict((k.lower(), v) for k, v in re.findall(r"^([A-Za-z-]+): (.*?)\r?$", file.read(), re.M))
		body = b""
		if os.path.exists(f"{self.dir}/body"):
			with open(f"{self.dir}/body", "rb") as file:
				body = file.read()
			os.unlink(f"{self.dir}/body")
		return int(out), headers, body

	def enrol(self, csr, user, *options):
		return self(f"{EST}/simpleenroll", "--user", ":".join(user), "--data-binary", f"@{csr}",
			"-H", "Content-Type: application/pkcs10", *options)

	def renew(self, csr, certificate, key, *options):
		return self(f"{EST}/simplereenroll", "--cert", certificate, "--key", key, "--data-binary", f"@{csr}",
			"-H", "Content-Type: application/pkcs10", *options)


def certificates(directory, body, name):
	"""What openssl finds in the answer, written to a file of PEM."""
	with open(f"{directory}/{name}.p7", "wb") as file:
		file.write(base64.b64decode(body))
	out = succeeds("openssl", "pkcs7", "-inform", "DER", "-in", f"{directory}/{name}.p7", "-print_certs")
	with open(f"{directory}/{name}.crt", "w") as file:
		file.write(out)
	return f"{directory}/{name}.crt", re.findall(r"subject=(.*)", out)


def begun(scene, **settings):
	ca = Ca(f"{scene.dir}/ca")
	pki = scene.serve(ca.dir, **settings)
	return ca, pki, Client(scene, ca, pki)


@test
def hands_out_cas_and_crls(scene):
	ca, pki, client = begun(scene)
	status, headers, body = client(f"{EST}/cacerts")
	equal((status, headers["content-type"]), (200, "application/pkcs7-mime"))
	_, subjects = certificates(scene.dir, body, "cacerts")
	equal(len(subjects), 5, "the root and the four roles")
	equal(client(f"{EST}/csrattrs")[0], 204)

	for name in ("root", "agents", "relays", "servers", "clients"):
		status, headers, body = client(f"/crl/{name}.crl")
		equal((status, headers["content-type"]), (200, "application/pkix-crl"))
		equal(body, der_of(ca.path(f"crls/{name}.crl"), "crl"))
		equal(client(f"/crl/{name}.crl", "-H", f"If-None-Match: {headers['etag']}")[0], 304)
		equal(client(f"/crl/{name}.crl", "-H", f"If-Modified-Since: {headers['last-modified']}")[0], 304)
		equal(client(f"/ca/{name}.crt")[2], der_of(ca.path(f"cas/{name}.crt"), "x509"))
	etag = client("/crl/agents.crl")[1]["etag"]
	ca("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	ca("crl", "agents")
	status, headers, body = client("/crl/agents.crl", "-H", f"If-None-Match: {etag}")
	equal((status, body), (200, der_of(ca.path("crls/agents.crl"), "crl")), "a new CRL is told")
	bundle = client("/crl/agents.pem")[2]
	for name in ("acme", "agents", "root"):
		check(open(ca.path(f"crls/{name}.crl"), "rb").read() in bundle, f"/crl/agents.pem has that of {name}")
	key_and_csr(scene.dir, "own", "/CN=own")
	ca("sub", "own", "--permit", "dns:own.example", "--csr", f"{scene.dir}/own.csr")
	equal(client("/crl/own.crl")[0], 404, "a customer's own CA has no CRL yet")
	equal(client("/crl/agents.pem")[:3:2], (200, bundle), "which keeps nobody from those of the others")
	equal(client("/ca/acme.pem")[2], b"".join(open(ca.path(f"cas/{name}.crt"), "rb").read() for name in ("acme", "agents", "root")))
	equal(len(certificates(scene.dir, client(f"{EST}/cacerts")[2], "again")[1]), 5, "no customer is told")


@test
def lists_nothing_and_opens_nothing_else(scene):
	ca, pki, client = begun(scene)
	for path in ("/", "/crl/", "/ca/", "/crl", "/crl/nobody.crl", "/ca/inventory.crt", "/ca/agents.crl", "/crl/agents.crt",
			"/crl/..%2fprivate%2fagents.key", "/ca/..%2f..%2fetc%2fpasswd", "/ca/%2e%2e.pem", "/private/agents.key",
			"/inventory.db", f"{EST}/", f"{EST}/fullcmc", f"{EST}/serverkeygen", "/crl/" + "a" * 65 + ".crl", "/crl/.crl"):
		equal(client(path, "--path-as-is")[0], 404, path)
	equal(client(f"{EST}/simpleenroll")[0], 405)
	equal(client(f"{EST}/simpleenroll")[1]["allow"], "POST")
	equal(client("/crl/agents.crl", "-X", "DELETE")[0], 405)
	with open(f"{scene.dir}/agents.der", "wb") as file:
		file.write(client("/crl/agents.crl")[2])
	status, headers, _ = client("/crl/agents.crl", "--head")
	equal((status, headers["content-length"]), (200, str(os.path.getsize(f"{scene.dir}/agents.der"))))
	# The process with the network has no file but those.
	front = front_of(pki)
	equal(open_files(front, ca.dir), [])


def front_of(pki):
	"""The process that listens."""
	for pid in os.listdir("/proc"):
		if pid.isdigit() and parent_of(pid) == pki.pid and has_socket(pid):
			return int(pid)
	check(False, "no process of it listens")


def parent_of(pid):
	try:
		return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
	except OSError:
		return None


def has_socket(pid):
	listening = {line.split()[9] for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}") if line.split()[3] == "0A"}
	return any(re.fullmatch(r"socket:\[(\d+)\]", link) and link[8:-1] in listening for link in links(pid))


def links(pid):
	for fd in os.listdir(f"/proc/{pid}/fd"):
		try:
			yield os.readlink(f"/proc/{pid}/fd/{fd}")
		except OSError:
			pass


def open_files(pid, directory):
	return [link for link in links(pid) if link.startswith(directory)]


@test
def an_invitation_and_its_renewal_by_curl_and_openssl(scene):
	ca, pki, client = begun(scene)
	user = invited(ca, "agent", "site1", "--host", "app.example.com")
	key, csr = key_and_csr(scene.dir, "first", "/CN=site1")
	status, headers, body = client.enrol(csr, user)
	equal((status, headers["content-type"]), (200, "application/pkcs7-mime; smime-type=certs-only"), body)
	certificate, subjects = certificates(scene.dir, body, "first")
	equal(len(subjects), 1, "only the certificate that was issued")
	check("app.example.com" in text_of(certificate), text_of(certificate))
	check(ca.believed("site1", "agent"), "our own verifier believes it")
	equal(client.enrol(csr, user)[2], body, "a lost answer is given again")
	equal(client.enrol(key_and_csr(scene.dir, "other", "/CN=site1")[1], user)[0], 403, "not for another key")

	new_key, new_csr = key_and_csr(scene.dir, "new", "/CN=site1", "DNS:app.example.com")
	status, _, body = client.renew(new_csr, certificate, key)
	equal(status, 200, body)
	renewed, _ = certificates(scene.dir, body, "renewed")
	equal(public(certificate=renewed), public(key=new_key))
	equal(client.renew(new_csr, certificate, key)[2], body, "a lost answer is given again")
	equal(client.renew(key_and_csr(scene.dir, "third", "/CN=site1", "DNS:app.example.com")[1], certificate, key)[0], 403,
		"but not for a third key")
	ca("revoke", "site1")
	equal(client.renew(new_csr, renewed, new_key)[0], 403, "nor once it is revoked")


@test
def a_renewal_needs_the_certificate_that_is_renewed(scene):
	ca, pki, client = begun(scene)
	for kind, name in (("agent", "site1"), ("relay", "relay.example"), ("server", "www.example"), ("client", "alice")):
		ca("issue", kind, name, *(["--host", "app.example.com"] if kind == "agent" else []))
		san = {"agent": "DNS:app.example.com", "relay": "DNS:relay.example", "server": "DNS:www.example", "client": None}[kind]
		key, csr = key_and_csr(scene.dir, name, f"/CN={name}", san)
		status, _, body = client.renew(csr, ca.crt(name), ca.key(name))
		equal(status, 200, f"{kind}: {body}")
		renewed, _ = certificates(scene.dir, body, f"{name}-renewed")
		succeeds("openssl", "verify", "-CAfile", ca.path("root.crt"), "-untrusted", ca.path(f"cas/{ROLES[kind]}.crt"), renewed)
		equal(public(certificate=renewed), public(key=key))
	ca("issue", "client", "bob")
	key, csr = key_and_csr(scene.dir, "site1", "/CN=site1", "DNS:app.example.com")
	status, _, body = client(f"{EST}/simplereenroll", "--data-binary", f"@{csr}")
	equal(status, 403, "without any certificate")
	other = Ca(f"{scene.dir}/other")
	other("issue", "agent", "site1", "--host", "app.example.com")
	equal(client.renew(csr, other.crt("site1"), other.key("site1"))[0], 403, "by a stranger's")
	pki.wait_event("renewal-refused", code="unknown-ca")
	weak = f"{scene.dir}/weak"
	succeeds("openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", f"{weak}.key", "-out", f"{weak}.crt", "-subj", "/CN=site1")
	for certificate, key, is_read in ((ca.crt("bob"), ca.key("bob"), True), (f"{weak}.crt", f"{weak}.key", False)):
		_, out, _ = tool("gnutls-cli", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2", "--x509cafile", ca.path("root.crt"),
			"--x509certfile", certificate, "--x509keyfile", key, "-p", pki.port, "localhost")
		equal("Handshake was completed" in out, is_read, "a key that may cost minutes is not used")


@test
def strangers_are_told_little(scene):
	ca, pki, client = begun(scene)
	_, csr = key_and_csr(scene.dir, "site1", "/CN=site1")
	status, headers, _ = client(f"{EST}/simpleenroll", "--data-binary", f"@{csr}")
	equal((status, headers["www-authenticate"]), (401, 'Basic realm="valise"'))
	equal(client.enrol(csr, ("0" * 16, "0" * 32))[0], 401)
	pki.wait_event("enrol-unauthorised", count=2)
	user = invited(ca, "agent", "site1", "--host", "app.example.com")
	for body in ("", "not base64!", "AAAA", "-----BEGIN CERTIFICATE REQUEST-----"):
		equal(client(f"{EST}/simpleenroll", "--user", ":".join(user), "--data-binary", body)[0], 400, body)
	with open(f"{scene.dir}/long", "wb") as file:
		file.write(b"A" * (33 * 1024))
	equal(client(f"{EST}/simpleenroll", "--user", ":".join(user), "--data-binary", f"@{scene.dir}/long")[0], 413)
	equal(client(f"{EST}/simpleenroll", "--user", ":".join(user), "--data-binary", f"@{scene.dir}/long",
		"-H", "Transfer-Encoding: chunked")[0], 413)
	equal(client.enrol(csr, user)[0], 200, "and the invitation is still good")


@test
def tls_is_not_resumed_nor_without_extended_master_secret(scene):
	ca, pki, client = begun(scene)
	out = succeeds("sh", "-c", f"openssl s_client -connect localhost:{pki.port} -CAfile {ca.path('root.crt')} -verify_return_error "
		f"-reconnect -no_tls1_3 </dev/null 2>&1")
	check("Reused" not in out, out)
	with subprocess.Popen(["openssl", "s_client", "-connect", f"localhost:{pki.port}", "-no_tls1_3"], stdin=subprocess.PIPE,
			stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as again:
		again.stdin.write("R\n")
		again.stdin.flush()
		out = again.stdout.read()	# until the server has had enough of it
	check("RENEGOTIATING" in out and "HTTP/1.1" not in out, out)
	for name in ("site1", "site2"):
		ca("issue", "agent", name, "--host", f"{name}.example.com")
	_, csr = key_and_csr(scene.dir, "site1", "/CN=site1", "DNS:site1.example.com")
	equal(client.renew(csr, ca.crt("site1"), ca.key("site1"), "--tls-max", "1.2")[0], 200, "TLS 1.2 with it")
	body = open(csr, "rb").read()
	request = (f"POST {EST}/simplereenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
	with subprocess.Popen(["gnutls-cli", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2:%NO_SESSION_HASH", "-p", str(pki.port),
			"--x509cafile", ca.path("root.crt"), "--x509certfile", ca.crt("site2"), "--x509keyfile", ca.key("site2"),
			"localhost"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as old:
		old.stdin.write(request)
		old.stdin.flush()
		out = old.stdout.read().decode()
	check(" 403 " in out and "RFC 7627" in out, out)
	for version in ("-tls1", "-tls1_1"):
		status, out, _ = tool("sh", "-c", f"openssl s_client -connect localhost:{pki.port} {version} -cipher ALL:@SECLEVEL=0 </dev/null 2>&1")
		check("Cipher is (NONE)" in out or "alert protocol version" in out or status != 0, out)


def other_form(scene, key, how):
	"""base64 of a request, signed by this RSA key, that writes its public key otherwise."""
	tree = asn1.parse(subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/", "-outform", "DER"],
		capture_output=True, check=True).stdout)
	info = tree[0][1][0]
	how(info[1][2][1])
	with open(f"{scene.dir}/info", "wb") as file:
		file.write(asn1.build([info]))
	signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key, f"{scene.dir}/info"], capture_output=True, check=True)
	tree[0][1][2][1] = b"\0" + signature.stdout
	with open(f"{scene.dir}/other.b64", "wb") as file:
		file.write(base64.encodebytes(asn1.build(tree)))
	return f"{scene.dir}/other.b64"


def as_it_is(spki):
	pass


def without_parameters(spki):
	del spki[0][1][1]


def with_a_padded_modulus(spki):
	numbers = asn1.parse(spki[1][1][1:])
	numbers[0][1][0][1] = b"\0" + numbers[0][1][0][1]
	spki[1][1] = b"\0" + asn1.build(numbers)


@test
def one_key_has_one_form(scene):
	ca, pki, client = begun(scene)
	key = f"{scene.dir}/rsa.key"
	succeeds("openssl", "genrsa", "-out", key, "2048")
	first, second = invited(ca, "agent", "first", "--host", "a.example"), invited(ca, "agent", "second", "--host", "b.example")
	equal(client.enrol(other_form(scene, key, as_it_is), first)[0], 200)
	equal(client.enrol(other_form(scene, key, as_it_is), second)[0], 403, "the key is another host's")
	for how in (without_parameters, with_a_padded_modulus):
		status, _, body = client.enrol(other_form(scene, key, how), second)
		check(status == 400 and b"usual form" in body, f"{how.__name__}: {status} {body}")


@test
def an_interrupt_of_all_its_processes_is_an_orderly_end(scene):
	ca = Ca(f"{scene.dir}/ca")
	serve = subprocess.Popen([PROGRAMS["pki"], "serve", "--ca", ca.dir, "--server-name", "localhost", "--listen",
		f"127.0.0.1:{free_port()}"], start_new_session=True, stderr=subprocess.PIPE, text=True)
	for line in serve.stderr:
		if "serve-up" in line:
			break
	os.killpg(serve.pid, signal.SIGINT)		# as a terminal does it
	rest = serve.stderr.read()
	equal(serve.wait(), 0, rest)
	check("process-died" not in rest, rest)


@test
def clients_that_stall_cost_nothing_and_leave(scene):
	ca, pki, client = begun(scene, limits={"connections": 8})
	front, whole = front_of(pki), hello("localhost")
	before = processor_seconds(front)
	for number in range(8):	# every place; they wait for a record's end, or for what comes after the server's flight
		scene.keep(socket.create_connection(("127.0.0.1", pki.port))).sendall(whole[:-1] if number % 2 else whole)
	equal(client(f"{EST}/csrattrs")[0], 204, "a newcomer waits until they are cut")
	used = processor_seconds(front) - before
	check(SANITIZED or used < 0.25, f"{used} s of the processor for 5 s of clients that stall")


@test
def clients_that_ask_for_trifles_make_place(scene):
	ca, pki, client = begun(scene, limits={"connections": 8})
	context = ssl.create_default_context(cafile=ca.path("root.crt"))
	talkers = [scene.keep(context.wrap_socket(socket.create_connection(("127.0.0.1", pki.port)), server_hostname="localhost"))
		for _ in range(8)]

	def talk(tls):
		"""Asks again and again, so that the connection is never idle for long."""
		try:
			while True:
				tls.sendall(b"GET /crl/nobody.crl HTTP/1.1\r\nHost: localhost\r\n\r\n")
				if not tls.recv(4096):
					return
				time.sleep(0.2)
		except OSError:
			pass

	threads = [threading.Thread(target=talk, args=(tls,), daemon=True) for tls in talkers]
	for thread in threads:
		thread.start()
	equal(client(f"{EST}/csrattrs", "--max-time", "60")[0], 204, "a newcomer waits until one is cut")


def processor_seconds(pid):
	with open(f"/proc/{pid}/stat") as stat:
		fields = stat.read().rpartition(")")[2].split()
	return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@test
def too_many_requests_are_told_when_to_come_back(scene):
	ca, pki, client = begun(scene, limits={"requests": 2, "requests_per_identity": 1})
	context = ssl.create_default_context(cafile=ca.path("root.crt"))
	talkers = [scene.keep(context.wrap_socket(socket.create_connection(("127.0.0.1", pki.port)), server_hostname="localhost"))
		for _ in range(12)]
	for tls in talkers:	# all at once, however slow this machine is
		tls.sendall(f"GET {EST}/csrattrs HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
	answers = [tls.recv(4096).decode().lower() for tls in talkers]
	refused = [answer for answer in answers if answer.startswith("http/1.1 429 ")]
	check(refused, answers)
	check(1 <= int(re.search(r"\r\nretry-after: (\d+)\r\n", refused[0])[1]) <= 60, refused)


@test
def its_own_certificate_is_renewed_while_it_runs(scene):
	ca, pki, client = begun(scene)

	def serial():
		with socket.create_connection(("127.0.0.1", pki.port)) as plain, \
				ssl.create_default_context(cafile=ca.path("root.crt")).wrap_socket(plain, server_hostname="localhost") as tls:
			return tls.getpeercert()["serialNumber"]

	first = serial()
	ca("rekey", "localhost")
	pki.reload()
	pki.wait_event("own-certificate", count=2)
	check(serial() != first, "the next client is shown the new one")
	listed = [one for one in ca.json("list") if one["name"] == "localhost"]
	equal((len(listed), listed[0]["kind"]), (1, "server"))
	equal(listed[0]["serial"].lstrip("0").lower(), serial().lstrip("0").lower())
	check(ca.believed("localhost", "server"), "it is a server's")


@test
def is_reached_through_a_static_route_of_a_relay(scene):
	ca, pki, client = begun(scene, name="pki.example.net")
	relay = scene.relay(routes=[route("pki.example.net", f"tcp://127.0.0.1:{pki.port}")])
	pki.url = f"https://pki.example.net:{relay.port}"
	user = invited(ca, "agent", "site1", "--host", "app.example.com")
	key, csr = key_and_csr(scene.dir, "site1", "/CN=site1")
	status, _, body = client.enrol(csr, user)
	equal(status, 200, body)
	certificate, _ = certificates(scene.dir, body, "site1")
	_, again = key_and_csr(scene.dir, "again", "/CN=site1", "DNS:app.example.com")
	equal(client.renew(again, certificate, key)[0], 200, "the relay passes the client's certificate on, sealed")


@test
def both_processes_end_with_either(scene):
	ca, pki, client = begun(scene)
	front = front_of(pki)
	os.kill(front, 9)
	equal(pki.wait(), 70)
	pki.expected = 70
	pki.wait_event("process-died")


@test
def a_wrong_passphrase_ends_it_with_one_sentence(scene):
	for name, text in (("right", "correct horse battery"), ("wrong", "staple")):
		with open(os.open(f"{scene.dir}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
			file.write(text + "\n")
	ca = Ca(f"{scene.dir}/ca", "--passphrase-file", f"{scene.dir}/right")
	pki = scene.serve(ca.dir, start=False, passphrase_file=f"{scene.dir}/wrong").start(wait_ready=False)
	equal(pki.wait(), 77)
	pki.expected = 77
	told = [line for line in pki.log_text().splitlines() if not any(word in line for word in
		('"level":"debug"', '"listening"', '"sandbox-partial"'))]	# the last one where sanitizers are
	check(len(told) == 1 and "not its passphrase" in told[0], told)
	pki.write({**pki.settings, "passphrase_file": f"{scene.dir}/right"})
	pki.start()
	equal(Client(scene, ca, pki)("/crl/agents.crl")[0], 200)


@test
def a_check_says_what_would_keep_it_from_starting(scene):
	ca = Ca(f"{scene.dir}/ca")
	server = scene.serve(ca.dir, start=False)
	whole = server.settings

	def checked(**settings):
		server.write({**whole, **settings})
		return pki("serve", "--check", "--config", server.config_path)

	equal(checked(), (0, "fine\n", ""))
	for url in ("http://localhost", "https://", "https://localhost/est", "https://a@localhost", "https://localhost:0"):
		status, out, err = checked(url=url)
		check((status, out) == (78, "") and f'"{url}" is not a URL to join by' in err, f"{url}: {status} {out}{err}")
		status, out, err = pki("serve", "--check", "--ca", ca.dir, "--server-name", "localhost", "--url", url)
		check((status, out) == (64, "") and url in err, f"{url}: {status} {out}{err}")
	status, out, err = checked(authority=f"{scene.dir}/nowhere")
	check((status, out) == (66, "") and f"{scene.dir}/nowhere: no authority there" in err, f"{status} {out}{err}")


@test
def strongswan_enrols_and_renews(scene):
	ca, pki, client = begun(scene)
	conf = f"{scene.dir}/strongswan.conf"
	with open(conf, "w") as file:
		file.write("pki {\n  tls {\n    version_max = 1.3\n  }\n}\nlibtls {\n  version_max = 1.3\n}\n")
	env = dict(os.environ, STRONGSWAN_CONF=conf)

	def swan(word, *argv, stdin=None):
		done = subprocess.run(["pki", word, *argv], capture_output=True, env=env, stdin=stdin, timeout=60)
		check(done.returncode == 0, f"pki {word}: {done.returncode} {done.stderr.decode()}")
		return done.stdout

	swan("--estca", "--url", pki.url, "--cacert", ca.path("root.crt"), "--caout", f"{scene.dir}/swanca", "--outform", "pem", "--force")
	user = invited(ca, "client", "carol", "--email", "carol@example.com")
	key = f"{scene.dir}/carol.key"
	with open(key, "wb") as file:
		file.write(swan("--gen", "--type", "ecdsa", "--size", "256", "--outform", "pem"))
	with open(f"{scene.dir}/carol.csr", "wb") as file:
		file.write(swan("--req", "--in", key, "--type", "ecdsa", "--dn", "CN=carol", "--san", "carol@example.com"))
	trust = ["--cacert", ca.path("root.crt"), "--cacert", ca.path("cas/servers.crt")]
	first = swan("--est", "--url", pki.url, *trust, "--in", f"{scene.dir}/carol.csr", "--userpass", ":".join(user), "--outform", "pem")
	with open(f"{scene.dir}/carol.crt", "wb") as file:
		file.write(first)
	succeeds("openssl", "verify", "-CAfile", ca.path("root.crt"), "-untrusted", ca.path("cas/clients.crt"), f"{scene.dir}/carol.crt")
	second = swan("--est", "--url", pki.url, *trust, "--in", f"{scene.dir}/carol.csr", "--cert", f"{scene.dir}/carol.crt",
		"--key", key, "--outform", "pem")
	check(second != first, "the same key has a new certificate")


main()
