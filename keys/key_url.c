/* GnuTLS asks for signatures, and they are made where keys are. */
#include "keys/key_url.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/urls.h>

#include "keys/digest_info.h"
#include "keys/key_channel.h"

/* What GnuTLS has of a key; all threads sign with it. */
struct remote_key {
	_Atomic uint64_t number;
	gnutls_pk_algorithm_t algorithm;
	unsigned bits;
	uint8_t digest[KEY_DIGEST];
	char path[];
};

/* ---- the other side ---- */

static enum key_code
open_key(const char *path, struct key_answer *answer)
{
	struct key_question question = { .verb = KEY_OPEN };

	if (strlen(path) >= sizeof question.path)
		return KEY_REFUSED;
	snprintf(question.path, sizeof question.path, "%s", path);
	return key_channel_ask(&question, answer);
}

/* By the next process: the key that its certificate is for, or none. */
static bool
open_again(struct remote_key *remote)
{
	struct key_answer answer;

	if (open_key(remote->path, &answer) != KEY_DONE ||
	    memcmp(answer.digest, remote->digest, sizeof answer.digest) != 0)
		return false;
	atomic_store(&remote->number, answer.key);
	return true;
}

static void
close_key(struct remote_key *remote)
{
	struct key_question question = { .verb = KEY_CLOSE, .key = atomic_load(&remote->number) };
	struct key_answer ignored;

	key_channel_ask(&question, &ignored);
}

static enum key_code
ask_signature(const struct remote_key *remote, uint32_t algorithm, const uint8_t *data,
    size_t bytes, struct key_answer *answer)
{
	struct key_question question = { .verb = KEY_SIGN,
		.key = atomic_load(&remote->number),
		.algorithm = algorithm,
		.data = data,
		.bytes = bytes };

	return key_channel_ask(&question, answer);
}

/* Once more where the process has begun anew since it was asked last. */
static int
sign(struct remote_key *remote, uint32_t algorithm, const uint8_t *data, size_t bytes,
    gnutls_datum_t *signature)
{
	struct key_answer answer;
	enum key_code code = ask_signature(remote, algorithm, data, bytes, &answer);

	if (code == KEY_GONE)
		code = ask_signature(remote, algorithm, data, bytes, &answer);
	if (code == KEY_UNKNOWN && open_again(remote))
		code = ask_signature(remote, algorithm, data, bytes, &answer);
	if (code != KEY_DONE)
		return GNUTLS_E_PK_SIGN_FAILED;
	signature->data = gnutls_malloc(answer.bytes);
	if (!signature->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(signature->data, answer.data, answer.bytes);
	signature->size = (unsigned)answer.bytes;
	return 0;
}

/* ---- what GnuTLS calls ---- */

/* Ed25519 and Ed448: the message. */
static int
on_data(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *arg, unsigned flags,
    const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	(void)key;
	(void)flags;
	return sign(arg, (uint32_t)algorithm, data->data, data->size, signature);
}

/* All others: the digest, which for RSA is in a DigestInfo. */
static int
on_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *arg, unsigned flags,
    const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	struct digest_info info = { (uint32_t)algorithm, hash->data, hash->size };

	(void)key;
	(void)flags;
	if (algorithm == GNUTLS_SIGN_RSA_RAW && !digest_info_read(&info, hash->data, hash->size))
		return GNUTLS_E_PK_SIGN_FAILED;
	return sign(arg, info.algorithm, info.digest, info.bytes, signature);
}

static int
on_info(gnutls_privkey_t key, unsigned what, void *arg)
{
	const struct remote_key *remote = arg;

	(void)key;
	if (what & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return (int)remote->algorithm;
	if (what & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)remote->bits;
	if (what & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return gnutls_sign_supports_pk_algorithm(
			   GNUTLS_FLAGS_TO_SIGN_ALGO(what), remote->algorithm) != 0;
	return -1;
}

static void
on_deinit(gnutls_privkey_t key, void *arg)
{
	(void)key;
	close_key(arg);
	free(arg);
}

/* NULL with one of GnuTLS's errors. */
static struct remote_key *
remote_new(const char *path, int *problem)
{
	struct remote_key *remote = calloc(1, sizeof *remote + strlen(path) + 1);
	struct key_answer answer;
	enum key_code code = remote ? open_key(path, &answer) : KEY_FAILED;

	if (code != KEY_DONE) {
		*problem = code == KEY_FAILED ? GNUTLS_E_MEMORY_ERROR
					      : GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
		free(remote);
		return NULL;
	}
	atomic_init(&remote->number, answer.key);
	remote->algorithm = (gnutls_pk_algorithm_t)answer.algorithm;
	remote->bits = answer.bits;
	memcpy(remote->digest, answer.digest, sizeof remote->digest);
	memcpy(remote->path, path, strlen(path) + 1);
	return remote;
}

static int
import(gnutls_privkey_t key, const char *url, unsigned flags)
{
	int problem;
	struct remote_key *remote = remote_new(url + strlen(KEY_URL), &problem);

	(void)flags;
	if (!remote)
		return problem;
	problem =
	    gnutls_privkey_import_ext4(key, remote, on_data, on_hash, NULL, on_deinit, on_info, 0);
	if (problem < 0)
		on_deinit(key, remote);
	return problem;
}

/* ---- what the rest of us calls ---- */

static void
teach(void)
{
	static const gnutls_custom_url_st url = {
		.name = KEY_URL, .name_size = sizeof KEY_URL - 1, .import_key = import
	};

	gnutls_register_custom_url(&url);
}

void
key_url_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, teach);
}

bool
key_url_make(struct secret *url, const char *path, char error[KEY_URL_ERROR])
{
	char text[sizeof KEY_URL + 4096];
	int bytes = snprintf(text, sizeof text, "%s%s", KEY_URL, path);

	*url = (struct secret){ 0 };
	key_url_register();
	if (bytes > 0 && (size_t)bytes < sizeof text && secret_init(url, text, (size_t)bytes))
		return true;
	snprintf(error, KEY_URL_ERROR, "memory is short, or a path is too long");
	return false;
}
