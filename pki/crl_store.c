/* Files named by the digest of a URL. */
#include "pki/crl_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "base/file.h"
#include "base/units.h"
#include "pki/crl.h"
#include "pki/pem.h"

static const char *
path_of(const char *state_dir, const char *url, const char *ending, char path[PATH_MAX])
{
	char hex[2 * SHA256_DIGEST_SIZE + 1];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;
	sha256_init(&sha);
	sha256_update(&sha, strlen(url), (const uint8_t *)url);
	sha256_digest(&sha, sizeof digest, digest);
	snprintf(path, PATH_MAX, "%s/crls/%s.%s", state_dir, hex_encode(hex, digest, sizeof digest),
	    ending);
	return path;
}

const char *
crl_store_path(const char *state_dir, const char *url, char path[PATH_MAX])
{
	return path_of(state_dir, url, "crl", path);
}

const char *
crl_store_new_path(const char *state_dir, const char *url, char path[PATH_MAX])
{
	return path_of(state_dir, url, "new", path);
}

const char *
crl_store_folder(const char *state_dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/crls", state_dir);
	errno = 0;
	mkdir(path, 0755);
	return path;
}

bool
crl_store_put(const char *state_dir, const char *url, const void *data, size_t bytes,
    char error[CRL_STORE_ERROR])
{
	char path[PATH_MAX];

	crl_store_folder(state_dir, path);
	if (errno == 0 || errno == EEXIST)
		return file_write(
		    crl_store_new_path(state_dir, url, path), 0644, data, bytes, error);
	snprintf(error, CRL_STORE_ERROR, "%.300s cannot be made: %s; let this user write there",
	    path, strerror(errno));
	return false;
}

bool
crl_store_adopt(const char *state_dir, const char *url, char error[CRL_STORE_ERROR])
{
	char from[PATH_MAX], to[PATH_MAX];
	crl_store_new_path(state_dir, url, from);
	crl_store_path(state_dir, url, to);
	if (rename(from, to) == 0)
		return true;
	snprintf(error, CRL_STORE_ERROR, "%.300s cannot be replaced: %s", to, strerror(errno));
	return false;
}

void
crl_store_drop(const char *state_dir, const char *url)
{
	char path[PATH_MAX];
	unlink(crl_store_new_path(state_dir, url, path));
}

bool
crl_store_life(const char *state_dir, const char *url, int64_t *from_s, int64_t *until_s)
{
	char path[PATH_MAX], ignored[PEM_ERROR];
	const char *why;
	struct pem_file file;
	bool is_known = false;
	if (!pem_load(&file, crl_store_path(state_dir, url, path), PEM_CRL, ignored))
		return false;
	for (size_t i = 0; i < file.count; i++) {
		struct der der = pem_block(&file, i);
		struct crl *crl = crl_parse(der.data, der.bytes, &why);
		if (crl && (!is_known || crl_next_update(crl) < *until_s)) {
			*from_s = crl_this_update(crl);
			*until_s = crl_next_update(crl);
			is_known = true;
		}
		crl_free(crl);
	}
	pem_wipe(&file);
	return is_known;
}

bool
crl_store_holds(const char *state_dir, const char *url, const void *data, size_t bytes)
{
	char path[PATH_MAX], ignored[FILE_ERROR];
	struct secret held = { 0 };
	bool is_same = file_read(&held, crl_store_path(state_dir, url, path), bytes, ignored) &&
	    held.bytes == bytes && memcmp(held.data, data, bytes) == 0;
	secret_wipe(&held);
	return is_same;
}
