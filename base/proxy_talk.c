/* The two dialogues: what is said in each state, and what its answer leads to. */
#include "base/proxy_talk.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/cursor.h"
#include "base/fetch_proxy.h"

enum {
	SOCKS_VERSION = 5,
	PASSWORD_VERSION = 1,
	CONNECT = 1,
	METHOD_NONE = 0,
	METHOD_PASSWORD = 2,
	METHOD_REFUSED = 0xff,
	TYPE_V4 = 1,
	TYPE_NAME = 3,
	TYPE_V6 = 4,
	V4_BYTES = 4,
	V6_BYTES = 16,
	PORT_BYTES = 2,
};

void
proxy_talk_init(struct proxy_talk *talk, const struct fetch_proxy *proxy, const char *target)
{
	*talk = (struct proxy_talk){ .expected = proxy->kind == FETCH_PROXY_SOCKS5 ? TALK_METHOD
										   : TALK_HEAD,
		.proxy = proxy,
		.target = target };
}

__attribute__((format(printf, 2, 3))) static enum proxy_talk_verdict
fail(struct proxy_talk *talk, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(talk->error, sizeof talk->error, format, arguments);
	va_end(arguments);
	talk->expected = TALK_OVER;
	return TALK_FAILED;
}

/* ---- HTTP ---- */

static enum proxy_talk_verdict
tell_unauthorised(struct proxy_talk *talk, const struct http_connect_answer *answer)
{
	if (answer->schemes[0] != '\0' && !answer->offers_basic)
		return fail(talk,
		    "wants authentication by %s, and the agent speaks Basic alone; have it take Basic "
		    "for this host, or let this host through without",
		    answer->schemes);
	if (talk->proxy->username)
		return fail(talk, "does not accept the user '%.60s' and the password (407 %s)",
		    talk->proxy->username, answer->reason);
	return fail(talk,
	    "wants a user and a password (407 %s); give its username and password_file",
	    answer->reason);
}

/* What to look at. */
static const char *
hint_at(unsigned status)
{
	switch (status) {
	case 400:
	case 405:
	case 501:
		return "; does it allow CONNECT?";
	case 403:
		return "; is this host allowed to connect there, and to that port?";
	case 502:
	case 503:
	case 504:
		return "; can it reach that host?";
	default:
		return "";
	}
}

static enum proxy_talk_verdict
hear_head(struct proxy_talk *talk, const uint8_t *data, size_t bytes, size_t *used)
{
	struct http_connect_answer answer;
	size_t at = 0;

	do {
		switch (http_connect_decode(data + at, bytes - at, &answer)) {
		case HTTP_CONNECT_INCOMPLETE:
			return TALK_MORE;
		case HTTP_CONNECT_MALFORMED:
			return fail(talk, "%s; is it a proxy of HTTP?", answer.fault);
		case HTTP_CONNECT_COMPLETE:
			at += answer.head_bytes;
		}
	} while (answer.status < 200); /* an interim answer */
	*used = at;
	if (answer.status < 300) {
		talk->expected = TALK_OVER;
		return TALK_DONE;
	}
	if (answer.status == 407)
		return tell_unauthorised(talk, &answer);
	return fail(talk, "refuses to connect to %.100s: %u %s%s", talk->target, answer.status,
	    answer.reason, hint_at(answer.status));
}

/* ---- SOCKS5 ---- */

static void
say_target(struct writer *out, const char *target)
{
	uint8_t octets[V6_BYTES];
	char host[254] = "";
	uint16_t port = 0;

	host_port_split(target, host, &port);
	if (inet_pton(AF_INET, host, octets) == 1) {
		writer_u8(out, TYPE_V4);
		writer_bytes(out, octets, V4_BYTES);
	} else if (inet_pton(AF_INET6, host, octets) == 1) {
		writer_u8(out, TYPE_V6);
		writer_bytes(out, octets, V6_BYTES);
	} else {
		writer_u8(out, TYPE_NAME);
		writer_text8(out, host);
	}
	writer_u16(out, port);
}

static void
say_methods(struct writer *out, bool has_password)
{
	writer_u8(out, SOCKS_VERSION);
	writer_u8(out, has_password ? 2 : 1);
	writer_u8(out, METHOD_NONE);
	if (has_password)
		writer_u8(out, METHOD_PASSWORD);
}

static void
say_password(struct writer *out, const struct fetch_proxy *proxy)
{
	writer_u8(out, PASSWORD_VERSION);
	writer_text8(out, proxy->username);
	writer_u8(out, (uint8_t)proxy->password.bytes);
	writer_bytes(out, proxy->password.data, proxy->password.bytes);
}

static void
say_request(struct writer *out, const char *target)
{
	writer_u8(out, SOCKS_VERSION);
	writer_u8(out, CONNECT);
	writer_u8(out, 0);
	say_target(out, target);
}

