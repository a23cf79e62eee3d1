/* Files to pages, each read once as long as it stays what it is. */
#include "pki/tool/publication.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <nettle/sha2.h>

#include "base/file.h"
#include "base/units.h"
#include "pki/certs_only.h"
#include "pki/pem.h"
#include "pki/tool/ca_bundle.h"
#include "pki/tool/http_server.h"
#include "pki/tool/profile.h"
#include "pki/transfer.h"

enum { NAME_MOST = 64, ETAG = 40, DATE = 64, CACERTS = PROFILES + 1 };

struct publication_kind {
	const char *prefix, *suffix; /* of the path */
	const char *folder, *extension;
	const char *type;
	bool is_bundle; /* else in DER, of a file that holds one in PEM */
	enum pem_kind pem;
};

static const struct publication_kind kinds[] = {
	{ "/crl/", ".crl", "crls", ".crl", "application/pkix-crl", false, PEM_CRL },
	{ "/crl/", ".pem", "crls", ".crl", "application/x-pem-file", true, PEM_CRL },
	{ "/ca/", ".crt", "cas", ".crt", "application/pkix-cert", false, PEM_CERTIFICATE },
	{ "/ca/", ".pem", "cas", ".crt", "application/pem-certificate-chain", true,
	    PEM_CERTIFICATE },
};

/* Of the file and, for a bundle, of both folders, in which files are replaced by renaming. */
struct publication_stamp {
	struct file_stamp file, cas, crls;
};

struct publication {
	const struct publication_kind *kind;
	char name[NAME_MOST + 1];
	struct publication_stamp stamp;
	struct http_page *page; /* NULL: this place is free */
	uint64_t asked;         /* when, of all that were asked for */
};

struct publications {
	const char *directory;
	struct publication list[PUBLICATIONS_MOST];
	uint64_t asked;
	struct file_stamp stamps[CACERTS];
	struct http_page *cacerts;
};

struct publications *
publications_new(const char *directory)
{
	struct publications *publications = calloc(1, sizeof *publications);

	if (publications)
		publications->directory = directory;
	return publications;
}

void
publications_free(struct publications *publications)
{
	if (!publications)
		return;
	for (size_t i = 0; i < PUBLICATIONS_MOST; i++)
		http_page_release(publications->list[i].page);
	http_page_release(publications->cacerts);
	free(publications);
}

/* ---- paths ---- */

bool
publication_is_path(const char *path)
{
	return strncmp(path, "/crl/", 5) == 0 || strncmp(path, "/ca/", 4) == 0;
}

/* A name as names_check_label() allows them, which no slash is in. */
static bool
take_name(const char *text, size_t bytes, char name[NAME_MOST + 1])
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._@-";

	if (bytes == 0 || bytes > NAME_MOST || strspn(text, allowed) < bytes)
		return false;
	memcpy(name, text, bytes);
	name[bytes] = '\0';
	return true;
}

static const struct publication_kind *
parse(const char *path, char name[NAME_MOST + 1])
{
	size_t length = strlen(path);

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t before = strlen(kinds[i].prefix), behind = strlen(kinds[i].suffix);

		if (length > before + behind && strncmp(path, kinds[i].prefix, before) == 0 &&
		    strcmp(path + length - behind, kinds[i].suffix) == 0 &&
		    take_name(path + before, length - before - behind, name))
			return &kinds[i];
	}
	return NULL;
}

static void
file_of(const struct publications *publications, const struct publication_kind *kind,
    const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s/%s%s", publications->directory, kind->folder, name,
	    kind->extension);
}

/* ---- what tells one state of a file from another ---- */

static struct file_stamp
stamp_of_folder(const struct publications *publications, const char *folder)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", publications->directory, folder);
	return file_stamp_of(path);
}

static struct publication_stamp
stamp_of(
    const struct publications *publications, const struct publication_kind *kind, const char *name)
{
	struct publication_stamp stamp = { 0 };
	char path[PATH_MAX];

	file_of(publications, kind, name, path);
	stamp.file = file_stamp_of(path);
	if (stamp.file.exists && kind->is_bundle) {
		stamp.cas = stamp_of_folder(publications, "cas");
		stamp.crls = stamp_of_folder(publications, "crls");
	}
	return stamp;
}

