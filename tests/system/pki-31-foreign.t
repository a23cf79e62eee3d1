#!/usr/bin/env -S python3 -B
"""EC private keys have their full length (RFC 5915, section 3), so that every other library reads them.

VALISE_KEYS=2000 tries that many keys in each library, instead of a few.
"""
import base64
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *

KEYS = int(os.environ.get("VALISE_KEYS", "24"))
SECONDS = 300 + KEYS	# Go compiles its own library the first time
PASSWORD = "correct horse"

GO = """
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	for _, name := range os.Args[1:] {
		text, _ := os.ReadFile(name)
		block, _ := pem.Decode(text)
		if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
			fmt.Fprintln(os.Stderr, name, err)
			os.Exit(1)
		}
	}
}
"""
JAVA = r"""
import java.nio.file.*;
import java.security.KeyFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;

public class Keys {
	public static void main(String[] names) throws Exception {
		for (String name : names) {
			String text = Files.readString(Path.of(name)).replaceAll("-----[A-Z ]+-----|\\s", "");
			KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(text)));
		}
	}
}
"""
PYTHON = """
import sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
for name in sys.argv[1:]:
	load_pem_private_key(open(name, "rb").read(), None)
"""


def element(der):
	"""(contents, what is behind) of the first element."""
	length, at = der[1], 2
	if length & 0x80:
		at += length & 0x7f
		length = int.from_bytes(der[2:at], "big")
	return der[at:at + length], der[at + length:]


def octets(pem):
	"""How many the privateKey has, in a file of PKCS#8 in clear or of a bare ECPrivateKey."""
	_, bare, text = re.search("-----BEGIN ((EC )?)PRIVATE KEY-----(.*?)-----END", pem, re.S).groups()
	der = base64.b64decode(text)
	if not bare:
		behind_version = element(element(der)[0])[1]
		der = element(element(behind_version)[1])[0]	# behind the algorithm
	return len(element(element(element(der)[0])[1])[0])	# behind its version


def openssl(scene, names):
	for name in names:
		succeeds("openssl", "pkey", "-in", name, "-noout", "-check")


def go(scene, names):
	if not shutil.which("go"):
		skip("there is no Go here; it is no dependency of the tests, being large")
	with open(f"{scene.dir}/keys.go", "w") as file:
		file.write(GO)
	succeeds("go", "run", f"{scene.dir}/keys.go", *names, timeout=SECONDS)


def java(scene, names):
	if not shutil.which("javac"):
		skip("there is no JDK here; it is no dependency of the tests, being large")
	with open(f"{scene.dir}/Keys.java", "w") as file:
		file.write(JAVA)
	succeeds("java", f"{scene.dir}/Keys.java", *names, timeout=SECONDS)


def python(scene, names):
	if tool("/usr/bin/python3", "-c", "import cryptography")[0] != 0:
		skip("there is no python3-cryptography here")
	succeeds("/usr/bin/python3", "-c", PYTHON, *names, timeout=SECONDS)


@test_over(openssl, go, java, python)
def every_library_reads_the_keys_that_are_made(scene, way):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "client", "made-here")
	names = [ca.key("made-here"), *(f"{scene.dir}/{i}.key" for i in range(KEYS))]
	for i, name in enumerate(names[1:]):
		equal(tool(PROGRAMS["agent"], "keygen", "--key", name, "--csr", f"{name}.csr", "site")[0], 0)
	for name in names:
		with open(name) as file:
			equal(octets(file.read()), 32, name)
	way(scene, names)


def odd_key(scene):
	"""A key of another length, as GnuTLS makes every second one."""
	for _ in range(64):
		pem = succeeds("certtool", "--generate-privkey", "--ecc", "--curve", "secp256r1", "--pkcs8", "--password", "")
		if octets(pem) != 32:
			with open(os.open(f"{scene.dir}/odd.key", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
				file.write(pem)
			return f"{scene.dir}/odd.key"
	skip("this GnuTLS writes every key in full length")


def pem_bundle(scene, ca):
	ca("export", "old", "--pem-bundle", "--out", f"{scene.dir}/out.pem")
	return open(f"{scene.dir}/out.pem").read()


def p12(scene, ca, *legacy):
	"""What GnuTLS says of the file: it shows the key as it stands there."""
	path = f"{scene.dir}/pw"
	with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
		file.write(PASSWORD + "\n")
	ca("export", "old", "--p12", *legacy, "--p12-passphrase-file", path, "--out", f"{scene.dir}/out.p12")
	return succeeds("certtool", "--p12-info", "--inder", "--infile", f"{scene.dir}/out.p12", "--password", PASSWORD)


def p12_modern(scene, ca):
	return decrypted(scene, p12(scene, ca))


def p12_legacy(scene, ca):
	return decrypted(scene, p12(scene, ca, "--legacy"))


def decrypted(scene, info):
	found = re.search("-----BEGIN (ENCRYPTED )?PRIVATE KEY-----.*?-----END [A-Z ]*-----\n", info, re.S)
	check(found, info)
	if not found[1]:
		return found[0]
	return succeeds("certtool", "--key-info", "--pkcs8", "--password", PASSWORD, "--outfile", "/dev/stdout",
		data=found[0])


@test_over(pem_bundle, p12_modern, p12_legacy)
def a_key_of_another_length_is_mended_when_it_is_written_again(scene, way):
	ca = Ca(f"{scene.dir}/ca")
	ca("issue", "client", "old", "--key", odd_key(scene))
	equal(octets(way(scene, ca)), 32)


main()
