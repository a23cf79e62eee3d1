#!/usr/bin/env -S python3 -B
"""PROXY headers: what upstreams are told, what is believed of proxies in front, and with HAProxy and nginx on either side."""
import os
import socket
import ssl
import subprocess

from lib import *
from lib.process import PROGRAMS
from lib.scene import free_port
from lib.upstream import server_context

NAME = "api.example.com"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ALPN, AUTHORITY, CRC32C, NOOP, UNIQUE_ID, SSL = 1, 2, 3, 4, 5, 0x20
VERSION, CN, CIPHER, CERTIFICATE = 0x21, 0x22, 0x23, 0x28


# ---- version 2 by hand ----

def crc32c(data):
	crc = 0xffffffff
	for byte in data:
		crc ^= byte
		for _ in range(8):
			crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
	return crc ^ 0xffffffff


def tlv(kind, value):
	return bytes([kind]) + len(value).to_bytes(2, "big") + value


def header_of(*tlvs, checksum=None):
	"""From 192.0.2.7:4711 to 198.51.100.1:443; checksum: what to add to the right one."""
	body = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + (4711).to_bytes(2, "big") + (443).to_bytes(2, "big") + b"".join(tlvs)
	if checksum is not None:
		body += tlv(CRC32C, bytes(4))
	data = SIGNATURE + b"\x21\x11" + len(body).to_bytes(2, "big") + body
	if checksum is None:
		return data
	return data[:-4] + ((crc32c(data) + checksum) % (1 << 32)).to_bytes(4, "big")


def tlvs_of(data):
	found = {}
	while data:
		kind, size = data[0], int.from_bytes(data[1:3], "big")
		check(kind not in found and 3 + size <= len(data), f"TLVs: {data!r}")
		found[kind], data = data[3:3 + size], data[3 + size:]
	return found


class Header:
	"""Reads one off a stream, of TCP over IPv4, and judges its sum."""

	def __init__(self, stream):
		head = read_exactly(stream, 16)
		equal(head[:14], SIGNATURE + b"\x21\x11", "signature, PROXY, TCP over IPv4")
		body = read_exactly(stream, int.from_bytes(head[14:], "big"))
		self.bytes = 16 + len(body)
		self.source = socket.inet_ntoa(body[:4]), int.from_bytes(body[8:10], "big")
		self.destination = socket.inet_ntoa(body[4:8]), int.from_bytes(body[10:12], "big")
		self.tlvs = tlvs_of(body[12:])
		if CRC32C in self.tlvs:
			at = (head + body).index(tlv(CRC32C, self.tlvs[CRC32C])) + 3
			whole = (head + body)[:at] + bytes(4) + (head + body)[at + 4:]
			equal(self.tlvs.pop(CRC32C), crc32c(whole).to_bytes(4, "big"), "the sum")
			self.has_sum = True
		ssl_value = self.tlvs.pop(SSL, None)
		self.ssl = None if ssl_value is None else (ssl_value[0], int.from_bytes(ssl_value[1:5], "big"), tlvs_of(ssl_value[5:]))


class Told:
	"""An upstream that keeps the headers that it gets, and answers."""

	def __init__(self, scene, kind="upstream"):
		self.headers = []
		self.upstream = getattr(scene, kind)(self.serve)

	def serve(self, stream):
		self.headers.append(Header(stream))
		stream.sendall(b"here")
		drained(stream)

	def next(self):
		until(lambda: self.headers, what="the upstream has a header")
		return self.headers.pop(0)


def mutual(word="require"):
	return {"mutual_tls": word, "mutual_tls_certificate_authorities": [authority().cas("client")]}


def opened(scene, upstream, tls=None, workers=1, listener=None, **keys):
	relay = scene.relay(workers=workers, listener=listener)
	agent = scene.agent(relay, [terminate(NAME, dict({"url": upstream, "proxy_protocol": 2}, **keys), tls)],
		authority().agent("agent1", NAME))
	return relay, agent


