/* Reads the first message of a PostgreSQL client, and the answer to it. */
#include "base/postgres.h"

#include "base/cursor.h"

enum {
	STARTUP_LEAST = 8,
	STARTUP_MOST = 10000, /* as PostgreSQL's server has it: MAX_STARTUP_PACKET_LENGTH */
	CANCEL_BYTES = 16,
	CANCEL_MOST = 268, /* since protocol 3.2 the key is longer */
	PROTOCOL_3 = 3
};

static enum postgres_request
judge(uint32_t length, uint32_t code)
{
	static const struct {
		uint32_t code, least, most;
		enum postgres_request request;
	} known[] = {
		{ 80877103, POSTGRES_REQUEST_BYTES, POSTGRES_REQUEST_BYTES, POSTGRES_SSL },
		{ 80877104, POSTGRES_REQUEST_BYTES, POSTGRES_REQUEST_BYTES, POSTGRES_GSSENC },
		{ 80877102, CANCEL_BYTES, CANCEL_MOST, POSTGRES_CANCEL },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (code == known[i].code)
			return length >= known[i].least && length <= known[i].most
			    ? known[i].request
			    : POSTGRES_NONE;
	}
	return code >> 16 == PROTOCOL_3 ? POSTGRES_PLAIN : POSTGRES_NONE;
}

enum postgres_request
postgres_request_read(const uint8_t *wire, size_t bytes)
{
	struct cursor in = cursor_over(wire, bytes);
	uint32_t length, code;

	/* Every message is shorter than 64 KiB, and no ClientHello begins with a zero. */
	if ((bytes > 0 && wire[0] != 0) || (bytes > 1 && wire[1] != 0))
		return POSTGRES_NONE;
	length = cursor_u32(&in);
	if (!in.failed && (length < STARTUP_LEAST || length > STARTUP_MOST))
		return POSTGRES_NONE;
	code = cursor_u32(&in);
	return in.failed ? POSTGRES_INCOMPLETE : judge(length, code);
}

const uint8_t postgres_ssl_request[POSTGRES_REQUEST_BYTES] = { 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f };

const char *
postgres_answer_error(const uint8_t *answer, size_t bytes)
{
	if (bytes == 0)
		return "the upstream closed when it was asked for TLS";
	if (answer[0] == 'N')
		return "the upstream answers SSLRequest with N: turn its ssl on";
	if (answer[0] != 'S')
		return "the upstream does not answer SSLRequest as PostgreSQL does";
	return bytes == 1 ? NULL : "the upstream sent bytes in clear behind its S";
}
