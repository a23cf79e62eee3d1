/*
 * Files of certificates or CRLs: PEM (RFC 7468) with any number of them, with text
 * between, or one in DER.  PEM is decoded in place, so that a large CRL is never in
 * memory twice.
 */
#ifndef PKI_PEM_H
#define PKI_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "pki/der.h"

enum pem_kind { PEM_CERTIFICATE, PEM_CRL };

enum {
	PEM_ERROR = 512,
	PEM_BLOCKS = 4096,               /* in one file */
	PEM_CERTIFICATE_BYTES = 8 << 20, /* of a file of certificates */
	PEM_CRL_BYTES = 256 << 20,       /* of a file of CRLs */
};

struct pem_place {
	size_t at, bytes;
};

struct pem_file {
	struct secret storage;
	size_t count;
	struct pem_place *places;
};

/* Every block of this kind in the file, others are passed over.  False with one sentence
 * (a file without any is an error); wipe only after true. */
bool pem_load(struct pem_file *, const char *path, enum pem_kind, char error[PEM_ERROR]);
struct der pem_block(const struct pem_file *, size_t index);
void pem_wipe(struct pem_file *);

/* The same of a file that is in memory, whose contents are overwritten; *why reads after the file's name. */
bool pem_decode(struct pem_file *, enum pem_kind, const char **why);

#endif
