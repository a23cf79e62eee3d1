/* What was asked: copied, taken apart, wiped. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/fetch_private.h"
#include "base/fetch_proxy.h"
#include "base/secret.h"

enum { USUAL_MOST = 1 << 20, USUAL_MS = 30000, LONGEST_HOST = 253 };

/* ---- buffers ---- */

bool
fetch_buffer_append(struct fetch_buffer *buffer, const void *data, size_t bytes)
{
	size_t room = buffer->room > 0 ? buffer->room : 1024;
	char *more;

	while (room < buffer->bytes + bytes + 1)
		room *= 2;
	if (room > buffer->room) {
		more = malloc(room);
		if (!more)
			return false;
		if (buffer->data)
			memcpy(more, buffer->data, buffer->bytes);
		if (buffer->data)
			bytes_wipe(buffer->data, buffer->bytes);
		free(buffer->data);
		buffer->data = more;
		buffer->room = room;
	}
	if (bytes > 0)
		memcpy(buffer->data + buffer->bytes, data, bytes);
	buffer->bytes += bytes;
	buffer->data[buffer->bytes] = '\0';
	return true;
}

void
fetch_buffer_wipe(struct fetch_buffer *buffer)
{
	if (buffer->data)
		bytes_wipe(buffer->data, buffer->bytes);
	free(buffer->data);
	*buffer = (struct fetch_buffer){ 0 };
}

/* ---- URLs ---- */

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

/* Without the brackets of an IPv6 address. */
static bool
take_host(struct fetch_target *target, const char *host)
{
	size_t length = strlen(host);

	if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
		host++;
		length -= 2;
	}
	if (length == 0 || length > LONGEST_HOST)
		return false;
	snprintf(target->host, sizeof target->host, "%.*s", (int)length, host);
	target->is_literal = is_address(target->host);
	return true;
}

/* NULL, or what is wrong with this part. */
static const char *
take_parts(struct fetch_target *target, CURLU *url)
{
	char *scheme = NULL, *host = NULL, *port = NULL, *other = NULL;
	const char *wrong = NULL;

	if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		wrong = "begins neither with http:// nor with https://; write one of them";
	else if (curl_url_get(url, CURLUPART_HOST, &host, 0) || !take_host(target, host))
		wrong = "has no host that can be asked; write https://HOST/PATH";
	else if (curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) || atoi(port) < 1 ||
	    atoi(port) > UINT16_MAX)
		wrong = "has no valid port; write one from 1 to 65535, or none";
	else if (!curl_url_get(url, CURLUPART_USER, &other, 0) ||
	    !curl_url_get(url, CURLUPART_PASSWORD, &other, 0))
		wrong = "has a user or a password in it; remove it";
	else if (!curl_url_get(url, CURLUPART_FRAGMENT, &other, 0))
		wrong = "has a # and something behind it, which no server sees; remove it";
	if (!wrong) {
		target->is_secure = strcmp(scheme, "https") == 0;
		target->port = (uint16_t)atoi(port);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(other);
	return wrong;
}

