/*
 * Files of certificates or CRLs: PEM (RFC 7468) with any number of them, with text
 * between, or one in DER.  PEM is decoded in place, so that a large CRL is never in
 * memory twice.
 *
 * A label counts at the start of a line only, and a block ends with a line that repeats it, as
 * OpenSSL and Go have it: what a comment says of labels is text.
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
	/* One of them is a TRUSTED CERTIFICATE of OpenSSL's that is to be trusted for some purposes
	 * only, or for none.  The settings are not read; who trusts must not pass over them. */
	bool has_trust_settings;
};

/* Every block of this kind in the file, others are passed over.  False with one sentence
 * (a file without any is an error); wipe only after true. */
bool pem_load(struct pem_file *, const char *path, enum pem_kind, char error[PEM_ERROR]);
struct der pem_block(const struct pem_file *, size_t index);
void pem_wipe(struct pem_file *);

/* The same of a file that is in memory, whose contents are overwritten; *why reads after the file's name. */
bool pem_decode(struct pem_file *, enum pem_kind, const char **why);

/* ---- the blocks of a text, whatever they are ---- */

struct pem_text {
	const char *at, *end;
};
struct pem_part {
	const char *label;
	size_t label_bytes;
	struct der body; /* base64, perhaps with headers before it */
};

/* Whether it is in PEM; DER that happens to hold a label is not. */
bool pem_is_text(const void *, size_t bytes);
struct pem_text pem_over(const void *, size_t bytes);
/* False behind the last one, or with *why (reads after the file's name) if a block does not end; its
 * label is known then, too. */
bool pem_next(struct pem_text *, struct pem_part *, const char **why);
/* Decodes a body to storage that has its size, or to where it stands or before. */
bool pem_base64(struct der body, uint8_t *to, size_t *bytes);
/* Whether it is a TRUSTED CERTIFICATE; and of one that is decoded, cuts off the settings that OpenSSL
 * puts behind the certificate, and says whether they limit what it is trusted for. */
bool pem_is_trusted(const struct pem_part *);
bool pem_cut_settings(struct der *);

#endif
