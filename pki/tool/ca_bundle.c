/* Reads all CA certificates, finds who is above and below whom, and joins the files. */
#include "pki/tool/ca_bundle.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "pki/pem.h"
#include "pki/x509.h"

enum { NAME_MOST = 72, LEVELS_MOST = 8 };

static const char suffix[] = ".crt";

struct published_ca {
	char name[NAME_MOST];
	struct pem_file file;
	struct x509 facts; /* alias the file */
};

struct published_cas {
	struct published_ca *list;
	size_t count;
};

static bool
take_name(char out[NAME_MOST], const char *file)
{
	size_t length = strlen(file), behind = sizeof suffix - 1;

	if (length <= behind || length - behind >= NAME_MOST ||
	    strcmp(file + length - behind, suffix) != 0)
		return false;
	memcpy(out, file, length - behind);
	out[length - behind] = '\0';
	return true;
}

static bool
add(struct published_cas *cas, const char *directory, const char *file)
{
	struct published_ca *more, one;
	char path[PATH_MAX], error[PEM_ERROR];
	const char *why;

	if (!take_name(one.name, file))
		return true;
	snprintf(path, sizeof path, "%s/cas/%s", directory, file);
	if (!pem_load(&one.file, path, PEM_CERTIFICATE, error))
		return false;
	more = realloc(cas->list, (cas->count + 1) * sizeof *more);
	if (more)
		cas->list = more;
	if (!more || !x509_parse(&one.facts, pem_block(&one.file, 0), &why)) {
		pem_wipe(&one.file);
		return false;
	}
	cas->list[cas->count++] = one;
	return true;
}

static bool
read_all(struct published_cas *cas, const char *directory)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool done = true;
	DIR *dir;

	snprintf(path, sizeof path, "%s/cas", directory);
	dir = opendir(path);
	while (dir && done && (entry = readdir(dir)))
		done = add(cas, directory, entry->d_name);
	if (dir)
		closedir(dir);
	return dir && done;
}

static const struct published_ca *
issuer_of_ca(const struct published_cas *cas, const struct published_ca *of)
{
	for (size_t i = 0; i < cas->count; i++)
		if (&cas->list[i] != of && x509_names_issuer(&of->facts, &cas->list[i].facts))
			return &cas->list[i];
	return NULL;
}

/* Whether `above` is above `ca`, or the same. */
static bool
is_above(const struct published_cas *cas, const struct published_ca *above,
    const struct published_ca *ca)
{
	for (int level = 0; ca && level < LEVELS_MOST; level++) {
		if (ca == above)
			return true;
		ca = issuer_of_ca(cas, ca);
	}
	return false;
}

static bool
append(struct secret *out, const char *directory, enum ca_bundle_kind kind, const char *name)
{
	char path[PATH_MAX], error[FILE_ERROR];
	struct secret file;
	uint8_t *more;

	snprintf(path, sizeof path, kind == CA_BUNDLE_CRLS ? "%s/crls/%s.crl" : "%s/cas/%s.crt",
	    directory, name);
	/* A sub-CA whose key is a customer's own has no CRL until that is imported. */
	if (!file_stamp_of(path).exists)
		return true;
	if (!file_read(&file, path, PEM_CRL_BYTES, error))
		return false;
	more = realloc(out->data, out->bytes + file.bytes + 1);
	if (more) {
		memcpy(more + out->bytes, file.data, file.bytes + 1);
		*out = (struct secret){ more, out->bytes + file.bytes };
	}
	secret_wipe(&file);
	return more != NULL;
}

static const struct published_ca *
find(const struct published_cas *cas, const char *name)
{
	for (size_t i = 0; i < cas->count; i++)
		if (strcmp(cas->list[i].name, name) == 0)
			return &cas->list[i];
	return NULL;
}

static bool
join(const struct published_cas *cas, const struct published_ca *ca, const char *directory,
    enum ca_bundle_kind kind, struct secret *out)
{
	for (size_t i = 0; kind == CA_BUNDLE_CRLS && i < cas->count; i++)
		if (&cas->list[i] != ca && is_above(cas, ca, &cas->list[i]) &&
		    !append(out, directory, kind, cas->list[i].name))
			return false;
	for (int level = 0; ca && level < LEVELS_MOST; level++) {
		if (!append(out, directory, kind, ca->name))
			return false;
		ca = issuer_of_ca(cas, ca);
	}
	return true;
}

bool
ca_bundle_read(
    const char *directory, const char *name, enum ca_bundle_kind kind, struct secret *out)
{
	struct published_cas cas = { 0 };
	const struct published_ca *ca;
	bool done = read_all(&cas, directory);

	*out = (struct secret){ 0 };
	ca = done ? find(&cas, name) : NULL;
	done = ca && join(&cas, ca, directory, kind, out);
	if (!done)
		secret_wipe(out);
	for (size_t i = 0; i < cas.count; i++)
		pem_wipe(&cas.list[i].file);
	free(cas.list);
	return done;
}
