/*
 * Internal to ACME in the agent: what acme.c (what is done when), acme_account.c (accounts at CAs,
 * and what happens at them) and acme_pin.c (CAA records) share.
 */
#ifndef AGENT_ACME_PRIVATE_H
#define AGENT_ACME_PRIVATE_H

#include <sys/queue.h>

#include "acme/caa.h"
#include "acme/caa_lookup.h"
#include "acme/chain.h"
#include "acme/client.h"
#include "acme/fetch_transport.h"
#include "acme/schedule.h"
#include "acme/store.h"
#include "agent/acme.h"
#include "agent/challenge.h"
#include "agent/context.h"
#include "agent/settings.h"
#include "base/state_file.h"
#include "base/file.h"

/* One name. */
struct acme_name {
	TAILQ_ENTRY(acme_name) link;
	char server_name[NAME_SIZE], endpoint[SHORT_TEXT];
	struct acme_registration *registration;
	enum key_type key_type;
	char settings[STORE_SETTINGS]; /* a digest of them */
	struct address caa_resolver;   /* bytes 0: the system's */
	struct schedule schedule;
	struct file_stamp stamp; /* of the certificate's file */
	char id[CHAIN_ID];       /* of the certificate, for the CA; "": there is none */
	char why[STORE_WHY];     /* of the last failure */
	enum caa_verdict pin, told_pin;
	bool has_told_pin;
	int64_t pin_asked_s; /* 0: never */
};

/* An account at a CA. */
struct acme_registration {
	TAILQ_ENTRY(acme_registration) link;
	struct agent_acme *acme;
	const struct acme_settings *settings;
	char id[STORE_ID];
	char **contacts;
	struct secret mac_key, cas;
	struct fetch_transport fetch;
	struct acme_client_options options;
	struct acme_client *client; /* NULL: not needed yet, or its files cannot be read */
	bool is_stale;              /* the client: its key may not be the account's any more */
	char account[STORE_URL], identity[STORE_IDENTITY];
	bool has_told_account, wants_key_change;
	struct state_file file; /* of what the CA says of the account */
	/* Under way. */
	struct acme_name
	    *current;   /* whose certificate; NULL: the account's own matter, or nothing */
	bool is_window; /* it is only asked when to renew */
	/* SHA-256 of the SubjectPublicKeyInfo that is to be certified. */
	uint8_t order_key[KEY_DIGEST];
	struct challenge *challenge;
	int64_t presented_s; /* since when it is shown */
};

struct agent_acme {
	struct agent_context *context;
	const struct agent_settings *settings;
	TAILQ_HEAD(, acme_name) names;
	TAILQ_HEAD(, acme_registration) registrations;
	struct caa_lookup *lookup;
	struct acme_name *looked_up;
};

/* Where all of it is kept. */
const char *acme_dir_of(const struct agent_settings *);

/* ---- acme_account.c ---- */

/* For endpoints with these settings.  NULL when memory is short. */
struct acme_registration *acme_registration_new(struct agent_acme *, const struct acme_settings *);
void acme_registration_free(struct acme_registration *);
/* Nothing is under way. */
bool acme_registration_is_free(const struct acme_registration *);
/* Begin what takes its time, on one that is free; failures are noted. */
void acme_registration_order(struct acme_registration *, struct acme_name *);
void acme_registration_ask_window(struct acme_registration *, struct acme_name *);
void acme_registration_change_key(struct acme_registration *);
/* Every second: the challenge is not waited for without end. */
/* Writes it again, where that has failed. */
void acme_registration_keep(struct acme_registration *);
void acme_registration_tick(struct acme_registration *, int64_t now_s);

/* ---- acme.c ---- */

void acme_name_fail(struct acme_name *, enum acme_failure, const char *code, const char *sentence,
    uint64_t retry_after_s);

/* ---- acme_pin.c ---- */

/* Looks for CAA records where it is time, one name after the other. */
void acme_pin_tick(struct agent_acme *, int64_t now_s);
void acme_pin_cancel(struct agent_acme *);
/* The verdict as it was kept. */
enum caa_verdict acme_pin_read(const char *dir, const char *name);
/* NULL: the name is pinned to the account. */
const char *acme_pin_sentence(enum caa_verdict, const char *name, const char *identity,
    const char *account, char out[ACME_WARNING]);

#endif