def flow_ids(daemon, count=1):
	return [event["flow"] for event in daemon.wait_event("flow-closed", count=count)]


# ---- what upstreams are told ----

@test
def an_upstream_is_told_all_that_the_handshake_has_found(scene):
	told = Told(scene)
	relay, agent = opened(scene, told.upstream.url, dict(mutual(), alpn=["h2", "http/1.1"]), proxy_client_certificate=True)
	alice = authority().client("alice")
	der = ssl.PEM_cert_to_DER_cert(open(alice[0]).read().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----")
	ways = ((ssl.TLSVersion.TLSv1_2, b"TLSv1.2", b"ECDHE-ECDSA-AES128-GCM-SHA256"),
		(ssl.TLSVersion.TLSv1_3, b"TLSv1.3", b"TLS_AES_128_GCM_SHA256"))
	for number, (version, word, cipher) in enumerate(ways, 1):
		with TlsClient(relay.port, NAME, authority().root, version=version, certificate=alice, alpn=["http/1.1"]) as client:
			equal(client.recv(4), b"here")
			header = told.next()
			equal(header.source, client.socket.getsockname(), "source")
			equal(header.destination, ("127.0.0.1", relay.port), "destination")
		ids = flow_ids(relay, number), flow_ids(agent, number)
		equal(header.tlvs, {ALPN: b"http/1.1", AUTHORITY: NAME.encode(), UNIQUE_ID: ids[0][-1].encode()}, str(version))
		equal(ids[0], ids[1], "the flows' ids in both logs")
		equal(header.ssl, (7, 0, {VERSION: word, CN: b"alice", CIPHER: cipher, CERTIFICATE: der}), str(version))
		check(header.has_sum, "a checksum")


@test
def a_client_without_a_certificate_is_not_called_verified(scene):
	told = Told(scene)
	relay, _ = opened(scene, told.upstream.url, mutual("request"), proxy_client_certificate=True)
	with TlsClient(relay.port, NAME, authority().root) as client:
		equal(client.recv(4), b"here")
	header = told.next()
	equal((header.ssl[:2], set(header.ssl[2])), ((1, 1), {VERSION, CIPHER}))
	check(ALPN not in header.tlvs, "a protocol that nobody has agreed on")


@test
def the_whole_certificate_is_told_only_where_that_is_asked_for(scene):
	told = Told(scene)
	relay, _ = opened(scene, told.upstream.url, mutual())
	with TlsClient(relay.port, NAME, authority().root, certificate=authority().client("alice")) as client:
		equal(client.recv(4), b"here")
	equal(set(told.next().ssl[2]), {VERSION, CN, CIPHER})


@test
def where_nobody_here_ends_tls_nothing_is_said_of_it(scene):
	told, relay = Told(scene), scene.relay()
	scene.agent(relay, [passthrough("sealed.example.com", {"url": told.upstream.url, "proxy_protocol": 2})],
		authority().agent("agent2", "sealed.example.com"))
	static = scene.relay("static", routes=[route("static.example.com", told.upstream, proxy_protocol=2)])
	for daemon, name in ((relay, "sealed.example.com"), (static, "static.example.com")):
		with dial(daemon.port, hello(name, alpn=["h2"])) as client:
			equal(read_exactly(client, 4), b"here")
		header = told.next()
		equal(header.tlvs, {AUTHORITY: name.encode(), UNIQUE_ID: flow_ids(daemon)[0].encode()})
		equal((header.ssl, header.has_sum), (None, True), name)


@test
def the_header_comes_before_the_agents_own_tls(scene):
	inner, headers = "inner.example.com", []
	context = server_context(*authority().server(inner))

	def serve(stream):
		headers.append(Header(stream))
		with context.wrap_socket(stream, server_side=True) as client:
			client.sendall(b"here")
			drained(client)

	upstream = scene.upstream(serve)
	relay, _ = opened(scene, f"tls://127.0.0.1:{upstream.port}", mutual(), cas=authority().root, server_name=inner)
	with TlsClient(relay.port, NAME, authority().root, certificate=authority().client("alice")) as client:
		equal(client.recv(4), b"here")
	equal((headers[0].tlvs[AUTHORITY], headers[0].ssl[:2], headers[0].ssl[2][CN]), (NAME.encode(), (7, 0), b"alice"))


@test
def the_addresses_may_be_all(scene):
	told = Told(scene)
	relay, _ = opened(scene, told.upstream.url, proxy_tlvs="none")
	with TlsClient(relay.port, NAME, authority().root) as client:
		equal(client.recv(4), b"here")
	header = told.next()
	equal((header.bytes, header.tlvs, header.ssl), (28, {}, None))
	static = scene.relay("static", routes=[route(NAME, told.upstream, proxy_protocol=2, proxy_tlvs="none")])
	with dial(static.port, hello(NAME)) as client:
		equal(read_exactly(client, 4), b"here")
	equal(told.next().bytes, 28)


@test
def a_header_that_is_too_long_ends_the_flow_before_the_upstream_hears_of_it(scene):
	told = Told(scene)
	relay, agent = opened(scene, told.upstream.url, mutual("request"), proxy_client_certificate=True, proxy_header_bytes=300)
	with TlsClient(relay.port, NAME, authority().root, certificate=authority().client("alice")) as client:
		error = fails(ssl.SSLError, client.recv)
		check("INTERNAL_ERROR" in str(error), f"{error}")
	closed = agent.wait_event("flow-closed")[0]
	equal(closed["reason"], "proxy-header-too-large")
	check("proxy_header_bytes allows 300" in closed["message"], closed["message"])
	equal(told.upstream.seen, 0, "connections to the upstream")
	# Nor is the upstream taken to be down for it.
	with TlsClient(relay.port, NAME, authority().root) as client:
		equal(client.recv(4), b"here")


@test
def a_header_that_is_too_long_fails_a_sealed_flow_too(scene):
	told, relay = Told(scene), scene.relay()
	name = "a-rather-long-name-that-takes-many-bytes.example.com"
	agent = scene.agent(relay, [passthrough(name, {"url": told.upstream.url, "proxy_protocol": 2, "proxy_header_bytes": 107})],
		authority().agent("agent3", name))
	with dial(relay.port, hello(name)) as client:
		equal(alert_of(client), 80)
	equal({event["reason"] for event in agent.wait_event("flow-closed")}, {"proxy-header-too-large"})
	equal(told.upstream.seen, 0, "connections to the upstream")


@test
def check_warns_of_a_header_that_leaves_the_host(scene):
	def said(program, daemon):
		status, out, err = run(PROGRAMS[program], "check", "-c", daemon.config_path)
		equal(status, 0, f"{out} {err}")
		return [line for line in err.splitlines() if "PROXY header" in line]

	certificate = authority().agent("agent4", NAME)
	for number, (url, warned) in enumerate((("tcp://192.0.2.1:80", 1), ("tcp://127.0.0.2:80", 0), ("unix:/run/x", 0),
			("tcp://[::1]:80", 0), ("tcp://localhost:80", 0), ("tcp://app.internal:80", 1))):
		relay = scene.relay(f"relay{number}", start=False, routes=[route(NAME, url, proxy_protocol=2)])
		equal(len(said("relay", relay)), warned, f"a relay's warnings of {url}")
		agent = scene.agent(relay, [passthrough(NAME, {"url": url, "proxy_protocol": 1})], certificate, f"agent{number}", start=False)
		equal(len(said("agent", agent)), warned, f"an agent's warnings of {url}")


# ---- what is believed of a proxy in front ----

FORGED = (tlv(ALPN, b"h2"), tlv(AUTHORITY, b"other.example.com"), tlv(UNIQUE_ID, b"forged"), tlv(NOOP, b""), tlv(NOOP, b"x"),
	tlv(SSL, b"\x07\0\0\0\0" + tlv(VERSION, b"TLSv1.3") + tlv(CN, b"admin")), tlv(0xe0, b"custom"))


PROXY = "127.0.0.9"


@test
def what_a_proxy_in_front_says_of_tls_goes_nowhere(scene):
	told = Told(scene)
	trusting = {"trusted_proxies": [PROXY]}
	relay, _ = opened(scene, told.upstream.url, mutual("request"), listener=trusting)
	static = scene.relay("static", listener=trusting, routes=[route("static.example.com", told.upstream, proxy_protocol=2)])
	with dial(static.port, header_of(*FORGED, checksum=0) + hello("static.example.com"), source=PROXY) as client:
		equal(read_exactly(client, 4), b"here")
	header = told.next()
	equal(header.source, ("192.0.2.7", 4711), "the client that the proxy told of")
	equal((header.tlvs, header.ssl), ({AUTHORITY: b"static.example.com", UNIQUE_ID: flow_ids(static)[0].encode()}, None))
	context = ssl.create_default_context(cafile=authority().root)
	with dial(relay.port, header_of(*FORGED, checksum=0), source=PROXY) as stream:
		with context.wrap_socket(stream, server_hostname=NAME) as client:
			equal(client.recv(4), b"here")
	header = told.next()
	equal(header.source, ("192.0.2.7", 4711), "the client that the proxy told of")
	equal(header.tlvs[AUTHORITY], NAME.encode())
	equal((header.ssl[:2], set(header.ssl[2])), ((1, 1), {VERSION, CIPHER}), "what our own handshake has found")


@test
def a_header_that_is_not_right_is_refused(scene):
	told = Told(scene)
	relay = scene.relay(listener={"trusted_proxies": ["127.0.0.0/8"]}, routes=[route(NAME, told.upstream, proxy_protocol=2)])
	wrong = (
		("twice", header_of(tlv(AUTHORITY, b"a"), tlv(AUTHORITY, b"a"))),
		("twice", header_of(tlv(SSL, b"\1\0\0\0\0" + tlv(CN, b"a") + tlv(CN, b"b")))),
		("longer than what is left", header_of(b"\x02\0\x05abcd")),
		("longer than what is left", header_of(tlv(SSL, b"\1\0\0\0\0\x22\0\x09abc"))),
		("length that its type", header_of(tlv(CRC32C, b"abc"))),
		("length that its type", header_of(tlv(UNIQUE_ID, bytes(129)))),
		("CRC32c", header_of(tlv(AUTHORITY, b"a"), checksum=1)),
	)
	for number, (why, header) in enumerate(wrong, 1):
		with dial(relay.port, header + hello(NAME)) as client:
			equal(alert_of(client), 49, why)
		refused = relay.wait_event("hello-refused", count=number)[-1]
		equal(refused["code"], "denied")
		check(why in refused["error"], f"{refused['error']}, wanted {why}")
	with dial(relay.port, header_of(tlv(NOOP, bytes(5000)))[:4096]) as client:
		equal(closed_how(client), "fin", "a header without an end")
	check("4096" in relay.wait_event("hello-refused", count=len(wrong) + 1)[-1]["error"], "why")
	with dial(relay.port, header_of(checksum=0) + hello(NAME)) as client:
		equal(read_exactly(client, 4), b"here")


@test
def what_is_no_right_header_is_never_routed(scene):
	upstream, there = scene.upstream(lambda stream: stream.sendall(b"here")), f"route:{NAME}"
	relay = scene.relay(listener={"trusted_proxies": ["127.0.0.0/8"]}, routes=[route(NAME, upstream)],
		refuse={"denied": there, "timeout": there}, limits={"hello_timeout": "1s"})
	for front in (header_of(tlv(AUTHORITY, b"a"), checksum=1), b"PROXY TCP4 nobody nobody 1 1\r\n", b""):
		with dial(relay.port, front + hello(NAME)) as client:
			equal(alert_of(client), 49, front)
	with dial(relay.port, header_of(checksum=0)[:20]) as client:
		equal(closed_how(client), "fin", "a header that does not end in time")
	with dial(relay.port, header_of(checksum=0) + hello(NAME)) as client:
		equal(read_exactly(client, 4), b"here")


# ---- HAProxy and nginx ----

class Foreign:
	"""A daemon in the foreground, waited for until it listens; what it says is in `log_path`."""

	def __init__(self, scene, port, name, *argv):
		self.log_path = f"{scene.dir}/{name}.said"
		with open(self.log_path, "wb") as log:
			self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
		scene.keep(self)
		until(lambda: self.listens(port) or self.process.poll() is not None, what=f"{name} listens")
		check(self.process.poll() is None, self.said())

	@staticmethod
	def listens(port):
		with open("/proc/net/tcp") as table:
			return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in list(table)[1:])

	def said(self):
		with open(self.log_path, errors="replace") as log:
			return log.read()

	def close(self):
		self.process.terminate()
		self.process.wait(10)


