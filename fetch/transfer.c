/* One run of libcurl for a fetch: the bytes that come, how it ended, where it is sent on to. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/log.h"
#include "base/numbers.h"
#include "base/secret.h"
#include "fetch/job.h"

/* ---- libcurl's memory, which secrets pass through ---- */

static void
free_wiped(void *data)
{
	if (data)
		bytes_wipe(data, malloc_usable_size(data));
	free(data);
}

static void *
realloc_wiped(void *data, size_t bytes)
{
	size_t had = data ? malloc_usable_size(data) : 0;
	void *more;

	if (data && had >= bytes && bytes > 0)
		return data;
	more = malloc(bytes);
	if (!more)
		return NULL;
	if (data)
		memcpy(more, data, smaller_of(had, bytes));
	free_wiped(data);
	return more;
}

bool
transfer_init(void)
{
	return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, free_wiped, realloc_wiped, strdup,
		   calloc) == CURLE_OK;
}

/* ---- what comes ---- */

static size_t
on_body(char *data, size_t one, size_t bytes, void *arg)
{
	struct job *job = arg;

	(void)one;
	if (job->body.bytes + bytes > job->order.request.answer_most) {
		job->transfer->is_too_long = true;
		return 0;
	}
	return fetch_buffer_append(&job->body, data, bytes) ? bytes : 0;
}

/* Such a byte would begin another line for somebody to whom the value is shown again, as that of ETag is. */
static bool
has_control(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			return true;
	return false;
}

/* A line of a header, its end included.  An answer that comes before the real one, as "100 Continue",
 * begins anew. */
static size_t
on_header(char *data, size_t one, size_t bytes, void *arg)
{
	struct job *job = arg;
	size_t length = bytes;

	(void)one;
	job->header_bytes += bytes;
	while (length > 0 && data[length - 1] != '\0' && strchr(" \t\r\n", data[length - 1]))
		length--;
	job->transfer->is_too_long = job->header_bytes > FETCH_HEADERS;
	job->transfer->is_garbled = has_control(data, length);
	if (job->transfer->is_too_long || job->transfer->is_garbled)
		return 0;
	if (strncmp(data, "HTTP/", smaller_of(bytes, 5)) == 0)
		fetch_buffer_wipe(&job->headers);
	if (length == 0)
		return bytes;
	return fetch_buffer_append(&job->headers, data, length) &&
		fetch_buffer_append(&job->headers, "", 1)
	    ? bytes
	    : 0;
}

/* ---- begin ---- */

static bool
hear(struct job *job, CURL *easy)
{
	return !curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) &&
	    !curl_easy_setopt(easy, CURLOPT_WRITEDATA, job) &&
	    !curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) &&
	    !curl_easy_setopt(easy, CURLOPT_HEADERDATA, job) &&
	    !curl_easy_setopt(easy, CURLOPT_PRIVATE, job) &&
	    !curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->transfer->said);
}

/* NULL when memory is short. */
static struct transfer *
transfer_new(void)
{
	struct transfer *transfer = calloc(1, sizeof *transfer);

	if (!transfer)
		return NULL;
	transfer->cas.fd = transfer->certificate.fd = transfer->key.fd = transfer->proxy_cas.fd =
	    -1;
	transfer->easy = curl_easy_init();
	if (transfer->easy)
		return transfer;
	free(transfer);
	return NULL;
}

bool
transfer_begin(struct job *job, void *multi)
{
	int refused = CURLE_OUT_OF_MEMORY;

	job->transfer = transfer_new();
	if (job->transfer && hear(job, job->transfer->easy))
		refused = options_set(job);
	if (refused == CURLE_OK && curl_multi_add_handle(multi, job->transfer->easy) == CURLM_OK)
		return true;
	job_fail(job, FETCH_UNREACHABLE, "cannot be asked for: %s",
	    curl_easy_strerror(refused != CURLE_OK ? (CURLcode)refused : CURLE_OUT_OF_MEMORY));
	return false;
}

void
transfer_wipe(struct job *job, void *multi)
{
	struct transfer *transfer = job->transfer;

	if (!transfer)
		return;
	curl_multi_remove_handle(multi, transfer->easy);
	curl_easy_cleanup(transfer->easy);
	options_wipe(job);
	free(transfer);
	job->transfer = NULL;
}

/* ---- the end ---- */

