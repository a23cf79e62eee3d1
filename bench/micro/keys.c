/*
 * What a signature costs: by the library with the key at hand, by the same functions within one process
 * (key_process: off), and by the key process. Processor time is of both processes together.
 */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "base/file.h"
#include "base/pass.h"
#include "keys/key_ask.h"
#include "keys/key_channel.h"
#include "keys/key_server.h"
#include "keys/key_url.h"
#include "pki/key_pem.h"

enum { ROUNDS = 5, SIGNATURES = 2000 };
#define MOST_MS 0.1	/* of processor time more than the plain one */

static void
must(bool claim, const char *what)
{
	if (claim)
		return;
	fprintf(stderr, "keys: %s\n", what);
	exit(1);
}

struct cost {
	double cpu_us, wall_us;
};

static double
seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double
cpu_of(int who)
{
	struct rusage used;
	getrusage(who, &used);
	return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A whole message, as a handshake has it signed: 130 bytes. */
static void
sign_often(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm)
{
	static uint8_t text[130];
	const gnutls_datum_t data = { text, sizeof text };
	for (int i = 0; i < SIGNATURES; i++) {
		gnutls_datum_t signature;
		text[0]++;
		must(gnutls_privkey_sign_data2(key, algorithm, 0, &data, &signature) >= 0, "no signature");
		gnutls_free(signature.data);
	}
}

static gnutls_privkey_t
plain_key(const char *path)
{
	struct secret pem;
	char error[FILE_ERROR];
	gnutls_x509_privkey_t x509;
	gnutls_privkey_t key;
	must(file_read_key(&pem, path, 65536, error), error);
	must(key_pem_read(&pem, &x509) >= 0, "memory");
	must(gnutls_privkey_init(&key) >= 0, "memory");
	must(gnutls_privkey_import_x509(key, x509, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE) >= 0, "memory");
	secret_wipe(&pem);
	return key;
}

static gnutls_privkey_t
named_key(const char *path)
{
	struct secret url;
	char error[KEY_URL_ERROR];
	gnutls_privkey_t key;
	must(key_url_make(&url, path, error), error);
	must(gnutls_privkey_init(&key) >= 0, "memory");
	must(gnutls_privkey_import_url(key, (const char *)url.data, 0) >= 0, "no key");
	secret_wipe(&url);
	return key;
}

static struct cost
once(const char *path, gnutls_sign_algorithm_t algorithm, gnutls_privkey_t (*open)(const char *))
{
	double cpu = cpu_of(RUSAGE_SELF), wall = now();
	gnutls_privkey_t key = open(path);
	sign_often(key, algorithm);
	gnutls_privkey_deinit(key);
	cpu = cpu_of(RUSAGE_SELF) - cpu;
	wall = now() - wall;
	return (struct cost){ cpu / SIGNATURES * 1e6, wall / SIGNATURES * 1e6 };
}

/* The process is waited for, so that its time is known. */
static struct cost
once_by_process(const char *path, gnutls_sign_algorithm_t algorithm)
{
	int pair[2];
	double before = cpu_of(RUSAGE_CHILDREN);
	must(pass_pair(pair), "no sockets");
	pid_t server = fork();
	if (server == 0) {
		close(pair[0]);
		_exit(key_server_run(pair[1]));
	}
	close(pair[1]);
	key_channel_start(pair[0]);
	struct cost cost = once(path, algorithm, named_key);
	key_channel_stop();
	close(pair[0]);
	waitpid(server, NULL, 0);
	cost.cpu_us += (cpu_of(RUSAGE_CHILDREN) - before) / SIGNATURES * 1e6;
	return cost;
}

static struct cost
smaller(struct cost a, struct cost b)
{
	return a.cpu_us < b.cpu_us ? a : b;
}

static void
print(const char *who, struct cost cost, struct cost plain)
{
	printf("  %-28s %8.1f us CPU  %8.1f us in all  +%5.1f us CPU\n", who, cost.cpu_us, cost.wall_us,
	    cost.cpu_us - plain.cpu_us);
}

static bool
measure(const char *what, const char *path, enum key_type type, gnutls_sign_algorithm_t algorithm)
{
	char error[KEY_ASK_ERROR] = "";
	uint8_t digest[KEY_DIGEST];
	must(key_ask_make(path, type, digest, error), error);
	struct cost plain = once(path, algorithm, plain_key), within = once(path, algorithm, named_key),
		    away = once_by_process(path, algorithm);
	for (int i = 1; i < ROUNDS; i++) {
		plain = smaller(plain, once(path, algorithm, plain_key));
		within = smaller(within, once(path, algorithm, named_key));
		away = smaller(away, once_by_process(path, algorithm));
	}
	unlink(path);
	printf("%s, the best of %d times %d signatures\n", what, ROUNDS, SIGNATURES);
	print("GnuTLS, the key at hand", plain, plain);
	print("key_process: off", within, plain);
	print("by the key process", away, plain);
	return away.cpu_us - plain.cpu_us <= MOST_MS * 1000;
}

int
main(void)
{
	char directory[] = "/tmp/valise-bench.XXXXXX", path[64];
	must(mkdtemp(directory) != NULL, "mkdtemp");
	snprintf(path, sizeof path, "%s/own.key", directory);
	bool good = measure("P-256", path, KEY_P256, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256);
	good = measure("Ed25519", path, KEY_ED25519, GNUTLS_SIGN_EDDSA_ED25519) && good;
	good = measure("RSA-2048, PSS", path, KEY_RSA2048, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256) && good;
	rmdir(directory);
	printf("%s: at most %.1f ms of processor time a signature\n", good ? "holds" : "DOES NOT HOLD", MOST_MS);
	return good ? 0 : 1;
}