def haproxy(scene, port, text):
	path = f"{scene.dir}/haproxy.cfg"
	with open(path, "w") as file:
		file.write("global\n\tlog stdout format raw local0\n\ttune.ssl.default-dh-param 2048\n"
			"defaults\n\tlog global\n\ttimeout connect 5s\n\ttimeout client 20s\n\ttimeout server 20s\n" + text)
	return Foreign(scene, port, "haproxy", "haproxy", "-db", "-f", path)


def nginx(scene, port, text):
	path = f"{scene.dir}/nginx.conf"
	with open(path, "w") as file:
		file.write("load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
			f"daemon off; master_process off; pid {scene.dir}/nginx.pid; error_log stderr info; events {{}}\n" + text)
	return Foreign(scene, port, "nginx", "nginx", "-p", scene.dir, "-c", path, "-e", "stderr")


def with_key(scene, host):
	"""Certificate and key in one file, as HAProxy wants it."""
	certificate, key = authority().server(host)
	path = f"{scene.dir}/{host}.pem"
	with open(path, "w") as file:
		file.write(open(certificate).read() + open(key).read())
	return path


HAPROXY_LOG = '''	log-format "from=%ci:%cp to=%fi:%fp authority=%[fc_pp_authority] id=%[fc_pp_unique_id] end"\n'''


