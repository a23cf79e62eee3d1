#!/usr/bin/env bash
# What must not be in the daemons (the fake clock in no program): an inventory, or anything that signs a
# certificate, a request or a CRL.  Three exceptions, which give no right: the key process signs what TLS has
# it sign, over digests, and the request for a new key of its own, which proves possession, since only the CA's
# signature counts; and the certificate with which the agent answers an ACME server is signed by its own key
# (RFC 8737), which nobody trusts.  What makes that one can get at no other key.
. tests/lint/tap.sh
of_keys='privkey_sign_(hash2|data2)'
declare -A may_sign=([valise-relay]="gnutls_(x509_crq_sign2|$of_keys)" [valise-agent]="gnutls_(x509_(crq|crt)_sign2|$of_keys)")
signing='gnutls_(x509_(crt|crl|crq)_(sign|sign2|privkey_sign)|privkey_sign_(data|data2|hash|hash2)|x509_privkey_sign_(data|hash)|pkcs7_sign)(@.*)?$'

undefined()	# PROGRAM
{
	nm -D -u "$1" | awk '{ print $NF }'
}

for program in valise-relay valise-agent; do
	[ -x "$build/$program" ]
	ok $? "$program is built"
	undefined "$build/$program" | grep -E "^$signing" | sed 's/@.*//' |
		grep -vxE "${may_sign[$program]:-none}" > "$scratch/wrong"
	nothing "$program calls no function that signs${may_sign[$program]:+, but ${may_sign[$program]}}"
	{ undefined "$build/$program"; nm --defined-only "$build/$program" | awk '{ print $NF }'; } |
		grep -E '^sqlite3_' > "$scratch/wrong"
	nothing "$program has no SQLite"
	ldd "$build/$program" | grep -i sqlite > "$scratch/wrong"
	nothing "$program loads no SQLite"
done

grep -lE "gnutls_($of_keys|x509_crq_sign2)" "$build"/obj/{relay,agent,enrol,acme,base,tunnel,keys}/*.o |
	grep -vE "^$build/obj/keys/key_(store|jws|making)\.o\$" > "$scratch/wrong"
nothing "only the store of keys signs with one"
ls "$build"/obj/keys/key_store.o > "$scratch/looks" && grep -qF gnutls_privkey_sign_hash2 "$build/obj/keys/key_store.o"
ok $? "it does, so the search finds what it looks for"

grep -lF gnutls_x509_crt_sign2 "$build"/obj/agent/*.o "$build"/obj/base/*.o "$build"/obj/{pki,keys}/*.o \
	"$build"/obj/tunnel/*.o | grep -vx "$build/obj/agent/challenge_certificate.o" > "$scratch/wrong"
nothing "only the certificate of a challenge is signed in the agent"
nm -u "$build/obj/agent/challenge_certificate.o" | awk '{ print $NF }' |
	grep -E '^(file_|key_pair_|fopen|open|read|gnutls_(x509_)?privkey_import)' > "$scratch/wrong"
nothing "and what signs it reads no key from anywhere"

# The fake clock is the tests' only.
fake='(clock_fake|clock_fake_move|loop_advance)'
for program in valise-relay valise-agent valise-fetch valise-pki valise-sni; do
	nm --defined-only "$build/$program" | awk '{ print $NF }' | grep -xE "$fake" > "$scratch/wrong"
	nothing "$program has no hand on its clocks"
done
nm --defined-only "$build/libbase.a" 2> /dev/null | awk '{ print $NF }' | grep -xEc "$fake" | grep -qx 3
ok $? "the archive has all three, so the search finds what it looks for"

# A library is loaded where something of it is called, and nowhere else.
needed()	# PROGRAM: the libraries that it names itself, by path
{
	readelf -d "$1" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p' | while read -r name; do
		ldd "$1" | awk -v n="$name" '$1 == n { print $3 } $1 ~ "/" n "$" { print $1 }'
	done
}
for program in valise-relay valise-agent valise-fetch valise-pki valise-sni; do
	undefined "$build/$program" | sed 's/@.*//' | sort -u > "$scratch/undefined"
	for library in $(needed "$build/$program"); do
		nm -D --defined-only "$library" | awk '{ print $NF }' | sed 's/@.*//' | sort -u |
			comm -12 - "$scratch/undefined" | grep -q . || echo "$library" >> "$scratch/wrong"
	done
	nothing "$program calls every library that it loads"
done
needed "$build/valise-relay" | grep -q libgnutls
ok $? "valise-relay loads GnuTLS, so the search finds what it looks for"

# What speaks HTTP, and all that it loads, is in a process of its own.
for program in valise-relay valise-agent valise-pki valise-sni; do
	ldd "$build/$program" | grep -iE 'libcurl|libssh|libldap|libnghttp|librtmp' > "$scratch/wrong"
	nothing "$program has no libcurl, and nothing that comes with it"
	undefined "$build/$program" | sed 's/@.*//' | grep -E '^curl_' > "$scratch/wrong"
	nothing "$program calls nothing of it"
done
for program in valise-relay valise-agent; do
	ldd "$build/$program" | grep -iE 'libsystemd|liblzma|libgcrypt' > "$scratch/wrong"
	nothing "$program has no libsystemd, and nothing that comes with it"
done
needed "$build/valise-fetch" | grep -q libcurl
ok $? "valise-fetch loads libcurl, so the search finds what it looks for"

undefined "$build/valise-pki" | grep -qE "^$signing"
ok $? "valise-pki signs, so the search finds what it looks for"
undefined "$build/valise-pki" | grep -q '^sqlite3_'
ok $? "valise-pki has SQLite, so the search finds what it looks for"
done_testing
