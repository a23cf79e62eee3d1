#!/usr/bin/env -S python3 -B
"""CRLs that relay and agent fetch by themselves: crl_url, and agent.proxy on the way."""
import json
import os
import shutil
import socket
import threading

from lib import *
from lib.upstream import server_context

NAME = "app.example.com"


class Site:
	"""A server of one file by HTTP, which says what it was asked."""

	def __init__(self, scene, path, **keys):
		self.path, self.asked = path, []
		self.upstream = scene.upstream(self.answer, **keys)
		scheme = "https" if keys else "http"
		self.url = f"{scheme}://localhost:{self.upstream.port}/crl"

	def answer(self, stream):
		self.asked.append(read_head(stream).decode())
		with open(self.path, "rb") as file:
			body = file.read()
		stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def read_head(stream):
	head = b""
	while b"\r\n\r\n" not in head:
		data = stream.recv(4096)
		if not data:
			raise EOFError
		head += data
	return head


def pass_on(one, other):
	try:
		while data := one.recv(65536):
			other.sendall(data)
		other.shutdown(socket.SHUT_WR)
	except OSError:
		pass


class Proxy:
	"""HTTP and SOCKS5, with a user and a password; it knows every name, and leads to one port."""

	def __init__(self, scene, port):
		self.port, self.asked = port, []
		self.upstream = scene.upstream(self.serve)

	def lead(self, stream, first=b""):
		with socket.create_connection(("127.0.0.1", self.port)) as far:
			far.sendall(first)
			back = threading.Thread(target=pass_on, args=(far, stream))
			back.start()
			pass_on(stream, far)
			back.join()

	def serve(self, stream):
		first = stream.recv(1, socket.MSG_PEEK)
		if first == b"\x05":
			self.serve_socks(stream)
			return
		head = read_head(stream).decode()
		self.asked.append(head)
		if head.startswith("CONNECT "):
			stream.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
			self.lead(stream)
		else:
			self.lead(stream, head.encode())

	def serve_socks(self, stream):
		read_exactly(stream, read_exactly(stream, 2)[1])
		stream.sendall(b"\x05\x02")
		user = read_exactly(stream, read_exactly(stream, 2)[1])
		password = read_exactly(stream, read_exactly(stream, 1)[0])
		stream.sendall(b"\x01\x00")
		kind = read_exactly(stream, 4)[3]
		name = read_exactly(stream, read_exactly(stream, 1)[0] if kind == 3 else 4)
		read_exactly(stream, 2)
		self.asked.append((user, password, kind, name))
		stream.sendall(b"\x05\x00\x00\x01" + bytes(6))
		self.lead(stream)


def password_of(scene):
	path = f"{scene.dir}/word"
	with open(path, "w") as file:
		file.write("open sesame\n")
	os.chmod(path, 0o600)
	return {"username": "agent", "password_file": path}


def status_of(daemon):
	code, out, err = run(daemon.program, "status", "-c", daemon.config_path)
	equal(code, 0, f"status: {err}")
	return json.loads(out)


def copy(scene, path, name):
	"""What a site serves may be replaced without the authority's knowing."""
	to = f"{scene.dir}/{name}"
	shutil.copy(path, to)
	return to


def relay_of(scene, pki, url, **keys):
	return scene.relay(connect={"agent_cas": [pki.cas("agent")], "agent_crls": [], "agent_crl_url": url},
		**keys)


def serve(scene, relay, pki, **settings):
	return scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], pki.agent("one", NAME), **settings)


def held(scene, label):
	"""What a daemon keeps of what it has fetched."""
	path = f"{scene.state(label)}/crls"
	return sorted(os.listdir(path)) if os.path.isdir(path) else []


@test
def a_relay_fetches_what_it_judges_agents_by(scene):
	pki = Authority()
	site = Site(scene, pki.crls("agent"))
	relay = relay_of(scene, pki, site.url)
	relay.wait_event("crl-fetched", url=site.url)
	relay.wait_event("trust-reloaded")
	agent = serve(scene, relay, pki)
	equal(len(held(scene, "relay")), 1, "what is kept")
	[told] = status_of(relay)["crl_urls"]
	check(told["url"] == site.url and told["keys"] == ["connect.agent_cas"] and "until" in told, told)
	check("error" not in told, told)
	pki.revoke("one")
	relay.reload()
	agent.wait_text("revoked")
	equal(len(relay.events("crl-fetched")), 2, "fetched")


