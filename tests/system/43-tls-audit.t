#!/usr/bin/env -S python3 -B
"""What the scanners of the trade say of an endpoint that terminates, through a relay. sslscan is quick; testssl.sh
takes minutes, and `make tls-audit` runs it."""
import json
import os
import shutil
import xml.etree.ElementTree

from lib import *

NAME = "audit.example.com"

# testssl.sh's finding: why it stands although it is not good.
EXCEPTIONS = {
	"engine_problem": "of the scanner's own OpenSSL, which has no GOST",
	"cert_revocation": "the test's CA has no URL for CRLs or OCSP",
	"HSTS": "HTTP's headers are the upstream's",
	"security_headers": "HTTP's headers are the upstream's",
	"secure_renego": "asked for without SNI, which a relay cannot route",
	"DNS_CAArecord": "the test's names are in no DNS",
}

CIPHERS = {
	"TLSv1.3": ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
	"TLSv1.2": [f"ECDHE-{key}-{cipher}" for key in ("ECDSA", "RSA")
		for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")],
}


def opened(scene):
	relay = scene.relay()
	rsa = dict(zip(("server_certificate", "server_private_key"),
		authority().issue("server", "audit-rsa", "--host", NAME, "--key-type", "rsa2048")))
	scene.agent(relay, [terminate(NAME, scene.upstream(http), {"server_certificates": [rsa], "alpn": ["h2", "http/1.1"]})],
		authority().agent("audit-agent", NAME))
	return relay


@test
def sslscan_finds_nothing_old(scene):
	if not shutil.which("sslscan"):
		skip("there is no sslscan here")
	relay, path = opened(scene), f"{scene.dir}/sslscan.xml"
	status, out, err = run("sslscan", f"--sni-name={NAME}", f"--xml={path}", f"127.0.0.1:{relay.port}", seconds=200)
	check(status == 0, f"{status} {out} {err}")
	found = xml.etree.ElementTree.parse(path).getroot().find("ssltest")
	spoken = {f"{p.get('type')}{p.get('version')}" for p in found.findall("protocol") if p.get("enabled") == "1"}
	equal(spoken, {"tls1.2", "tls1.3"}, "protocols")
	equal(found.find("heartbleed[@vulnerable='1']"), None, "heartbleed")
	check(found.find("renegotiation").get("supported") == "0", "renegotiation")
	ciphers = [(c.get("sslversion"), c.get("cipher")) for c in found.findall("cipher")]
	for version, wanted in CIPHERS.items():
		equal([cipher for spoken_in, cipher in ciphers if spoken_in == version], wanted, version)
	groups = {group.get("name").split()[0] for group in found.findall("group")}
	equal(groups, {"secp256r1", "secp384r1", "secp521r1", "x25519"}, "groups")


@test
def testssl_finds_nothing_but_what_is_listed(scene):
	if os.environ.get("VALISE_AUDIT") != "full":
		skip("it takes minutes; make tls-audit runs it")
	if not shutil.which("testssl"):
		skip("there is no testssl.sh here")
	relay, path = opened(scene), f"{scene.dir}/testssl.json"
	_, out, err = run("testssl", "--quiet", "--color", 0, "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1",
		"--add-ca", authority().root, "--jsonfile", path, f"{NAME}:{relay.port}", seconds=1200)
	check(os.path.exists(path), f"{out.decode()} {err}")
	with open(path) as file:
		findings = json.load(file)
	check(len(findings) > 60, f"only {len(findings)} findings: {out.decode()} {err}")
	bad = [f for f in findings if f["severity"] not in ("OK", "INFO", "DEBUG")]
	for finding in bad:
		print(f"# {finding['severity']} {finding['id']}: {finding['finding']}")
	unlisted = [f for f in bad if f["id"].split(" ")[0] not in EXCEPTIONS]
	check(not unlisted, f"{unlisted}")


main()
