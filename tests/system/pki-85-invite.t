#!/usr/bin/env -S python3 -B
"""valise-pki invite: the line, whom it may be for, and what becomes of it."""
import base64
import contextlib
import hashlib
import os
import sqlite3
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *

URL = ("--url", "https://pki.example.net")


def body_of(line):
	check(line.startswith("valise-join:") and line.count("\n") <= 1, line)
	text = line.strip()[12:]
	return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def spki_of(certificate):
	key = succeeds("openssl", "x509", "-noout", "-pubkey", "-in", certificate)
	return hashlib.sha256(base64.b64decode("".join(key.splitlines()[1:-1]))).hexdigest()


@test
def one_line_says_where_whom_to_believe_and_the_secret(scene):
	ca = Ca(f"{scene.dir}/ca")
	made = ca.json("invite", "agent", "site1", "--host", "app.example.com", "--relay", "connect.example.net:443", *URL)
	body = body_of(made["line"])
	equal(made["root_spki_sha256"], spki_of(ca.path("root.crt")))
	equal(body[:2], b"\x01\x01", "version and kind")
	equal(body[2:34].hex(), made["root_spki_sha256"])
	equal((body[34:42].hex(), body[42:58].hex()), (made["handle"], made["secret"]))
	check(b"\x00\x17https://pki.example.net\x00\x17connect.example.net:443" in body, body)
	status, out, err = ca.any("invite", "client", "alice", "--email", "alice@example.com", *URL)
	equal((status, len(out.splitlines())), (0, 1), out + err)
	check("for client 'alice', once, until" in err and body_of(out)[34:42].hex() in err, err)


@test
def the_secret_is_in_no_file(scene):
	ca = Ca(f"{scene.dir}/ca")
	made = ca.json("invite", "agent", "site1", "--host", "app.example.com", *URL)
	secret = bytes.fromhex(made["secret"])
	for top, _, names in os.walk(ca.dir):
		for name in names:
			data = open(os.path.join(top, name), "rb").read()
			check(secret not in data and made["secret"].encode() not in data, f"the secret is in {name}")
	check(any(made["handle"].encode() in open(ca.path(name), "rb").read() for name in ("inventory.db", "inventory.db-wal")
		if os.path.exists(ca.path(name))), "the handle is in the inventory, so the secret was looked for where it would be")


