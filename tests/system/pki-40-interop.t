#!/usr/bin/env -S python3 -B
"""Certificates and CRLs of ours in other people's programs, and theirs in ours."""
import os
import subprocess
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from lib.scene import free_port
from kit import *

NAME = "app.example.com"


def authority_with(scene, *clients):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "server", NAME)
	for client in clients:
		ca("issue", "client", client)
	return ca


class Server:
	"""A foreign daemon in the foreground, waited for until it listens."""

	def __init__(self, port, *argv, **keys):
		self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
			stderr=subprocess.STDOUT, text=True, **keys)
		until(lambda: self.listens(port) or self.process.poll() is not None, 10, f"{argv[0]} listens")
		check(self.process.poll() is None, self.process.stdout.read() if self.process.poll() is not None else "")

	@staticmethod
	def listens(port):
		import socket
		with socket.socket() as probe:
			probe.settimeout(0.5)
			return probe.connect_ex(("127.0.0.1", port)) == 0

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.process.terminate()
		self.process.wait(10)
		self.process.stdout.close()


def get(ca, port, client=None, *more):
	with_client = ("--cert", ca.crt(client), "--key", ca.key(client)) if client else ()
	return tool("curl", "--silent", "--show-error", "--max-time", "10", "--cacert", ca.path("root.crt"), *with_client,
		"--resolve", f"{NAME}:{port}:127.0.0.1", *more, f"https://{NAME}:{port}/")


def nginx(scene, ca, port):
	os.makedirs(f"{scene.dir}/nginx", exist_ok=True)
	with open(f"{scene.dir}/nginx.conf", "w") as file:
		file.write(f"""
daemon off; master_process off; pid {scene.dir}/nginx/pid; error_log stderr info;
events {{}}
http {{
	access_log off;
	client_body_temp_path {scene.dir}/nginx; proxy_temp_path {scene.dir}/nginx; fastcgi_temp_path {scene.dir}/nginx;
	uwsgi_temp_path {scene.dir}/nginx; scgi_temp_path {scene.dir}/nginx;
	server {{
		listen 127.0.0.1:{port} ssl;
		ssl_certificate {ca.crt(NAME)}; ssl_certificate_key {ca.key(NAME)};
		ssl_client_certificate {ca.path("clients-ca.crt")}; ssl_crl {ca.path("clients.crl")};
		ssl_verify_client on; ssl_verify_depth 3;
		location / {{ return 200 "hello $ssl_client_s_dn\\n"; }}
	}}
}}
""")
	return Server(port, "nginx", "-p", scene.dir, "-c", f"{scene.dir}/nginx.conf", "-e", "stderr")


@test
def nginx_believes_our_clients_and_honours_our_crl(scene):
	ca, port = authority_with(scene, "alice", "bob"), free_port()
	with nginx(scene, ca, port):
		status, out, err = get(ca, port, "alice")
		equal((status, out), (0, "hello CN=alice\n"), err)
		check("400" in get(ca, port, None, "--include")[1], "a client without a certificate")
	ca("revoke", "alice", "--reason", "keyCompromise")
	with nginx(scene, ca, port):
		check("400" in get(ca, port, "alice", "--include")[1], "a revoked client was served")
		equal(get(ca, port, "bob")[1], "hello CN=bob\n")


