/* PEM blocks found, told apart and decoded in place. */
#include "pki/pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

#include "base/file.h"

static const char BEGIN[] = "-----BEGIN ", END[] = "-----END ", DASHES[] = "-----";
#define TRUSTED_LABEL "TRUSTED CERTIFICATE"

static const struct kind {
	const char *what;
	const char *labels[4];
	size_t most_bytes;
} kinds[] = {
	[PEM_CERTIFICATE] = { "certificate",
	    { "CERTIFICATE", "X509 CERTIFICATE", TRUSTED_LABEL, NULL }, PEM_CERTIFICATE_BYTES },
	[PEM_CRL] = { "CRL", { "X509 CRL", "CRL", NULL }, PEM_CRL_BYTES },
};

/* ---- blocks ---- */

/* The next `what` at the start of a line; `from` is at one if it is `start`. */
static const char *
find_line(const char *start, const char *from, const char *end, const char *what)
{
	const char *at = from;
	while ((at = memmem(at, (size_t)(end - at), what, strlen(what)))) {
		if (at == start || (at > from && (at[-1] == '\n' || at[-1] == '\r')))
			return at;
		at++;
	}
	return NULL;
}

static const char *
end_of_line(const char *at, const char *end)
{
	while (at < end && *at != '\n' && *at != '\r')
		at++;
	return at;
}

static bool
is_blank(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at == end;
}

bool
pem_is_text(const void *data, size_t bytes)
{
	const uint8_t *octets = data;
	struct pem_text text = pem_over(data, bytes);
	bool is_der = bytes > 1 && octets[0] == DER_SEQUENCE && octets[1] & 0x80;
	return !is_der && text.at && find_line(text.at, text.at, text.end, BEGIN);
}

/* A byte order mark is no part of the first line. */
struct pem_text
pem_over(const void *data, size_t bytes)
{
	const char *at = data;
	size_t mark = bytes >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	return (struct pem_text){ bytes ? at + mark : NULL, bytes ? at + bytes : NULL };
}

/* The line that ends the block, or NULL; *why unless it repeats the label and nothing else. */
static const char *
find_end(const struct pem_text *text, const struct pem_part *part, const char **why)
{
	const char *end = find_line(NULL, (const char *)part->body.data, text->end, END);
	if (!end) {
		*why = "has a PEM block without an end";
		return NULL;
	}
	const char *label = end + strlen(END), *stop = end_of_line(label, text->end);
	if ((size_t)(stop - label) < part->label_bytes + strlen(DASHES) ||
	    memcmp(label, part->label, part->label_bytes) != 0 ||
	    memcmp(label + part->label_bytes, DASHES, strlen(DASHES)) != 0)
		*why = "has a PEM block that ends with another label";
	else if (!is_blank(label + part->label_bytes + strlen(DASHES), stop))
		*why = "has something behind the end of a PEM block, on the same line";
	return end;
}

bool
pem_next(struct pem_text *text, struct pem_part *part, const char **why)
{
	*why = NULL;
	for (;;) {
		const char *begin =
		    !text->at ? NULL : find_line(text->at, text->at, text->end, BEGIN);
		if (!begin)
			return false;
		part->label = begin + strlen(BEGIN);
		const char *line_end = end_of_line(part->label, text->end);
		const char *dashes =
		    memmem(part->label, (size_t)(line_end - part->label), DASHES, strlen(DASHES));
		text->at = line_end;
		if (!dashes) /* half a label: text */
			continue;
		part->label_bytes = (size_t)(dashes - part->label);
		const char *body = dashes + strlen(DASHES);
		part->body = (struct der){ (const uint8_t *)body, (size_t)(text->end - body) };
		const char *end = find_end(text, part, why);
		if (*why)
			return false;
		part->body.bytes = (size_t)(end - body);
		text->at = end_of_line(end, text->end);
		return true;
	}
}

static bool
has_this_label(const struct pem_part *part, const char *label)
{
	return strlen(label) == part->label_bytes &&
	    memcmp(label, part->label, part->label_bytes) == 0;
}

bool
pem_is_trusted(const struct pem_part *part)
{
	return has_this_label(part, TRUSTED_LABEL);
}

bool
pem_cut_settings(struct der *der)
{
	/* X509_CERT_AUX: SEQUENCE { trust SEQUENCE OF OID OPTIONAL, reject [0] ... OPTIONAL, ... } */
	struct cursor in = der_over(*der);
	struct der certificate = der_whole(&in, DER_SEQUENCE);
	if (in.failed || in.left == 0)
		return false;
	der->bytes = certificate.bytes;
	struct cursor settings = der_enter(&in, DER_SEQUENCE);
	unsigned first = der_peek(&settings);
	return in.failed || first == DER_SEQUENCE || first == DER_CONTEXT_SEQUENCE;
}

/* ---- files ---- */

static bool
has_label(enum pem_kind kind, const struct pem_part *part)
{
	for (const char *const *l = kinds[kind].labels; *l; l++)
		if (has_this_label(part, *l))
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
decode_groups(struct cursor *body, uint8_t *to)
{
	for (; body->left >= 4; body->at += 4, body->left -= 4, to += 3) {
		const uint8_t *in = body->at;
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

/* The lines are done by decode_groups(), as they are most of the time that a large CRL takes; what is
 * left, line ends, padding and what is wrong, by nettle. */
bool
pem_base64(struct der text, uint8_t *to, size_t *bytes)
{
	struct cursor body = der_over(text);
	struct base64_decode_ctx base64;
	uint8_t *end = to;
	int got = 0;
	base64_decode_init(&base64);
	while (got >= 0 && body.left > 0) {
		if (base64.bits == 0 && base64.padding == 0)
			end = decode_groups(&body, end);
		if (body.left == 0)
			break;
		body.left--;
		if ((got = base64_decode_single(&base64, end, (char)*body.at++)) > 0)
			end++;
	}
	*bytes = (size_t)(end - to);
	return got >= 0 && base64_decode_final(&base64);
}

/* One block, to the end of what is kept. */
static const char *
decode_block(struct pem_file *file, const struct pem_part *part, size_t *kept)
{
	struct der der = { file->storage.data + *kept, 0 };
	bool is_trusted = pem_is_trusted(part); /* while the label is there */
	if (!pem_base64(part->body, file->storage.data + *kept, &der.bytes))
		return "has a PEM block that is not base64";
	if (file->count == PEM_BLOCKS)
		return "has too many PEM blocks";
	if (is_trusted && pem_cut_settings(&der))
		file->has_trust_settings = true;
	if (!add_place(file, *kept, der.bytes))
		return "cannot be read: memory is short";
	*kept += der.bytes;
	return NULL;
}

static const char *
decode_blocks(struct pem_file *file, enum pem_kind kind)
{
	struct pem_text rest = pem_over(file->storage.data, file->storage.bytes);
	struct pem_part part;
	const char *why = NULL;
	size_t kept = 0;
	while (!why && pem_next(&rest, &part, &why))
		if (has_label(kind, &part))
			why = decode_block(file, &part, &kept);
	if (why)
		return why;
	uint8_t *less = kept == 0 ? NULL : realloc(file->storage.data, kept);
	if (less)
		file->storage = (struct secret){ less, kept };
	return NULL;
}

bool
pem_decode(struct pem_file *file, enum pem_kind kind, const char **why)
{
	struct secret *storage = &file->storage;
	*why = NULL;
	if (pem_is_text(storage->data, storage->bytes))
		*why = decode_blocks(file, kind);
	else if (storage->bytes > 1 && storage->data[0] == DER_SEQUENCE &&
	    !add_place(file, 0, storage->bytes))
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
