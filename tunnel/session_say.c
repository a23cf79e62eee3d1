#include <stdio.h>

#include "base/clock.h"
#include "tunnel/session_private.h"

/* What belongs between the welcome and the end; otherwise it is too early or too late to be
 * said. */
static void
send_up(struct session *s, const uint8_t *frame, size_t bytes)
{
	if (s->state == SESSION_UP)
		session_transmit(s, frame, bytes);
}

/* Says a last word and closes. */
static void
end_with(struct session *s, const uint8_t *frame, size_t bytes, enum code code,
    const char *sentence)
{
	if (s->state >= SESSION_ENDING)
		return;
	session_explain(s, code, sentence);
	if (s->state != SESSION_SHAKING)
		session_transmit(s, frame, bytes);
	if (s->state < SESSION_ENDING)
		session_move(s, SESSION_ENDING);
	link_close(s->link);
}

static struct frame_goodbye
farewell(enum code code, const char *sentence)
{
	struct frame_goodbye goodbye = { .code = code };
	snprintf(goodbye.sentence, sizeof goodbye.sentence, "%s", sentence);
	return goodbye;
}

void
session_goodbye(struct session *s, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_goodbye goodbye = farewell(code, sentence);
	end_with(s, out, frame_encode_goodbye(out, &goodbye), code, goodbye.sentence);
}

void
session_ping(struct session *s)
{
	uint8_t out[FRAME_BYTES];
	const struct frame_ping ping = { ++s->sequence, clock_us() };
	session_transmit(s, out, frame_encode_ping(out, &ping));
}

void
session_welcome(struct session *s, const struct frame_welcome *welcome)
{
	uint8_t out[FRAME_BYTES];
	if (s->state != SESSION_JUDGED)
		return;
	session_rise(s, welcome);
	session_transmit(s, out, frame_encode_welcome(out, welcome));
}

void
session_refuse(struct session *s, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	struct frame_refused refused = { .code = code };
	snprintf(refused.sentence, sizeof refused.sentence, "%s", sentence);
	end_with(s, out, frame_encode_refused(out, &refused), code, refused.sentence);
}

void
session_announce(struct session *s, const struct frame_announce *announce)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_announce(out, announce));
}

void
session_withdraw(struct session *s, uint32_t endpoint)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_withdraw(out, &(struct frame_withdraw){ endpoint }));
}

void
session_accept(struct session *s, uint32_t endpoint)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_accepted(out, &(struct frame_accepted){ endpoint }));
}

void
session_refuse_endpoint(struct session *s, uint32_t endpoint, enum code code, const char *sentence)
{
	uint8_t out[FRAME_BYTES];
	struct frame_refused refused = { .endpoint = endpoint, .code = code };
	snprintf(refused.sentence, sizeof refused.sentence, "%s", sentence);
	send_up(s, out, frame_encode_refused(out, &refused));
}

void
session_need(struct session *s, uint16_t channels)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_need(out, &(struct frame_need){ channels }));
}

void
session_drain(struct session *s, uint32_t deadline_ms)
{
	uint8_t out[FRAME_BYTES];
	send_up(s, out, frame_encode_drain(out, &(struct frame_drain){ deadline_ms }));
}

void
session_probe(struct session *s)
{
	session_ping(s);
	s->probe = s->sequence;
}
