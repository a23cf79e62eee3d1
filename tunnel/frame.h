/*
 * The frames of valise-protocol(7): one pure encoder and one pure decoder each.
 * No socket, no log, no allocation.  A decoder gets the body behind the
 * header; trailing bytes are an error, and so is a value out of its range
 * (what a failed decoder leaves in *out means nothing).  Texts are
 * NUL-terminated copies; an unknown code is no error, it may be newer than we are.
 *
 * Header: length (2 bytes, of type and body, 1..FRAME_MOST), type (1 byte).
 * Types from 0x80 on are optional: who does not know one skips it.
 */
#ifndef TUNNEL_FRAME_H
#define TUNNEL_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include "base/address.h"
#include "base/cursor.h"
#include "tunnel/code.h"

enum {
	PROTOCOL_OLDEST = 1,
	PROTOCOL_NEWEST = 1,
	FRAME_HEADER = 3,
	FRAME_MOST = 4096,	/* length field's largest value */
	FRAME_BYTES = 2 + FRAME_MOST,	/* storage that holds any frame */
	SESSION_ID_BYTES = 16,
	INSTANCE_BYTES = 16,
	START_BYTES = 8,
	FLOW_ID_BYTES = 16,
	NAME_TEXT = 254,	/* a server name with its NUL */
	SHORT_TEXT = 64,	/* software, region, relay and endpoint names, label keys and
				 * values */
	SENTENCE_TEXT = 512,
	LABELS_MOST = 16,
	HELLO_BYTES_MOST = 6 * 65536,	/* six times the largest hello that a relay can be told to
					 * take */
};

enum frame_type {
	FRAME_HELLO = 1,	/* agent -> relay */
	FRAME_WELCOME = 2,	/* relay -> agent */
	FRAME_ANNOUNCE = 3,	/* agent -> relay */
	FRAME_WITHDRAW = 4,	/* agent -> relay */
	FRAME_ACCEPTED = 5,	/* relay -> agent */
	FRAME_REFUSED = 6,	/* relay -> agent */
	FRAME_PING = 7,		/* both, on sessions and on parked channels */
	FRAME_PONG = 8,
	FRAME_NEED = 9,		/* relay -> agent */
	FRAME_DRAIN = 10,	/* both */
	FRAME_GOODBYE = 11,	/* both */
	FRAME_OPEN = 16,	/* relay -> agent, on a channel */
	FRAME_READY = 17,	/* agent -> relay, on a channel */
	FRAME_FAIL = 18,	/* agent -> relay, on a channel */
	FRAME_OPTIONAL = 0x80,
};

/* Bits in `features`. */
enum { FEATURE_HANDOFF = 1u << 0 };	/* reserved */

enum carrier { CARRIER_SEALED = 0, CARRIER_HANDOFF = 1 };

struct label {
	char key[SHORT_TEXT], value[SHORT_TEXT];
};

struct frame_hello {
	uint8_t oldest, newest;		/* protocol versions */
	uint32_t features;
	char software[SHORT_TEXT];	/* "valise-agent 0.1.0" */
	uint8_t instance[INSTANCE_BYTES];
	uint8_t start[START_BYTES];
	char region[SHORT_TEXT];
	uint32_t heartbeat_ms;		/* wish */
	uint8_t label_count;
	struct label labels[LABELS_MOST];
};

struct frame_welcome {
	uint8_t version;
	uint32_t features;
	uint8_t session_id[SESSION_ID_BYTES];
	char relay[SHORT_TEXT];
	uint16_t pool_least, pool_most;
	uint32_t heartbeat_ms;		/* decision */
	uint32_t tolerance_ms;
};

struct frame_announce {
	uint32_t endpoint;		/* the agent's number for it, not 0 */
	uint8_t carriers;		/* bit set: 1u << CARRIER_... */
	uint16_t weight;		/* 1..1000 */
	char server_name[NAME_TEXT];	/* exact or wildcard, normalised */
	char name[SHORT_TEXT];		/* for people */
};

struct frame_withdraw {
	uint32_t endpoint;
};

struct frame_accepted {
	uint32_t endpoint;
};

struct frame_refused {
	uint32_t endpoint;		/* 0: the session itself */
	enum code code;
	char sentence[SENTENCE_TEXT];
};

struct frame_ping {			/* and pong, which echoes it */
	uint32_t sequence;
	uint64_t sent_at_us;
};

struct frame_need {
	uint16_t channels;
};

struct frame_drain {
	uint32_t deadline_ms;
};

struct frame_goodbye {			/* and fail */
	enum code code;
	char sentence[SENTENCE_TEXT];
};

struct frame_open {
	uint8_t flow_id[FLOW_ID_BYTES];
	uint32_t endpoint;
	char server_name[NAME_TEXT];
	struct address client, listener;	/* IPv4 or IPv6 */
	enum carrier carrier;
	uint32_t hello_bytes;		/* wire bytes that follow this frame at once */
};

/* What stands at the front of `in`. */
enum frame_verdict { FRAME_INCOMPLETE, FRAME_COMPLETE, FRAME_MALFORMED };
struct frame {
	enum frame_type type;
	const uint8_t *body;		/* borrowed */
	size_t body_bytes, bytes;	/* of the body; of all */
};
enum frame_verdict frame_next(const uint8_t *data, size_t data_bytes, struct frame *);

/* Each returns the bytes written to out[FRAME_BYTES]; texts that are too long are our own bug
 * (assert). */
size_t frame_encode_hello(uint8_t *out, const struct frame_hello *);
size_t frame_encode_welcome(uint8_t *out, const struct frame_welcome *);
size_t frame_encode_announce(uint8_t *out, const struct frame_announce *);
size_t frame_encode_withdraw(uint8_t *out, const struct frame_withdraw *);
size_t frame_encode_accepted(uint8_t *out, const struct frame_accepted *);
size_t frame_encode_refused(uint8_t *out, const struct frame_refused *);
size_t frame_encode_ping(uint8_t *out, const struct frame_ping *);
size_t frame_encode_pong(uint8_t *out, const struct frame_ping *);
size_t frame_encode_need(uint8_t *out, const struct frame_need *);
size_t frame_encode_drain(uint8_t *out, const struct frame_drain *);
size_t frame_encode_goodbye(uint8_t *out, const struct frame_goodbye *);
size_t frame_encode_open(uint8_t *out, const struct frame_open *);
size_t frame_encode_ready(uint8_t *out);
size_t frame_encode_fail(uint8_t *out, const struct frame_goodbye *);

/* False: malformed. */
bool frame_decode_hello(struct cursor, struct frame_hello *);
bool frame_decode_welcome(struct cursor, struct frame_welcome *);
bool frame_decode_announce(struct cursor, struct frame_announce *);
bool frame_decode_withdraw(struct cursor, struct frame_withdraw *);
bool frame_decode_accepted(struct cursor, struct frame_accepted *);
bool frame_decode_refused(struct cursor, struct frame_refused *);
bool frame_decode_ping(struct cursor, struct frame_ping *);
bool frame_decode_need(struct cursor, struct frame_need *);
bool frame_decode_drain(struct cursor, struct frame_drain *);
bool frame_decode_goodbye(struct cursor, struct frame_goodbye *);
bool frame_decode_open(struct cursor, struct frame_open *);
bool frame_decode_ready(struct cursor);

#endif
