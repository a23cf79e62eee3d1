/* Which names cannot be meant, and what was. */
#include "agent/alpn.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MOST = 32 };

/* The names of IANA's list that a TLS server over TCP may agree on. */
static const char *const known[] = {
	"h2",
	"http/1.1",
	"http/1.0",
	"http/0.9",
	"imap",
	"pop3",
	"managesieve",
	"smtp",
	"ftp",
	"nntp",
	"xmpp-client",
	"xmpp-server",
	"irc",
	"mqtt",
	"mqtt/5",
	"dot",
	"ntske/1",
	"coap",
	"co",
	"sip/2",
	"stun.turn",
	"stun.nat-discovery",
	"webrtc",
	"c-webrtc",
	"radius/1.0",
	"radius/1.1",
	"sunrpc",
	"smb",
	"postgresql",
	"tds/8.0",
	"dicom",
	"nnsp",
	NULL,
};

/* What is written for one of those. */
static const struct alias {
	const char *written, *meant; /* without what is between letters and digits, see plain() */
} aliases[] = {
	{ "http2", "h2" },
	{ "http20", "h2" },
	{ "grpc", "h2" },
	{ "h20", "h2" },
	{ "http", "http/1.1" },
	{ "https", "http/1.1" },
	{ "http1", "http/1.1" },
	{ "h1", "http/1.1" },
	{ "h11", "http/1.1" },
	{ "postgres", "postgresql" },
	{ NULL, NULL },
};

/* What no client agrees on here, and why. */
static const struct misfit {
	const char *name, *why;
} misfits[] = {
	{ "h3", "is spoken over QUIC, not over TLS; remove it" },
	{ "http3", "is spoken over QUIC, not over TLS; remove it" },
	{ "doq", "is spoken over QUIC, not over TLS; remove it" },
	{ "h2c", "is HTTP/2 without TLS (RFC 7540, 3.1); write h2" },
	{ "acmetls1",
	    "is for proofs to an ACME server, which no upstream can give behind a terminating "
	    "endpoint; remove it" },
	{ "spdy31", "is a forerunner of HTTP/2 that no client speaks any more; write h2" },
	{ NULL, NULL },
};

/* In lower case, letters and digits only; of at most NAME_MOST bytes. */
static const char *
plain(const char *name, char out[NAME_MOST + 1])
{
	size_t bytes = 0;

	for (; *name; name++)
		if (isalnum((unsigned char)*name))
			out[bytes++] = (char)tolower((unsigned char)*name);
	out[bytes] = '\0';
	return out;
}

/* NULL: nothing known looks like it, or it is right as it stands. */
static const char *
find_meant(const char *name)
{
	char written[NAME_MOST + 1], other[NAME_MOST + 1];
	const char *like = NULL;

	plain(name, written);
	for (size_t i = 0; known[i]; i++) {
		if (strcmp(name, known[i]) == 0)
			return NULL;
		if (strcmp(written, plain(known[i], other)) == 0)
			like = known[i];
	}
	for (size_t i = 0; aliases[i].written && !like; i++)
		if (strcmp(written, aliases[i].written) == 0)
			like = aliases[i].meant;
	return like;
}

static const char *
find_misfit(const char *name)
{
	char written[NAME_MOST + 1];

	plain(name, written);
	for (size_t i = 0; misfits[i].name; i++)
		if (strcmp(written, misfits[i].name) == 0)
			return misfits[i].why;
	return NULL;
}

static bool
is_graphic(const char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~' || strchr(",;[]\"'", *name))
			return false;
	return true;
}

bool
alpn_is_sensible(const char *name, char error[256])
{
	size_t bytes = strlen(name);
	const char *why, *meant;

	if (bytes == 0 || bytes > NAME_MOST)
		snprintf(error, 256,
		    "is not a valid ALPN protocol; it has 1 to %d bytes, for example h2 or http/1.1",
		    NAME_MOST);
	else if (!is_graphic(name))
		snprintf(error, 256,
		    "is not one ALPN protocol; write several as a list: [h2, http/1.1]");
	else if ((why = find_misfit(name)))
		snprintf(error, 256, "%s", why);
	else if ((meant = find_meant(name)))
		snprintf(error, 256,
		    "is not a valid ALPN protocol, of which each letter counts; write %s", meant);
	else
		return true;
	return false;
}
