/* Landlock by its system calls (landlock(7)): Debian 12 has no library for it. */
#include "pki/tool/serve_confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "pki/tool/message.h"

/* LeakSanitizer reads /proc when the process ends. */
#if defined(__SANITIZE_ADDRESS__)
#define READS_PROC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define READS_PROC 1
#endif
#endif
#ifndef READS_PROC
#define READS_PROC 0
#endif

/* As the newest kernel knows it; Debian 12's headers know the first member.  Older kernels are
 * given less of it. */
struct confinement {
	uint64_t files, network, scope;
};

enum {
	VERSION_NETWORK = 4,
	VERSION_SCOPE = 6,
	NETWORK_ALL = 3,   /* to bind and to connect by TCP */
	SCOPE_SIGNALS = 2, /* to signal processes outside */
};

/* What versions 1, 2, 3 and 5 have of rights on files. */
static uint64_t
all_rights(int version)
{
	unsigned bits = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;

	return (UINT64_C(1) << bits) - 1;
}

static int
new_ruleset(int version)
{
	const struct confinement all = {
		.files = all_rights(version), .network = NETWORK_ALL, .scope = SCOPE_SIGNALS
	};
	size_t bytes = version >= VERSION_SCOPE ? sizeof all
	    : version >= VERSION_NETWORK        ? offsetof(struct confinement, scope)
						: offsetof(struct confinement, network);

	return (int)syscall(SYS_landlock_create_ruleset, &all, bytes, 0);
}

static bool
allow(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights,
		.parent_fd = open(path, O_PATH | O_CLOEXEC) };
	bool done = rule.parent_fd >= 0 &&
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;

	if (rule.parent_fd >= 0)
		close(rule.parent_fd);
	return done;
}

/* /dev/null keeps a descriptor in reserve (base/listener.c). */
static bool
allow_what_is_needed(int ruleset, const char *directory)
{
	const uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	char cas[PATH_MAX], crls[PATH_MAX];

	snprintf(cas, sizeof cas, "%s/cas", directory);
	snprintf(crls, sizeof crls, "%s/crls", directory);
	return allow(ruleset, cas, read) && allow(ruleset, crls, read) &&
	    allow(ruleset, "/dev/null",
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE) &&
	    (!READS_PROC || allow(ruleset, "/proc", read));
}

int
serve_confine(const char *directory)
{
	int version =
	    (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int ruleset = version > 0 ? new_ruleset(version) : -1;
	bool done;

	if (ruleset < 0) {
		log_event(LOG_WARNING, "not-confined",
		    "this kernel has no Landlock: the process that speaks HTTP could read what "
		    "its user can",
		    log_str("error", strerror(errno)));
		return 0;
	}
	done = allow_what_is_needed(ruleset, directory) &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	close(ruleset);
	return done ? 0
		    : message_fail(EX_OSERR, "%s: its process cannot be confined: %s", directory,
			  strerror(errno));
}
