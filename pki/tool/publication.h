/*
 * What an authority publishes, as its front hands it out: CRLs and CA certificates from
 * cas/ and crls/ of the authority's directory, and EST's cacerts.
 *
 *	/crl/NAME.crl   the CRL of one CA, in DER
 *	/crl/NAME.pem   with those of the CAs above and below it, in PEM
 *	/ca/NAME.crt    one CA's certificate, in DER
 *	/ca/NAME.pem    with those of the CAs above it, in PEM
 *
 * Files are looked at with each request (a stat or two), read when they have changed, and
 * kept for the next; nothing lists them.
 *
 * Shared by:  all clients.
 * Bound:      PUBLICATIONS_MOST of them in memory.
 * Who leaves: the one that nobody has asked for for the longest time.
 */
#ifndef PKI_TOOL_PUBLICATION_H
#define PKI_TOOL_PUBLICATION_H

#include <stdbool.h>
#include <stddef.h>

enum { PUBLICATIONS_MOST = 64 };

struct der;
struct http_page;
struct http_request;
struct publications;

/* `directory` is borrowed.  NULL when memory is short. */
struct publications *publications_new(const char *directory);
void publications_free(struct publications *);

/* Whether the path is below one of the two, whatever is there. */
bool publication_is_path(const char *path);
/* Answers a GET of such a path, by ETag and If-Modified-Since (RFC 9110, 13) where it has them. */
void publication_answer(struct publications *, struct http_request *);

/* The answer to cacerts (RFC 7030, 4.1.3): the root and the CA of each role, but no customers'.
 * Borrowed until the next call; NULL with a sentence. */
struct http_page *publication_cacerts(struct publications *, const char **why);

/* Certificates as EST hands them out: a certs-only CMS in base64 (RFC 8951, 3).  NULL: memory is short. */
struct http_page *publication_certificates(
    const char *media_type, const struct der *certificates, size_t count);

#endif