@test
def it_is_judged_as_a_certificate_would_be(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("sub", "acme", "--permit", "dns:acme.example", "--max-flows", "10", "--no-password")
	for status, words, argv in (
			(64, "needs a name to serve", ("agent", "site")),
			(64, "not a kind of certificate", ("ca", "site")),
			(64, "cannot be a file's name", ("agent", "a/b", "--host", "a.example")),
			(65, "overlaps acme.example", ("agent", "site", "--host", "a.acme.example")),
			(65, "outside of what the CA 'acme'", ("agent", "site", "--host", "a.example", "--issuer", "acme")),
			(65, "--max-flows 11", ("agent", "site", "--host", "a.acme.example", "--issuer", "acme", "--max-flows", "11")),
			(66, "no such CA", ("agent", "site", "--host", "a.example", "--issuer", "nobody")),
			(64, "carries no grant", ("server", "site", "--host", "a.example", "--max-flows", "1")),
			(64, "--relay is for agents", ("relay", "r.example.net", "--relay", "connect.example.net:443")),
			(64, "names a relay that is not HOST:PORT", ("agent", "site", "--host", "a.example", "--relay", "connect.example.net")),
			(64, "--ttl is more than 30d", ("agent", "site", "--host", "a.example", "--ttl", "31d")),
			(64, "--ttl 'soon'", ("agent", "site", "--host", "a.example", "--ttl", "soon"))):
		ca.refuses(status, words, "invite", *argv, *URL)
	for url in ("http://pki.example.net", "https://pki.example.net/est", "pki.example.net", "https://x@pki.example.net"):
		ca.refuses(64, "https://HOST", "invite", "agent", "site", "--host", "a.example", "--url", url)
	ca.refuses(64, "--url is too long", "invite", "agent", "site", "--host", "a.example", "--url", "https://" + "a" * 300)
	ca.refuses(64, ["`valise-pki serve` has not run", "--url"], "invite", "agent", "site", "--host", "a.example")
	ca.refuses(64, "say for whom", "invite")
	ca.refuses(64, "exclude each other", "invite", "--list", "agent", "site")
	equal(ca.json("invite", "--list"), [])


@test
def a_living_name_wants_replace_and_a_relay_s_is_reserved(scene):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "agent", "shop", "--host", "app.example.com")
	ca("issue", "relay", "connect.example.net")
	ask = ("invite", "agent", "shop", "--host", "app.example.com")
	ca.refuses(73, ["'shop' exists already", "--replace"], *ask, *URL)
	ca(*ask, "--replace", *URL)
	ca.refuses(65, "another kind here (agent)", "invite", "client", "shop", "--replace", *URL)
	ca.refuses(65, "another kind here (ca)", "invite", "agent", "agents", "--host", "a.example", "--replace", *URL)
	ca.refuses(65, "the name of a relay", "invite", "agent", "x", "--host", "connect.example.net", *URL)
	ca.refuses(65, "the name of a relay", "invite", "server", "x", "--host", "*.example.net", *URL)
	ca("invite", "agent", "x", "--host", "*.example.net", *URL)
	ca("invite", "relay", "relay2", "--host", "connect.example.net", *URL)
	ca("hold", "shop")
	ca.refuses(73, "exists already", *ask, *URL)
	ca("revoke", "shop")
	ca(*ask, *URL)


@test
def they_are_listed_and_withdrawn(scene):
	ca = Ca(f"{scene.dir}/ca")
	first = ca.json("invite", "agent", "site1", "--host", "a.example", "--host", "*.b.example", "--ttl", "1h", *URL)
	ca("invite", "client", "alice", "--uri", "spiffe://example/alice", *URL)
	one, two = ca.json("invite", "--list")
	equal((one["state"], one["handle"], one["kind"], one["name"], one["hosts"], one["used_at"]),
		("open", first["handle"], "agent", "site1", "a.example *.b.example", None))
	equal((two["kind"], two["name"], two["hosts"]), ("client", "alice", "spiffe://example/alice"))
	equal(one["ends_at"], first["ends_at"])
	ca("invite", "--revoke", first["handle"])
	ca.refuses(65, "is withdrawn", "invite", "--revoke", first["handle"])
	ca.refuses(66, "no invitation has this handle", "invite", "--revoke", "0" * 16)
	lines = ca("invite", "--list").splitlines()
	equal([line.split()[0] for line in lines], ["withdrawn", "open"])
	equal(ca("check"), "fine\n")


@test
def one_that_ended_long_ago_is_forgotten(scene):
	ca = Ca(f"{scene.dir}/ca")
	for name in ("old", "recent", "open"):
		ca("invite", "agent", name, "--host", f"{name}.example", *URL)
	with contextlib.closing(sqlite3.connect(ca.path("inventory.db"))) as inventory, inventory:
		for name, days in (("old", 92), ("recent", 90)):
			inventory.execute("UPDATE invitation SET ends_at = ends_at - ? * 86400 WHERE name = ?", (days, name))
	equal(len(ca.json("invite", "--list")), 3, "as long as none is made")
	ca("invite", "client", "alice", *URL)
	equal([one["name"] for one in ca.json("invite", "--list")], ["recent", "open", "alice"])
	with contextlib.closing(sqlite3.connect(ca.path("inventory.db"))) as inventory:
		equal(inventory.execute("SELECT count(*) FROM invitation_name").fetchone(), (2,), "hosts that are left")


main()