static enum proxy_talk_verdict
hear_method(struct proxy_talk *talk, struct cursor in)
{
	unsigned version = cursor_u8(&in), method;

	if (!in.failed && version != SOCKS_VERSION)
		return fail(
		    talk, "answers with something that is not SOCKS5; is it a proxy of SOCKS5?");
	method = cursor_u8(&in);
	if (in.failed)
		return TALK_MORE;
	if (method == METHOD_NONE) {
		talk->expected = TALK_REPLY;
		return TALK_GOES_ON;
	}
	if (method == METHOD_PASSWORD && talk->proxy->username) {
		talk->expected = TALK_PASSWORD;
		return TALK_GOES_ON;
	}
	if (talk->proxy->username)
		return fail(talk, "takes neither a password nor none (SOCKS5 method %u)", method);
	return fail(talk,
	    "does not take somebody without a password (SOCKS5 method %u); give its username and "
	    "password_file",
	    method);
}

static enum proxy_talk_verdict
hear_password(struct proxy_talk *talk, struct cursor in)
{
	unsigned version = cursor_u8(&in), status = cursor_u8(&in);

	if (in.failed)
		return TALK_MORE;
	if (version != PASSWORD_VERSION)
		return fail(talk, "answers a password with something that is not SOCKS5");
	if (status != 0)
		return fail(talk, "does not accept the user '%.60s' and the password (SOCKS5)",
		    talk->proxy->username);
	talk->expected = TALK_REPLY;
	return TALK_GOES_ON;
}

static const char *
reply_sentence(unsigned code)
{
	static const char *const sentences[] = {
		[1] = "a general failure",
		[2] = "it is not allowed; is this host allowed to connect there, and to that port?",
		[3] = "the network is unreachable",
		[4] = "the host is unreachable; can the proxy resolve that name?",
		[5] = "the connection was refused",
		[6] = "the time to live has expired",
		[7] = "it does not know the command CONNECT",
		[8] = "it does not know this kind of address",
	};

	return code < sizeof sentences / sizeof *sentences ? sentences[code]
							   : "it does not say why";
}

/* Where it is bound is of no interest here, but has a length. */
static size_t
address_bytes(struct cursor *in, unsigned type)
{
	switch (type) {
	case TYPE_V4:
		return V4_BYTES;
	case TYPE_V6:
		return V6_BYTES;
	case TYPE_NAME:
		return cursor_u8(in);
	default:
		return SIZE_MAX;
	}
}

static enum proxy_talk_verdict
hear_reply(struct proxy_talk *talk, struct cursor in, size_t *used)
{
	unsigned version = cursor_u8(&in), code = cursor_u8(&in), type;
	size_t all = in.left, bytes;

	if (in.failed)
		return TALK_MORE;
	if (version != SOCKS_VERSION)
		return fail(talk, "answers with something that is not SOCKS5");
	if (code != 0)
		return fail(talk, "refuses to connect to %.100s: %s (SOCKS5 code %u)", talk->target,
		    reply_sentence(code), code);
	cursor_u8(&in);
	type = cursor_u8(&in);
	if (in.failed)
		return TALK_MORE;
	bytes = address_bytes(&in, type);
	if (bytes == SIZE_MAX)
		return fail(talk,
		    "answers with a kind of address that does not exist (SOCKS5 type %u)", type);
	cursor_bytes(&in, bytes + PORT_BYTES);
	if (in.failed)
		return TALK_MORE;
	*used = 2 + all - in.left;
	talk->expected = TALK_OVER;
	return TALK_DONE;
}

/* ---- both ---- */

size_t
proxy_talk_say(const struct proxy_talk *talk, uint8_t out[PROXY_TALK_SAID])
{
	struct writer writer = writer_over(out, PROXY_TALK_SAID);

	switch (talk->expected) {
	case TALK_HEAD:
		return http_connect_encode(
		    out, talk->target, talk->proxy->username, &talk->proxy->password);
	case TALK_METHOD:
		say_methods(&writer, talk->proxy->username != NULL);
		break;
	case TALK_PASSWORD:
		say_password(&writer, talk->proxy);
		break;
	case TALK_REPLY:
		say_request(&writer, talk->target);
		break;
	case TALK_OVER:
		break;
	}
	return writer.bytes;
}

static enum proxy_talk_verdict
hear(struct proxy_talk *talk, const uint8_t *data, size_t bytes, size_t *used)
{
	struct cursor in = cursor_over(data, bytes);

	*used = 2; /* as most answers have */
	switch (talk->expected) {
	case TALK_HEAD:
		return hear_head(talk, data, bytes, used);
	case TALK_METHOD:
		return hear_method(talk, in);
	case TALK_PASSWORD:
		return hear_password(talk, in);
	case TALK_REPLY:
		return hear_reply(talk, in, used);
	case TALK_OVER:
		break;
	}
	return TALK_FAILED;
}

enum proxy_talk_verdict
proxy_talk_hear(struct proxy_talk *talk, const uint8_t *data, size_t bytes, size_t *used)
{
	enum proxy_talk_verdict verdict = hear(talk, data, bytes, used);

	if (verdict == TALK_MORE && bytes >= PROXY_TALK_HEARD)
		verdict = fail(talk, "answers with more than %d KiB", PROXY_TALK_HEARD >> 10);
	if (verdict == TALK_MORE || verdict == TALK_FAILED)
		*used = 0;
	return verdict;
}