@test
def haproxy_understands_what_it_is_told(scene):
	port, tls_port, sealed, twice = free_port(), free_port(), "sealed.example.com", "twice.example.com"
	taker = haproxy(scene, port, f"frontend open\n	mode http\n	bind 127.0.0.1:{port} accept-proxy\n{HAPROXY_LOG}"
		"	http-request return status 200 content-type text/plain string hello\n"
		f"frontend sealed\n	mode http\n	bind {scene.dir}/sealed.sock accept-proxy ssl crt {with_key(scene, sealed)}\n"
		f"	bind 127.0.0.1:{tls_port} accept-proxy ssl crt {with_key(scene, sealed)}\n{HAPROXY_LOG}"
		"	http-request return status 200 content-type text/plain string hello\n")
	relay = scene.relay()
	told = {"proxy_protocol": 2}
	agent = scene.agent(relay, [
		terminate(NAME, dict(told, url=f"tcp://127.0.0.1:{port}", proxy_client_certificate=True), mutual()),
		terminate(twice, dict(told, url=f"tls://127.0.0.1:{tls_port}", cas=authority().root, server_name=sealed), mutual()),
		passthrough(sealed, dict(told, url=f"unix:{scene.dir}/sealed.sock"))], authority().agent("agent5", NAME, sealed, twice))
	certificate, key = authority().client("alice")
	for number, name in enumerate((NAME, sealed, twice), 1):
		status, out, err = curl(relay.port, name, authority().root, "--cert", certificate, "--key", key)
		equal((status, out), (0, b"hello"), err)
		closed = agent.wait_event("flow-closed", count=number)[-1]
		wanted = f"from={closed['client']} to=127.0.0.1:{relay.port} authority={name} id={closed['flow']} end"
		until(lambda: wanted in taker.said(), what=f"HAProxy logs {wanted}, not {taker.said()}")