static bool
stamps_equal(const struct publication_stamp *a, const struct publication_stamp *b)
{
	return file_stamp_equals(&a->file, &b->file) && file_stamp_equals(&a->cas, &b->cas) &&
	    file_stamp_equals(&a->crls, &b->crls);
}

static void
digest_stamp(struct sha256_ctx *sha, const struct file_stamp *stamp)
{
	char text[160];

	snprintf(text, sizeof text, "%llu %llu %lld %lld\n", (unsigned long long)stamp->inode,
	    (unsigned long long)stamp->bytes, (long long)stamp->modified_ns,
	    (long long)stamp->changed_ns);
	sha256_update(sha, strlen(text), (const uint8_t *)text);
}

static void
etag_of(const struct publication_stamp *stamp, char etag[ETAG])
{
	char hex[2 * SHA256_DIGEST_SIZE + 1];
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx sha;

	sha256_init(&sha);
	digest_stamp(&sha, &stamp->file);
	digest_stamp(&sha, &stamp->cas);
	digest_stamp(&sha, &stamp->crls);
	sha256_digest(&sha, sizeof digest, digest);
	hex_encode(hex, digest, sizeof digest);
	snprintf(etag, ETAG, "\"%.32s\"", hex);
}

static int64_t
modified_s(const struct publication_stamp *stamp)
{
	int64_t ns = stamp->file.modified_ns;

	if (stamp->cas.modified_ns > ns)
		ns = stamp->cas.modified_ns;
	if (stamp->crls.modified_ns > ns)
		ns = stamp->crls.modified_ns;
	return ns / 1000000000;
}

static void
date_of(const struct publication_stamp *stamp, char date[DATE])
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)modified_s(stamp);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(date, DATE, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
	    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool
has_what_is_there(const struct http_request *request, const struct publication_stamp *stamp)
{
	const char *tags = http_request_header(request, "If-None-Match");
	const char *since = http_request_header(request, "If-Modified-Since");
	char etag[ETAG];
	struct tm tm = { 0 };

	etag_of(stamp, etag);
	if (tags)
		return strcmp(tags, "*") == 0 || strstr(tags, etag);
	return since && strptime(since, "%a, %d %b %Y %H:%M:%S GMT", &tm) &&
	    (int64_t)timegm(&tm) >= modified_s(stamp);
}

/* ---- pages ---- */

static struct http_page *
page_of(const char *type, const struct publication_stamp *stamp, const void *data, size_t bytes)
{
	struct http_page *page = http_page_new(type, data, bytes);
	char etag[ETAG], date[DATE];

	etag_of(stamp, etag);
	date_of(stamp, date);
	if (page && http_page_add(page, "ETag", etag) && http_page_add(page, "Last-Modified", date))
		return page;
	http_page_release(page);
	return NULL;
}

static struct http_page *
load_single(const struct publications *publications, const struct publication *one)
{
	char path[PATH_MAX], error[PEM_ERROR];
	struct pem_file file;
	struct http_page *page;

	file_of(publications, one->kind, one->name, path);
	if (!pem_load(&file, path, one->kind->pem, error))
		return NULL;
	page = page_of(
	    one->kind->type, &one->stamp, pem_block(&file, 0).data, pem_block(&file, 0).bytes);
	pem_wipe(&file);
	return page;
}

static struct http_page *
load_bundle(const struct publications *publications, const struct publication *one)
{
	struct secret text;
	struct http_page *page;

	if (!ca_bundle_read(publications->directory, one->name,
		one->kind->pem == PEM_CRL ? CA_BUNDLE_CRLS : CA_BUNDLE_CERTIFICATES, &text))
		return NULL;
	page = page_of(one->kind->type, &one->stamp, text.data, text.bytes);
	secret_wipe(&text);
	return page;
}

/* The place of this one, or that of the one that was not asked for for the longest time. */
static struct publication *
find_place(struct publications *publications, const struct publication_kind *kind, const char *name)
{
	struct publication *oldest = &publications->list[0];

	for (size_t i = 0; i < PUBLICATIONS_MOST; i++) {
		struct publication *one = &publications->list[i];

		if (one->page && one->kind == kind && strcmp(one->name, name) == 0)
			return one;
		if (one->asked < oldest->asked)
			oldest = one;
	}
	http_page_release(oldest->page);
	*oldest = (struct publication){ .kind = kind };
	snprintf(oldest->name, sizeof oldest->name, "%s", name);
	return oldest;
}

/* As the file is now; NULL if it cannot be read. */
static struct publication *
look_up(struct publications *publications, const struct publication_kind *kind, const char *name)
{
	struct publication_stamp stamp = stamp_of(publications, kind, name);
	struct publication *one;

	if (!stamp.file.exists)
		return NULL;
	one = find_place(publications, kind, name);
	if (!one->page || !stamps_equal(&one->stamp, &stamp)) {
		http_page_release(one->page);
		one->stamp = stamp;
		one->page = (kind->is_bundle ? load_bundle : load_single)(publications, one);
	}
	one->asked = ++publications->asked;
	return one->page ? one : NULL;
}

static void
answer_with_text(struct http_request *request, unsigned status, const char *text)
{
	struct http_page *page = http_page_new("text/plain", text, strlen(text));

	http_answer(request, status, page);
	http_page_release(page);
}

void
publication_answer(struct publications *publications, struct http_request *request)
{
	char name[NAME_MOST + 1];
	const struct publication_kind *kind = parse(http_request_path(request), name);
	const struct publication *one = kind ? look_up(publications, kind, name) : NULL;
	struct http_page *page;

	if (!one) {
		answer_with_text(request, 404, "There is no such file.\n");
	} else if (has_what_is_there(request, &one->stamp)) {
		page = page_of(NULL, &one->stamp, "", 0);
		http_answer(request, 304, page);
		http_page_release(page);
	} else {
		http_answer(request, 200, one->page);
	}
}

/* ---- cacerts ---- */

static void
cacerts_file(const struct publications *publications, size_t index, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/cas/%s.crt", publications->directory,
	    index == 0 ? "root" : profile_all[index - 1].role);
}

