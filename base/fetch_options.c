/* What libcurl is told of a fetch: whom to connect to and to believe, and what to say. */
#define CURL_DISABLE_TYPECHECK /* it looks at constants, and options come in variables here */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <curl/curl.h>
#include <nettle/base64.h>

#include "base/clock.h"
#include "base/fetch_private.h"
#include "base/file.h"
#include "base/numbers.h"
#include "base/secret.h"

enum {
	CONNECT_MS = 10000, /* at most, of the deadline */
	SYSTEM_CAS_MOST = 8 << 20,
	RESOLVE_TEXT = 300 + RESOLVED_MOST * ADDRESS_TEXT,
	PIN_TEXT = 80,
};

static void
note(struct fetch *fetch, CURLcode code)
{
	if (fetch->transfer->set == CURLE_OK)
		fetch->transfer->set = (int)code;
}

static void
set_number(struct fetch *fetch, CURLoption option, long value)
{
	note(fetch, curl_easy_setopt(fetch->transfer->easy, option, value));
}

static void
set_pointer(struct fetch *fetch, CURLoption option, const void *value)
{
	note(fetch, curl_easy_setopt(fetch->transfer->easy, option, value));
}

static void
add_line(struct fetch *fetch, struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (more)
		*list = more;
	else
		note(fetch, CURLE_OUT_OF_MEMORY);
}

__attribute__((format(printf, 3, 4))) static void
add_header(struct fetch *fetch, bool is_given, const char *format, ...)
{
	va_list arguments;
	char *line = NULL;

	if (!is_given)
		return;
	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		line = NULL;
	va_end(arguments);
	if (!line) {
		note(fetch, CURLE_OUT_OF_MEMORY);
		return;
	}
	add_line(fetch, &fetch->transfer->headers, line);
	bytes_wipe(line, strlen(line));
	free(line);
}

/* Whom to connect to: the addresses that the resolver knows. */
static void
set_addresses(struct fetch *fetch)
{
	char line[RESOLVE_TEXT], text[ADDRESS_TEXT];
	size_t used = (size_t)snprintf(
	    line, sizeof line, "+%s:%u:", fetch->contact.host, (unsigned)fetch->contact.port);

	for (size_t i = 0; i < fetch->address_count; i++) {
		bool is_v6 = fetch->addresses[i].as.any.sa_family == AF_INET6;

		used += (size_t)snprintf(line + used, sizeof line - used, is_v6 ? "%s[%s]" : "%s%s",
		    i > 0 ? "," : "", address_host_text(&fetch->addresses[i], text));
	}
	if (fetch->address_count > 0)
		add_line(fetch, &fetch->transfer->resolve, line);
	set_pointer(fetch, CURLOPT_RESOLVE, fetch->transfer->resolve);
}

static void
set_dial(struct fetch *fetch)
{
	char line[FETCH_URL];

	if (!fetch->request.dial)
		return;
	snprintf(line, sizeof line, "::%s", fetch->request.dial);
	add_line(fetch, &fetch->transfer->connect_to, line);
	set_pointer(fetch, CURLOPT_CONNECT_TO, fetch->transfer->connect_to);
}

/* ---- PEM texts, which libcurl on GnuTLS takes from files only ---- */

static void
set_file(struct fetch *fetch, CURLoption option, struct memory_file *file, const void *data,
    size_t bytes)
{
	if (memory_file_open(file, data, bytes))
		set_pointer(fetch, option, file->path);
	else
		note(fetch, CURLE_OUT_OF_MEMORY);
}

static void
set_proxy_cas(struct fetch *fetch)
{
	if (fetch->proxy_cas)
		set_file(fetch, CURLOPT_PROXY_CAINFO, &fetch->transfer->proxy_cas, fetch->proxy_cas,
		    strlen(fetch->proxy_cas));
}

