/* Files of CRLs to a list of what the CRLs say of themselves. */
#include "pki/crl_catalogue.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "pki/crl.h"
#include "pki/pem.h"

struct crl_catalogue {
	char **files;
	size_t file_count;
	struct crl_listing *listings;
	size_t count;
};

static bool
has_file(const struct crl_catalogue *catalogue, const char *file)
{
	for (size_t i = 0; i < catalogue->file_count; i++)
		if (strcmp(catalogue->files[i], file) == 0)
			return true;
	return false;
}

static struct der
copy(struct der fact)
{
	uint8_t *data = malloc(fact.bytes + 1);
	if (data && fact.bytes > 0)
		memcpy(data, fact.data, fact.bytes);
	return (struct der){ data, fact.bytes };
}

static void
wipe_listing(struct crl_listing *listing)
{
	free((void *)listing->issuer.data);
	free((void *)listing->authority_key.data);
	free((void *)listing->number.data);
}

static bool
add_listing(struct crl_catalogue *catalogue, const struct crl *crl, const char *file, size_t block)
{
	struct crl_listing *more =
	    realloc(catalogue->listings, (catalogue->count + 1) * sizeof *more);
	if (!more)
		return false;
	catalogue->listings = more;
	struct crl_listing *listing = &more[catalogue->count++];
	*listing = (struct crl_listing){ .issuer = copy(crl_issuer(crl)),
		.authority_key = copy(crl_authority_key(crl)),
		.number = copy(crl_number(crl)),
		.this_update = crl_this_update(crl),
		.next_update = crl_next_update(crl),
		.file = file,
		.block = block };
	return listing->issuer.data && listing->authority_key.data && listing->number.data;
}

/* False only when memory is short. */
static bool
list_file(struct crl_catalogue *catalogue, const char *path)
{
	char error[PEM_ERROR];
	const char *why;
	struct pem_file file;
	bool done = true;
	char *name = catalogue->files[catalogue->file_count] = strdup(path);
	if (!name)
		return false;
	catalogue->file_count++;
	if (!pem_load(&file, path, PEM_CRL, error))
		return true;
	for (size_t i = 0; done && i < file.count; i++) {
		struct der der = pem_block(&file, i);
		struct crl *crl = crl_parse(der.data, der.bytes, &why);
		done = !crl || add_listing(catalogue, crl, name, i);
		crl_free(crl);
	}
	pem_wipe(&file);
	return done;
}

struct crl_catalogue *
crl_catalogue_new(const char *const *files, size_t count)
{
	struct crl_catalogue *catalogue = calloc(1, sizeof *catalogue);
	bool done = catalogue && (catalogue->files = calloc(count + 1, sizeof(char *)));
	for (size_t i = 0; done && i < count; i++)
		done = has_file(catalogue, files[i]) || list_file(catalogue, files[i]);
	if (done)
		return catalogue;
	crl_catalogue_free(catalogue);
	return NULL;
}

void
crl_catalogue_free(struct crl_catalogue *catalogue)
{
	if (!catalogue)
		return;
	for (size_t i = 0; i < catalogue->count; i++)
		wipe_listing(&catalogue->listings[i]);
	for (size_t i = 0; i < catalogue->file_count; i++)
		free(catalogue->files[i]);
	free(catalogue->listings);
	free(catalogue->files);
	free(catalogue);
}

const struct crl_listing *
crl_catalogue_at(const struct crl_catalogue *catalogue, size_t index)
{
	return index < catalogue->count ? &catalogue->listings[index] : NULL;
}