struct http_page *
publication_certificates(const char *media_type, const struct der *certificates, size_t count)
{
	struct secret message, text = { 0 };
	struct http_page *page = NULL;

	if (certs_only_encode(certificates, count, &message) &&
	    transfer_encode((struct der){ message.data, message.bytes }, &text))
		page = http_page_new(media_type, text.data, text.bytes);
	if (page && !http_page_add(page, "Content-Transfer-Encoding", "base64")) {
		http_page_release(page);
		page = NULL;
	}
	secret_wipe(&text);
	secret_wipe(&message);
	return page;
}

static struct http_page *
load_cacerts(const struct publications *publications)
{
	struct pem_file files[CACERTS];
	struct der certificates[CACERTS];
	char path[PATH_MAX], error[PEM_ERROR];
	struct http_page *page = NULL;
	size_t count = 0;

	for (; count < CACERTS; count++) {
		cacerts_file(publications, count, path);
		if (!pem_load(&files[count], path, PEM_CERTIFICATE, error))
			break;
		certificates[count] = pem_block(&files[count], 0);
	}
	if (count == CACERTS)
		page = publication_certificates("application/pkcs7-mime", certificates, CACERTS);
	while (count-- > 0)
		pem_wipe(&files[count]);
	return page;
}

struct http_page *
publication_cacerts(struct publications *publications, const char **why)
{
	bool is_as_before = publications->cacerts != NULL;
	char path[PATH_MAX];

	for (size_t i = 0; i < CACERTS; i++) {
		struct file_stamp stamp;

		cacerts_file(publications, i, path);
		stamp = file_stamp_of(path);
		is_as_before = is_as_before && file_stamp_equals(&stamp, &publications->stamps[i]);
		publications->stamps[i] = stamp;
	}
	if (!is_as_before) {
		http_page_release(publications->cacerts);
		publications->cacerts = load_cacerts(publications);
	}
	*why = "a certificate in the authority's directory cas/ cannot be read";
	return publications->cacerts;
}
