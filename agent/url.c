/*
 * Reads the addresses that people write.
 */
#include "agent/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/units.h"

static bool
refuse(char error[URL_ERROR], const char *why)
{
	snprintf(error, URL_ERROR, "%s", why);
	return false;
}

/* What follows the scheme, or NULL. */
static const char *
after_scheme(const char *text, const char *scheme)
{
	size_t bytes = strlen(scheme);

	return strncasecmp(text, scheme, bytes) == 0 ? text + bytes : NULL;
}

bool
url_endpoint(char name[NAME_SIZE], const char *text, char error[URL_ERROR])
{
	const char *host = after_scheme(text, "tls://");

	name[0] = '\0';
	if (!host)
		return refuse(error, "is not a valid endpoint; write tls://NAME");
	if (strchr(host, '/') || strchr(host, ':'))
		return refuse(error,
		    "has a port or a path; an endpoint is only a name, and the port is the"
		    " relay's");
	if (!name_normalise_pattern(name, host, strlen(host)))
		return refuse(error,
		    "does not hold a valid host name; it has letters, digits, '-' and '_', labels"
		    " of up to 63, and '*.' only in front");
	return true;
}

static bool
unix_upstream(struct upstream_url *out, const char *path, char error[URL_ERROR])
{
	if (path[0] != '/')
		return refuse(error, "needs an absolute path, for example unix:/run/app.sock");
	if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return refuse(
		    error, "is too long for a unix socket, whose path has up to 107 bytes");
	out->kind = UPSTREAM_UNIX;
	snprintf(out->target, sizeof out->target, "unix:%s", path);
	return true;
}

bool
url_upstream(struct upstream_url *out, const char *text, char error[URL_ERROR])
{
	const char *rest = after_scheme(text, "unix:");
	uint64_t lone_port;
	uint16_t port;

	memset(out, 0, sizeof *out);
	if (rest)
		return unix_upstream(out, rest, error);
	if ((rest = after_scheme(text, "tls://")))
		out->kind = UPSTREAM_TLS;
	else if (!(rest = after_scheme(text, "tcp://")))
		rest = text;
	if (strstr(rest, "://"))
		return refuse(error, "is not a valid upstream; write tcp://HOST:PORT,"
				     " tls://HOST:PORT or unix:/PATH");
	if (number_parse(rest, &lone_port) && lone_port > 0 && lone_port <= 65535) {
		snprintf(out->host, sizeof out->host, "localhost");
		snprintf(out->target, sizeof out->target, "localhost:%u", (unsigned)lone_port);
		return true;
	}
	if (strlen(rest) >= sizeof out->target || !host_port_split(rest, out->host, &port))
		return refuse(error,
		    "is not a valid upstream; write HOST:PORT with a port of 1 to 65535 and no"
		    " path");
	snprintf(out->target, sizeof out->target, "%s", rest);
	return true;
}

bool
url_relay(char host[254], const char *text, char error[URL_ERROR])
{
	uint16_t port;

	if (!host_port_split(text, host, &port))
		return refuse(error,
		    "is not a valid relay; write HOST:PORT, for example connect.example.net:443");
	return true;
}

bool
url_host_is_literal(const char *host)
{
	unsigned char storage[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, storage) == 1 || inet_pton(AF_INET6, host, storage) == 1;
}