NGINX_LOG = '''"from=$proxy_protocol_addr:$proxy_protocol_port to=$proxy_protocol_server_addr:$proxy_protocol_server_port end"'''


@test
def nginx_understands_what_it_is_told(scene):
	port, tls_port, sealed = free_port(), free_port(), "sealed.example.com"
	certificate, key = authority().server(sealed)
	temp = f"{scene.dir}/nginx"		# a folder that nginx gives to its own user
	os.mkdir(temp)
	taker = nginx(scene, port, f"""http {{
		log_format told {NGINX_LOG}; access_log {scene.dir}/nginx.access told;
		client_body_temp_path {temp}; proxy_temp_path {temp}; fastcgi_temp_path {temp}; uwsgi_temp_path {temp};
		scgi_temp_path {temp}; client_header_buffer_size 8k;
		server {{ listen 127.0.0.1:{port} proxy_protocol; location / {{ return 200 hello; }} }}
		server {{ listen 127.0.0.1:{tls_port} ssl proxy_protocol; ssl_certificate {certificate}; ssl_certificate_key {key};
			location / {{ return 200 hello; }} }}
		}}\n""")
	relay = scene.relay()
	agent = scene.agent(relay, [
		terminate(NAME, {"url": f"tcp://127.0.0.1:{port}", "proxy_protocol": 2, "proxy_client_certificate": True}, mutual()),
		passthrough(sealed, {"url": f"tcp://127.0.0.1:{tls_port}", "proxy_protocol": 2, "proxy_tlvs": "none"})],
		authority().agent("agent6", NAME, sealed))
	certificate, key = authority().client("alice")

	def logged():
		with open(f"{scene.dir}/nginx.access") as file:
			return file.read()

	for number, name in enumerate((NAME, sealed), 1):
		status, out, err = curl(relay.port, name, authority().root, "--cert", certificate, "--key", key)
		equal((status, out), (0, b"hello"), f"{err}\n{taker.said()}")
		closed = agent.wait_event("flow-closed", count=number)[-1]
		wanted = f"from={closed['client']} to=127.0.0.1:{relay.port} end"
		until(lambda: wanted in logged(), what=f"nginx logs {wanted}, not {logged()}")


