/* URLs taken apart, by one reader for all that is fetched. */
#include "base/fetch_url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/fetch.h"

enum { LONGEST_HOST = 253, HTTP_PORT = 80, HTTPS_PORT = 443 };

/* What else stands in a URL is written with %. */
static bool
is_plain(const char *text)
{
	for (; *text; text++)
		if (*text <= 0x20 || *text >= 0x7f)
			return false;
	return true;
}

static bool
is_address(const char *host)
{
	char text[300];
	struct address address;

	snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:1" : "%s:1", host);
	return address_parse(&address, text);
}

static bool
is_name(const char *host)
{
	for (; *host; host++)
		if (!isalnum((unsigned char)*host) && !strchr("-_.", *host))
			return false;
	return true;
}

/* Without the brackets of an IPv6 address. */
static bool
take_host(struct fetch_target *target, const char *host, size_t length)
{
	bool has_brackets = length > 2 && host[0] == '[' && host[length - 1] == ']';

	if (has_brackets) {
		host++;
		length -= 2;
	}
	if (length == 0 || length > LONGEST_HOST)
		return false;
	snprintf(target->host, sizeof target->host, "%.*s", (int)length, host);
	target->is_literal = is_address(target->host);
	return target->is_literal || (!has_brackets && is_name(target->host));
}

bool
fetch_target_set_host(struct fetch_target *target, const char *host)
{
	return take_host(target, host, strlen(host));
}

static bool
take_port(struct fetch_target *target, const char *text, size_t length)
{
	unsigned port = 0;

	if (length == 0 || length > 5)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		port = 10 * port + (unsigned)(text[i] - '0');
	}
	target->port = (uint16_t)port;
	return port >= 1 && port <= UINT16_MAX;
}

/* Where the host ends: at the colon of a port, but those of an IPv6 address do not count. */
static size_t
host_length(const char *authority, size_t length)
{
	const char *bracket = memrchr(authority, ']', length);
	const char *from = bracket ? bracket : authority;
	const char *colon = memchr(from, ':', length - (size_t)(from - authority));

	return colon ? (size_t)(colon - authority) : length;
}

/* NULL, or what is wrong with what stands behind the scheme. */
static const char *
take_rest(struct fetch_target *target, const char *authority)
{
	size_t length = strcspn(authority, "/?#"), host = host_length(authority, length);

	target->port = target->is_secure ? HTTPS_PORT : HTTP_PORT;
	if (memchr(authority, '@', length))
		return "has a user or a password in it; remove it";
	if (!take_host(target, authority, host))
		return "has no host that can be asked; write https://HOST/PATH";
	if (host < length && !take_port(target, authority + host + 1, length - host - 1))
		return "has no valid port; write one from 1 to 65535, or none";
	if (strchr(authority, '#'))
		return "has a # and something behind it, which no server sees; remove it";
	return NULL;
}

static const char *
take_url(struct fetch_target *target, const char *url)
{
	static const char http[] = "http://", https[] = "https://";

	if (strlen(url) >= FETCH_URL)
		return "is too long; a URL has up to 2047 bytes here";
	if (!is_plain(url) || !strstr(url, "://"))
		return "is not a valid URL; write http://HOST/PATH or https://HOST/PATH";
	if (strncasecmp(url, http, strlen(http)) == 0)
		return take_rest(target, url + strlen(http));
	target->is_secure = strncasecmp(url, https, strlen(https)) == 0;
	return target->is_secure
	    ? take_rest(target, url + strlen(https))
	    : "begins neither with http:// nor with https://; write one of them";
}

bool
fetch_target_parse(struct fetch_target *target, const char *url, char error[256])
{
	const char *wrong;

	*target = (struct fetch_target){ 0 };
	wrong = take_url(target, url);
	if (wrong)
		snprintf(error, 256, "%s", wrong);
	return !wrong;
}

bool
fetch_is_url(const char *text, char error[256])
{
	struct fetch_target target;

	return fetch_target_parse(&target, text, error);
}

bool
fetch_url_host(const char *url, char host[254])
{
	struct fetch_target target;
	char ignored[256];

	if (!fetch_target_parse(&target, url, ignored))
		return false;
	memcpy(host, target.host, sizeof target.host);
	return true;
}

bool
fetch_is_secure(const char *url)
{
	struct fetch_target target;
	char ignored[256];

	return fetch_target_parse(&target, url, ignored) && target.is_secure;
}
