/*
 * The frames of valise-protocol(7): one pure encoder and one pure decoder each. No
 * socket, no log, no allocation.  A decoder gets the body behind the header;
 * trailing bytes are an error, and so is a value out of its range (what a failed
 * decoder leaves in *out means nothing).  Texts are NUL-terminated copies.  An
 * unknown code is not an error: it may be newer than this program.
 *
 * Header: length (2 bytes, of type and body, 1..FRAME_MOST), type (1 byte).
 * Types from 0x80 on are optional: a peer that does not know one skips it.
 *
 * From version 2 on hello, welcome, announce, open, ready and drain end in facts
 * (facts.h).  A layout never changes any more: a new fact is an enumerator of
 * fact_type, a row in its frame's table (frame.c), facts_put() where it is said and
 * facts_find() where it is heard, a paragraph of the manual.
 */
#ifndef TUNNEL_FRAME_H
#define TUNNEL_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include "base/address.h"
#include "base/cursor.h"
#include "tunnel/code.h"
#include "tunnel/facts.h"

enum {
	PROTOCOL_OLDEST = 1,
	PROTOCOL_NEWEST = 2,
	PROTOCOL_FACTS = 2, /* the first version with facts */
	FRAME_HEADER = 3,
	FRAME_MOST = 4096,            /* length field's largest value */
	FRAME_BYTES = 2 + FRAME_MOST, /* storage that holds any frame */
	SESSION_ID_BYTES = 16,
	INSTANCE_BYTES = 16,
	START_BYTES = 8,
	FLOW_ID_BYTES = 16,
	RESUME_BYTES = 32,    /* of the digest in FACT_RESUME */
	WITHDRAWN_MOST = 256, /* numbers in a frame of several */
	NAME_TEXT = 254,      /* a server name with its NUL */
	SHORT_TEXT = 64,      /* software, region, relay and endpoint names, label keys and
				 * values */
	SENTENCE_TEXT = 512,
	LABELS_MOST = 16,
	HELLO_BYTES_MOST = 6 * 65536, /* six times the largest hello that a relay can be told to
					 * take */
};

enum frame_type {
	FRAME_HELLO = 1,    /* agent -> relay */
	FRAME_WELCOME = 2,  /* relay -> agent */
	FRAME_ANNOUNCE = 3, /* agent -> relay */
	FRAME_WITHDRAW = 4, /* agent -> relay */
	FRAME_ACCEPTED = 5, /* relay -> agent */
	FRAME_REFUSED = 6,  /* relay -> agent */
	FRAME_PING = 7,     /* both, on sessions and on parked channels */
	FRAME_PONG = 8,
	FRAME_NEED = 9,             /* relay -> agent */
	FRAME_DRAIN = 10,           /* both */
	FRAME_GOODBYE = 11,         /* both */
	FRAME_ANNOUNCE_MANY = 12,   /* agent -> relay, version 2 */
	FRAME_ACCEPTED_MANY = 13,   /* relay -> agent, version 2 */
	FRAME_REFUSED_MANY = 14,    /* relay -> agent, version 2 */
	FRAME_OPEN = 16,            /* relay -> agent, on a channel */
	FRAME_READY = 17,           /* agent -> relay, on a channel */
	FRAME_FAIL = 18,            /* agent -> relay, on a channel */
	FRAME_WORKING = 19,         /* agent -> relay, on a channel, version 2 */
	FRAME_OPTIONAL = 0x80,      /* the first of those that one need not know */
	FRAME_AGAIN = 0x81,         /* relay -> agent */
	FRAME_FACTS = 0x82,         /* agent -> relay, before a hello without room for facts */
	FRAME_RESUMED = 0x83,       /* relay -> agent, after a welcome with FACT_RESUMING */
	FRAME_WITHDRAW_MANY = 0x84, /* agent -> relay, after a welcome with FACT_WITHDRAW_MANY */
	FRAME_UNABLE = 0x85,        /* agent -> relay */
};

/* Bits in `features`. */
enum {
	FEATURE_HANDOFF = 1u << 0,
	FEATURE_MOVE = 1u << 1, /* of an agent: it knows FACT_MOVE */
};

enum carrier { CARRIER_SEALED = 0, CARRIER_HANDOFF = 1 };
/* By enum carrier, and NULL behind the last. */
extern const char *const carrier_words[];
/* NULL where it is neither. */
const char *carrier_word(enum carrier);

