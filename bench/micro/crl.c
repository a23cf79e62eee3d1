/*
 * A CRL of 100 000 entries from a file to the first look-up, beside what no reader
 * can go below: one SHA-256 of the same bytes, the signature check of its digest, and one
 * linear pass over them.  Then OpenSSL on the same file, and GnuTLS on one of
 * 10 000 entries, since it would need minutes for the large one.  Memory and time
 * of each contestant are taken in a process of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "pki/crl.h"
#include "pki/pem.h"
#include "pki/x509.h"

enum { LARGE = 100000, SMALL = 10000, WARM = 2000, ENTRY = 52, ROUNDS = 31, MOST_COMPARISONS = 20, MOST_MIB = 8 };
#define MOST_RATIO 2.0

static gnutls_privkey_t key;
static gnutls_pubkey_t public;
static struct der spki;
static char warm[64];		/* a small one */

struct crl_result {
	double ms, mib;
	unsigned comparisons;
	bool good;
};

/* Of the processor, so that a busy machine does not matter. */
static double
now_ms(void)
{
	struct timespec t;
	struct rusage children;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	getrusage(RUSAGE_CHILDREN, &children);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6 +
	    (double)(children.ru_utime.tv_sec + children.ru_stime.tv_sec) * 1e3 +
	    (double)(children.ru_utime.tv_usec + children.ru_stime.tv_usec) / 1e3;
}

static void
must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench/crl: %s failed\n", what);
	exit(1);
}

/* ---- a CRL to read: random serials of 16 octets in no order, each with a reason ---- */

