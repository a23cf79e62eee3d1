/* How long answers are used, and in which order addresses are tried. */
#include "base/resolved.h"

#include <string.h>

enum {
	FRESH_MS = 30000,
	STALE_MS = 300000, /* beyond fresh */
	FAILURE_MS = 1000,
	LAST_MS = 30000, /* how long an address that failed comes last */
};

enum resolved_use
resolved_use(const struct resolved *resolved, uint64_t now_ms)
{
	bool has_failed = now_ms < resolved->failure_until_ms;

	if (resolved->answer.count == 0 || now_ms >= resolved->stale_until_ms)
		return has_failed ? RESOLVED_FAILURE : RESOLVED_UNKNOWN;
	return now_ms < resolved->fresh_until_ms || has_failed ? RESOLVED_KNOWN : RESOLVED_STALE;
}

/* Ports do not count. */
static bool
is_same_host(const struct address *a, const struct address *b)
{
	struct prefix of_a = prefix_of(a, 32, 128), of_b = prefix_of(b, 32, 128);

	return of_a.family != AF_UNSPEC && prefix_equals(&of_a, &of_b);
}

/* Where the address stands, or `count`. */
static size_t
find(const struct answer *answer, const struct address *address)
{
	size_t at = 0;

	while (at < answer->count && !is_same_host(&answer->addresses[at], address))
		at++;
	return at;
}

void
answer_add(struct answer *answer, const struct address *address)
{
	if (answer->count < RESOLVED_MOST && find(answer, address) == answer->count)
		answer->addresses[answer->count++] = *address;
}

void
resolved_learn(struct resolved *resolved, const struct answer *answer, uint64_t now_ms)
{
	struct resolved before = *resolved;

	if (answer->count == 0) {
		if (now_ms >= resolved->stale_until_ms)
			resolved->answer.count = 0;
		memcpy(resolved->answer.why, answer->why, sizeof answer->why);
		resolved->failure_until_ms = now_ms + FAILURE_MS;
		return;
	}
	*resolved = (struct resolved){ .answer = *answer,
		.fresh_until_ms = now_ms + FRESH_MS,
		.stale_until_ms = now_ms + FRESH_MS + STALE_MS };
	for (size_t i = 0; i < answer->count; i++) {
		size_t at = find(&before.answer, &answer->addresses[i]);

		if (at < before.answer.count)
			resolved->failed_until_ms[i] = before.failed_until_ms[at];
	}
}

bool
resolved_blame(struct resolved *resolved, const struct address *address, uint64_t now_ms)
{
	size_t at = find(&resolved->answer, address);

	if (at == resolved->answer.count)
		return false;
	resolved->failed_until_ms[at] = now_ms + LAST_MS;
	return true;
}

static void
set_port(struct address *address, uint16_t port)
{
	if (address->as.any.sa_family == AF_INET6)
		address->as.v6.sin6_port = htons(port);
	else
		address->as.v4.sin_port = htons(port);
}

/* Moves the first address of the family from behind `done` up to `done`, if there is one. */
static void
bring_forward(struct address *addresses, size_t done, size_t count, sa_family_t family)
{
	size_t at = done;
	struct address next;

	while (at < count && addresses[at].as.any.sa_family != family)
		at++;
	if (at == count)
		return;
	next = addresses[at];
	memmove(&addresses[done + 1], &addresses[done], (at - done) * sizeof next);
	addresses[done] = next;
}

static void
interleave(struct address *addresses, size_t count)
{
	for (size_t i = 1; i < count; i++)
		bring_forward(addresses, i, count,
		    addresses[i - 1].as.any.sa_family == AF_INET6 ? AF_INET : AF_INET6);
}

size_t
resolved_order(const struct resolved *resolved, uint64_t now_ms, uint16_t port,
    struct address out[RESOLVED_MOST])
{
	size_t count = 0, good;

	for (int failed = 0; failed <= 1; failed++) {
		good = count;
		for (size_t i = 0; i < resolved->answer.count; i++) {
			if ((now_ms < resolved->failed_until_ms[i]) != failed)
				continue;
			out[count] = resolved->answer.addresses[i];
			set_port(&out[count++], port);
		}
		interleave(out + good, count - good);
	}
	return count;
}
