#!/usr/bin/env -S python3 -B
"""valise-agent import-ngrok: configurations of ngrok's agent, and what becomes of each of their keys."""
import json
import os
import re

from lib import *

SECOND = """
version: "2"
authtoken: 4nq9771bPxe8ctg7LKr_2ClH7Y15Zqe4bWLWF9p
region: eu
log_level: warn
log_format: json
root_cas: trusted
web_addr: localhost:4040
tunnels:
  web:
    proto: http
    addr: 8000
    schemes: [http, https]
    hostname: app.example.net
    basic_auth: ["user:password"]
    ip_restriction:
      allow_cidrs: [203.0.113.0/24]
      deny_cidrs: [203.0.113.7/32]
  dev:
    proto: http
    addr: http://localhost:3000
    subdomain: alex
    inspect: false
  zero:
    proto: tls
    addr: 127.0.0.1:8443
    hostname: sealed.example.net
    proxy_proto: "2"
  mine:
    proto: tls
    addr: https://10.0.0.5
    hostname: mine.example.net
    crt: CRT
    key: KEY
    mutual_tls_cas: CAS
  ssh:
    proto: tcp
    addr: 22
    remote_addr: 1.tcp.ngrok.io:12345
  files:
    proto: http
    addr: file:///var/www
    unknown_thing: 3
"""
LEFT_OF_SECOND = (
	"3:12: authtoken: an agent shows a certificate",
	"4:9: region: relays are where you put them",
	"7:11: root_cas: give the CAs of your relay",
	"15:17: tunnels.web.basic_auth: nobody on the way can read HTTP; ask clients for certificates",
	"13:14: schemes: clients speak TLS",
	"11:5: web: its certificate was ngrok's",
	"20:5: dev: it has no public name of its own; write one for dev.example.com",
	"30:5: mine: the certificate of its upstream is verified here",
	"39:18: tunnels.ssh.remote_addr: a bare TCP port has no name",
	"37:5: ssh: left out: a bare TCP port has no name",
	"43:5: tunnels.files.unknown_thing: not a key of ngrok's agent that is known here",
	"41:5: files: left out: its upstream 'file:///var/www' is not a valid upstream",
)
THIRD = """
version: 3
agent:
  authtoken: abc
  heartbeat_interval: 5s
  heartbeat_tolerance: 1m
  connect_url: connect.ngrok.example:443
  proxy_url: http://proxy.example.net:3128
  web_addr: 0.0.0.0:4040
endpoints:
  - name: shop
    url: tls://shop.example.com
    upstream: {url: "127.0.0.1:8443", proxy_protocol: 2}
  - name: api
    url: tls://api.example.com
    upstream:
      url: 8080
    agent_tls_termination:
      server_certificate: CRT
      server_private_key: KEY
      mutual_tls_certificate_authorities: [CAS]
"""


def imported(scene, text, *options, code=0):
	"""(what it writes, what it says)"""
	path = f"{scene.dir}/ngrok.yml"
	with open(path, "w") as file:
		file.write(text)
	status, out, err = run(PROGRAMS["agent"], "import-ngrok", path, *options)
	equal(status, code, err)
	return out.decode() if isinstance(out, bytes) else out, err.replace(path + ":", "")


def with_files(text, name):
	certificate, key = authority().server(name)
	return text.replace("CRT", certificate).replace("KEY", key).replace("CAS", authority().cas("client"))


def checked(scene, text, name):
	"""(exit status, what check says of it), once it is known who the agent is."""
	certificate, key = authority().agent("import", "*.example.com", "*.example.net")
	for name, path in (("relays-ca.crt", authority().cas("relay")), ("agent.crt", certificate), ("agent.key", key)):
		text = re.sub(rf" \S*/{name}", f" {path}", text)
	path = f"{scene.dir}/agent.yml"
	with open(path, "w") as file:
		file.write(text.replace("agent:\n", f"agent:\n  state_dir: {scene.state('import')}\n", 1))
	status, out, err = run(PROGRAMS["agent"], "check", "-c", path)
	return status, out.decode() + err