def haproxy(scene, ca, port):
	with open(os.open(f"{scene.dir}/server.pem", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
		file.write(open(ca.crt(NAME)).read() + open(ca.key(NAME)).read())
	with open(f"{scene.dir}/haproxy.cfg", "w") as file:
		file.write(f"""
global
	tune.ssl.default-dh-param 2048
defaults
	mode http
	timeout connect 5s
	timeout client 5s
	timeout server 5s
frontend tls
	bind 127.0.0.1:{port} ssl crt {scene.dir}/server.pem ca-file {ca.path("clients-ca.crt")} crl-file {ca.path("clients.crl")} verify required
	http-request return status 200 content-type text/plain lf-string "hello %[ssl_c_s_dn(cn)]"
""")
	return Server(port, "haproxy", "-db", "-f", f"{scene.dir}/haproxy.cfg")


@test
def haproxy_believes_our_clients_and_honours_our_crl(scene):
	ca, port = authority_with(scene, "alice", "bob"), free_port()
	with haproxy(scene, ca, port):
		status, out, err = get(ca, port, "alice")
		equal((status, out), (0, "hello alice"), err)
		check(get(ca, port)[0] != 0, "a client without a certificate was served")
	ca("hold", "alice")
	with haproxy(scene, ca, port):
		check(get(ca, port, "alice")[0] != 0, "a held client was served")
		equal(get(ca, port, "bob")[1], "hello bob")
	ca("unhold", "alice")
	with haproxy(scene, ca, port):
		equal(get(ca, port, "alice")[1], "hello alice")


@test
def s_client_and_gnutls_cli_believe_our_server(scene):
	ca, port = authority_with(scene), free_port()
	with Server(port, "openssl", "s_server", "-accept", port, "-cert", ca.crt(NAME), "-cert_chain", ca.crt(NAME), "-key", ca.key(NAME),
			"-www", "-quiet"):
		status, out, err = tool("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME, "-verify_return_error",
			"-verify_hostname", NAME, "-x509_strict", "-CAfile", ca.path("root.crt"), data="")
		check(status == 0 and "Verify return code: 0 (ok)" in out, out + err)
		status, out, err = tool("gnutls-cli", "--port", port, "--x509cafile", ca.path("root.crt"), "--sni-hostname", NAME,
			"--verify-hostname", NAME, "127.0.0.1", data="GET / HTTP/1.0\r\n\r\n")
		check(status == 0 and "The certificate is trusted" in out, out + err)


@test
def openssl_honours_crls_of_every_size(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "client", "good")
	for count in (1, 2, 20):
		for i in range(count):
			ca("issue", "client", f"c{count}-{i}")
			ca("revoke", f"c{count}-{i}")
		check(ca.openssl_verify("good", "client")[0] == 0, f"after {count}")
		status, out, err = ca.openssl_verify(f"c{count}-0", "client")
		check(status != 0 and "certificate revoked" in err, out + err)
		out = succeeds("certtool", "--crl-info", "--infile", ca.path("crls/clients.crl"))
		check("Verified" in succeeds("certtool", "--verify-crl", "--load-ca-certificate", ca.path("cas/clients.crt"), "--infile",
			ca.path("crls/clients.crl")), "certtool and the CRL")


# ---- other people's certificates, judged by us ----

def judged(role, certificate, ca, *crls, serve=None):
	argv = ["verify", "--json", certificate, "--as", role, "--cas", ca]
	for crl in crls:
		argv += ["--crls", crl]
	if serve:
		argv += ["--serve", serve]
	status, out, err = pki(*argv)
	check(status in (0, 1), f"{argv}: {status} {err}")
	return json.loads(out)


@test
def certificates_of_openssl_are_judged_right(scene):
	at = lambda name: f"{scene.dir}/{name}"
	succeeds("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", at("ca.key"), "-out",
		at("ca.crt"), "-subj", "/CN=their CA", "-days", "100", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
	for name, usage, good in (("server", "serverAuth", "server"), ("client", "clientAuth", "client"), ("both", "serverAuth,clientAuth", None),
			("none", None, None), ("any", "anyExtendedKeyUsage", None)):
		with open(at("ext"), "w") as file:
			file.write(f"subjectAltName=DNS:{NAME}\nbasicConstraints=CA:FALSE\n" + (f"extendedKeyUsage={usage}\n" if usage else ""))
		succeeds("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", at("x.key"), "-out",
			at("x.csr"), "-subj", f"/CN={name}")
		succeeds("openssl", "x509", "-req", "-in", at("x.csr"), "-CA", at("ca.crt"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "10",
			"-extfile", at("ext"), "-out", at(f"{name}.crt"))
		for role in ("server", "client", "agent"):
			said = judged(role, at(f"{name}.crt"), at("ca.crt"), serve=NAME if role == "server" else None)
			wanted = role == good or (name == "both" and role != "agent")
			equal(said["believed"], wanted, f"{name} as {role}: {said}")


@test
def certificates_of_certtool_are_judged_right(scene):
	at = lambda name: f"{scene.dir}/{name}"

	def template(name, text):
		with open(at(name), "w") as file:
			file.write(text)
		return at(name)

	for name in ("ca", "leaf"):
		succeeds("certtool", "--generate-privkey", "--ecdsa", "--outfile", at(f"{name}.key"))
	succeeds("certtool", "--generate-self-signed", "--load-privkey", at("ca.key"), "--template",
		template("ca.cfg", "cn = their CA\nca\ncert_signing_key\ncrl_signing_key\nexpiration_days = 100\n"), "--outfile", at("ca.crt"))
	for name, text in (("server", "tls_www_server\n"), ("client", "tls_www_client\n")):
		succeeds("certtool", "--generate-certificate", "--load-privkey", at("leaf.key"), "--load-ca-certificate", at("ca.crt"),
			"--load-ca-privkey", at("ca.key"), "--template",
			template("leaf.cfg", f"cn = x\ndns_name = {NAME}\nsigning_key\nexpiration_days = 10\n{text}"), "--outfile", at(f"{name}.crt"))
	succeeds("certtool", "--generate-crl", "--load-ca-privkey", at("ca.key"), "--load-ca-certificate", at("ca.crt"), "--load-certificate",
		at("client.crt"), "--template", template("crl.cfg", "crl_next_update = 10\ncrl_number = 7\n"), "--outfile", at("ca.crl"))
	check(judged("server", at("server.crt"), at("ca.crt"), at("ca.crl"), serve=NAME)["believed"], "the server")
	equal(judged("client", at("client.crt"), at("ca.crt"), at("ca.crl"))["code"], "certificate-revoked")
	check(judged("client", at("client.crt"), at("ca.crt"))["believed"], "the client, without CRLs")


def easyrsa(scene, *argv):
	return succeeds("/usr/share/easy-rsa/easyrsa", "--batch", *argv, cwd=scene.dir,
		env=dict(os.environ, EASYRSA_PKI=f"{scene.dir}/pki", EASYRSA="/usr/share/easy-rsa", EASYRSA_ALGO="ec", EASYRSA_CURVE="prime256v1",
			EASYRSA_DIGEST="sha256"))


@test
def certificates_of_easy_rsa_are_judged_right(scene):
	pki_dir = f"{scene.dir}/pki"
	easyrsa(scene, "init-pki")
	easyrsa(scene, "build-ca", "nopass")
	easyrsa(scene, f"--subject-alt-name=DNS:{NAME}", "build-server-full", "server", "nopass")
	easyrsa(scene, "build-client-full", "client", "nopass")
	easyrsa(scene, "build-client-full", "gone", "nopass")
	gone = open(f"{pki_dir}/issued/gone.crt").read()
	easyrsa(scene, "revoke", "gone")
	with open(f"{pki_dir}/gone.crt", "w") as file:	# easy-rsa moves it away
		file.write(gone)
	easyrsa(scene, "gen-crl")
	ca, crl = f"{pki_dir}/ca.crt", f"{pki_dir}/crl.pem"
	check(judged("server", f"{pki_dir}/issued/server.crt", ca, crl, serve=NAME)["believed"], "the server")
	check(judged("client", f"{pki_dir}/issued/client.crt", ca, crl)["believed"], "the client")
	equal(judged("client", f"{pki_dir}/gone.crt", ca, crl)["code"], "certificate-revoked")
	check(not judged("agent", f"{pki_dir}/issued/client.crt", ca, crl)["believed"], "a client as an agent")
	check(not judged("server", f"{pki_dir}/issued/client.crt", ca, crl, serve=NAME)["believed"], "a client as a server")


@test
def a_chain_in_the_style_of_step_is_judged_right(scene):
	"""Root, intermediate, a leaf of a day with both purposes, and an unrestricting, critical IDP in the CRL."""
	at = lambda name: f"{scene.dir}/{name}"
	key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
	succeeds("openssl", "req", "-x509", *key, "-keyout", at("root.key"), "-out", at("root.crt"), "-subj", "/O=Smallstep/CN=Smallstep Root CA",
		"-days", "3650", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:1", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
	files = {"mid": "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n",
		"leaf": f"keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:{NAME}\n"
			"1.3.6.1.4.1.37476.9000.64.1=ASN1:UTF8String:provisioner\n"}
	for name, issuer in (("mid", "root"), ("leaf", "mid")):
		with open(at("ext"), "w") as file:
			file.write(files[name] + "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
		succeeds("openssl", "req", "-new", *key, "-keyout", at(f"{name}.key"), "-out", at(f"{name}.csr"), "-subj", f"/CN={name}")
		succeeds("openssl", "x509", "-req", "-in", at(f"{name}.csr"), "-CA", at(f"{issuer}.crt"), "-CAkey", at(f"{issuer}.key"),
			"-set_serial", f"0x{os.urandom(15).hex()}", "-days", "1", "-extfile", at("ext"), "-out", at(f"{name}.crt"))
	with open(at("chain.crt"), "w") as file:
		file.write(open(at("leaf.crt")).read() + open(at("mid.crt")).read())
	with open(at("ca.cnf"), "w") as file:
		file.write(f"""[ca]
default_ca=x
[x]
database={at("index")}
crlnumber={at("number")}
default_md=sha256
default_crl_days=1
crl_extensions=e
[e]
authorityKeyIdentifier=keyid
issuingDistributionPoint=critical,@idp
[idp]
fullname=URI:https://ca.example/1.0/crl
""")
	open(at("index"), "w").close()
	for issuer in ("root", "mid"):
		with open(at("number"), "w") as file:
			file.write("01\n")
		succeeds("openssl", "ca", "-config", at("ca.cnf"), "-gencrl", "-cert", at(f"{issuer}.crt"), "-keyfile", at(f"{issuer}.key"), "-out",
			at(f"{issuer}.crl"))
	for role, serve in (("server", NAME), ("client", None)):
		said = judged(role, at("chain.crt"), at("root.crt"), at("root.crl"), at("mid.crl"), serve=serve)
		check(said["believed"], f"{role}: {said}")
	equal(judged("server", at("chain.crt"), at("root.crt"), at("root.crl"), serve=NAME)["code"], "crl-missing")
	check(not judged("agent", at("chain.crt"), at("root.crt"))["believed"], "as an agent")


main()
