#!/usr/bin/env -S python3 -B
"""What one of each state costs the relay, and that it is not more than valise(7) promises."""
from lib import *
from lib.costs import BESIDE, STATES
from lib.process import SANITIZED


PROMISED_GNUTLS = "3.7."
MOSTLY_GNUTLS = ("unfinished handshake of a session", "unfinished handshake of a channel", "session", "parked channel",
	"idle sealed flow", "idle sealed flow, agent")
MICROSECONDS = {"static route": 20}


def bounded(what, measure, most, descriptors_most):
	def one(scene):
		if SANITIZED:
			skip("a sanitizer has an allocator of its own")
		version = run("pkg-config", "--modversion", "gnutls")[1].decode().strip()
		if what in MOSTLY_GNUTLS and not version.startswith(PROMISED_GNUTLS):
			skip(f"most of it is GnuTLS's, whose {version} takes more than the 3.7 that is promised for")
		bytes_each, descriptors, us = measure(scene)
		print(f"# {what}: {bytes_each:.0f} bytes, {descriptors:.1f} descriptors, {us:.1f} us")
		check(bytes_each <= most, f"{what}: {bytes_each:.0f} bytes, and {most} are promised")
		check(descriptors <= descriptors_most + BESIDE, f"{what}: {descriptors:.2f} descriptors instead of {descriptors_most}")
		us_most = MICROSECONDS.get(what, us)
		check(us <= us_most, f"{what}: {us:.1f} us, and {us_most} are promised")
	one.__name__ = f"{what} has its bound".replace(" ", "_")
	return test(one)


for row in STATES:
	bounded(*row)
main()
