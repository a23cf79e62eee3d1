/*
 * Reads the addresses that people write.
 */
#include "agent/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "pki/name_fault.h"

static bool
refuse(char error[URL_ERROR], const char *why)
{
	snprintf(error, URL_ERROR, "%s", why);
	return false;
}

static const char tls_scheme[] = "tls://";

bool
url_endpoint(char name[NAME_SIZE], const char *text, char error[URL_ERROR])
{
	const char *host;

	name[0] = '\0';
	if (strncasecmp(text, tls_scheme, strlen(tls_scheme)) != 0)
		return refuse(error, "is not a valid endpoint; write tls://NAME");
	host = text + strlen(tls_scheme);
	if (name_is_address(host)) {
		name_fault(host, "", error);
		return false;
	}
	if (strchr(host, '/') || strchr(host, ':'))
		return refuse(error,
		    "has a port or a path; an endpoint is only a name, and the port is the "
		    "relay's");
	if (name_normalise_pattern(name, host, strlen(host)))
		return true;
	name_fault(host,
	    "does not hold a valid host name; it has letters, digits, '-' and '_', labels of up to 63, "
	    "and '*.' only in front",
	    error);
	return false;
}

bool
url_public(struct url_public *out, const char *text, char error[URL_ERROR])
{
	enum { HTTPS = 443 };
	char host[NAME_SIZE];
	uint16_t port = HTTPS;

	memset(out, 0, sizeof *out);
	if (strncasecmp(text, tls_scheme, strlen(tls_scheme)) != 0)
		return refuse(error, "is not a public name; write tls://NAME or tls://NAME:PORT");
	text += strlen(tls_scheme);
	if (strchr(text, ':')) {
		if (!host_port_split(text, host, &port))
			return refuse(error,
			    "has no valid port; write tls://NAME:PORT with a port of 1 to 65535");
		text = host;
	}
	if (!url_host_is_literal(text) && name_normalise_served(out->name, text, strlen(text)) &&
	    !name_is_wildcard(out->name)) {
		snprintf(out->target, sizeof out->target, "%s:%u", out->name, (unsigned)port);
		return true;
	}
	memset(out, 0, sizeof *out);
	return refuse(error,
	    "does not hold a host name; it has letters, digits, '-' and '_', labels of up to 63 and "
	    "253 bytes in all, and is neither an address nor a wildcard");
}

bool
url_upstream(struct upstream_url *out, const char *text, char error[URL_ERROR])
{
	return upstream_url_parse(
	    out, text, "tcp://HOST:PORT, tls://HOST:PORT or unix:/PATH", error);
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
