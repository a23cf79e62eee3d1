/* A proxy's keys, its password, and for whom it is. */
#include "base/fetch_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"

enum {
	PASSWORD_MOST = 1024,
	SOCKS_PASSWORD_MOST = 255, /* RFC 1929 */
	NO_PROXY_MOST = 256,
	CAS_MOST = 8 << 20,
	URL_TEXT = 300,
};

static const char environment[] = "environment";

/* ---- one value ---- */

static const char *const schemes[] = { [FETCH_PROXY_HTTP] = "http://",
	[FETCH_PROXY_HTTPS] = "https://",
	[FETCH_PROXY_SOCKS5] = "socks5://" };

/* What stands behind the scheme; NULL: none that is known. */
static const char *
behind_scheme(const char *url, enum fetch_proxy_kind *kind)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t bytes = strlen(schemes[i]);

		if (strncasecmp(url, schemes[i], bytes) != 0)
			continue;
		*kind = (enum fetch_proxy_kind)i;
		return url + bytes;
	}
	return NULL;
}

/* "host:port", or with a / behind it. */
static bool
split_place(const char *place, char host[254], uint16_t *port)
{
	char text[URL_TEXT];
	size_t length = strlen(place);

	if (length > 0 && place[length - 1] == '/')
		length--;
	if (length >= sizeof text)
		return false;
	snprintf(text, sizeof text, "%.*s", (int)length, place);
	return strcspn(text, "@/?# \t\"\\") == length && host_port_split(text, host, port);
}

static bool
split(const char *url, enum fetch_proxy_kind *kind, char host[254], uint16_t *port)
{
	const char *place = behind_scheme(url, kind);

	return place && split_place(place, host, port);
}

static bool
is_url(const char *text, char error[256])
{
	enum fetch_proxy_kind kind;
	char host[254];
	uint16_t port;

	if (strcmp(text, environment) == 0 || split(text, &kind, host, &port))
		return true;
	snprintf(error, 256,
	    "is not a proxy; write http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT, and its "
	    "user and password in keys of their own, or environment");
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
	{ "cas", CONF_TEXTS, AT(cas), .check = is_path },
	{ "no_proxy", CONF_TEXTS, AT(no_proxy), .check = is_exception }, { 0 } };

bool
fetch_proxy_is_value(const char *key, const char *text, char error[256])
{
	const struct conf_row *row = fetch_proxy_rows;

	while (strcmp(row->key, key) != 0)
		row++;
	return row->check(text, error);
}

static bool
is_of_environment(const struct fetch_proxy_settings *settings)
{
	return settings->url && strcmp(settings->url, environment) == 0;
}

/* What the environment says itself. */
static void
check_environment(const struct fetch_proxy_settings *settings, struct conf_report *report)
{
	if (settings->username)
		conf_error(report, settings->username_mark,
		    "username with url: environment; a proxy of the environment has its user in its URL "
		    "there");
	if (settings->no_proxy.count > 0)
		conf_error(report, settings->no_proxy.marks[0],
		    "no_proxy with url: environment; the variable no_proxy counts there");
}

void
fetch_proxy_check(const struct fetch_proxy_settings *settings, struct conf_report *report)
{
	enum fetch_proxy_kind kind;

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
	if (is_of_environment(settings))
		check_environment(settings, report);
	else if (settings->cas.count > 0 && settings->url && behind_scheme(settings->url, &kind) &&
	    kind != FETCH_PROXY_HTTPS)
		conf_error(report, settings->cas.marks[0],
		    "cas is for a proxy of https://, and this is %s", settings->url);
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
	if (!is_printable(password))
		snprintf(error, FILE_ERROR,
		    "%.300s: is not a password; write it as one line without control characters",
		    path);
	else if (proxy->kind == FETCH_PROXY_SOCKS5 && password->bytes > SOCKS_PASSWORD_MOST)
		snprintf(error, FILE_ERROR,
		    "%.300s: is longer than %d bytes, which is the most that SOCKS5 takes", path,
		    SOCKS_PASSWORD_MOST);
	else
		return true;
	return false;
}

