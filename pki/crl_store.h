/*
 * CRLs that were fetched: a file for each URL in the directory crls of state_dir, as it came, PEM with any
 * number of CRLs or one in DER.  Trust sets that name the URL read it there (trust_sources.h), and see that
 * it has changed.
 *
 *	crl_store_put -> a judgement of the file at crl_store_new_path -> crl_store_adopt, or crl_store_drop
 *
 * What was put is in nobody's way until it is adopted.
 */
#ifndef PKI_CRL_STORE_H
#define PKI_CRL_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CRL_STORE_ERROR = 512 };

/* state_dir/crls/SHA-256 of the URL.crl; returns `path`. */
const char *crl_store_path(const char *state_dir, const char *url, char path[PATH_MAX]);

/* Where a newer one waits to be judged. */
const char *crl_store_new_path(const char *state_dir, const char *url, char path[PATH_MAX]);

/* The directory of all of them, which is made if need be and can be; returns `path`. */
const char *crl_store_folder(const char *state_dir, char path[PATH_MAX]);
/* Makes the directory if need be.  False with a sentence. */
bool crl_store_put(const char *state_dir, const char *url, const void *data, size_t bytes,
    char error[CRL_STORE_ERROR]);
/* It takes the place of the file; false with a sentence. */
bool crl_store_adopt(const char *state_dir, const char *url, char error[CRL_STORE_ERROR]);
void crl_store_drop(const char *state_dir, const char *url);

/* Of the file: when the first of its CRLs ends, and when that one began.  False if there is none that
 * can be read. */
bool crl_store_life(const char *state_dir, const char *url, int64_t *from_s, int64_t *until_s);
/* Whether the file consists of these bytes. */
bool crl_store_holds(const char *state_dir, const char *url, const void *data, size_t bytes);

#endif
