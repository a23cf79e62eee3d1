/*
 * The TLS of a attempt, see attempt.h.
 */
#include "bench/load/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "bench/load/order.h"

struct attempt_key {
	gnutls_certificate_credentials_t credentials;
};

struct attempt_session {
	gnutls_session_t tls;
	bool has_shaken, has_ordered;
};

static void
must(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, gnutls_strerror(result));
	exit(1);
}

/* NULL ends the program. */
static void *
given(void *memory)
{
	must(memory ? 0 : GNUTLS_E_MEMORY_ERROR, "attempt");
	return memory;
}

struct attempt_key *
attempt_key_load(const char *cas, const char *certificate, const char *key)
{
	struct attempt_key *made = given(calloc(1, sizeof *made));

	must(gnutls_certificate_allocate_credentials(&made->credentials), "credentials");
	must(gnutls_certificate_set_x509_trust_file(made->credentials, cas, GNUTLS_X509_FMT_PEM),
	    cas);
	if (certificate)
		must(gnutls_certificate_set_x509_key_file(
			 made->credentials, certificate, key, GNUTLS_X509_FMT_PEM),
		    certificate);
	return made;
}

struct attempt_session *
attempt_new(const struct attempt_key *key, const char *server_name, int fd)
{
	struct attempt_session *attempt = given(calloc(1, sizeof *attempt));

	must(gnutls_init(&attempt->tls,
		 GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS),
	    "session");
	gnutls_set_default_priority(attempt->tls);
	gnutls_credentials_set(attempt->tls, GNUTLS_CRD_CERTIFICATE, key->credentials);
	gnutls_server_name_set(attempt->tls, GNUTLS_NAME_DNS, server_name, strlen(server_name));
	gnutls_session_set_verify_cert(attempt->tls, server_name, 0);
	gnutls_transport_set_int(attempt->tls, fd);
	gnutls_handshake_set_timeout(attempt->tls, 0);
	return attempt;
}

void
attempt_free(struct attempt_session *attempt)
{
	gnutls_deinit(attempt->tls);
	free(attempt);
}

static void
tell_served(struct attempt_session *attempt, char result[ATTEMPT_RESULT])
{
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(attempt->tls, NULL);
	uint8_t serial[32];
	size_t bytes = sizeof serial, text = ATTEMPT_RESULT - 3;
	gnutls_x509_crt_t certificate;

	strcpy(result, "ok ");
	must(gnutls_x509_crt_init(&certificate), "certificate");
	if (chain && gnutls_x509_crt_import(certificate, chain, GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_get_serial(certificate, serial, &bytes) == 0)
		gnutls_hex_encode(&(gnutls_datum_t){ serial, (unsigned)bytes }, result + 3, &text);
	gnutls_x509_crt_deinit(certificate);
}

static void
tell_failed(struct attempt_session *attempt, int error, char result[ATTEMPT_RESULT])
{
	if (error == GNUTLS_E_FATAL_ALERT_RECEIVED)
		snprintf(result, ATTEMPT_RESULT, "alert-%d", (int)gnutls_alert_get(attempt->tls));
	else if (error == GNUTLS_E_PULL_ERROR || error == GNUTLS_E_PUSH_ERROR)
		snprintf(result, ATTEMPT_RESULT, "reset");
	else if (error == 0 || error == GNUTLS_E_PREMATURE_TERMINATION)
		snprintf(result, ATTEMPT_RESULT, "closed");
	else
		snprintf(result, ATTEMPT_RESULT, "%s", gnutls_strerror_name(error));
}

/* Whether it waits now for what TLS waits for. */
static bool
waits(const struct attempt_session *attempt, ssize_t result, enum attempt_wants *wants)
{
	if (result >= 0 || gnutls_error_is_fatal((int)result))
		return false;
	*wants = gnutls_record_get_direction(attempt->tls) ? ATTEMPT_WRITE : ATTEMPT_READ;
	return true;
}

/* In TLS 1.3 the server judges a client's certificate only after the handshake; it may have closed when the order comes,
 * and its alert is still to be read. */
enum attempt_wants
attempt_step(struct attempt_session *attempt, char result[ATTEMPT_RESULT])
{
	char once = ORDER_ONCE;
	enum attempt_wants wants = ATTEMPT_OVER;
	ssize_t got = 0;

	if (!attempt->has_shaken)
		got = gnutls_handshake(attempt->tls);
	if (waits(attempt, got, &wants))
		return wants;
	attempt->has_shaken = got >= 0;
	if (attempt->has_shaken && !attempt->has_ordered) {
		if (waits(attempt, gnutls_record_send(attempt->tls, &once, 1), &wants))
			return wants;
		attempt->has_ordered = true;
	}
	if (attempt->has_ordered)
		got = gnutls_record_recv(attempt->tls, &once, 1);
	if (waits(attempt, got, &wants))
		return wants;
	if (got > 0)
		tell_served(attempt, result);
	else
		tell_failed(attempt, (int)got, result);
	return ATTEMPT_OVER;
}
