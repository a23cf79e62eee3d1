"""DER taken apart, changed and put together again: for certificates that no tool makes."""
import base64
import re

SEQUENCE, SET, BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID, UTF8 = 0x30, 0x31, 1, 2, 3, 4, 5, 6, 0x0c
PRINTABLE, TELETEX, IA5, UTC, GENERALIZED, VISIBLE, UNIVERSAL, BMP = 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a, 0x1c, 0x1e


def tlv(tag, *parts):
	body = b"".join(parts)
	length = len(body).to_bytes(4, "big").lstrip(b"\0") or b"\0"
	return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x80 + len(length)]) + length) + body


def oid(dotted):
	first, second, *rest = map(int, dotted.split("."))
	out = b""
	for arc in (40 * first + second, *rest):
		octets = [arc & 0x7f]
		while arc := arc >> 7:
			octets.append(arc & 0x7f | 0x80)
		out += bytes(reversed(octets))
	return tlv(OID, out)


def parse(der):
	"""A list of [tag, contents]; contents are such a list where the tag is constructed, else bytes."""
	found, at = [], 0
	while at < len(der):
		tag, length, at = der[at], der[at + 1], at + 2
		if length & 0x80:
			octets = length & 0x7f
			length, at = int.from_bytes(der[at:at + octets], "big"), at + octets
		body, at = der[at:at + length], at + length
		found.append([tag, parse(body) if tag & 0x20 else body])
	return found


def build(nodes):
	return b"".join(tlv(tag, build(body) if isinstance(body, list) else body) for tag, body in nodes)


def pem(label, der):
	return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


def der_of(path):
	"""Of the first block of a file in PEM."""
	text = open(path).read()
	return base64.b64decode(re.search("-----BEGIN [^-]*-----(.*?)-----END", text, re.S)[1])


class Signed:
	"""A certificate, CRL or request: what is signed as a tree, to be signed again."""

	def __init__(self, der):
		self.whole = parse(der)[0]
		self.fields = self.whole[1][0][1]
		self.begin = 1 if self.fields[0][0] == 0xa0 else 0	# behind the version of a certificate

	def field(self, name):
		"""Of a certificate."""
		return self.fields[self.begin + ("serial", "algorithm", "issuer", "validity", "subject", "key").index(name)]

	def extensions(self):
		return next(body for tag, body in self.fields if tag == 0xa3)[0][1]

	def der(self):
		return build([self.whole])