/* How the flows of a name are divided among the agents that serve it.  What is not known
 * counts as the first. */
enum balance { BALANCE_LEAST, BALANCE_SOURCE };
/* By enum balance, and NULL behind the last. */
extern const char *const balance_words[];

struct label {
	char key[SHORT_TEXT], value[SHORT_TEXT];
};

struct frame_hello {
	uint8_t oldest, newest; /* protocol versions */
	uint32_t features;
	char software[SHORT_TEXT]; /* "valise-agent 0.1.0" */
	uint8_t instance[INSTANCE_BYTES];
	uint8_t start[START_BYTES];
	char region[SHORT_TEXT];
	uint32_t heartbeat_ms; /* wish */
	uint8_t label_count;
	struct label labels[LABELS_MOST];
	struct facts facts; /* where `oldest` is 1 they come in a frame before this one */
};

struct frame_welcome {
	uint8_t version;
	uint32_t features;
	uint8_t session_id[SESSION_ID_BYTES];
	char relay[SHORT_TEXT];
	uint16_t pool_least, pool_most;
	uint32_t heartbeat_ms; /* decision */
	uint32_t tolerance_ms;
	/* Facts. */
	uint32_t frames_per_second; /* the session's budget; 0: not told */
	int64_t clock_s;            /* the wall clock of the relay; 0: not told */
	bool is_resuming;           /* a frame `resumed` follows, to be waited for */
	bool takes_withdraw_many;
	struct facts facts;
};

struct frame_announce {
	uint32_t endpoint;           /* the agent's number for it, not 0 */
	uint8_t carriers;            /* bit set: 1u << CARRIER_... */
	uint16_t weight;             /* 1..1000 */
	char server_name[NAME_TEXT]; /* exact or wildcard, normalised */
	char name[SHORT_TEXT];       /* for people */
	struct facts facts;
};

struct frame_withdraw {
	uint32_t endpoint;
};

struct frame_withdraw_many {
	struct cursor ranges; /* borrows the body */
};

struct frame_accepted {
	uint32_t endpoint;
};

struct frame_refused {
	uint32_t endpoint; /* 0: the session itself */
	enum code code;
	char sentence[SENTENCE_TEXT];
};

/* A frame of several is read one by one with frame_next_announce() or frame_next_range(). */
struct frame_announce_many {
	struct cursor announcements; /* borrows the body */
};

struct frame_accepted_many {
	struct cursor ranges; /* borrows the body */
};

struct frame_refused_many {
	enum code code;
	char sentence[SENTENCE_TEXT];
	struct cursor ranges; /* borrows the body */
};

struct frame_range {
	uint32_t first, last; /* both in it; 0 only where the session itself is meant */
};

struct frame_resumed {
	bool is_resumed; /* the announcements of the digest count as made, and are answered */
};

struct frame_again {
	enum code code; /* what was refused with it may be announced again */
};

struct frame_ping { /* and pong, which echoes it */
	uint32_t sequence;
	uint64_t sent_at_us;
};

struct frame_need {
	uint16_t channels;
};

struct frame_drain {
	uint32_t deadline_ms;
	struct facts facts;
};

struct frame_goodbye { /* and fail */
	enum code code;
	char sentence[SENTENCE_TEXT];
};

struct frame_open {
	uint8_t flow_id[FLOW_ID_BYTES];
	uint32_t endpoint;
	char server_name[NAME_TEXT];
	struct address client, listener; /* IPv4 or IPv6 */
	enum carrier carrier;
	uint32_t hello_bytes; /* wire bytes that follow this frame at once */
	struct facts facts;
};

struct frame_ready {
	struct facts facts;
};

/* Whether a whole frame stands at the front of the bytes. */
enum frame_verdict { FRAME_INCOMPLETE, FRAME_COMPLETE, FRAME_MALFORMED };
struct frame {
	enum frame_type type;
	const uint8_t *body;      /* borrowed */
	size_t body_bytes, bytes; /* of the body; of all */
};
enum frame_verdict frame_next(const uint8_t *data, size_t data_bytes, struct frame *);

/* How well a decoder understands a body. */
enum frame_sense {
	FRAME_WRONG, /* malformed */
	FRAME_FINE,
	FRAME_NOT_UNDERSTOOD, /* fine, but for a fact that must be understood and is not: all that
				 * stands before the facts is in *out */
};

