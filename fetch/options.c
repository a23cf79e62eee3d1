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
#include "base/file.h"
#include "base/numbers.h"
#include "base/resolved.h"
#include "base/secret.h"
#include "fetch/job.h"

enum {
	CONNECT_MS = 10000, /* at most, of the deadline */
	SYSTEM_CAS_MOST = 8 << 20,
	RESOLVE_TEXT = 300 + RESOLVED_MOST * ADDRESS_TEXT,
	PIN_TEXT = 80,
};

static void
note(struct job *job, CURLcode code)
{
	if (job->transfer->set == CURLE_OK)
		job->transfer->set = (int)code;
}

static void
set_number(struct job *job, CURLoption option, long value)
{
	note(job, curl_easy_setopt(job->transfer->easy, option, value));
}

static void
set_pointer(struct job *job, CURLoption option, const void *value)
{
	note(job, curl_easy_setopt(job->transfer->easy, option, value));
}

static void
add_line(struct job *job, struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (more)
		*list = more;
	else
		note(job, CURLE_OUT_OF_MEMORY);
}

__attribute__((format(printf, 3, 4))) static void
add_header(struct job *job, bool is_given, const char *format, ...)
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
		note(job, CURLE_OUT_OF_MEMORY);
		return;
	}
	add_line(job, &job->transfer->headers, line);
	bytes_wipe(line, strlen(line));
	free(line);
}

/* Whom to connect to: the addresses that the daemon knows. */
static void
set_addresses(struct job *job)
{
	char line[RESOLVE_TEXT];

	snprintf(line, sizeof line, "+%s:%u:%s", job->contact.host, (unsigned)job->contact.port,
	    job->order.addresses ? job->order.addresses : "");
	if (job->order.addresses)
		add_line(job, &job->transfer->resolve, line);
	set_pointer(job, CURLOPT_RESOLVE, job->transfer->resolve);
}

static void
set_dial(struct job *job)
{
	char line[FETCH_URL];

	if (!job->order.request.dial)
		return;
	snprintf(line, sizeof line, "::%s", job->order.request.dial);
	add_line(job, &job->transfer->connect_to, line);
	set_pointer(job, CURLOPT_CONNECT_TO, job->transfer->connect_to);
}

/* ---- PEM texts, which libcurl on GnuTLS takes from files only ---- */

static void
set_file(
    struct job *job, CURLoption option, struct memory_file *file, const void *data, size_t bytes)
{
	if (memory_file_open(file, data, bytes))
		set_pointer(job, option, file->path);
	else
		note(job, CURLE_OUT_OF_MEMORY);
}

static void
set_proxy_cas(struct job *job)
{
	if (job->order.proxy_cas)
		set_file(job, CURLOPT_PROXY_CAINFO, &job->transfer->proxy_cas, job->order.proxy_cas,
		    strlen(job->order.proxy_cas));
}

