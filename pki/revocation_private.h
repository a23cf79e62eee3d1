/*
 * Internal to revocation: the set, for revocation.c (what is taken in) and
 * revocation_ask.c (what it says of a certificate).
 */
#ifndef PKI_REVOCATION_PRIVATE_H
#define PKI_REVOCATION_PRIVATE_H

#include <pthread.h>

#include "pki/revocation.h"

struct crl;

enum loaded_state { PLACED, WAITING, REFUSED, STATES };

struct loaded_crl {
	struct crl *crl;
	char *file;
	enum loaded_state state;   /* changes under the lock */
	bool is_late;              /* taken over from a set where it was placed after waiting */
	const char *refusal;       /* why its issuer has it not, or NULL; under the lock */
	uint8_t issuer[ISSUER_ID]; /* once PLACED */
};

struct revocation {
	enum crl_missing missing;
	enum crl_expired expired;
	int64_t grace_s;
	struct crl_history *history;
	struct revocation *former; /* in force, until this one is sealed; or NULL */
	size_t refusals;           /* for which that one stands in */
	char *refusal;             /* the first */
	bool doubts_clock;
	pthread_mutex_t lock;    /* for those that wait */
	struct loaded_crl *crls; /* sealed: first those placed from the start, sorted by issuer */
	size_t count, placed;
};

/* Whether the CRL says that it is this CA's. */
bool revocation_names_issuer(const struct crl *, const struct issuer *);
struct crl_mark loaded_crl_mark(const struct loaded_crl *);
void loaded_crl_move(struct loaded_crl *, enum loaded_state to);
/* Finds the CA that signed it.  NULL or what is wrong; it goes on waiting if nobody is named. */
const char *loaded_crl_place(struct loaded_crl *, const struct issuer *cas, size_t ca_count);
bool loaded_crl_is_newer(const struct loaded_crl *, const struct loaded_crl *);

#endif
