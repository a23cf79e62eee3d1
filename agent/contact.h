/*
 * One contact with a relay: from the dial to the end of the session, with its
 * endpoints announced and its pool of channels filled.
 *
 *	dialling --> greeting (TLS, hello; welcome awaited) --> up --> over
 *
 * Whether and when there is another one is the relay link's business.
 */
#ifndef AGENT_CONTACT_H
#define AGENT_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/hand.h"
#include "tunnel/code.h"

struct contact;
struct place;

enum contact_event {
	CONTACT_UP,		/* the relay's welcome has come */
	CONTACT_DRAIN,		/* the relay takes nothing new on this session */
	CONTACT_REFUSED,	/* an endpoint was refused for good (the log has it) */
	CONTACT_OVER,		/* contact_end() says why; free it */
};

enum { CONTACT_SENTENCE = 1024 };

/* Why it is over. */
struct contact_end {
	bool is_permanent;	/* the same attempt would end like this again */
	bool was_up;
	const char *word;	/* stable */
	char sentence[CONTACT_SENTENCE];
	/* A certificate at fault, "" if none is: whose it is, and the configuration key that would cure it. */
	const char *key;
	char subject[256], issuer[256], fingerprint[65];
};

/* target: "host:port", borrowed while it lives. NULL when memory is short. */
struct contact *contact_new(const struct place *, const char *target,
    void (*on_event)(void *arg, struct contact *, enum contact_event), void *arg);
/* Its parked channels go, its flows stay. Safe inside a handler; NULL is fine. */
void contact_free(struct contact *);

bool contact_is_up(const struct contact *);
const char *contact_relay(const struct contact *);	/* its name, "" before the welcome */
const struct contact_end *contact_end(const struct contact *);

/* The place has another endpoint table, or other trust in relays. */
void contact_refresh(struct contact *);
void contact_judge_again(struct contact *, int64_t now_s);
/* No more channels; the session goes on until the relay ends it. */
void contact_retire(struct contact *);
/* Tells the relay. */
void contact_drain(struct contact *, uint32_t deadline_ms);
void contact_goodbye(struct contact *, enum code, const char *sentence);

/* From the crew (hand.h): what became of a channel. */
void contact_on_report(struct leg *, enum hand_report, const char *error);

#endif
