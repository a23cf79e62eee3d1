/* Makes and uses keys on PKCS#11 tokens, by GnuTLS and p11-kit. */
#include "pki/tool/token.h"

#include <gnutls/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/tool/message.h"

enum { ID_BYTES = 16 };

bool
token_is_uri(const char *where)
{
	return strncmp(where, "pkcs11:", 7) == 0;
}

static int
check_uri(const char *uri)
{
	if (!token_is_uri(uri))
		return message_fail(
		    EX_USAGE, "'%s' is not a PKCS#11 URI; see `p11tool --list-tokens`", uri);
	if (strchr(uri, '?') || strstr(uri, "pin-"))
		return message_fail(EX_USAGE,
		    "a PIN does not belong on the command line; leave it out of the URI and "
		    "give --passphrase-file");
	return 0;
}

static int
give_pin(void *arg, int attempt, const char *url, const char *label, unsigned flags, char *pin,
    size_t most)
{
	struct passphrase *passphrase = arg;

	(void)url;
	(void)flags;
	if (attempt > 0 || passphrase_need(passphrase, label, false) ||
	    passphrase->secret.bytes > most)
		return -1;
	memcpy(pin, passphrase->secret.data, passphrase->secret.bytes);
	return 0;
}

int
token_open(const char *uri, struct passphrase *passphrase, gnutls_privkey_t *out)
{
	int code = check_uri(uri), problem;

	if (code)
		return code;
	if (gnutls_privkey_init(out) < 0)
		return message_no_memory();
	gnutls_privkey_set_pin_function(*out, give_pin, passphrase);
	problem = gnutls_privkey_import_url(*out, uri, 0);
	return problem < 0
	    ? message_fail(EX_NOINPUT, "%s: %s; is the token there, and the PIN right?", uri,
		  gnutls_strerror(problem))
	    : 0;
}

/* The key's URI: the token's, and the id that it was made with. */
static void
name_place(const char *uri, const uint8_t id[ID_BYTES], char *place, size_t place_size)
{
	size_t used = (size_t)snprintf(place, place_size, "%s;id=", uri);

	for (size_t i = 0; i < ID_BYTES && used < place_size; i++)
		used += (size_t)snprintf(place + used, place_size - used, "%%%02X", id[i]);
	if (used < place_size)
		snprintf(place + used, place_size - used, ";type=private");
}

int
token_generate(const char *uri, const char *label, enum key_type type,
    struct passphrase *passphrase, char *place, size_t place_size, gnutls_privkey_t *out)
{
	uint8_t id[ID_BYTES];
	const gnutls_datum_t cid = { id, sizeof id };
	unsigned bits;
	gnutls_pk_algorithm_t algorithm = key_type_algorithm(type, &bits);
	int code = check_uri(uri), problem;

	if (code)
		return code;
	arc4random_buf(id, sizeof id);
	gnutls_pkcs11_set_pin_function(give_pin, passphrase);
	problem = gnutls_pkcs11_privkey_generate3(uri, algorithm, bits, label, &cid,
	    GNUTLS_X509_FMT_DER, NULL, GNUTLS_KEY_DIGITAL_SIGNATURE,
	    GNUTLS_PKCS11_OBJ_FLAG_LOGIN | GNUTLS_PKCS11_OBJ_FLAG_MARK_PRIVATE |
		GNUTLS_PKCS11_OBJ_FLAG_MARK_SENSITIVE);
	if (problem < 0)
		return message_fail(EX_UNAVAILABLE,
		    "%s: no key can be made there: %s; is the token there, and the PIN right?", uri,
		    gnutls_strerror(problem));
	name_place(uri, id, place, place_size);
	return token_open(place, passphrase, out);
}
