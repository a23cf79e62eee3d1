#!/usr/bin/env -S python3 -B
"""valise-pki serve under many: renewals in a row and at once. `make thorough` has 10000 in a row, 1000 at once."""
import asyncio
import base64
import os
import re
import ssl
import subprocess
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from lib.process import SANITIZED
from lib.tap import progress
from kit import *

FULL = os.environ.get("VALISE_FAULTS") == "full"
IN_A_ROW, AT_ONCE = (10000, 1000) if FULL else (60, 150)
MOST_KIB = 20 * 1024


class Host:
	"""Keeps its key, so that one request does for all renewals; each is asked for with the certificate before."""

	def __init__(self, scene, ca, pki, name):
		self.dir, self.ca, self.pki, self.name = scene.dir, ca, pki, name
		ca("issue", "agent", name, "--host", f"{name}.example")
		self.crt, self.key = f"{scene.dir}/{name}.crt", ca.key(name)
		with open(ca.crt(name)) as file, open(self.crt, "w") as copy:
			copy.write(file.read())
		der = subprocess.run(["openssl", "req", "-new", "-key", self.key, "-subj", f"/CN={name}", "-outform", "DER",
			"-addext", f"subjectAltName=DNS:{name}.example"], capture_output=True, check=True).stdout
		self.body = base64.b64encode(der)

	async def ask(self):
		"""(status, headers, body) of one renewal."""
		context = ssl.create_default_context(cafile=self.ca.path("root.crt"))
		context.load_cert_chain(self.crt, self.key)
		reader, writer = await asyncio.open_connection("127.0.0.1", self.pki.port, ssl=context, server_hostname="localhost",
			ssl_handshake_timeout=120)
		writer.write(b"POST /.well-known/est/simplereenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
			b"Content-Type: application/pkcs10\r\nContent-Length: %d\r\n\r\n" % len(self.body) + self.body)
		answer = await reader.read()
		writer.close()
		head, _, body = answer.partition(b"\r\n\r\n")
		return int(head.split()[1]), head.decode(), body

	def take(self, body):
		"""Uses what was issued from now on: the one certificate in ContentInfo, [0], SignedData, its [0]."""
		content = inside(base64.b64decode(body), 0x30, 0xa0, 0x30, 0xa0)
		with open(self.crt, "w") as file:
			file.write(ssl.DER_cert_to_PEM_cert(content))


def inside(der, *tags):
	"""The contents of the first element with this tag, in it of the first with the next ..."""
	for tag in tags:
		while True:
			start, length = 2, der[1]
			if length & 0x80:
				start += length & 0x7f
				length = int.from_bytes(der[2:start], "big")
			if der[0] == tag:
				der = der[start:start + length]
				break
			der = der[start + length:]
	return der


def processes(pki):
	"""Of both below it, the memory in KiB."""
	found = {}
	for pid in filter(str.isdigit, os.listdir("/proc")):
		try:
			with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/status") as status:
				if int(stat.read().rpartition(")")[2].split()[1]) == pki.pid:
					found[pid] = int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
		except OSError:
			pass
	return found


def begun(scene):
	ca = Ca(f"{scene.dir}/ca")
	limits = {"requests": 0, "requests_per_identity": 0, "signatures_per_hour": 1000000}
	return ca, scene.serve(ca.dir, limits=limits, log={"level": "info"})


@test
def renewals_in_a_row_leave_memory_as_it_was(scene):
	ca, pki = begun(scene)
	host = Host(scene, ca, pki, "site1")
	for _ in range(IN_A_ROW):
		status, head, body = asyncio.run(host.ask())
		equal(status, 200, body)
		host.take(body)
		progress()
	equal(len([one for one in ca.json("list", "site1")]), IN_A_ROW + 1)
	for pid, kib in processes(pki).items():
		check(SANITIZED or kib < MOST_KIB, f"{kib} KiB after {IN_A_ROW} renewals")
		print(f"# {kib} KiB after {IN_A_ROW} renewals", flush=True)


@test
def many_at_once_are_served_or_told_when_to_come_back(scene):
	ca, pki = begun(scene)
	hosts = [Host(scene, ca, pki, f"site{i}") for i in range(AT_ONCE // 10)]

	async def all_at_once():
		return await asyncio.gather(*(host.ask() for host in hosts for _ in range(10)), return_exceptions=True)

	answers = asyncio.run(all_at_once())
	wrong = [one for one in answers if isinstance(one, Exception) or one[0] not in (200, 503, 429)]
	equal(wrong, [], f"{len(wrong)} of {len(answers)}")
	for status, head, _ in answers:
		check(status == 200 or re.search(r"Retry-After: \d+", head), head)
	served = sum(one[0] == 200 for one in answers)
	print(f"# {served} of {len(answers)} at once are served, the others told when to come back", flush=True)
	check(served >= AT_ONCE // 10, "somebody is served")


main()
