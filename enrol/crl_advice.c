/* The places that certificates name, each told once. */
#include "enrol/crl_advice.h"

#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/fetch.h"
#include "enrol/crl_refresh.h"
#include "pki/crl_points.h"
#include "pki/pem.h"
#include "pki/x509.h"

enum { POINTS = 16 /* of one certificate */, ADVICE_MOST = 64 };

struct crl_advice {
	const struct crl_refresh_subject *subject;
	const char *url_key;
	FILE *out;
	char *told[ADVICE_MOST];
	size_t count;
};

static bool
has_it(const struct crl_advice *advice, const char *url)
{
	const struct conf_texts *urls = advice->subject->urls;

	for (size_t i = 0; i < urls->count; i++)
		if (strcmp(urls->items[i], url) == 0)
			return true;
	for (size_t i = 0; i < advice->count; i++)
		if (strcmp(advice->told[i], url) == 0)
			return true;
	return false;
}

/* A URL that may be fetched holds nothing that would hurt a terminal: libcurl refuses it. */
static void
tell(struct crl_advice *advice, struct der uri, const char *file)
{
	char error[256], *url = strndup((const char *)uri.data, uri.bytes);

	if (!url || strlen(url) != uri.bytes || !fetch_is_url(url, error) ||
	    advice->count == ADVICE_MOST || has_it(advice, url)) {
		free(url);
		return;
	}
	advice->told[advice->count++] = url;
	fprintf(advice->out, "%s: %s has a CRL, says a certificate in %s; it is not fetched\n",
	    advice->url_key, url, file);
}

static void
tell_file(struct crl_advice *advice, const char *path)
{
	struct pem_file file;
	struct x509 certificate;
	struct der uris[POINTS];
	char ignored[PEM_ERROR];
	const char *why;

	if (!pem_load(&file, path, PEM_CERTIFICATE, ignored))
		return;
	for (size_t i = 0; i < file.count; i++) {
		size_t count = x509_parse(&certificate, pem_block(&file, i), &why)
		    ? crl_points(&certificate, uris, POINTS)
		    : 0;

		for (size_t k = 0; k < count; k++)
			tell(advice, uris[k], path);
	}
	pem_wipe(&file);
}

void
crl_advice_print(const struct crl_refresh_subject *subject, const char *url_key, FILE *out)
{
	struct crl_advice advice = { .subject = subject, .url_key = url_key, .out = out };

	for (size_t i = 0; i < subject->cas->count; i++)
		tell_file(&advice, subject->cas->items[i]);
	while (advice.count > 0)
		free(advice.told[--advice.count]);
}
