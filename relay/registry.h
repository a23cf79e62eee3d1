/*
 * Who, in a fleet of relays, holds which name.  This is the seam between the
 * route table, which knows what is here, and whatever knows about other relays:
 * a registry is an object behind struct registry_ops.  A relay that stands alone
 * has none.
 *
 * A question goes out with a ticket, and an answer comes back with it: once,
 * from any thread, at once or later.  What comes a second time, after the asker
 * has cancelled, or with a ticket that nobody has, is thrown away, so that a
 * registry cannot hurt an asker.  A registry that never answers costs the asker
 * its own deadline; then it cancels.
 *
 *	asker:     registry_ask(request) --> on_answer() in the asker's loop, once
 *	           registry_cancel(request)
 *	registry:  ops->ask(ticket, question) --> registry_answer(ticket, answer)
 *
 * Claims are counted: each that was granted is released once, and a relay may
 * have many of one pattern and identity, one for each session; one that is
 * announced again is claimed anew before the old claim is released.  So the
 * relay holds a name until its last claim of it is released.
 *
 * Everything that a registry says is a hint: the relay that holds the name
 * judges anew.
 *
 * The pending questions are shared by all workers.  There is one for each flow
 * that looks for a way and one for each endpoint that waits to be announced;
 * both are bounded where they are made (limits.flows, endpoints_per_session), so
 * nobody has to leave.
 */
#ifndef RELAY_REGISTRY_H
#define RELAY_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>
#include "base/hash.h"
#include "base/loop.h"
#include "tunnel/code.h"
#include "tunnel/frame.h"

struct registry;

enum registry_verb {
	REGISTRY_FIND, /* who holds this name? */
	REGISTRY_CLAIM, /* may this relay hold this pattern for that identity, for one endpoint more? */
	REGISTRY_RELEASE, /* one endpoint of it is gone; asked with ticket 0 when nobody waits */
};

struct registry_question {
	enum registry_verb verb;
	const char *name; /* normalised; a claim's may be a wildcard */
	/* The rest is for claims and releases. */
	const uint8_t *identity_key; /* IDENTITY_KEY_BYTES */
	bool is_exact;               /* the certificate has this very name */
	bool is_shared;              /* the grant says so */
};

/* How another relay is reached that holds a name. */
struct registry_relay {
	char name[SHORT_TEXT];
	char address[SHORT_TEXT]; /* "host:port" */
	uint64_t generation;      /* of its start: what it holds is void after the next one */
};

enum registry_found { REGISTRY_UNKNOWN, REGISTRY_NOBODY, REGISTRY_LIMIT, REGISTRY_RELAY };

struct registry_answer {
	enum registry_found found;   /* to REGISTRY_FIND */
	struct registry_relay relay; /* REGISTRY_RELAY */
	enum code code;              /* to REGISTRY_CLAIM: CODE_NONE, or why not */
	char sentence[SENTENCE_TEXT];
};

/* Both are called in the asker's thread and must not wait; what they are given ends with the call. */
struct registry_ops {
	void (*ask)(void *arg, uint64_t ticket, const struct registry_question *);
	/* Nobody wants this answer any more. What was claimed with this ticket is given back; a release
	 * stands. */
	void (*cancel)(void *arg, uint64_t ticket);
};

/* NULL when memory is short. The ops and arg must outlive it. */
struct registry *registry_new(const struct registry_ops *, void *arg);
/* All askers must be gone. */
void registry_free(struct registry *);

/* A question under way, embedded in its asker's object. */
struct registry_request {
	struct hash_link link;
	struct call call;
	struct registry *registry;
	uint64_t ticket;
	struct loop *loop;
	void (*on_answer)(void *arg, const struct registry_answer *);
	void *arg;
	struct registry_answer answer;
};

/* loop, on_answer and arg are filled in; the storage is the registry's until on_answer(). Cannot fail. */
void registry_ask(struct registry *, struct registry_request *, const struct registry_question *);
/* A release that nobody waits for. */
void registry_release(struct registry *, const struct registry_question *);
/* True: no answer will come, and the storage is free. False: one is on its way to the asker's loop, and
 * on_answer() will be called. In the asker's thread. */
bool registry_cancel(struct registry_request *);

/* The registry's part. Any thread; copies. */
void registry_answer(struct registry *, uint64_t ticket, const struct registry_answer *);

#endif
