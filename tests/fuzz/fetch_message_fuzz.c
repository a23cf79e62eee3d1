/*
 * What a daemon and the process that fetches say to each other: the first octet chooses order or answer; what is read
 * lies in the message, and is what it is taken for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fetch_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
hold(bool claim)
{
	if (!claim)
		abort();
}

/* A text that is not terminated within the message would be read beyond it. */
static void
hold_text(const char *text)
{
	volatile size_t bytes = text ? strlen(text) : 0;
	(void)bytes;
}

static void
hold_order(struct cursor in)
{
	struct fetch_order order;
	struct fetch_buffer again = { 0 };
	if (!fetch_order_decode(in, &order))
		return;
	hold(order.request.url && order.contact_host && order.request.headers);
	hold(order.request.trust != FETCH_TRUST_PIN || order.request.pin);
	hold_text(order.request.url);
	hold_text(order.request.private_key);
	hold_text(order.addresses);
	for (size_t i = 0; order.request.headers[i]; i++)
		hold_text(order.request.headers[i]);
	hold(fetch_order_encode(&again, &order));
	hold(fetch_order_finish(&again, order.addresses, order.request.deadline_ms));
	hold(again.bytes == in.left);
	fetch_buffer_wipe(&again);
}

static void
hold_answer(struct cursor in)
{
	struct fetch_answer answer;
	if (!fetch_answer_decode(in, &answer))
		return;
	hold((answer.outcome == FETCH_ANSWERED) == !answer.error);
	hold(answer.url && answer.body && ((const char *)answer.body)[answer.body_bytes] == '\0');
	hold_text(answer.url);
	hold_text(answer.error);
	hold_text(answer.chain);
	hold_text(fetch_answer_header(&answer, "Retry-After"));
	fetch_answer_retry_after_s(&answer, 1795780740);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	unsigned which = cursor_u8(&in);
	if (which == 'o')
		hold_order(in);
	if (which == 'a')
		hold_answer(in);
	return 0;
}
