/*
 * An ACME client (RFC 8555): one account at one CA, and what is asked of it, one goal after the
 * other.
 *
 *	client = acme_client_new(loop, &transport, &options, key, account, on_event, arg)
 *	acme_client_issue()       PRESENT .. acme_client_presented() .. WITHDRAW .. ISSUED
 *	acme_client_ask_window()  WINDOW (RFC 9773, ARI)
 *	acme_client_change_key()  KEY_CHANGED
 *
 * each of them or FAILED.  The states:
 *
 *	idle --> directory --+--> greeting (the account is there), or registering
 *	                     |       |-> changing-key --> idle
 *	                     |       `-> ordering --> authorising --> presenting --> answering
 *	                     |              |             `--> checking <-- validating <-'
 *	                     |              `--> finalising <--'  `--> downloading --> idle
 *	                     `--> window --> idle
 *
 * The directory is read for each goal, and the CA's clock with it: where it and ours are an hour
 * apart nothing is asked, since a certificate would look expired or not yet valid.  Whatever the CA
 * may lose by itself is tried once more within the goal: an account that it does not know, an
 * authorisation that has expired, a certificate to replace that has been replaced.  All else is
 * told as FAILED, and the caller says when to try again.
 *
 * Belongs to the thread of its loop.  No event comes inside a call of this header.
 */
#ifndef ACME_CLIENT_H
#define ACME_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acme/document.h"
#include "base/secret.h"
#include "pki/der.h"

struct account_key;
struct acme_client;
struct acme_transport;
struct loop;

enum {
	ACME_PRESENT_MS = 120000,  /* for relays to accept the challenge */
	ACME_VALIDATE_MS = 300000, /* for the CA to look at it */
	ACME_PROCESS_MS = 600000,  /* for the CA to issue */
	ACME_CLOCK_APART_S = 3600, /* more than this is no clock to order certificates by */
};

/* Borrowed for as long as the client lives. */
struct acme_client_options {
	const char *directory;
	const char *const *contacts; /* mailto:... */
	size_t contact_count;
	bool has_agreed;    /* to the CA's terms of service */
	const char *key_id; /* of the account that the CA knows already; NULL: none */
	const struct secret *mac_key;
};

enum acme_event_kind {
	ACME_REGISTERED,  /* .account, .caa_identity: for each goal, as soon as it is known */
	ACME_KEY_SETTLED, /* .is_fresh: whether the spare key was the account's */
	ACME_PRESENT,     /* .digest: show it to the CA, then call acme_client_presented() */
	ACME_WITHDRAW,    /* no longer; comes before the end of the goal */
	/* One of these ends the goal. */
	ACME_ISSUED,      /* .chain */
	ACME_WINDOW,      /* .window, .retry_after_s; window NULL: the CA suggests nothing */
	ACME_KEY_CHANGED, /* the fresh key is the account's now */
	ACME_FAILED,      /* .failure, .code, .sentence, .retry_after_s */
	ACME_EVENTS
};

enum acme_failure {
	ACME_FAILURE_UNREACHABLE, /* nobody has answered, or not as an ACME server does */
	ACME_FAILURE_LATER,       /* the CA says: not now */
	ACME_FAILURE_BUSY,        /* the challenge cannot be shown now */
	ACME_FAILURE_INVALID,     /* the CA has looked, and found something else */
	ACME_FAILURE_REFUSED,     /* the CA says: not so */
	ACME_FAILURE_CLOCK,       /* our clock or theirs is wrong */
	ACME_FAILURES
};

/* Borrowed until the call returns. */
struct acme_event {
	enum acme_event_kind kind;
	const char *account, *caa_identity; /* "" where the directory names none */
	const uint8_t *digest;              /* 32 bytes: SHA-256 of the key authorisation */
	struct der chain;                   /* PEM */
	bool is_fresh;
	const struct acme_window *window;
	uint64_t retry_after_s;
	enum acme_failure failure;
	const char *code;     /* a word: what the CA calls it, or ours (valise-errors(7)) */
	const char *sentence; /* what happened, and what to do */
};

/* Takes the key, also when it fails.  account: its URL, if it is known from before, else
 * NULL.  NULL when memory is short. */
struct acme_client *acme_client_new(struct loop *, const struct acme_transport *,
    const struct acme_client_options *, struct account_key *, const char *account,
    void (*on_event)(void *arg, const struct acme_event *), void *arg);
/* Without an event.  NULL is fine. */
void acme_client_free(struct acme_client *);

/* The change of the account's key was cut off: the CA has the client's key or this one, which it
 * takes.  Both are tried, and KEY_SETTLED says. */
void acme_client_set_spare_key(struct acme_client *, struct account_key *spare);

bool acme_client_is_idle(const struct acme_client *);
/* "" before it is registered. */
const char *acme_client_account(const struct acme_client *);

/* These three begin a goal; the client must be idle.  False when memory is short: there is none
 * then. */

/* request: a PKCS#10 for this one name.  replaces: as chain_read() makes it, or NULL. */
bool acme_client_issue(
    struct acme_client *, const char *name, struct der request, const char *replaces);
bool acme_client_ask_window(struct acme_client *, const char *certificate_id);
/* Takes the fresh key, also when it fails.  Only after KEY_CHANGED it is the account's. */
bool acme_client_change_key(struct acme_client *, struct account_key *fresh);

/* While the challenge is wanted: it is shown everywhere, or (with a sentence) it cannot be. */
void acme_client_presented(struct acme_client *, const char *error);

#endif