static uint64_t
random_next(void)
{
	static uint64_t x = 88172645463325252u;
	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

static size_t
header(uint8_t *out, unsigned tag, size_t bytes)
{
	out[0] = (uint8_t)tag;
	out[1] = 0x83;
	for (int i = 0; i < 3; i++)
		out[2 + i] = (uint8_t)(bytes >> (16 - 8 * i));
	return 5;
}

static size_t
write_entry(uint8_t *out)
{
	uint8_t after[] = "\x17\r270101000000Z\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x04";
	uint64_t date = random_next();
	after[3] = (uint8_t)('0' + date % 8);
	after[5] = (uint8_t)('1' + (date >> 8) % 9);
	after[7] = (uint8_t)('1' + (date >> 16) % 9);
	after[8 + 2] = (uint8_t)('0' + (date >> 24) % 6);
	uint64_t serial[2] = { random_next(), random_next() };
	memcpy(out, "\x30\x2f\x02\x10", 4);
	memcpy(out + 4, serial, 16);
	out[4] = (uint8_t)((out[4] & 0x3f) | 0x40);
	memcpy(out + 20, after, sizeof after - 1);
	return 20 + sizeof after - 1;
}

static size_t
write_signed_part(uint8_t *out, size_t entries)
{
	static const uint8_t start[] =
	    "\x02\x01\x01\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
	    "\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02\x63\x61"
	    "\x17\r270101000000Z\x17\r370101000000Z";
	static const uint8_t end[] = "\xa0\x0e\x30\x0c\x30\x0a\x06\x03\x55\x1d\x14\x04\x03\x02\x01\x07";
	size_t bytes = 5;
	memcpy(out + bytes, start, sizeof start - 1);
	bytes += sizeof start - 1;
	size_t list = bytes;
	bytes += 5;
	for (size_t i = 0; i < entries; i++)
		bytes += write_entry(out + bytes);
	header(out + list, DER_SEQUENCE, bytes - list - 5);
	memcpy(out + bytes, end, sizeof end - 1);
	bytes += sizeof end - 1;
	header(out, DER_SEQUENCE, bytes - 5);
	return bytes;
}

static void
write_file(const char *path, const void *data, size_t bytes)
{
	FILE *file = fopen(path, "w");
	must(file && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0, path);
}

static void
write_crl(const char *path, size_t entries)
{
	uint8_t *out = malloc(entries * ENTRY + 512), *part = out + 5;
	size_t bytes = write_signed_part(part, entries);
	gnutls_datum_t data = { part, (unsigned)bytes }, signature;
	must(gnutls_privkey_sign_data2(key, GNUTLS_SIGN_ECDSA_SHA256, 0, &data, &signature) >= 0, "signing");
	uint8_t *at = part + bytes;
	memcpy(at, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x03", 13);
	at[13] = (uint8_t)(signature.size + 1);
	at[14] = 0;
	memcpy(at + 15, signature.data, signature.size);
	at += 15 + signature.size;
	header(out, DER_SEQUENCE, (size_t)(at - part));
	write_file(path, out, (size_t)(at - out));
	gnutls_free(signature.data);
	free(out);
}

static void
make_key(void)
{
	gnutls_datum_t der;
	must(gnutls_privkey_init(&key) >= 0 && gnutls_pubkey_init(&public) >= 0 &&
	    gnutls_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0 &&
	    gnutls_pubkey_import_privkey(public, key, 0, 0) >= 0 &&
	    gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &der) >= 0, "making a key");
	spki = (struct der){ der.data, der.size };
}

/* ---- the contestants ---- */

static volatile unsigned output;

/* What every reader must do: hash, check one signature, touch each byte once. */
static void
floor_of(const char *path, struct crl_result *result)
{
	struct pem_file file;
	char error[PEM_ERROR];
	must(pem_load(&file, path, PEM_CRL, error), error);
	struct cursor outer = der_over(pem_block(&file, 0)), in = der_enter(&outer, DER_SEQUENCE);
	struct der part = der_whole(&in, DER_SEQUENCE);
	der_any(&in, NULL);
	struct der signature = der_bits(&in);
	uint8_t digest[32];
	unsigned sum = 0;
	double start = now_ms();
	gnutls_hash_fast(GNUTLS_DIG_SHA256, part.data, part.bytes, digest);
	gnutls_datum_t hash = { digest, sizeof digest };
	gnutls_datum_t sign = { (unsigned char *)(uintptr_t)signature.data, (unsigned)signature.bytes };
	result->good = gnutls_pubkey_verify_hash2(public, GNUTLS_SIGN_ECDSA_SHA256, 0, &hash, &sign) >= 0;
	for (size_t i = 0; i < part.bytes; i++) {
		sum = (sum << 1 | sum >> 31) ^ part.data[i];
	}
	output = sum;
	result->ms = now_ms() - start;
	pem_wipe(&file);
}

static void
ours(const char *path, struct crl_result *result)
{
	struct pem_file file;
	char error[PEM_ERROR];
	const char *why = "";
	double start = now_ms();
	must(pem_load(&file, path, PEM_CRL, error), error);
	struct der der = pem_block(&file, 0);
	struct crl *crl = crl_parse(der.data, der.bytes, &why);
	result->good = crl && crl_is_signed_by(crl, spki) && crl_index(crl, &why);
	pem_wipe(&file);
	result->ms = now_ms() - start;
	for (size_t i = 0; result->good && i < crl_count(crl); i++) {
		unsigned comparisons;
		struct serial near = crl_entry(crl, i)->serial;
		crl_find(crl, &near, &comparisons);
		result->comparisons = comparisons > result->comparisons ? comparisons : result->comparisons;
		near.data[15] ^= 1;
		crl_find(crl, &near, &comparisons);
		result->comparisons = comparisons > result->comparisons ? comparisons : result->comparisons;
	}
	crl_free(crl);
}

static void
of_gnutls(const char *path, struct crl_result *result)
{
	struct pem_file file;
	char error[PEM_ERROR];
	gnutls_x509_crl_t crl;
	must(pem_load(&file, path, PEM_CRL, error), error);
	gnutls_datum_t der = { file.storage.data, (unsigned)file.storage.bytes };
	double start = now_ms();
	result->good = gnutls_x509_crl_init(&crl) >= 0 && gnutls_x509_crl_import(crl, &der, GNUTLS_X509_FMT_DER) >= 0;
	result->ms = now_ms() - start;
	gnutls_x509_crl_deinit(crl);
	pem_wipe(&file);
}

static void
of_openssl(const char *path, struct crl_result *result)
{
	char command[256];
	snprintf(command, sizeof command, "openssl crl -inform DER -in %s -noout -nextupdate >/dev/null 2>&1", path);
	double start = now_ms();
	result->good = system(command) == 0;
	result->ms = now_ms() - start;
}

/* ---- each in a process of its own ---- */

static double
peak_mib(int who)
{
	struct rusage usage;
	getrusage(who, &usage);
	return (double)usage.ru_maxrss / 1024;
}

static struct crl_result
once(void (*run)(const char *, struct crl_result *), const char *path)
{
	struct crl_result *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	must(shared != MAP_FAILED, "mmap");
	pid_t child = fork();
	if (child == 0) {
		run(warm, &(struct crl_result){0});	/* the libraries' own pages are not what is measured */
		double before = peak_mib(RUSAGE_SELF);
		run(path, shared);
		double children = peak_mib(RUSAGE_CHILDREN);
		shared->mib = children > 0 ? children : peak_mib(RUSAGE_SELF) - before;
		_exit(0);
	}
	must(child > 0 && waitpid(child, &status, 0) == child && status == 0, "a contestant");
	struct crl_result result = *shared;
	munmap(shared, sizeof *shared);
	return result;
}

static struct crl_result
best(void (*run)(const char *, struct crl_result *), const char *path, int rounds)
{
	struct crl_result least = once(run, path);
	for (int i = 1; i < rounds; i++) {
		struct crl_result again = once(run, path);
		least = again.ms < least.ms ? again : least;
	}
	must(least.good, "a contestant's reading");
	return least;
}

static void
print(const char *who, struct crl_result result, struct crl_result floor)
{
	printf("%-38s %9.2f ms  %6.2f x floor  %7.2f MiB\n", who, result.ms, result.ms / floor.ms, result.mib);
}

static bool
report(const char *large, const char *pem)
{
	struct crl_result floor = best(floor_of, large, ROUNDS), mine = best(ours, large, ROUNDS);
	printf("%d entries, %zu comparisons at most\n", LARGE, (size_t)mine.comparisons);
	print("floor: SHA-256 + signature + one pass", floor, floor);
	print("valise, DER file to index", mine, floor);
	print("valise, PEM file to index", best(ours, pem, ROUNDS), floor);
	print("openssl crl, process included", best(of_openssl, large, 3), floor);
	bool good = mine.ms <= MOST_RATIO * floor.ms && mine.mib <= MOST_MIB && mine.comparisons <= MOST_COMPARISONS;
	printf("%s: at most %.1f x floor, %d MiB, %d comparisons\n", good ? "holds" : "DOES NOT HOLD",
	    MOST_RATIO, MOST_MIB, MOST_COMPARISONS);
	return good;
}

static void
report_small(const char *small)
{
	struct crl_result floor = best(floor_of, small, ROUNDS);
	printf("%d entries\n", SMALL);
	print("valise, DER file to index", best(ours, small, ROUNDS), floor);
	print("GnuTLS, import alone", best(of_gnutls, small, 1), floor);
	print("openssl crl, process included", best(of_openssl, small, 3), floor);
}

static void
write_pem(const char *der_path, const char *pem_path)
{
	char command[512];
	snprintf(command, sizeof command, "openssl crl -inform DER -in %s -out %s", der_path, pem_path);
	must(system(command) == 0, command);
}

int
main(void)
{
	char directory[] = "/tmp/valise-bench.XXXXXX", large[64], small[64], pem[64];
	must(mkdtemp(directory) != NULL, "mkdtemp");
	snprintf(large, sizeof large, "%s/large.der", directory);
	snprintf(small, sizeof small, "%s/small.der", directory);
	snprintf(warm, sizeof warm, "%s/warm.der", directory);
	snprintf(pem, sizeof pem, "%s/large.pem", directory);
	make_key();
	pid_t writer = fork();	/* so that its memory is not counted as ours */
	if (writer == 0) {
		write_crl(large, LARGE);
		write_crl(small, SMALL);
		write_crl(warm, WARM);
		_exit(0);
	}
	int status;
	must(waitpid(writer, &status, 0) == writer && status == 0, "writing the CRLs");
	write_pem(large, pem);
	bool good = report(large, pem);
	report_small(small);
	unlink(large);
	unlink(small);
	unlink(pem);
	unlink(warm);
	rmdir(directory);
	return good ? 0 : 1;
}