@test
def version_2_is_carried_over_and_what_is_left_is_named(scene):
	out, err = imported(scene, with_files(SECOND, "mine.example.net"))
	for line in LEFT_OF_SECOND:
		check(any(told.startswith(line) for told in err.splitlines()), f"missing: {line}\n{err}")
	equal(len(err.splitlines()), len(LEFT_OF_SECOND) + 1, err)	# dev, too, had ngrok's certificate
	equal(re.findall(r"url: \"(tls://[^\"]*)\"", out), ["tls://app.example.net", "tls://dev.example.com",
		"tls://sealed.example.net", "tls://mine.example.net"], out)
	for wanted in ('allow: ["203.0.113.0/24"]', 'deny: ["203.0.113.7/32"]', 'upstream: "tcp://localhost:3000"',
			'{url: "127.0.0.1:8443", proxy_protocol: 2}', 'upstream: "tls://10.0.0.5:443"',
			"log: {level: warning, format: json}", "admin: {http: 127.0.0.1:4040}"):
		check(wanted in out, f"{wanted} is not in\n{out}")
	status, said = checked(scene, out, "mine.example.net")
	equal((status, said.count("without terms_agreed: true")), (0, 2), said)


@test
def what_version_3_says_is_served(scene):
	out, err = imported(scene, with_files(THIRD, "api.example.com"))
	told = err.splitlines()
	equal(len(told), 3, err)
	check("4:14: agent.authtoken: " in told[0] and "7:16: agent.connect_url: " in told[1] and "web_addr: '0.0.0.0:4040'" in told[2], err)
	check("heartbeat_interval: 5s" in out and "heartbeat_tolerance: 1m" in out, out)
	check('proxy: {url: "http://proxy.example.net:3128"}' in out, out)
	status, said = checked(scene, out, "api.example.com")
	equal(status, 0, said)


@test
def a_file_is_made_and_none_replaced(scene):
	path = f"{scene.dir}/new.yml"
	out, _ = imported(scene, THIRD, "--output", path)
	equal(out, "")
	check("tls://shop.example.com" in open(path).read(), "the file")
	_, err = imported(scene, THIRD, "-o", path, code=73)
	check("nothing is overwritten" in err, err)


@test
def words_of_the_file_command_no_terminal(scene):
	_, err = imported(scene, """version: 3
"key\\e[2J": 1
agent: {web_addr: "0.0.0.0\\e[2J\\n:1", heartbeat_interval: "\\x9b"}
endpoints:
  - {name: "a\\e[2J\\nversion: 1", url: "https://x.example.com", upstream: {url: "\\e[2J\\u202e"}}
  - {url: "https://x.example.com", upstream: {url: "80"}}
""")
	equal([line for line in err.splitlines() if not line.isprintable()], [], "lines that a terminal obeys")
	check("a?[2J?version: 1: left out" in err and "web_addr: '0.0.0.0?[2J?:1'" in err, err)


@test
def what_is_no_such_file_is_said(scene):
	for text, code, words in (("version: 1\n", 78, "says version 1; versions 2 and 3"),
			("", 78, "says version nothing"), ("[1, 2]\n", 78, "versions 2 and 3"), ("a: [\n", 78, "not valid YAML"),
			("version: 2\ntunnels: {x: {proto: tcp, addr: 22}}\n", 65, "no endpoint or tunnel"),
			("version: 3\nendpoints: 7\nagent: x\ntunnels: [1, {a: b}]\n", 65, "no endpoint or tunnel"),
			("version: 3\nendpoints: [7, {url: [1]}, {name: {a: b}, upstream: 3}]\n", 65, "no endpoint or tunnel")):
		_, err = imported(scene, text, code=code)
		check(words in err, f"{text!r}: {err}")
	status, _, err = run(PROGRAMS["agent"], "import-ngrok", f"{scene.dir}/none.yml")
	equal(status, 66, err)


main()
