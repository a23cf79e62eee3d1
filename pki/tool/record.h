/*
 * Every certificate that the authority ever issued, CAs included, as plain
 * values read from the store and put there.
 */
#ifndef PKI_TOOL_RECORD_H
#define PKI_TOOL_RECORD_H

#include <gnutls/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/spki_pin.h"
#include "pki/tool/ca.h"

enum { HOSTS_TEXT = 4096, SERIAL_HEX = 2 * 21 + 1 };

/* kind: a profile's, or "ca". current: the files of that name hold this one. */
struct record {
	int64_t id, issuer;
	uint8_t serial[21];
	size_t serial_bytes;
	char name[CA_NAME], kind[CA_ROLE], hosts[HOSTS_TEXT];
	char key[KEY_PLACE]; /* where its private key is; empty: not with us */
	int64_t not_before, not_after, revoked_at; /* revoked_at 0: it is not */
	int reason;                                /* enum crl_reason */
	bool current;
	int64_t seconds;         /* how long it was to live, were its CA to live as long */
	struct spki_pin key_pin; /* set by record_add() */
	int64_t successor;       /* the one that came in its place under this name; 0: none did */
};

/* Sets id and key_pin; what was current under that name is so no longer if this one is, which becomes its
 * successor. */
int record_add(struct store *, struct record *, const gnutls_datum_t *der);
/* By NAME (the current one) or SERIAL (hexadecimal, colons allowed). */
int record_find(struct store *, const char *name_or_serial, struct record *);
/* The current one of that name. If it is not there, *found is false and no message is written. */
int record_look_up(struct store *, const char *name, struct record *, bool *found);
/* The one that is this very certificate, likewise. */
int record_of_der(struct store *, struct der certificate, struct record *, bool *found);
int record_by_id(struct store *, int64_t id, struct record *);
/* `rest` is SQL behind "FROM certificate", `types` and the values as for store_each(). */
int record_each(struct store *, int (*each)(void *arg, const struct record *), void *arg,
    const char *rest, const char *types, ...);
/* To be given back with gnutls_x509_crt_deinit(). */
int record_certificate(struct store *, int64_t id, gnutls_x509_crt_t *out);
/* The CA's current certificate, likewise. */
int record_ca_certificate(struct store *, const struct ca *, gnutls_x509_crt_t *out);
/* Upper-case hexadecimal. */
const char *record_serial(const struct record *, char out[SERIAL_HEX]);

#endif