/* Nothing of the environment; for SOCKS the proxy resolves the name. */
static void
set_proxy(struct fetch *fetch)
{
	static const char socks[] = "socks5://";
	char url[FETCH_URL];
	const char *given = fetch->proxy_url ? fetch->proxy_url : "";
	bool is_socks = strncasecmp(given, socks, strlen(socks)) == 0;

	snprintf(url, sizeof url, "%s%s", is_socks ? "socks5h://" : "",
	    is_socks ? given + strlen(socks) : given);
	set_pointer(fetch, CURLOPT_PROXY, url);
	set_pointer(fetch, CURLOPT_NOPROXY, "");
	set_number(fetch, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	set_number(fetch, CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (fetch->proxy_user)
		set_pointer(fetch, CURLOPT_PROXYUSERNAME, fetch->proxy_user);
	if (fetch->proxy_password)
		set_pointer(fetch, CURLOPT_PROXYPASSWORD, fetch->proxy_password);
	set_proxy_cas(fetch);
}

/* The system's CAs and those of the request, one behind the other. */
static void
set_both(struct fetch *fetch)
{
	struct fetch_buffer all = { 0 };
	struct secret system = { 0 };
	char ignored[FILE_ERROR];
	bool has_all = true;

	if (file_read(&system, FETCH_SYSTEM_CAS, SYSTEM_CAS_MOST, ignored))
		has_all = fetch_buffer_append(&all, system.data, system.bytes) &&
		    fetch_buffer_append(&all, "\n", 1);
	has_all =
	    has_all && fetch_buffer_append(&all, fetch->request.cas, strlen(fetch->request.cas));
	if (has_all)
		set_file(fetch, CURLOPT_CAINFO, &fetch->transfer->cas, all.data, all.bytes);
	else
		note(fetch, CURLE_OUT_OF_MEMORY);
	secret_wipe(&system);
	fetch_buffer_wipe(&all);
}

static void
set_given(struct fetch *fetch)
{
	const char *cas = fetch->request.cas;

	set_file(fetch, CURLOPT_CAINFO, &fetch->transfer->cas, cas, strlen(cas));
}

static void
set_pin(struct fetch *fetch)
{
	static const char head[] = "sha256//";
	char text[PIN_TEXT] = { 0 };

	memcpy(text, head, strlen(head));
	base64_encode_raw(text + strlen(head), FETCH_PIN, fetch->request.pin);
	set_pointer(fetch, CURLOPT_PINNEDPUBLICKEY, text);
}

static void
set_trust(struct fetch *fetch)
{
	const struct fetch_request *request = &fetch->request;
	bool is_judged =
	    request->trust == FETCH_TRUST_SYSTEM || request->trust == FETCH_TRUST_GIVEN;

	set_number(fetch, CURLOPT_SSL_VERIFYPEER, is_judged);
	set_number(fetch, CURLOPT_SSL_VERIFYHOST, request->trust == FETCH_TRUST_NOBODY ? 0 : 2);
	set_pointer(fetch, CURLOPT_CAPATH, NULL);
	switch (request->trust) {
	case FETCH_TRUST_SYSTEM:
		if (request->cas)
			set_both(fetch);
		else
			set_pointer(fetch, CURLOPT_CAINFO, FETCH_SYSTEM_CAS);
		break;
	case FETCH_TRUST_GIVEN:
		set_given(fetch);
		break;
	case FETCH_TRUST_PIN:
	case FETCH_TRUST_NOBODY:
		set_pointer(fetch, CURLOPT_CAINFO, NULL);
		break;
	}
	if (request->pin)
		set_pin(fetch);
}

static void
set_client(struct fetch *fetch)
{
	const struct fetch_request *request = &fetch->request;
	struct transfer *transfer = fetch->transfer;

	if (!request->certificate || !request->private_key)
		return;
	set_file(fetch, CURLOPT_SSLCERT, &transfer->certificate, request->certificate,
	    strlen(request->certificate));
	if (strstr(request->private_key, "-----BEGIN"))
		set_file(fetch, CURLOPT_SSLKEY, &transfer->key, request->private_key,
		    strlen(request->private_key));
	else /* a URL that the library was taught (keys/key_url.h) */
		set_pointer(fetch, CURLOPT_SSLKEY, request->private_key);
}

/* No session is remembered: a resumed one would not be judged.  And no connection: files of another
 * fetch may have had the same names. */
static void
set_tls(struct fetch *fetch)
{
	set_number(fetch, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	set_number(fetch, CURLOPT_SSL_SESSIONID_CACHE, 0);
	set_number(fetch, CURLOPT_FRESH_CONNECT, 1);
	set_number(fetch, CURLOPT_FORBID_REUSE, 1);
	set_number(fetch, CURLOPT_CERTINFO, fetch->request.wants_chain);
	set_trust(fetch);
	set_client(fetch);
}

/* ---- the request ---- */

static void
add_basic(struct fetch *fetch)
{
	const struct fetch_request *request = &fetch->request;
	struct fetch_buffer plain = { 0 }, coded = { 0 };
	bool is_done;

	if (!request->user)
		return;
	is_done = fetch_buffer_append(&plain, request->user, strlen(request->user)) &&
	    fetch_buffer_append(&plain, ":", 1) &&
	    fetch_buffer_append(&plain, request->password ? request->password : "",
		request->password ? strlen(request->password) : 0);
	if (is_done && (coded.data = calloc(1, BASE64_ENCODE_RAW_LENGTH(plain.bytes) + 1))) {
		coded.bytes = BASE64_ENCODE_RAW_LENGTH(plain.bytes);
		base64_encode_raw(coded.data, plain.bytes, (const uint8_t *)plain.data);
		add_header(fetch, true, "Authorization: Basic %s", coded.data);
	} else
		note(fetch, CURLE_OUT_OF_MEMORY);
	fetch_buffer_wipe(&plain);
	fetch_buffer_wipe(&coded);
}

static void
set_headers(struct fetch *fetch)
{
	const struct fetch_request *request = &fetch->request;

	for (size_t i = 0; request->headers[i]; i++)
		add_header(fetch, true, "%s", request->headers[i]);
	add_header(fetch, request->content_type, "Content-Type: %s", request->content_type);
	add_header(fetch, request->etag, "If-None-Match: %s", request->etag);
	add_header(fetch, request->last_modified, "If-Modified-Since: %s", request->last_modified);
	add_header(fetch, request->method == FETCH_POST, "Expect:");
	add_basic(fetch);
	set_pointer(fetch, CURLOPT_HTTPHEADER, fetch->transfer->headers);
}

static void
set_method(struct fetch *fetch)
{
	const struct fetch_request *request = &fetch->request;

	switch (request->method) {
	case FETCH_GET:
		set_number(fetch, CURLOPT_HTTPGET, 1);
		break;
	case FETCH_HEAD:
		set_number(fetch, CURLOPT_NOBODY, 1);
		break;
	case FETCH_POST:
		set_number(fetch, CURLOPT_POST, 1);
		set_pointer(fetch, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		note(fetch,
		    curl_easy_setopt(fetch->transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)request->body_bytes));
		break;
	}
}

static void
set_bounds(struct fetch *fetch)
{
	uint64_t left = larger_of(difference(fetch->deadline_ms, clock_ms()), 1);

	set_number(fetch, CURLOPT_TIMEOUT_MS, (long)left);
	set_number(fetch, CURLOPT_CONNECTTIMEOUT_MS, (long)smaller_of(left, CONNECT_MS));
	note(fetch,
	    curl_easy_setopt(fetch->transfer->easy, CURLOPT_MAXFILESIZE_LARGE,
		(curl_off_t)fetch->request.answer_most));
}

int
fetch_options_set(struct fetch *fetch)
{
	set_number(fetch, CURLOPT_NOSIGNAL, 1);
	set_pointer(fetch, CURLOPT_PROTOCOLS_STR, "http,https");
	set_number(fetch, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	set_pointer(fetch, CURLOPT_USERAGENT, "valise/" VALISE_VERSION);
	set_pointer(fetch, CURLOPT_URL, fetch->url);
	set_addresses(fetch);
	set_dial(fetch);
	set_proxy(fetch);
	set_tls(fetch);
	set_method(fetch);
	set_headers(fetch);
	set_bounds(fetch);
	return fetch->transfer->set;
}

static void
free_list(struct curl_slist *list)
{
	for (struct curl_slist *at = list; at; at = at->next)
		bytes_wipe(at->data, strlen(at->data));
	curl_slist_free_all(list);
}

void
fetch_options_wipe(struct fetch *fetch)
{
	struct transfer *transfer = fetch->transfer;

	free_list(transfer->headers);
	free_list(transfer->resolve);
	free_list(transfer->connect_to);
	memory_file_close(&transfer->cas);
	memory_file_close(&transfer->proxy_cas);
	memory_file_close(&transfer->certificate);
	memory_file_close(&transfer->key);
}
