/* Keys of accounts for tests: each in a file of its own, which is gone again once it is open. */
#ifndef TESTS_ACME_ACCOUNT_KEYS_H
#define TESTS_ACME_ACCOUNT_KEYS_H

#include "acme/account_key.h"
#include "base/file.h"
#include "helpers.h"

/* NULL if it is no such key. */
static inline struct account_key *
import_account_key(const char *pem)
{
	char dir[] = "/tmp/valise-account-XXXXXX", path[64], error[ACCOUNT_KEY_ERROR];
	struct account_key *key;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/own.account", dir);
	if (pem)
		assert_true(file_create(path, 0600, pem, strlen(pem), error));
	key = account_key_open(path, error);
	unlink(path);
	rmdir(dir);
	return key;
}

static inline struct account_key *
new_account_key(void)
{
	return import_account_key(NULL);
}

#endif
