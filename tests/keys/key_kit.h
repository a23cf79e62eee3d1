/* What tests of keys share: a folder, keys in it, and their public halves. */
#ifndef TESTS_KEYS_KEY_KIT_H
#define TESTS_KEYS_KEY_KIT_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/file.h"
#include "keys/key_ask.h"
#include "pki/key_pem.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

static char kit_folder[] = "/tmp/valise-keys-XXXXXX";

static int
kit_set_up(void **state)
{
	(void)state;
	return mkdtemp(kit_folder) ? 0 : -1;
}

static int
kit_tear_down(void **state)
{
	char command[PATH_MAX];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", kit_folder);
	return system(command);
}

/* Of the last four calls. */
static const char *
kit_path(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", kit_folder, name);
	return path;
}

static gnutls_x509_privkey_t
kit_read(const char *name)
{
	struct secret pem;
	char error[FILE_ERROR];
	gnutls_x509_privkey_t key;

	assert_true(file_read_key(&pem, kit_path(name), 65536, error));
	assert_true(key_pem_read(&pem, &key) >= 0);
	secret_wipe(&pem);
	return key;
}

static gnutls_pubkey_t
kit_public(const char *name)
{
	gnutls_x509_privkey_t x509 = kit_read(name);
	gnutls_privkey_t key;
	gnutls_pubkey_t public;

	assert_true(gnutls_privkey_init(&key) >= 0);
	assert_true(gnutls_pubkey_init(&public) >= 0);
	assert_true(gnutls_privkey_import_x509(key, x509, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE) >= 0);
	assert_true(gnutls_pubkey_import_privkey(public, key, 0, 0) >= 0);
	gnutls_privkey_deinit(key);
	return public;
}

static void
kit_make(const char *name, enum key_type type)
{
	char error[KEY_ASK_ERROR] = "";
	uint8_t digest[KEY_DIGEST];
	bool is_made = key_ask_make(kit_path(name), type, digest, error);

	assert_string_equal(error, "");
	assert_true(is_made);
}

/* One of RSA-PSS, which valise-pki does not make. */
static void
kit_make_pss(const char *name)
{
	gnutls_x509_privkey_t key;
	struct secret pem;
	char error[FILE_ERROR];

	assert_true(gnutls_x509_privkey_init(&key) >= 0);
	assert_true(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA_PSS, 2048, 0) >= 0);
	assert_true(key_pem_write(&pem, key) >= 0);
	assert_true(file_create(kit_path(name), 0600, pem.data, pem.bytes, error));
	gnutls_x509_privkey_deinit(key);
	secret_wipe(&pem);
}

#pragma GCC diagnostic pop
#endif