@test
def it_starts_with_what_it_has_kept_and_without_anything(scene):
	pki = Authority()
	site = Site(scene, pki.crls("agent"))
	relay = relay_of(scene, pki, site.url)
	relay.wait_event("crl-fetched")
	site.upstream.close()
	relay.stop()
	relay.start()
	relay.wait_event("crl-fetch-failed")
	serve(scene, relay, pki)
	fresh = relay_of(scene, pki, site.url, label="fresh")
	fresh.wait_event("crl-fetch-failed", level="error")
	fresh.wait_shown(lambda text: "crl_url" in text, "that the URL fails")
	agent = scene.agent(fresh, [passthrough(NAME, scene.upstream(echo))], pki.agent("one", NAME), label="early",
		start=False).start()
	fresh.wait_event("agent-refused", code="crl-missing", alert=80)
	agent.wait_text("cannot judge this agent's certificate at the moment")
	scene.upstream(site.answer, port=site.upstream.port)
	fresh.reload()
	scene.wait_serving(agent)


@test
def what_is_not_right_leaves_what_is_there(scene):
	pki, other = Authority(), Authority()
	site = Site(scene, copy(scene, pki.crls("agent"), "site.pem"))
	relay = relay_of(scene, pki, site.url)
	relay.wait_event("trust-reloaded")
	serve(scene, relay, pki)
	pki.pki("crl", "--all")
	for label, path in (("other", other.crls("agent")), ("none", pki.cas("agent"))):
		shutil.copy(path, site.path)
		relay.reload()
		relay.wait_event("reloaded", count=1 if label == "other" else 2)
		until(lambda: "error" in status_of(relay)["crl_urls"][0] and
			(label == "other" or len(site.asked) >= 3), what="it is told")
	equal(relay.events("agent-refused"), [], "refusals")
	shutil.copy(pki.crls("agent"), site.path)
	relay.reload()
	relay.wait_event("crl-fetch-works")
	relay.wait_event("trust-reloaded")
	check("error" not in status_of(relay)["crl_urls"][0], "all is well again")


@test
def an_agent_fetches_by_https_and_by_a_proxy(scene):
	pki = authority()
	secure = Site(scene, pki.crls("relay"), tls=server_context(*pki.server("localhost")))
	plain = Site(scene, pki.crls("client"))
	proxy = Proxy(scene, plain.upstream.port)
	far = "http://crl.far.invalid/clients.crl"
	relay = scene.relay()
	certificate, key = pki.server(NAME)
	agent = scene.agent(relay, [{"name": "shop", "url": f"tls://{NAME}",
		"agent_tls_termination": {"server_certificate": certificate, "server_private_key": key,
			"mutual_tls_certificate_authorities": pki.cas("client"), "mutual_tls_crl_url": far},
		"upstream": scene.upstream(http).url}], pki.agent("site", NAME),
		agent={"connect_crls": [], "connect_crl_url": secure.url,
			"proxy": {"url": f"http://127.0.0.1:{proxy.upstream.port}", "no_proxy": "localhost",
				**password_of(scene)}})
	agent.wait_event("crl-fetched", url=secure.url)
	agent.wait_event("crl-fetched", url=far)
	check(proxy.asked[0].startswith(f"GET {far} HTTP/1.1\r\n"), proxy.asked[0])
	check("Proxy-Authorization: Basic YWdlbnQ6b3BlbiBzZXNhbWU=\r\n" in proxy.asked[0], proxy.asked[0])
	check(secure.asked[0].startswith("GET /crl HTTP/1.1\r\n"), secure.asked[0])
	check("sesame" not in agent.log_text() and "YWdlbnQ6" not in agent.log_text(), "the log has no password")
	agent.wait_event("files-reloaded")
	cert, client_key = pki.client("visitor")
	until(lambda: curl(relay.port, NAME, pki.root, "--cert", cert, "--key", client_key)[1] == b"hello",
		what="a client comes in")
	equal({told["url"] for told in status_of(agent)["crl_urls"]}, {secure.url, far}, "told")
	check(not any("error" in told for told in status_of(agent)["crl_urls"]), "no errors")
	beside = scene._add(Daemon("beside", [PROGRAMS["agent"], "tls", "tcp://127.0.0.1:9", "--url", f"tls://{NAME}",
		"-c", agent.config_path], scene.dir), False).start(wait_ready=False)
	beside.wait_text("endpoint-up")
	agent.stop()
	shutil.rmtree(f"{agent.settings['agent']['state_dir']}/crls")
	status, _, err = run(*beside.argv)
	equal(status, 66, err)
	check("the CRLs of agent.connect_crl_url: No such file" in err, err)