/* One file behind the other. */
static bool
read_cas(struct fetch_proxy *proxy, const struct conf_texts *files, char error[FILE_ERROR])
{
	for (size_t i = 0; i < files->count; i++) {
		struct secret one, all;
		size_t before = proxy->cas.bytes;

		if (!file_read(&one, files->items[i], CAS_MOST, error))
			return false;
		all.bytes = before + one.bytes + 1;
		all.data = calloc(1, all.bytes + 1);
		if (all.data) {
			if (before > 0)
				memcpy(all.data, proxy->cas.data, before);
			memcpy(all.data + before, one.data, one.bytes);
			all.data[all.bytes - 1] = '\n';
		}
		secret_wipe(&one);
		secret_wipe(&proxy->cas);
		proxy->cas = all.data ? all : (struct secret){ 0 };
		if (!all.data)
			return false;
	}
	return true;
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
reserve_exceptions(struct fetch_proxy *proxy, size_t count)
{
	proxy->names = calloc(count + 1, sizeof *proxy->names);
	proxy->blocks = calloc(count + 1, sizeof *proxy->blocks);
	return proxy->names && proxy->blocks;
}

/* False when memory is short, or if it is no place. */
static bool
take_place(struct fetch_proxy *proxy, const char *place)
{
	bool is_v6;

	if (!split_place(place, proxy->host, &proxy->port))
		return false;
	is_v6 = strchr(proxy->host, ':') != NULL;
	if (asprintf(&proxy->url, "%s%s%s%s:%u", schemes[proxy->kind], is_v6 ? "[" : "",
		proxy->host, is_v6 ? "]" : "", (unsigned)proxy->port) < 0)
		proxy->url = NULL;
	return proxy->url != NULL;
}

static bool
take_settings(
    struct fetch_proxy *proxy, const struct fetch_proxy_settings *settings, char error[FILE_ERROR])
{
	const char *place = behind_scheme(settings->url, &proxy->kind);
	size_t count = settings->no_proxy.count;

	if (!place || !take_place(proxy, place) || !reserve_exceptions(proxy, count))
		return false;
	proxy->username = settings->username ? strdup(settings->username) : NULL;
	if (settings->username && !proxy->username)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!add_exception(proxy, settings->no_proxy.items[i]))
			return false;
	return read_password(proxy, settings->password_file, error);
}

/* ---- that of the environment ---- */

/* The value of the first of these that has one, and its name. */
static const char *
look_up(const char *const *names, const char **name)
{
	for (; *names; names++) {
		const char *value = getenv(*names);

		*name = *names;
		if (value && value[0] != '\0')
			return value;
	}
	return NULL;
}

