/* What is valid in the rows of a daemon's HTTP. */
#include "base/web_rows.h"

#include <stdio.h>
#include <string.h>
#include "base/address.h"
#include "base/web_guard.h"

static bool
is_address(const char *text, struct address *address)
{
	return address_parse(address, text) && address->as.any.sa_family != AF_UNIX;
}

/* It tells all to whoever asks. */
bool
web_rows_is_http(const char *text, char error[256])
{
	char host[ADDRESS_TEXT];
	struct address address;

	if (is_address(text, &address) && web_guard_is_local(address_host_text(&address, host)))
		return true;
	snprintf(error, 256,
	    "is not a loopback address with a port, and whoever reaches it is told everything; write "
	    "127.0.0.1:9180 or \"[::1]:9180\"");
	return false;
}

bool
web_rows_is_health(const char *text, char error[256])
{
	struct address address;

	if (is_address(text, &address))
		return true;
	snprintf(error, 256,
	    "is not a valid address to listen on; write ADDRESS:PORT, as \"[::]:9181\"");
	return false;
}

bool
web_rows_is_host(const char *text, char error[256])
{
	char host[WEB_GUARD_HOST];

	if (web_guard_host(text, host) && strcmp(host, text) == 0)
		return true;
	snprintf(error, 256,
	    "is not a valid name of a host; write what stands between http:// and the port, in "
	    "lower case");
	return false;
}

void
web_rows_check(const struct web_settings *settings, struct conf_report *report)
{
	if (settings->http_hosts.count > 0 && !settings->http)
		conf_error(report, settings->http_hosts_mark,
		    "admin.http_hosts is for admin.http, which is missing; add that, or remove this");
	if (settings->http && settings->health && strcmp(settings->http, settings->health) == 0)
		conf_error(report, settings->health_mark,
		    "'%s' is the address of admin.http, too; write another port", settings->health);
}

static bool
is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool
web_rows_equal(const struct web_settings *a, const struct web_settings *b)
{
	bool same = is_same(a->http, b->http) && is_same(a->health, b->health) &&
	    a->http_hosts.count == b->http_hosts.count;

	for (size_t i = 0; same && i < a->http_hosts.count; i++)
		same = strcmp(a->http_hosts.items[i], b->http_hosts.items[i]) == 0;
	return same;
}
