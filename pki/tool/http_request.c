/* Requests as values, their bounded bodies, and answers. */
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "pki/tool/http_private.h"

struct http_page {
	unsigned holders;
	struct MHD_Response *response;
};

/* ---- pages ---- */

struct http_page *
http_page_new(const char *type, const void *data, size_t bytes)
{
	struct http_page *page = calloc(1, sizeof *page);

	if (!page)
		return NULL;
	page->holders = 1;
	page->response =
	    MHD_create_response_from_buffer(bytes, (void *)(uintptr_t)data, MHD_RESPMEM_MUST_COPY);
	if (page->response && (!type || http_page_add(page, "Content-Type", type)))
		return page;
	http_page_release(page);
	return NULL;
}

bool
http_page_add(struct http_page *page, const char *name, const char *value)
{
	return MHD_add_response_header(page->response, name, value) == MHD_YES;
}

struct http_page *
http_page_hold(struct http_page *page)
{
	page->holders++;
	return page;
}

void
http_page_release(struct http_page *page)
{
	if (!page || --page->holders > 0)
		return;
	if (page->response)
		MHD_destroy_response(page->response);
	free(page);
}

/* ---- what a request says ---- */

const char *
http_request_method(const struct http_request *request)
{
	return request->method;
}

const char *
http_request_path(const struct http_request *request)
{
	return request->path;
}

const char *
http_request_header(const struct http_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

struct der
http_request_body(const struct http_request *request)
{
	return (struct der){ request->body.data, request->body.bytes };
}

const struct address *
http_request_client(const struct http_request *request)
{
	return &request->connection->client;
}

static gnutls_session_t
session_of(const struct http_request *request)
{
	return MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)
	    ->tls_session;
}

size_t
http_request_chain(const struct http_request *request, struct der chain[HTTP_CHAIN_MOST])
{
	unsigned count = 0;
	const gnutls_datum_t *shown = gnutls_certificate_get_peers(session_of(request), &count);

	if (!shown)
		return 0;
	if (count > HTTP_CHAIN_MOST)
		count = HTTP_CHAIN_MOST;
	for (unsigned i = 0; i < count; i++)
		chain[i] = (struct der){ shown[i].data, shown[i].size };
	return count;
}

bool
http_request_is_bound(const struct http_request *request)
{
	gnutls_session_t session = session_of(request);

	return gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3 ||
	    gnutls_session_ext_master_secret_status(session) != 0;
}

/* ---- bodies ---- */

uint64_t
http_request_announces(const struct http_request *request)
{
	const char *length = http_request_header(request, "Content-Length");
	uint64_t bytes = 0;

	return length && number_parse(length, &bytes) ? bytes : 0;
}

static bool
make_room(struct http_request *request, size_t bytes)
{
	size_t room = request->body_room ? request->body_room : 1024;
	uint8_t *more;

	while (room < bytes)
		room *= 2;
	if (room == request->body_room)
		return true;
	/* Not realloc(): what is left behind may be a secret. */
	more = malloc(room);
	if (!more)
		return false;
	if (request->body.bytes > 0)
		memcpy(more, request->body.data, request->body.bytes);
	bytes = request->body.bytes;
	secret_wipe(&request->body);
	request->body = (struct secret){ more, bytes };
	request->body_room = room;
	return true;
}

bool
http_request_take(struct http_request *request, const char *data, size_t bytes)
{
	if (request->is_too_long || request->body.bytes + bytes > HTTP_BODY_MOST) {
		request->is_too_long = true;
		secret_wipe(&request->body);
		request->dropped += bytes;
		return request->dropped <= HTTP_REST_MOST;
	}
	if (!make_room(request, request->body.bytes + bytes))
		return false;
	memcpy(request->body.data + request->body.bytes, data, bytes);
	request->body.bytes += bytes;
	return true;
}

void
http_request_free(struct http_request *request)
{
	if (!request)
		return;
	if (request->connection->request == request)
		request->connection->request = NULL;
	http_page_release(request->page);
	secret_wipe(&request->body);
	free(request->path);
	free(request);
}

/* ---- answers ---- */

void
http_answer_too_long(struct http_request *request)
{
	static const char sentence[] = "The body is too long: 32 KiB are enough.\n";
	struct http_page *page = http_page_new("text/plain", sentence, sizeof sentence - 1);

	http_answer(request, MHD_HTTP_CONTENT_TOO_LARGE, page);
	http_page_release(page);
}

enum MHD_Result
http_request_tell(struct http_request *request)
{
	enum MHD_Result result;

	if (!request->page)
		return MHD_NO;
	result = MHD_queue_response(request->mhd, request->status, request->page->response);
	http_page_release(request->page);
	request->page = NULL;
	return result;
}