static int
hex_of(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = digit != '\0' ? strchr(digits, digit | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Undoes %xx in place (RFC 3986, 2.1); false if there is a NUL, or something else that is not one. */
static bool
undo_percent(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex_of(from[1]);
		low = high >= 0 ? hex_of(from[2]) : -1;
		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return true;
}

/* "user:password" or "user" of a URL, which is changed. */
static bool
take_user(struct fetch_proxy *proxy, char *text)
{
	char *colon = strchr(text, ':'), ignored[256];
	const char *password = colon ? colon + 1 : "";
	size_t most = proxy->kind == FETCH_PROXY_SOCKS5 ? SOCKS_PASSWORD_MOST : PASSWORD_MOST;

	if (colon) {
		*colon = '\0';
		if (!undo_percent(colon + 1))
			return false;
	}
	if (!undo_percent(text) || !is_username(text, ignored) || strlen(password) > most)
		return false;
	proxy->username = strdup(text);
	if (!proxy->username || !secret_init(&proxy->password, password, strlen(password) + 1))
		return false;
	proxy->password.bytes--; /* the NUL is behind it */
	return proxy->password.bytes == 0 || is_printable(&proxy->password);
}

/* A URL as others write it: the scheme may be missing, and socks5h:// is what socks5:// is here. */
static bool
take_variable(struct fetch_proxy *proxy, char *value)
{
	static const char remote[] = "socks5h://";
	char *place, *at;

	if (strncasecmp(value, remote, strlen(remote)) == 0) {
		proxy->kind = FETCH_PROXY_SOCKS5;
		place = value + strlen(remote);
	} else if (!(place = (char *)(uintptr_t)behind_scheme(value, &proxy->kind))) {
		proxy->kind = FETCH_PROXY_HTTP;
		place = value;
		if (strstr(value, "://"))
			return false;
	}
	at = strrchr(place, '@');
	if (at)
		*at = '\0';
	return (!at || take_user(proxy, place)) && take_place(proxy, at ? at + 1 : place);
}

/* An entry of no_proxy; false when memory is short. */
static bool
take_variable_exception(struct fetch_proxy *proxy, const char *text)
{
	char ignored[256];

	if (strncmp(text, "*.", 2) == 0)
		text++;
	return !is_exception(text, ignored) || add_exception(proxy, text);
}

static bool
take_variable_exceptions(struct fetch_proxy *proxy, const char *list)
{
	char *copy = strdup(list), *next = copy;
	bool is_fine = copy && reserve_exceptions(proxy, NO_PROXY_MOST);

	for (size_t i = 0; is_fine && next && i < NO_PROXY_MOST; i++) {
		char *entry = strsep(&next, ",");

		entry += strspn(entry, " \t");
		entry[strcspn(entry, " \t")] = '\0';
		is_fine = take_variable_exception(proxy, entry);
	}
	free(copy);
	return is_fine;
}

static const char *const url_names[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
	NULL };

bool
fetch_proxy_is_ignored(
    const struct fetch_proxy_settings *settings, char sentence[FETCH_PROXY_IGNORED])
{
	const char *name;

	if (settings->url || !look_up(url_names, &name))
		return false;
	snprintf(sentence, FETCH_PROXY_IGNORED,
	    "the variable %s is set, and nothing here goes by it; write agent.proxy: %s (--proxy) if "
	    "relays are to be reached by that proxy",
	    name, environment);
	return true;
}

/* *is_none: there is none, or it is for nothing. */
static bool
take_environment(struct fetch_proxy *proxy, bool *is_none, char error[FILE_ERROR])
{
	static const char *const exception_names[] = { "no_proxy", "NO_PROXY", NULL };
	const char *name, *ignored, *value = look_up(url_names, &name);
	const char *exceptions = look_up(exception_names, &ignored);
	char *copy;
	bool is_fine;

	*is_none = !value || (exceptions && strcmp(exceptions, "*") == 0);
	if (*is_none)
		return true;
	copy = strdup(value);
	if (!copy)
		return false;
	is_fine = take_variable(proxy, copy);
	bytes_wipe(copy, strlen(value));
	free(copy);
	if (!is_fine)
		snprintf(error, FILE_ERROR,
		    "the variable %s is not a proxy; write http://USER:PASSWORD@HOST:PORT, https:// or "
		    "socks5://, with %%XX for what a URL cannot have",
		    name);
	return is_fine && take_variable_exceptions(proxy, exceptions ? exceptions : "");
}

/* ---- its life ---- */

bool
fetch_proxy_load(
    const struct fetch_proxy_settings *settings, struct fetch_proxy **out, char error[FILE_ERROR])
{
	struct fetch_proxy *proxy;
	bool is_none = false, is_fine;

	*out = NULL;
	if (!settings->url)
		return true;
	proxy = calloc(1, sizeof *proxy);
	snprintf(error, FILE_ERROR, "memory is short");
	is_fine = proxy &&
	    (is_of_environment(settings) ? take_environment(proxy, &is_none, error)
					 : take_settings(proxy, settings, error)) &&
	    read_cas(proxy, &settings->cas, error);
	if (is_fine && !is_none) {
		*out = proxy;
		return true;
	}
	fetch_proxy_free(proxy);
	return is_fine;
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
	secret_wipe(&proxy->cas);
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

static bool
is_same_secret(const struct secret *a, const struct secret *b)
{
	return a->bytes == b->bytes && (a->bytes == 0 || secret_equals(a, b->data, b->bytes));
}

static bool
has_same_exceptions(const struct fetch_proxy *a, const struct fetch_proxy *b)
{
	if (a->name_count != b->name_count || a->block_count != b->block_count)
		return false;
	for (size_t i = 0; i < a->name_count; i++)
		if (strcmp(a->names[i], b->names[i]) != 0)
			return false;
	for (size_t i = 0; i < a->block_count; i++)
		if (!prefix_equals(&a->blocks[i], &b->blocks[i]))
			return false;
	return true;
}

bool
fetch_proxy_equals(const struct fetch_proxy *a, const struct fetch_proxy *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a->url, b->url) == 0 && !a->username == !b->username &&
	    (!a->username || strcmp(a->username, b->username) == 0) &&
	    is_same_secret(&a->password, &b->password) && is_same_secret(&a->cas, &b->cas) &&
	    has_same_exceptions(a, b);
}

const char *
fetch_proxy_warning(const struct fetch_proxy *proxy)
{
	if (!proxy || !proxy->username || proxy->kind == FETCH_PROXY_HTTPS)
		return NULL;
	return "the password goes to the proxy in clear: whoever is on the way to it can read it; "
	       "use a proxy that takes https://, if there is one";
}