bool
fetch_target_parse(struct fetch_target *target, const char *text, char error[256])
{
	static const char no_url[] =
	    "is not a valid URL; write http://HOST/PATH or https://HOST/PATH";
	const char *wrong = no_url;
	CURLU *url;

	*target = (struct fetch_target){ 0 };
	if (strlen(text) >= FETCH_URL)
		wrong = "is too long; a URL has up to 2047 bytes here";
	else if (!is_plain(text) || !strstr(text, "://"))
		wrong = no_url; /* libcurl would guess a scheme */
	else if (!(url = curl_url()))
		wrong = "cannot be read: memory is short";
	else {
		if (!curl_url_set(url, CURLUPART_URL, text, 0))
			wrong = take_parts(target, url);
		curl_url_cleanup(url);
	}
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

/* ---- copies ---- */

/* NULL stays NULL. */
static bool
copy(const char **text, const char *from)
{
	*text = from ? strdup(from) : NULL;
	return !from || *text;
}

static size_t
count_of(const char *const *texts)
{
	size_t count = 0;

	while (texts && texts[count])
		count++;
	return count;
}

static bool
copy_headers(struct fetch_request *request, const char *const *from)
{
	size_t count = count_of(from);
	const char **headers = calloc(count + 1, sizeof *headers);

	request->headers = headers;
	for (size_t i = 0; headers && i < count; i++)
		if (!copy(&headers[i], from[i]))
			return false;
	return headers != NULL;
}

static bool
copy_body(struct fetch_request *request, const struct fetch_request *from)
{
	char *body = from->body ? malloc(from->body_bytes + 1) : NULL;

	request->body = body;
	request->body_bytes = body ? from->body_bytes : 0;
	if (body)
		memcpy(body, from->body, from->body_bytes);
	return body || !from->body;
}

static bool
copy_all(struct fetch *fetch, const struct fetch_request *from)
{
	struct fetch_request *to = &fetch->request;

	*to = (struct fetch_request){ .method = from->method,
		.trust = from->trust,
		.wants_chain = from->wants_chain,
		.answer_most = from->answer_most > 0 ? from->answer_most : USUAL_MOST };
	if (from->pin) {
		memcpy(fetch->pin, from->pin, sizeof fetch->pin);
		to->pin = fetch->pin;
	}
	return copy(&to->url, from->url) && copy(&to->content_type, from->content_type) &&
	    copy_body(to, from) && copy_headers(to, from->headers) && copy(&to->cas, from->cas) &&
	    copy(&to->certificate, from->certificate) &&
	    copy(&to->private_key, from->private_key) && copy(&to->user, from->user) &&
	    copy(&to->password, from->password) && copy(&to->dial, from->dial) &&
	    copy(&to->etag, from->etag) && copy(&to->last_modified, from->last_modified);
}

static void
wipe(const char **text)
{
	char *owned = (char *)*text;

	if (owned)
		bytes_wipe(owned, strlen(owned));
	free(owned);
	*text = NULL;
}

static void
wipe_all(struct fetch_request *request)
{
	const char **texts[] = { &request->url, &request->content_type, &request->cas,
		&request->certificate, &request->private_key, &request->user, &request->password,
		&request->dial, &request->etag, &request->last_modified };
	const char **headers = (const char **)request->headers;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		wipe(texts[i]);
	for (size_t i = 0; headers && headers[i]; i++)
		wipe(&headers[i]);
	free(headers);
	if (request->body)
		bytes_wipe((void *)request->body, request->body_bytes);
	free((void *)request->body);
	*request = (struct fetch_request){ 0 };
}

void
fetch_request_wipe(struct fetch *fetch)
{
	wipe_all(&fetch->request);
	wipe((const char **)&fetch->proxy_url);
	wipe((const char **)&fetch->proxy_cas);
	wipe((const char **)&fetch->proxy_user);
	wipe((const char **)&fetch->proxy_password);
	free(fetch->url);
	fetch->url = NULL;
}

/* ---- what is meant ---- */

bool
fetch_request_is_private(const struct fetch_request *request)
{
	return request->user || request->password || request->certificate || request->headers[0] ||
	    request->body;
}

/* What would give a secret away is our own mistake, and is refused all the same. */
static void
check(struct fetch *fetch)
{
	const struct fetch_request *request = &fetch->request;
	bool has_secret = request->user || request->password || request->certificate;

	if (has_secret && !fetch->target.is_secure)
		fetch_fail(fetch, FETCH_REFUSED,
		    "a password or a certificate goes by https only; write https://");
	else if (has_secret && request->trust == FETCH_TRUST_NOBODY)
		fetch_fail(fetch, FETCH_REFUSED,
		    "a password or a certificate goes to nobody who was not judged");
	else if ((request->trust == FETCH_TRUST_PIN && !request->pin) ||
	    (request->trust == FETCH_TRUST_GIVEN && !request->cas))
		fetch_fail(fetch, FETCH_REFUSED, "there is nothing to believe its server by");
}

/* False when memory is short. */
static bool
take_proxy(struct fetch *fetch, const struct fetch_proxy *proxy)
{
	if (!proxy || !fetch_proxy_is_for(proxy, fetch->target.host))
		return true;
	fetch->contact = (struct fetch_target){ .port = proxy->port };
	take_host(&fetch->contact, proxy->host);
	return copy((const char **)&fetch->proxy_url, proxy->url) &&
	    copy((const char **)&fetch->proxy_cas, (const char *)proxy->cas.data) &&
	    copy((const char **)&fetch->proxy_user, proxy->username) &&
	    copy((const char **)&fetch->proxy_password, (const char *)proxy->password.data);
}

static void
take_dial(struct fetch *fetch, const char *dial)
{
	char host[254];
	uint16_t port;

	if (!dial)
		return;
	if (!host_port_split(dial, host, &port) || !take_host(&fetch->contact, host))
		fetch_fail(fetch, FETCH_REFUSED, "\"%.200s\" is no host:port to connect to", dial);
	fetch->contact.port = port;
}

bool
fetch_request_take(struct fetch *fetch, const struct fetch_request *from)
{
	uint64_t ms = from->deadline_ms > 0 ? from->deadline_ms : USUAL_MS;
	char why[256];

	fetch->deadline_ms = clock_ms() + ms;
	if (!copy_all(fetch, from) || !(fetch->url = strdup(from->url)))
		return false;
	if (!fetch_target_parse(&fetch->target, fetch->url, why)) {
		fetch_fail(fetch, FETCH_REFUSED, "%s", why);
		return true;
	}
	fetch->contact = fetch->target;
	take_dial(fetch, from->dial);
	check(fetch);
	return take_proxy(fetch, from->proxy);
}
