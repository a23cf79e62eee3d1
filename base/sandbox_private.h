/*
 * Internal to the sandbox: what its sources share.
 */
#ifndef BASE_SANDBOX_PRIVATE_H
#define BASE_SANDBOX_PRIVATE_H

#include <stddef.h>
#include "base/sandbox.h"

/* What instruments a program needs more than the program (GNUmakefile). */
#if defined(VALISE_COVERAGE)
#define SANDBOX_IS_LEFT_OUT 1
#else
#define SANDBOX_IS_LEFT_OUT 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_IS_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_IS_SANITIZED
#define SANDBOX_IS_SANITIZED 0
#endif

struct sandbox_rule {
	char *path;             /* without links */
	const char *key, *file; /* borrowed; the file until it is entered, and NULL for a folder */
	unsigned rights;        /* of enum sandbox_right */
};

struct sandbox {
	struct sandbox_rule *rules;
	size_t count;
	char **forbidden; /* without links */
	size_t forbidden_count;
	const char *listening_key; /* NULL: nothing listens later */
	bool is_short;             /* of memory: a rule is missing */
	bool is_isolated;          /* dials nothing */
	int landlock;              /* the version that holds; 0: none */
	bool is_sealed;            /* a list of system calls holds */
};

/* The first versions that know moves between folders, and ports. */
enum { LANDLOCK_MOVES = 2, LANDLOCK_NETWORK = 4 };

/* Whether something forbidden is in this folder, or beneath it, or is it. */
bool sandbox_holds_forbidden(const struct sandbox *, const char *folder);
/* Whether an opener may open the file, which is in this folder (both without links). */
bool sandbox_may_open(const struct sandbox *, const char *file, const char *folder);
/* For qsort(3), by paths: an entered sandbox has its rules in this order. */
int sandbox_rule_compare(const void *, const void *);

/* sandbox_landlock.c.  The version of the kernel's Landlock; 0: it has none. */
int sandbox_landlock_version(void);
/* False with errno.  Whoever cannot gain privileges (PR_SET_NO_NEW_PRIVS) may. */
bool sandbox_landlock_restrict(const struct sandbox *, int version);

/* sandbox_calls.c.  False with errno; ENOSYS: the kernel has no seccomp. */
bool sandbox_calls_restrict(const struct sandbox *);
bool sandbox_calls_forbid_listening(void);

#endif