@test
def haproxy_in_front_of_a_relay_is_believed(scene):
	told, port = Told(scene), free_port()
	relay = scene.relay(listener={"trusted_proxies": ["127.0.0.0/8"]}, routes=[route(NAME, told.upstream, proxy_protocol=2)])
	options = "ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id"
	haproxy(scene, port, f"""frontend all
	mode tcp
	unique-id-format %{{+X}}o\\ %ci:%cp
	bind 127.0.0.1:{port} ssl crt {with_key(scene, NAME)} ca-file {authority().cas("client")} verify optional
	default_backend relay
backend relay
	mode tcp
	server relay 127.0.0.1:{relay.port} send-proxy-v2 proxy-v2-options {options} ssl verify none sni str({NAME})
""")
	with TlsClient(port, NAME, authority().root, certificate=authority().client("alice")) as client:
		source = client.socket.getsockname()
		client.sendall(b"anything")
		header = told.next()
	equal(header.source, source, "the client as HAProxy tells of it")
	equal((header.tlvs[AUTHORITY], header.ssl), (NAME.encode(), None))
	equal(header.tlvs[UNIQUE_ID].decode(), flow_ids(relay)[0])


@test
def nginx_in_front_of_a_relay_is_believed(scene):
	told, port = Told(scene), free_port()
	relay = scene.relay(listener={"trusted_proxies": ["127.0.0.0/8"]}, routes=[route(NAME, told.upstream, proxy_protocol=2)])
	nginx(scene, port, f"stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{relay.port}; proxy_protocol on; }} }}\n")
	with dial(port, hello(NAME)) as client:
		equal(read_exactly(client, 4), b"here")
		equal(told.next().source, client.getsockname(), "the client as nginx tells of it")


main()
