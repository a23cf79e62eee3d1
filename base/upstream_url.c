/* Reads the url of an upstream. */
#include "base/upstream_url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/units.h"

static bool
refuse(char error[UPSTREAM_URL_ERROR], const char *why)
{
	snprintf(error, UPSTREAM_URL_ERROR, "%s", why);
	return false;
}

bool
upstream_url_refuse(const char *forms, char error[UPSTREAM_URL_ERROR])
{
	snprintf(error, UPSTREAM_URL_ERROR, "is not a valid upstream; write %s", forms);
	return false;
}

/* What follows the scheme, or NULL. */
static const char *
after_scheme(const char *text, const char *scheme)
{
	size_t bytes = strlen(scheme);

	return strncasecmp(text, scheme, bytes) == 0 ? text + bytes : NULL;
}

static bool
read_path(struct upstream_url *out, const char *path, char error[UPSTREAM_URL_ERROR])
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

static bool
read_host(struct upstream_url *out, const char *text, char error[UPSTREAM_URL_ERROR])
{
	uint64_t lone_port;
	uint16_t port;

	if (number_parse(text, &lone_port) && lone_port > 0 && lone_port <= 65535) {
		out->is_short = true;
		snprintf(out->host, sizeof out->host, "localhost");
		snprintf(out->target, sizeof out->target, "localhost:%u", (unsigned)lone_port);
		return true;
	}
	if (strlen(text) >= sizeof out->target || !host_port_split(text, out->host, &port))
		return refuse(error,
		    "is not a valid upstream; write HOST:PORT with a port of 1 to 65535 and no "
		    "path");
	snprintf(out->target, sizeof out->target, "%s", text);
	return true;
}

bool
upstream_url_parse(
    struct upstream_url *out, const char *text, const char *forms, char error[UPSTREAM_URL_ERROR])
{
	const char *rest = after_scheme(text, "unix:");

	memset(out, 0, sizeof *out);
	if (rest)
		return read_path(out, rest, error);
	if ((rest = after_scheme(text, "tls://")))
		out->kind = UPSTREAM_TLS;
	else if (!(rest = after_scheme(text, "tcp://"))) {
		out->is_short = true;
		rest = text;
	}
	return strstr(rest, "://") ? upstream_url_refuse(forms, error)
				   : read_host(out, rest, error);
}

bool
upstream_url_is_local(const char *target)
{
	char host[254];
	uint16_t port;
	struct in_addr v4;
	struct in6_addr v6;

	if (strncmp(target, "unix:", 5) == 0)
		return true;
	if (!host_port_split(target, host, &port))
		return false;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcasecmp(host, "localhost") == 0;
}
