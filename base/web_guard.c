/* Host, Origin and Sec-Fetch-Site of a request. */
#include "base/web_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include "base/conf.h"

static const char host_missing[] =
    "The request has no Host, or one that is neither a name nor an address.\n";
static const char host_strange[] =
    "This name is not one of localhost, a loopback address and admin.http_hosts: another page's name may "
    "lead here by its DNS. Use a loopback address, or list the name.\n";
static const char origin_strange[] =
    "The page of another origin asks: what is told here is for this host's administrators. Open the address "
    "itself.\n";

/* A port is digits, and as many as one likes, as nobody connects to it. */
static bool
is_port(const char *text)
{
	return *text == '\0' || (*text == ':' && text[1 + strspn(text + 1, "0123456789")] == '\0');
}

static bool
take(const char *from, size_t bytes, char host[WEB_GUARD_HOST])
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";

	if (bytes > 0 && from[bytes - 1] == '.')
		bytes--;
	if (bytes == 0 || bytes >= WEB_GUARD_HOST || strspn(from, allowed) < bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		host[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] | 0x20) : from[i];
	host[bytes] = '\0';
	return true;
}

bool
web_guard_host(const char *header, char host[WEB_GUARD_HOST])
{
	bool is_v6 = header[0] == '[';
	const char *begin = header + is_v6, *end = begin + strcspn(begin, is_v6 ? "]" : ":");

	if (is_v6 && *end != ']')
		return false;
	return take(begin, (size_t)(end - begin), host) && is_port(end + is_v6);
}

bool
web_guard_is_local(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcmp(host, "localhost") == 0;
}

static bool
is_listed(const char *host, const struct conf_texts *hosts)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (strcasecmp(hosts->items[i], host) == 0)
			return true;
	return false;
}

/* An origin is SCHEME://HOST[:PORT], or null where a page hides it. */
static bool
is_own_origin(const char *origin, const char *host)
{
	static const char *const schemes[] = { "http://", "https://" };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strncasecmp(origin, schemes[i], strlen(schemes[i])) == 0)
			return strcasecmp(origin + strlen(schemes[i]), host) == 0;
	return false;
}

const char *
web_guard_refusal(const struct web_guard_header *header, const struct conf_texts *hosts)
{
	char host[WEB_GUARD_HOST];

	if (hosts) {
		if (!header->host || !web_guard_host(header->host, host))
			return host_missing;
		if (!web_guard_is_local(host) && !is_listed(host, hosts))
			return host_strange;
	}
	if (header->fetch_site && strcmp(header->fetch_site, "same-origin") != 0 &&
	    strcmp(header->fetch_site, "none") != 0)
		return origin_strange;
	if (header->origin && !is_own_origin(header->origin, header->host ? header->host : ""))
		return origin_strange;
	return NULL;
}