/* What the server presented, also if it is not believed. */
static void
take_chain(struct job *job)
{
	static const char head[] = "Cert:";
	struct curl_certinfo *info = NULL;

	fetch_buffer_wipe(&job->chain);
	if (!job->order.request.wants_chain ||
	    curl_easy_getinfo(job->transfer->easy, CURLINFO_CERTINFO, &info) || !info)
		return;
	for (int i = 0; i < info->num_of_certs; i++)
		for (struct curl_slist *at = info->certinfo[i]; at; at = at->next) {
			const char *pem = at->data + strlen(head);

			if (strncmp(at->data, head, strlen(head)) != 0 ||
			    job->chain.bytes + strlen(pem) > FETCH_CHAIN)
				continue;
			fetch_buffer_append(&job->chain, pem, strlen(pem));
			fetch_buffer_append(&job->chain, "\n", 1);
		}
}

static enum fetch_outcome
outcome_of(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return FETCH_UNTRUSTED;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_FILESIZE_EXCEEDED:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_URL_MALFORMAT:
		return FETCH_REFUSED;
	default:
		return FETCH_UNREACHABLE;
	}
}

/* libcurl names only the file of the CAs, which is one of ours that nobody can see. */
static const char *
words_for(const struct transfer *transfer, CURLcode code)
{
	static const char unjudged[] = "server certificate verification failed";

	if (strncmp(transfer->said, unjudged, strlen(unjudged)) == 0)
		return "the server's certificate is not of a CA that is believed here, or not valid now";
	return transfer->said[0] != '\0' ? transfer->said : curl_easy_strerror(code);
}

static void
fail_as(struct job *job, CURLcode code)
{
	struct transfer *transfer = job->transfer;
	const char *said = words_for(transfer, code);
	char quoted[2 * CURL_ERROR_SIZE];

	if (transfer->is_too_long || code == CURLE_FILESIZE_EXCEEDED) {
		job_fail(job, FETCH_REFUSED,
		    "the answer is longer than the %zu bytes (its headers %d) that are read",
		    job->order.request.answer_most, FETCH_HEADERS);
		return;
	}
	if (transfer->is_garbled) {
		job_fail(
		    job, FETCH_REFUSED, "a header of the answer has a control character in it");
		return;
	}
	log_quote(quoted, sizeof quoted, said, (unsigned)strlen(said));
	job_fail(job, outcome_of(code), "%s", quoted);
}

static bool
is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Whether something of the caller's travels with it that nobody else may see. */
static bool
is_private(const struct fetch_request *request)
{
	return request->user || request->password || request->certificate || request->headers[0] ||
	    request->body;
}

/* NULL, or why it is not followed there. */
static const char *
fault_of(const struct job *job, const struct fetch_target *to)
{
	if (is_private(&job->order.request) || job->order.request.dial)
		return "which is not followed with what is sent along";
	if (job->order.request.method == FETCH_POST)
		return "which is followed for a GET only";
	if (job->redirects >= FETCH_REDIRECTS)
		return "and there were three before";
	if (job->target.is_secure && !to->is_secure)
		return "from https to http, which is not followed";
	if (strcasecmp(job->target.host, to->host) != 0)
		return "to another host, which is not followed; write that URL, if it is right";
	return NULL;
}

/* Begins anew at the other URL. */
static bool
follow(struct job *job, void *multi, const char *url, const struct fetch_target *to)
{
	char *copy = strdup(url);

	if (!copy) {
		job_fail(job, FETCH_UNREACHABLE, "memory is short");
		return false;
	}
	free(job->url);
	job->url = copy;
	if (!job->order.proxy_url) {
		memcpy(job->contact.host, to->host, sizeof to->host);
		job->contact.port = to->port;
	}
	job->target = *to;
	job->redirects++;
	transfer_wipe(job, multi);
	fetch_buffer_wipe(&job->headers);
	fetch_buffer_wipe(&job->body);
	return transfer_begin(job, multi);
}

/* False: a redirect is followed. */
static bool
end_redirected(struct job *job, void *multi)
{
	struct fetch_target to;
	char *url = NULL, quoted[FETCH_URL], why[256];
	const char *fault = "to nowhere";

	curl_easy_getinfo(job->transfer->easy, CURLINFO_REDIRECT_URL, &url);
	if (url)
		fault = fetch_target_parse(&to, url, why) ? fault_of(job, &to) : why;
	if (!fault)
		return !follow(job, multi, url, &to);
	log_quote(quoted, sizeof quoted, url ? url : "", url ? (unsigned)strlen(url) : 0);
	job_fail(job, FETCH_REFUSED, "answers with a redirect (status %u) to \"%.300s\": %s",
	    job->status, quoted, fault);
	return true;
}

bool
transfer_end(struct job *job, void *multi, int code)
{
	long status = 0;

	take_chain(job);
	if (code != CURLE_OK) {
		fail_as(job, (CURLcode)code);
		return true;
	}
	curl_easy_getinfo(job->transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	job->status = (unsigned)status;
	job->outcome = FETCH_ANSWERED;
	return !is_redirect(job->status) || end_redirected(job, multi);
}
