"""Keys, certificates and CRLs by OpenSSL: what other CAs make, right and wrong."""
import os
import time

from .client import run
from .tap import Failed

P256 = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
CA = {"basicConstraints": "critical,CA:TRUE", "keyUsage": "critical,keyCertSign,cRLSign", "subjectKeyIdentifier": "hash",
	"authorityKeyIdentifier": "keyid"}
CLIENT = {"basicConstraints": "critical,CA:FALSE", "keyUsage": "critical,digitalSignature", "extendedKeyUsage": "clientAuth",
	"subjectAltName": "DNS:a.example", "subjectKeyIdentifier": "hash", "authorityKeyIdentifier": "keyid"}
SERVER = dict(CLIENT, extendedKeyUsage="serverAuth")
DAY = 86400


def day(offset):
	"""The time so many days from now, as openssl ca takes it."""
	return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset * DAY))


class Workshop:
	"""Files by name in one directory: a certificate is NAME.crt, its key NAME.key."""

	def __init__(self, directory):
		self.dir = directory
		self.revoked = {}	# of each issuer, lines of its index

	def at(self, name):
		return f"{self.dir}/{name}"

	def read(self, name):
		with open(self.at(name), "rb") as file:
			return file.read()

	def write(self, name, data):
		with open(self.at(name), "wb") as file:
			file.write(data if isinstance(data, bytes) else data.encode())
		return self.at(name)

	def openssl(self, *argv):
		status, out, err = run("openssl", *argv)
		if status != 0:
			raise Failed(f"openssl {argv}: {status}\n{out.decode(errors='replace')}{err}")
		return out

	def make(self, name, subject, issuer, extensions, key=P256, digest="sha256", days=(-1, 300)):
		"""A certificate for a new key, by `issuer` or by itself; it is valid from day to day, counted from now."""
		self.write(f"{name}.ext", "".join(f"{k}={v}\n" for k, v in extensions.items() if v))
		self.openssl("req", "-new", "-newkey", *key, "-nodes", "-keyout", self.at(f"{name}.key"),
			"-out", self.at(f"{name}.csr"), "-subj", subject)
		by = ("-cert", self.at(f"{issuer}.crt"), "-keyfile", self.at(f"{issuer}.key")) if issuer else \
			("-selfsign", "-keyfile", self.at(f"{name}.key"))
		# openssl x509 can only begin now.
		self.write("issue.cnf", f"[ca]\ndefault_ca=x\n[x]\ndatabase={self.at('issue.index')}\nrand_serial=yes\npolicy=any\n"
			"unique_subject=no\n[any]\ncommonName=supplied\norganizationName=optional\n")
		self.write("issue.index", "")
		self.openssl("ca", "-batch", "-notext", "-config", self.at("issue.cnf"), "-md", digest, "-outdir", self.dir, *by,
			"-startdate", day(days[0]), "-enddate", day(days[1]), "-preserveDN", "-extfile", self.at(f"{name}.ext"),
			"-in", self.at(f"{name}.csr"), "-out", self.at(f"{name}.crt"))
		return self.at(f"{name}.crt")

	def bundle(self, name, *names):
		"""The files of these names in one."""
		return self.write(name, b"".join(self.read(one) for one in names))

	def revoke(self, name, issuer):
		serial = self.openssl("x509", "-in", self.at(f"{name}.crt"), "-noout", "-serial").decode().strip().split("=")[1]
		line = f"R\t400101000000Z\t{day(-0.1)[2:]},keyCompromise\t{serial}\tunknown\t/CN={name}\n"
		self.revoked[issuer] = self.revoked.get(issuer, "") + line

	def crl(self, name, issuer, digest="sha256", days=(-1, 10)):
		"""A CRL in the file `name`, of all that revoke() was told of."""
		self.write("crl.cnf", f"[ca]\ndefault_ca=x\n[x]\ndatabase={self.at('crl.index')}\ncrlnumber={self.at('crl.number')}\n"
			"crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n")
		self.write("crl.index", self.revoked.get(issuer, ""))
		self.write("crl.number", "01\n")
		self.openssl("ca", "-config", self.at("crl.cnf"), "-gencrl", "-md", digest, "-cert", self.at(f"{issuer}.crt"),
			"-keyfile", self.at(f"{issuer}.key"), "-crl_lastupdate", day(days[0]), "-crl_nextupdate", day(days[1]),
			"-out", self.at(name))
		return self.at(name)