/* Nothing of the environment; for SOCKS the proxy resolves the name. */
static void
set_proxy(struct job *job)
{
	static const char socks[] = "socks5://";
	char url[FETCH_URL];
	const char *given = job->order.proxy_url ? job->order.proxy_url : "";
	bool is_socks = strncasecmp(given, socks, strlen(socks)) == 0;

	snprintf(url, sizeof url, "%s%s", is_socks ? "socks5h://" : "",
	    is_socks ? given + strlen(socks) : given);
	set_pointer(job, CURLOPT_PROXY, url);
	set_pointer(job, CURLOPT_NOPROXY, "");
	set_number(job, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
	set_number(job, CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	if (job->order.proxy_user)
		set_pointer(job, CURLOPT_PROXYUSERNAME, job->order.proxy_user);
	if (job->order.proxy_password)
		set_pointer(job, CURLOPT_PROXYPASSWORD, job->order.proxy_password);
	set_proxy_cas(job);
}

/* The system's CAs and those of the request, one behind the other. */
static void
set_both(struct job *job)
{
	struct fetch_buffer all = { 0 };
	struct secret system = { 0 };
	char ignored[FILE_ERROR];
	bool has_all = true;

	if (file_read(&system, FETCH_SYSTEM_CAS, SYSTEM_CAS_MOST, ignored))
		has_all = fetch_buffer_append(&all, system.data, system.bytes) &&
		    fetch_buffer_append(&all, "\n", 1);
	has_all = has_all &&
	    fetch_buffer_append(&all, job->order.request.cas, strlen(job->order.request.cas));
	if (has_all)
		set_file(job, CURLOPT_CAINFO, &job->transfer->cas, all.data, all.bytes);
	else
		note(job, CURLE_OUT_OF_MEMORY);
	secret_wipe(&system);
	fetch_buffer_wipe(&all);
}

static void
set_given(struct job *job)
{
	const char *cas = job->order.request.cas;

	set_file(job, CURLOPT_CAINFO, &job->transfer->cas, cas, strlen(cas));
}

static void
set_pin(struct job *job)
{
	static const char head[] = "sha256//";
	char text[PIN_TEXT] = { 0 };

	memcpy(text, head, strlen(head));
	base64_encode_raw(text + strlen(head), FETCH_PIN, job->order.request.pin);
	set_pointer(job, CURLOPT_PINNEDPUBLICKEY, text);
}

static void
set_trust(struct job *job)
{
	const struct fetch_request *request = &job->order.request;
	bool is_judged =
	    request->trust == FETCH_TRUST_SYSTEM || request->trust == FETCH_TRUST_GIVEN;

	set_number(job, CURLOPT_SSL_VERIFYPEER, is_judged);
	set_number(job, CURLOPT_SSL_VERIFYHOST, request->trust == FETCH_TRUST_NOBODY ? 0 : 2);
	set_pointer(job, CURLOPT_CAPATH, NULL);
	switch (request->trust) {
	case FETCH_TRUST_SYSTEM:
		if (request->cas)
			set_both(job);
		else
			set_pointer(job, CURLOPT_CAINFO, FETCH_SYSTEM_CAS);
		break;
	case FETCH_TRUST_GIVEN:
		set_given(job);
		break;
	case FETCH_TRUST_PIN:
	case FETCH_TRUST_NOBODY:
		set_pointer(job, CURLOPT_CAINFO, NULL);
		break;
	}
	if (request->pin)
		set_pin(job);
}

static void
set_client(struct job *job)
{
	const struct fetch_request *request = &job->order.request;
	struct transfer *transfer = job->transfer;

	if (!request->certificate || !request->private_key)
		return;
	set_file(job, CURLOPT_SSLCERT, &transfer->certificate, request->certificate,
	    strlen(request->certificate));
	if (strstr(request->private_key, "-----BEGIN"))
		set_file(job, CURLOPT_SSLKEY, &transfer->key, request->private_key,
		    strlen(request->private_key));
	else /* a URL that the library was taught (keys/key_url.h) */
		set_pointer(job, CURLOPT_SSLKEY, request->private_key);
}

/* No session is remembered: a resumed one would not be judged.  And no connection: files of another
 * fetch may have had the same names. */
static void
set_tls(struct job *job)
{
	set_number(job, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	set_number(job, CURLOPT_SSL_SESSIONID_CACHE, 0);
	set_number(job, CURLOPT_FRESH_CONNECT, 1);
	set_number(job, CURLOPT_FORBID_REUSE, 1);
	set_number(job, CURLOPT_CERTINFO, job->order.request.wants_chain);
	set_trust(job);
	set_client(job);
}

/* ---- the request ---- */

static void
add_basic(struct job *job)
{
	const struct fetch_request *request = &job->order.request;
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
		add_header(job, true, "Authorization: Basic %s", coded.data);
	} else
		note(job, CURLE_OUT_OF_MEMORY);
	fetch_buffer_wipe(&plain);
	fetch_buffer_wipe(&coded);
}

static void
set_headers(struct job *job)
{
	const struct fetch_request *request = &job->order.request;

	for (size_t i = 0; request->headers[i]; i++)
		add_header(job, true, "%s", request->headers[i]);
	add_header(job, request->content_type, "Content-Type: %s", request->content_type);
	add_header(job, request->etag, "If-None-Match: %s", request->etag);
	add_header(job, request->last_modified, "If-Modified-Since: %s", request->last_modified);
	add_header(job, request->method == FETCH_POST, "Expect:");
	add_basic(job);
	set_pointer(job, CURLOPT_HTTPHEADER, job->transfer->headers);
}

static void
set_method(struct job *job)
{
	const struct fetch_request *request = &job->order.request;

	switch (request->method) {
	case FETCH_GET:
		set_number(job, CURLOPT_HTTPGET, 1);
		break;
	case FETCH_HEAD:
		set_number(job, CURLOPT_NOBODY, 1);
		break;
	case FETCH_POST:
		set_number(job, CURLOPT_POST, 1);
		set_pointer(job, CURLOPT_POSTFIELDS, request->body ? request->body : "");
		note(job,
		    curl_easy_setopt(job->transfer->easy, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)request->body_bytes));
		break;
	}
}

static void
set_bounds(struct job *job)
{
	uint64_t left = larger_of(difference(job->deadline_ms, clock_ms()), 1);

	set_number(job, CURLOPT_TIMEOUT_MS, (long)left);
	set_number(job, CURLOPT_CONNECTTIMEOUT_MS, (long)smaller_of(left, CONNECT_MS));
	note(job,
	    curl_easy_setopt(job->transfer->easy, CURLOPT_MAXFILESIZE_LARGE,
		(curl_off_t)job->order.request.answer_most));
}

int
options_set(struct job *job)
{
	set_number(job, CURLOPT_NOSIGNAL, 1);
	set_pointer(job, CURLOPT_PROTOCOLS_STR, "http,https");
	set_number(job, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	set_pointer(job, CURLOPT_USERAGENT, "valise/" VALISE_VERSION);
	set_pointer(job, CURLOPT_URL, job->url);
	set_addresses(job);
	set_dial(job);
	set_proxy(job);
	set_tls(job);
	set_method(job);
	set_headers(job);
	set_bounds(job);
	return job->transfer->set;
}

static void
free_list(struct curl_slist *list)
{
	for (struct curl_slist *at = list; at; at = at->next)
		bytes_wipe(at->data, strlen(at->data));
	curl_slist_free_all(list);
}

void
options_wipe(struct job *job)
{
	struct transfer *transfer = job->transfer;

	free_list(transfer->headers);
	free_list(transfer->resolve);
	free_list(transfer->connect_to);
	memory_file_close(&transfer->cas);
	memory_file_close(&transfer->proxy_cas);
	memory_file_close(&transfer->certificate);
	memory_file_close(&transfer->key);
}