/* Each returns the bytes written to out[FRAME_BYTES]; a text that is too long, or facts that do not
 * fit, are a bug of ours (assert). `version` is that of the session, of a welcome its own, of a hello
 * its oldest; what that one does not have is left out. */
size_t frame_encode_hello(uint8_t *out, const struct frame_hello *);
size_t frame_encode_welcome(uint8_t *out, const struct frame_welcome *);
size_t frame_encode_announce(uint8_t *out, unsigned version, const struct frame_announce *);
size_t frame_encode_withdraw(uint8_t *out, const struct frame_withdraw *);
size_t frame_encode_accepted(uint8_t *out, const struct frame_accepted *);
size_t frame_encode_refused(uint8_t *out, const struct frame_refused *);
size_t frame_encode_ping(uint8_t *out, const struct frame_ping *);
size_t frame_encode_pong(uint8_t *out, const struct frame_ping *);
size_t frame_encode_need(uint8_t *out, const struct frame_need *);
size_t frame_encode_drain(uint8_t *out, unsigned version, const struct frame_drain *);
size_t frame_encode_goodbye(uint8_t *out, const struct frame_goodbye *);
size_t frame_encode_open(uint8_t *out, unsigned version, const struct frame_open *);
size_t frame_encode_ready(uint8_t *out, unsigned version, const struct frame_ready *);
size_t frame_encode_fail(uint8_t *out, const struct frame_goodbye *);
size_t frame_encode_working(uint8_t *out);
size_t frame_encode_again(uint8_t *out, const struct frame_again *);
size_t frame_encode_resumed(uint8_t *out, const struct frame_resumed *);
size_t frame_encode_unable(uint8_t *out);
/* The facts of a hello whose oldest version has none: they go before it. */
size_t frame_encode_facts(uint8_t *out, const struct frame_hello *);

/* Add one more to the frame of several that stands in out[FRAME_BYTES] and has `bytes` bytes so far
 * (0: it is begun). Each returns the bytes of the frame now; 0 when it takes this one no more: it
 * is full, of another kind, or refuses for another reason. An empty one takes any. */
size_t frame_add_announce(uint8_t *out, size_t bytes, const struct frame_announce *);
size_t frame_add_withdraw(uint8_t *out, size_t bytes, uint32_t endpoint);
size_t frame_add_accepted(uint8_t *out, size_t bytes, uint32_t endpoint);
size_t frame_add_refused(uint8_t *out, size_t bytes, const struct frame_refused *);

/* `version` is that of the session. */
enum frame_sense frame_decode_hello(struct cursor, struct frame_hello *);
enum frame_sense frame_decode_welcome(struct cursor, struct frame_welcome *);
enum frame_sense frame_decode_announce(struct cursor, unsigned version, struct frame_announce *);
enum frame_sense frame_decode_drain(struct cursor, unsigned version, struct frame_drain *);
enum frame_sense frame_decode_open(struct cursor, unsigned version, struct frame_open *);
enum frame_sense frame_decode_ready(struct cursor, unsigned version, struct frame_ready *);
/* Into hello->facts, and nothing else. */
enum frame_sense frame_decode_facts(struct cursor, struct frame_hello *);

/* False: malformed. */
bool frame_decode_withdraw(struct cursor, struct frame_withdraw *);
bool frame_decode_accepted(struct cursor, struct frame_accepted *);
bool frame_decode_refused(struct cursor, struct frame_refused *);
bool frame_decode_ping(struct cursor, struct frame_ping *);
bool frame_decode_need(struct cursor, struct frame_need *);
bool frame_decode_goodbye(struct cursor, struct frame_goodbye *);
bool frame_decode_announce_many(struct cursor, struct frame_announce_many *);
bool frame_decode_withdraw_many(struct cursor, struct frame_withdraw_many *);
bool frame_decode_accepted_many(struct cursor, struct frame_accepted_many *);
bool frame_decode_refused_many(struct cursor, struct frame_refused_many *);
bool frame_decode_working(struct cursor);
bool frame_decode_again(struct cursor, struct frame_again *);
bool frame_decode_resumed(struct cursor, struct frame_resumed *);
bool frame_decode_unable(struct cursor);

/* The next one of a decoded frame of several; False, or FRAME_WRONG: there is none left. */
enum frame_sense frame_next_announce(struct cursor *announcements, struct frame_announce *);
bool frame_next_range(struct cursor *ranges, struct frame_range *);

#endif
