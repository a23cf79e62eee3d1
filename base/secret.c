/* Wipes memory, and compares it in a time that tells nothing. */
#include "base/secret.h"

#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* LeakSanitizer traces its own process, which PR_SET_DUMPABLE forbids. */
#if defined(__SANITIZE_ADDRESS__)
#define MAY_BE_TRACED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAY_BE_TRACED 1
#endif
#endif
#ifndef MAY_BE_TRACED
#define MAY_BE_TRACED 0
#endif

bool
secret_init(struct secret *secret, const void *data, size_t bytes)
{
	*secret = (struct secret){ 0 };
	secret->data = malloc(bytes + 1);
	if (!secret->data)
		return false;
	if (bytes > 0)
		memcpy(secret->data, data, bytes);
	secret->data[bytes] = 0;
	secret->bytes = bytes;
	return true;
}

void
secret_wipe(struct secret *secret)
{
	if (secret->data)
		bytes_wipe(secret->data, secret->bytes);
	free(secret->data);
	*secret = (struct secret){ 0 };
}

bool
secret_equals(const struct secret *secret, const void *data, size_t bytes)
{
	return secret->bytes == bytes && (bytes == 0 || memeql_sec(secret->data, data, bytes));
}

void
bytes_wipe(void *data, size_t bytes)
{
	explicit_bzero(data, bytes);
}

void
process_harden(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	if (!MAY_BE_TRACED)
		prctl(PR_SET_DUMPABLE, 0);
}
