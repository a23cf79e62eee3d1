/*
 * A client's hello before GnuTLS reads it: whether its version and its name are ours to serve, and
 * which tickets are good in it.
 */
#include <string.h>

#include "base/clock.h"
#include "tunnel/tls_private.h"
#include "tunnel/tls_tickets.h"

/* By our order of cipher suites AES-256-GCM is the second one, and ChaCha20 has the hash of the first.
 * GnuTLS would take a ticket before, and then find no suite with its hash. */
static bool
chooses_sha384(const struct tls_hello *hello)
{
	return hello->aes_256 && !hello->aes_128;
}

static int
set_ticket_key(struct tls *tls, const struct tls_hello *hello)
{
	const char *protocol = hello->alpn ? hello->alpn[hello->protocol] : NULL;
	const struct tls_tickets_scope scope = { hello->name, protocol ? protocol : "",
		chooses_sha384(hello) };
	uint8_t key[TLS_TICKETS_KEY];
	tls_tickets_key(tls->config->settings.tickets, &scope, clock_ms(), key);
	gnutls_db_set_cache_expiration(tls->session, TLS_TICKETS_LIFE_S);
	int got =
	    gnutls_session_ticket_enable_server(tls->session, &(gnutls_datum_t){ key, sizeof key });
	bytes_wipe(key, sizeof key);
	return got;
}

/* Before GnuTLS looks at the tickets in the hello.  The new ones are sealed under the same key, which GnuTLS
 * takes once: after a retry request the hello must be as before (RFC 8446 4.1.2), or its ticket would be
 * good for another protocol. */
static int
allow_tickets(struct tls *tls, const struct tls_hello *hello)
{
	bool is_second = tls->ticket_protocol != 0;
	bool is_same = tls->ticket_protocol == 1 + hello->protocol;
	if (!tls->config->settings.tickets)
		return 0;
	tls->ticket_protocol = (uint8_t)(1 + hello->protocol);
	if (!is_second)
		return set_ticket_key(tls, hello);
	return is_same ? 0 : GNUTLS_E_RECEIVED_ILLEGAL_PARAMETER;
}

/* GnuTLS looks for a cipher suite before it says that a version is missing. */
static bool
offers_our_version(const struct tls_settings *settings, const struct tls_hello *hello)
{
	return (hello->tls12 && settings->oldest != TLS_VERSION_13) ||
	    (hello->tls13 && settings->newest != TLS_VERSION_12);
}

/* Each hello by itself: GnuTLS keeps the first one's name when a second hello has none. */
int
tls_judge_hello(struct tls *tls, const gnutls_datum_t *message)
{
	const struct tls_settings *settings = &tls->config->settings;
	struct tls_hello hello = {
		.message = message->data, .bytes = message->size, .alpn = settings->alpn, .name = ""
	};
	tls->heard_hello = true;
	if (!tls->hooks.judge_hello)
		return 0;
	tls->hello_was_judged = true;
	if (tls_object(tls, tls->hooks.judge_hello(tls->hooks.arg, &hello)) < 0)
		return GNUTLS_E_UNRECOGNIZED_NAME;
	if (!offers_our_version(settings, &hello))
		return GNUTLS_E_UNSUPPORTED_VERSION_PACKET;
	return allow_tickets(tls, &hello);
}
