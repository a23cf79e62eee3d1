/* A proxy's keys, its password, and for whom it is. */
#include "base/fetch_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"

enum { PASSWORD_MOST = 1024, NO_PROXY_MOST = 256 };

/* ---- one value ---- */

static const char *const schemes[] = { "http://", "https://", "socks5://" };

/* What stands behind the scheme, a / at its end left out of *length; NULL: none that is known. */
static const char *
behind_scheme(const char *url, size_t *length)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t bytes = strlen(schemes[i]);

		if (strncasecmp(url, schemes[i], bytes) != 0)
			continue;
		*length = strlen(url + bytes);
		if (*length > 0 && url[bytes + *length - 1] == '/')
			--*length;
		return url + bytes;
	}
	return NULL;
}

static bool
split(const char *url, char host[254], uint16_t *port)
{
	char text[300];
	size_t length;
	const char *rest = behind_scheme(url, &length);

	if (!rest || length >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", (int)length, rest);
	return strcspn(text, "@/?# \t\"\\") == length && host_port_split(text, host, port);
}

static bool
is_url(const char *text, char error[256])
{
	char host[254];
	uint16_t port;

	if (split(text, host, &port))
		return true;
	snprintf(error, 256,
	    "is not a proxy; write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, and its "
	    "user and password in keys of their own");
	return false;
}

static bool
is_name(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < 254 &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
	    length;
}

static bool
is_exception(const char *text, char error[256])
{
	struct prefix prefix;

	if (prefix_parse_exact(&prefix, text) ||
	    (is_name(text) && !prefix_parse(&prefix, text) && strcmp(text, ".") != 0))
		return true;
	snprintf(error, 256,
	    "is neither a host nor a block of addresses; write example.net (which means all names "
	    "below it, too) or 192.0.2.0/24");
	return false;
}

static bool
is_username(const char *text, char error[256])
{
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == ':')
			text = "";
	if (text[0] != '\0' && strlen(text) < 256)
		return true;
	snprintf(error, 256,
	    "is not a user; give 1 to 255 bytes without a colon and control characters");
	return false;
}

static bool
is_path(const char *text, char error[256])
{
	if (text[0] != '\0')
		return true;
	snprintf(error, 256, "is not a valid path; name the file with the password");
	return false;
}

#define AT(member) offsetof(struct fetch_proxy_settings, member)

const struct conf_row fetch_proxy_rows[] = { { "url", CONF_TEXT, AT(url), .required = true,
						 .check = is_url, .mark_offset = AT(url_mark) },
	{ "username", CONF_TEXT, AT(username), .check = is_username,
	    .mark_offset = AT(username_mark) },
	{ "password_file", CONF_TEXT, AT(password_file), .check = is_path,
	    .mark_offset = AT(password_file_mark) },
	{ "no_proxy", CONF_TEXTS, AT(no_proxy), .check = is_exception }, { 0 } };

void
fetch_proxy_check(const struct fetch_proxy_settings *settings, struct conf_report *report)
{
	if (settings->password_file && !settings->username)
		conf_error(report, settings->password_file_mark,
		    "password_file without username; give the proxy's user, too");
	if (settings->username && !settings->password_file)
		conf_error(report, settings->username_mark,
		    "username without password_file; name the file with the password");
	if (settings->no_proxy.count > NO_PROXY_MOST)
		conf_error(report, settings->no_proxy.marks[NO_PROXY_MOST],
		    "no_proxy has %zu entries, and may have %d; join some",
		    settings->no_proxy.count, NO_PROXY_MOST);
}

const char *
fetch_proxy_warning(const struct fetch_proxy_settings *settings)
{
	if (!settings->username || !settings->url ||
	    strncasecmp(settings->url, "https://", strlen("https://")) == 0)
		return NULL;
	return "the password goes to the proxy in clear: whoever is on the way to it can read it; "
	       "use a proxy that takes https://, if there is one";
}

/* ---- the proxy ---- */

static bool
is_printable(const struct secret *password)
{
	for (size_t i = 0; i < password->bytes; i++)
		if (password->data[i] < 0x20 || password->data[i] == 0x7f)
			return false;
	return password->bytes > 0;
}

/* The first line, without its end. */
static bool
read_password(struct fetch_proxy *proxy, const char *path, char error[FILE_ERROR])
{
	struct secret *password = &proxy->password;

	if (!path)
		return true;
	if (!file_read_key(password, path, PASSWORD_MOST, error))
		return false;
	while (password->bytes > 0 && strchr("\r\n", password->data[password->bytes - 1]))
		password->data[--password->bytes] = '\0';
	if (is_printable(password))
		return true;
	snprintf(error, FILE_ERROR,
	    "%.300s: is not a password; write it as one line without control characters", path);
	return false;
}

static bool
add_exception(struct fetch_proxy *proxy, const char *text)
{
	if (prefix_parse(&proxy->blocks[proxy->block_count], text)) {
		proxy->block_count++;
		return true;
	}
	proxy->names[proxy->name_count] = strdup(text[0] == '.' ? text + 1 : text);
	return proxy->names[proxy->name_count++] != NULL;
}

static bool
copy_texts(struct fetch_proxy *proxy, const struct fetch_proxy_settings *settings)
{
	size_t count = settings->no_proxy.count;

	proxy->url = strdup(settings->url);
	proxy->username = settings->username ? strdup(settings->username) : NULL;
	proxy->names = calloc(count + 1, sizeof *proxy->names);
	proxy->blocks = calloc(count + 1, sizeof *proxy->blocks);
	if (!proxy->url || (settings->username && !proxy->username) || !proxy->names ||
	    !proxy->blocks)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!add_exception(proxy, settings->no_proxy.items[i]))
			return false;
	return split(settings->url, proxy->host, &proxy->port);
}

bool
fetch_proxy_load(
    const struct fetch_proxy_settings *settings, struct fetch_proxy **out, char error[FILE_ERROR])
{
	struct fetch_proxy *proxy;

	*out = NULL;
	if (!settings->url)
		return true;
	proxy = calloc(1, sizeof *proxy);
	snprintf(error, FILE_ERROR, "memory is short");
	if (proxy && copy_texts(proxy, settings) &&
	    read_password(proxy, settings->password_file, error)) {
		*out = proxy;
		return true;
	}
	fetch_proxy_free(proxy);
	return false;
}

void
fetch_proxy_free(struct fetch_proxy *proxy)
{
	if (!proxy)
		return;
	for (size_t i = 0; i < proxy->name_count; i++)
		free(proxy->names[i]);
	free(proxy->names);
	free(proxy->blocks);
	free(proxy->url);
	free(proxy->username);
	secret_wipe(&proxy->password);
	free(proxy);
}

static bool
is_below(const char *host, const char *name)
{
	size_t length = strlen(host), below = strlen(name);

	return length >= below && strcasecmp(host + length - below, name) == 0 &&
	    (length == below || host[length - below - 1] == '.');
}

bool
fetch_proxy_is_for(const struct fetch_proxy *proxy, const char *host)
{
	char text[300];
	struct address address;

	for (size_t i = 0; i < proxy->name_count; i++)
		if (is_below(host, proxy->names[i]))
			return false;
	snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:1" : "%s:1", host);
	if (!address_parse(&address, text))
		return true;
	for (size_t i = 0; i < proxy->block_count; i++)
		if (prefix_holds(&proxy->blocks[i], &address))
			return false;
	return true;
}
