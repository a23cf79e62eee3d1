"""An ACME CA (RFC 8555) with one kind of challenge, tls-alpn-01 (RFC 8737): acme_ca.py PORT RELAY_PORT DIRECTORY.

It lives by the clock of whoever runs it, which pebble cannot: a Go program asks the kernel.  It comes to every name at the
relay's port, and its certificates live for 90 days.  In DIRECTORY it puts root.crt, by which its web server is to be
believed, too."""
import base64
import datetime
import hashlib
import json
import secrets
import socket
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

PORT, RELAY_PORT, DIRECTORY = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
BASE = f"https://localhost:{PORT}"
LIFE = datetime.timedelta(days=90)
ACME_IDENTIFIER = ObjectIdentifier("1.3.6.1.5.5.7.1.31")


def decoded(text):
	return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data):
	return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pem(certificate):
	return certificate.public_bytes(serialization.Encoding.PEM)


# ---- certificates ----

def name_of(text):
	return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certified(subject, key, issuer, issuer_key, life, *extensions):
	now = datetime.datetime.utcnow()
	builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
	builder = builder.serial_number(x509.random_serial_number())
	builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + life)
	for extension, critical in extensions:
		builder = builder.add_extension(extension, critical)
	builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
	builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False)
	return builder.sign(issuer_key, hashes.SHA256())


def usage(*names):
	every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
		"key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
	return x509.KeyUsage(**{name: name in names for name in every}), True


class Authority:
	def __init__(self):
		years = datetime.timedelta(days=3650)
		ca = ((x509.BasicConstraints(True, None), True), usage("key_cert_sign", "crl_sign"))
		self.root_key, self.key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
		self.root_name, self.name = name_of("Year Root"), name_of("Year Intermediate")
		self.root = certified(self.root_name, self.root_key.public_key(), self.root_name, self.root_key, years, *ca)
		self.certificate = certified(self.name, self.key.public_key(), self.root_name, self.root_key, years, *ca)

	def issue(self, key, names, life):
		leaf = certified(x509.Name([]), key, self.name, self.key, life, (x509.BasicConstraints(False, None), True),
			usage("digital_signature"), (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
			(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), True))
		return pem(leaf) + pem(self.certificate)

	def serve_itself(self):
		key = ec.generate_private_key(ec.SECP256R1())
		with open(f"{DIRECTORY}/web.pem", "wb") as file:
			file.write(self.issue(key.public_key(), ["localhost"], datetime.timedelta(days=3000)))
			file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
				serialization.NoEncryption()))
		with open(f"{DIRECTORY}/root.crt", "wb") as file:
			file.write(pem(self.root))
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		context.load_cert_chain(f"{DIRECTORY}/web.pem")
		return context


# ---- the challenge ----

def thumbprint(jwk):
	return encoded(hashlib.sha256(json.dumps({word: jwk[word] for word in ("crv", "kty", "x", "y")},
		separators=(",", ":"), sort_keys=True).encode()).digest())


def shown(name):
	"""The certificate that answers for the challenge."""
	context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
	context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
	context.set_alpn_protocols(["acme-tls/1"])
	with socket.create_connection(("127.0.0.1", RELAY_PORT), timeout=10) as plain:
		with context.wrap_socket(plain, server_hostname=name) as client:
			if client.selected_alpn_protocol() != "acme-tls/1":
				raise OSError("another protocol was chosen")
			return x509.load_der_x509_certificate(client.getpeercert(True))


def answers(name, token, jwk):
	wanted = hashlib.sha256(f"{token}.{thumbprint(jwk)}".encode()).digest()
	certificate = shown(name)
	names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
	told = certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER)
	return names.get_values_for_type(x509.DNSName) == [name] and told.critical and told.value.value == b"\x04\x20" + wanted


# ---- the protocol ----

class Problem(Exception):
	def __init__(self, status, word, detail):
		super().__init__(detail)
		self.status, self.document = status, {"type": f"urn:ietf:params:acme:error:{word}", "detail": detail}