@test
def an_agent_of_the_same_authority_is_no_server_of_crls(scene):
	pki = authority()
	site = Site(scene, pki.crls("relay"), tls=server_context(*pki.agent("mallory", "localhost")))
	relay = scene.relay()
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], pki.agent("site", NAME),
		start=False, agent={"connect_crls": [], "connect_crl_url": site.url}).start()
	check("serverAuth" in agent.wait_event("crl-fetch-failed")[0]["message"], "told why")
	check(site.asked, "it was asked")
	check(not agent.events("crl-fetched"), "nothing is taken")


@test
def a_proxy_sees_only_the_seal_of_what_goes_by_https(scene):
	pki = authority()
	site = Site(scene, pki.crls("relay"), tls=server_context(*pki.server("pki.far.invalid")))
	proxy = Proxy(scene, site.upstream.port)
	relay, url = scene.relay(), "https://pki.far.invalid/crl/relays.pem"
	settings = {"connect_crls": [], "connect_crl_url": url,
		"proxy": {"url": f"http://127.0.0.1:{proxy.upstream.port}", "no_proxy": "localhost", **password_of(scene)}}
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], pki.agent("site", NAME),
		start=False, agent=settings).start()
	agent.wait_event("crl-fetched", url=url)
	check(proxy.asked[0].startswith("CONNECT pki.far.invalid:443 HTTP/1.1\r\n"), proxy.asked[0])
	check("Proxy-Authorization" not in site.asked[0], site.asked[0])
	agent.settings["agent"]["proxy"]["url"] = f"socks5://127.0.0.1:{proxy.upstream.port}"
	agent.write(agent.settings)
	agent.reload()
	until(lambda: len(site.asked) > 1, what="it is asked by SOCKS")
	equal(proxy.asked[1], (b"agent", b"open sesame", 3, b"pki.far.invalid"), "asked by SOCKS")


@test
def a_server_that_nobody_vouches_for_is_not_believed(scene):
	pki, other = authority(), Authority()
	site = Site(scene, pki.crls("agent"), tls=server_context(*other.server("localhost")))
	relay = relay_of(scene, pki, site.url)
	relay.wait_event("crl-fetch-failed")
	equal(held(scene, "relay"), [], "what is kept")


@test
def a_bundle_of_the_authority_counts_for_a_customers_sub_ca_too(scene):
	pki = Authority()
	pki.pki("sub", "acme", "--permit", "dns:acme.example", "--no-password")
	one = pki.issue("agent", "one", "--host", "a.acme.example", "--issuer", "acme")
	authority_host = scene.serve(pki.dir)
	relay = relay_of(scene, pki, f"{authority_host.url}/crl/agents.pem")
	relay.wait_event("trust-reloaded")
	agent = scene.agent(relay, [passthrough("a.acme.example", scene.upstream(echo))], one)
	pki.pki("revoke", "one")
	relay.reload()
	agent.wait_text("revoked")


@test
def check_tells_where_crls_are_that_nobody_fetches(scene):
	ca, point = f"{scene.dir}/foreign.crt", "http://crl.example.net/foreign.crl"
	code, _, err = run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", f"{scene.dir}/foreign.key", "-out", ca, "-subj", "/CN=Foreign", "-days", "90",
		"-addext", "keyUsage=critical,keyCertSign,cRLSign",
		"-addext", f"crlDistributionPoints=URI:ldap://dir.example.net/x,URI:{point}")
	equal(code, 0, f"openssl: {err}")
	relay = scene.relay(start=False, connect={"agent_cas": [ca, authority().cas("agent")]})
	told = f"connect.agent_crl_url: {point} has a CRL, says a certificate in {ca}"
	_, out, _ = run(relay.program, "check", "-c", relay.config_path)
	check(told in out.decode(), out)
	check("ldap" not in out.decode(), out)
	relay.settings["connect"]["agent_crl_url"] = point
	relay.write(relay.settings)
	check(point not in run(relay.program, "check", "-c", relay.config_path)[1].decode(), "it is fetched")


main()
