/* PEM blocks found, told apart and decoded in place. */
#include "pki/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

#include "base/file.h"

static const char BEGIN[] = "-----BEGIN ", END[] = "-----END ", DASHES[] = "-----";

static const struct kind {
	const char *what;
	const char *labels[3];
	size_t most_bytes;
} kinds[] = {
	[PEM_CERTIFICATE] = { "certificate", { "CERTIFICATE", "X509 CERTIFICATE", NULL },
	    PEM_CERTIFICATE_BYTES },
	[PEM_CRL] = { "CRL", { "X509 CRL", "CRL", NULL }, PEM_CRL_BYTES },
};

/* A place in the text that is read. */
struct text {
	char *at, *end;
};

static char *
find(struct text text, const char *what)
{
	return !text.at ? NULL : memmem(text.at, (size_t)(text.end - text.at), what, strlen(what));
}

static bool
has_label(enum pem_kind kind, const char *label, size_t bytes)
{
	for (const char *const *l = kinds[kind].labels; *l; l++)
		if (strlen(*l) == bytes && memcmp(*l, label, bytes) == 0)
			return true;
	return false;
}

static bool
add_place(struct pem_file *file, size_t at, size_t bytes)
{
	if ((file->count & (file->count - 1)) == 0) { /* grows at powers of two */
		size_t room = file->count == 0 ? 1 : 2 * file->count;
		struct pem_place *more = realloc(file->places, room * sizeof *more);
		if (!more)
			return false;
		file->places = more;
	}
	file->places[file->count++] = (struct pem_place){ at, bytes };
	return true;
}

/* The value of a letter of base64 and a bit that says that it is one. */
enum { IS_SEXTET = 0x40 };
/* clang-format off */
static const uint8_t sextets[256] = {
	['A'] = 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89,
	['a'] = 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111,
	112, 113, 114, 115,
	['0'] = 116, 117, 118, 119, 120, 121, 122, 123, 124, 125,
	['+'] = 126, ['/'] = 127,
};
/* clang-format on */

/* Whole groups of four letters up to anything else; returns the end of what was written. */
static uint8_t *
decode_groups(struct text *body, uint8_t *to)
{
	for (; body->end - body->at >= 4; body->at += 4, to += 3) {
		const uint8_t *in = (const uint8_t *)body->at;
		uint32_t a = sextets[in[0]], b = sextets[in[1]], c = sextets[in[2]],
			 d = sextets[in[3]];
		if (!(a & b & c & d & IS_SEXTET))
			break;
		uint32_t octets = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
		to[0] = (uint8_t)(octets >> 16);
		to[1] = (uint8_t)(octets >> 8);
		to[2] = (uint8_t)octets;
	}
	return to;
}

/* Decodes base64 to `to`, which is at or before it in the same storage.  The lines are done
 * by decode_groups(), as they are most of the time that a large CRL takes; what is left, line
 * ends, padding and what is wrong, by nettle. */
static bool
decode_body(struct text body, uint8_t *to, size_t *bytes)
{
	struct base64_decode_ctx base64;
	uint8_t *end = to;
	int got = 0;
	base64_decode_init(&base64);
	while (got >= 0 && body.at < body.end) {
		if (base64.bits == 0 && base64.padding == 0)
			end = decode_groups(&body, end);
		if (body.at < body.end &&
		    (got = base64_decode_single(&base64, end, *body.at++)) > 0)
			end++;
	}
	*bytes = (size_t)(end - to);
	return got >= 0 && base64_decode_final(&base64);
}

static const char *
decode_blocks(struct pem_file *file, enum pem_kind kind)
{
	struct text rest = { (char *)file->storage.data,
		(char *)file->storage.data + file->storage.bytes };
	size_t kept = 0;
	for (rest.at = find(rest, BEGIN); rest.at; rest.at = find(rest, BEGIN)) {
		rest.at += strlen(BEGIN);
		char *label = rest.at, *label_end = find(rest, DASHES);
		struct text body = { !label_end ? NULL : label_end + strlen(DASHES), rest.end };
		body.end = find(body, END);
		if (!body.end)
			return "has a PEM block without an end";
		rest.at = body.end + strlen(END);
		if (!has_label(kind, label, (size_t)(label_end - label)))
			continue;
		size_t bytes;
		if (!decode_body(body, file->storage.data + kept, &bytes))
			return "has a PEM block that is not base64";
		if (file->count == PEM_BLOCKS)
			return "has too many PEM blocks";
		if (!add_place(file, kept, bytes))
			return "cannot be read: memory is short";
		kept += bytes;
	}
	uint8_t *less = kept == 0 ? NULL : realloc(file->storage.data, kept);
	if (less)
		file->storage = (struct secret){ less, kept };
	return NULL;
}

bool
pem_decode(struct pem_file *file, enum pem_kind kind, const char **why)
{
	struct secret *storage = &file->storage;
	struct text all = { (char *)storage->data, (char *)storage->data + storage->bytes };
	*why = NULL;
	bool is_der = storage->bytes > 1 && storage->data[0] == DER_SEQUENCE &&
	    (storage->data[1] & 0x80 || !find(all, BEGIN));
	if (!is_der)
		*why = decode_blocks(file, kind);
	else if (!add_place(file, 0, storage->bytes))
		*why = "cannot be read: memory is short";
	if (!*why && file->count == 0)
		*why = kind == PEM_CRL ? "holds no CRL" : "holds no certificate";
	return !*why;
}

bool
pem_load(struct pem_file *file, const char *path, enum pem_kind kind, char error[PEM_ERROR])
{
	const char *why;
	*file = (struct pem_file){ 0 };
	if (!file_read(&file->storage, path, kinds[kind].most_bytes, error))
		return false;
	if (pem_decode(file, kind, &why))
		return true;
	snprintf(error, PEM_ERROR, "%.300s %s; it must hold a %s in PEM or DER", path, why,
	    kinds[kind].what);
	pem_wipe(file);
	return false;
}

struct der
pem_block(const struct pem_file *file, size_t index)
{
	return (
	    struct der){ file->storage.data + file->places[index].at, file->places[index].bytes };
}

void
pem_wipe(struct pem_file *file)
{
	secret_wipe(&file->storage);
	free(file->places);
	*file = (struct pem_file){ 0 };
}