class Ca:
	"""What it has on record; everything is an URL's last part."""

	def __init__(self):
		self.authority, self.accounts, self.orders, self.certificates, self.nonces = Authority(), {}, {}, {}, set()

	def nonce(self):
		self.nonces.add(nonce := secrets.token_urlsafe(12))
		return nonce

	def new_account(self, payload, jwk, _):
		account = thumbprint(jwk)
		known = account in self.accounts
		if payload.get("onlyReturnExisting") and not known:
			raise Problem(400, "accountDoesNotExist", "no such account")
		self.accounts[account] = jwk
		return 200 if known else 201, {"status": "valid"}, f"{BASE}/account/{account}"

	def new_order(self, payload, jwk, _):
		order = secrets.token_urlsafe(8)
		name, = [identifier["value"] for identifier in payload["identifiers"]]
		self.orders[order] = {"name": name, "token": secrets.token_urlsafe(16), "status": "pending", "jwk": jwk}
		return 201, self.order_document(order), f"{BASE}/order/{order}"

	def order_document(self, key):
		order = self.orders[key]
		return {"status": order["status"], "identifiers": [{"type": "dns", "value": order["name"]}],
			"authorizations": [f"{BASE}/authorization/{key}"], "finalize": f"{BASE}/finalize/{key}",
			**({"certificate": f"{BASE}/certificate/{key}"} if order["status"] == "valid" else {})}

	def order(self, _, jwk, key):
		return 200, self.order_document(key), f"{BASE}/order/{key}"

	def authorization(self, _, jwk, key):
		order = self.orders[key]
		return 200, {"status": "pending" if order["status"] == "pending" else "valid",
			"identifier": {"type": "dns", "value": order["name"]},
			"challenges": [self.challenge_document(key)]}, None

	def challenge_document(self, key):
		order = self.orders[key]
		return {"type": "tls-alpn-01", "url": f"{BASE}/challenge/{key}", "token": order["token"],
			"status": "pending" if order["status"] == "pending" else "valid"}

	def challenge(self, _, jwk, key):
		order = self.orders[key]
		if not answers(order["name"], order["token"], jwk):
			raise Problem(403, "incorrectResponse", "the challenge is not answered")
		order["status"] = "ready"
		return 200, self.challenge_document(key), None

	def finalize(self, payload, jwk, key):
		order, request = self.orders[key], x509.load_der_x509_csr(decoded(payload["csr"]))
		names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
		if order["status"] != "ready" or not request.is_signature_valid or \
				names.get_values_for_type(x509.DNSName) != [order["name"]]:
			raise Problem(403, "badCSR", "the request is not what was ordered")
		self.certificates[key] = self.authority.issue(request.public_key(), [order["name"]], LIFE)
		order["status"] = "valid"
		return 200, self.order_document(key), f"{BASE}/order/{key}"

	def certificate(self, _, jwk, key):
		return 200, self.certificates[key], None


def key_of(jwk):
	return ec.EllipticCurvePublicNumbers(*(int.from_bytes(decoded(jwk[part]), "big") for part in "xy"),
		ec.SECP256R1()).public_key()


class Asked(BaseHTTPRequestHandler):
	protocol_version = "HTTP/1.1"
	ca = None
	paths = {"account-new": "new_account", "order-new": "new_order", "order": "order", "authorization": "authorization",
		"challenge": "challenge", "finalize": "finalize", "certificate": "certificate"}

	def reply(self, status, document, location=None):
		body = document if isinstance(document, bytes) else json.dumps(document).encode()
		kind = "application/pem-certificate-chain" if isinstance(document, bytes) else \
			"application/problem+json" if status >= 400 else "application/json"
		self.send_response(status)
		for name, value in (("Replay-Nonce", self.ca.nonce()), ("Content-Type", kind), ("Content-Length", str(len(body))),
				*((("Location", location),) if location else ())):
			self.send_header(name, value)
		self.end_headers()
		if self.command != "HEAD":
			self.wfile.write(body)

	def do_GET(self):
		self.reply(200, {"newNonce": f"{BASE}/nonce", "newAccount": f"{BASE}/account-new", "newOrder": f"{BASE}/order-new"})

	do_HEAD = do_GET

	def judged(self):
		"""(payload, the account's key), once the signature is proven."""
		said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
		head = json.loads(decoded(said["protected"]))
		if head["nonce"] not in self.ca.nonces:
			raise Problem(400, "badNonce", "no such nonce")
		self.ca.nonces.remove(head["nonce"])
		jwk = head.get("jwk") or self.ca.accounts.get(head["kid"].rsplit("/", 1)[-1])
		if not jwk or head["url"] != BASE + self.path:
			raise Problem(401, "unauthorized", "no such account, or for another URL")
		both = decoded(said["signature"])
		signature = utils.encode_dss_signature(int.from_bytes(both[:32], "big"), int.from_bytes(both[32:], "big"))
		key_of(jwk).verify(signature, f"{said['protected']}.{said['payload']}".encode(), ec.ECDSA(hashes.SHA256()))
		return json.loads(decoded(said["payload"]) or b"null"), jwk

	def do_POST(self):
		try:
			payload, jwk = self.judged()
			_, word, *key = self.path.split("/")
			self.reply(*getattr(self.ca, self.paths[word])(payload, jwk, key[0] if key else None))
		except Problem as problem:
			self.reply(problem.status, problem.document)

	def log_message(self, *_):
		pass


Asked.ca = Ca()
server = ThreadingHTTPServer(("127.0.0.1", PORT), Asked)
server.socket = Asked.ca.authority.serve_itself().wrap_socket(server.socket, server_side=True)
server.serve_forever()
