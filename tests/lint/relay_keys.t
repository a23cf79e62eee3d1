#!/usr/bin/env bash
# The relay's configuration has no place for an endpoint's key, and the relay no code that would load one: its
# one private key is that of its own connect name.
. tests/lint/tap.sh

# Keys of the configuration that may lead to a secret, by the words that they are known by; yes and no do not.
keys_of()	# FILE...
{
	grep -ohE '\{ *"[a-z0-9_.]+", *CONF_[A-Z]+' "$@" | grep -v CONF_BOOL | sed -E 's/.*"([^"]+)".*/\1/' |
		grep -E 'key|secret|pem|pkcs|pfx|pass|credential|termination' | sort -u
}

keys_of relay/*.c base/daemon_rows.h pki/trust_rows.h | grep -vx connect.private_key > "$scratch/wrong"
nothing "the one secret that the relay's configuration names is connect.private_key"
keys_of agent/*.c | grep -qx server_private_key
ok $? "an endpoint's key is found by these words where it has a place, in the agent"

# Ways by which a private key gets into memory.
loading='key_pair_load|file_read_key|gnutls_(x509_)?privkey_(init|import[a-z0-9_]*)|gnutls_certificate_set_(x509_)?key[a-z0-9_]*'
grep -rnE "\b($loading)\(" relay --include='*.[ch]' > "$scratch/loads"
grep -v '^relay/rules.c:.*key_pair_load(.*settings->certificate, settings->private_key' "$scratch/loads" > "$scratch/wrong"
nothing "the relay loads no other private key"
[ "$(wc -l < "$scratch/loads")" -eq 1 ]
ok $? "it loads that one at one place"
grep -rqE "\b($loading)\(" agent --include='*.c'
ok $? "the search finds where the agent loads one"

# What an endpoint is terminated with.
grep -rnE '\bTLS_ENDPOINT\b' relay --include='*.[ch]' > "$scratch/wrong"
nothing "the relay terminates no endpoint"
grep -rqE '\bTLS_ENDPOINT\b' agent --include='*.c'
ok $? "the agent does, by this word"
done_testing
