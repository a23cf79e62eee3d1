/*
 * Landlock by its system calls: Debian 12 has no library for it, and its headers know the first version only.
 * The version is the kernel's at run time; what it does not know is not asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/sandbox_private.h"

/* As of version 6; older kernels are given less of it. */
struct ruleset {
	uint64_t files, network, scope;
};

struct port_rule {
	uint64_t allowed, port;
};

enum {
	VERSION_TRUNCATE = 3,
	VERSION_SCOPE = 6,
	RULE_PORT = 2,
};

#define NETWORK_BIND UINT64_C(1)
#define NETWORK_CONNECT UINT64_C(2)
#define SCOPE_ABSTRACT UINT64_C(1) /* to connect to abstract sockets of processes outside */
#define SCOPE_SIGNAL UINT64_C(2)
#define REFER (UINT64_C(1) << 13)
#define TRUNCATE (UINT64_C(1) << 14)

static const uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
		      write_rights = LANDLOCK_ACCESS_FS_WRITE_FILE |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_DIR,
		      socket_rights = LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE;

int
sandbox_landlock_version(void)
{
	int version =
	    (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return version > 0 ? version : 0;
}

/* What versions 1, 2 (to move between folders), 3 (to truncate) and 5 (to control devices) have of rights on
 * files. */
static uint64_t
all_file_rights(int version)
{
	unsigned bits = version >= 5      ? 16
	    : version >= VERSION_TRUNCATE ? 15
	    : version == 2                ? 14
					  : 13;

	return (UINT64_C(1) << bits) - 1;
}

/* A service manager may listen at an abstract name. */
static uint64_t
scopes(void)
{
	const char *manager = getenv("NOTIFY_SOCKET");

	return manager && manager[0] == '@' ? SCOPE_SIGNAL : SCOPE_SIGNAL | SCOPE_ABSTRACT;
}

static uint64_t
network_of(const struct sandbox *sandbox)
{
	if (sandbox->is_isolated)
		return NETWORK_BIND | NETWORK_CONNECT;
	return sandbox->listening_key ? 0 : NETWORK_BIND;
}

static int
new_ruleset(const struct sandbox *sandbox, int version)
{
	const struct ruleset all = {
		.files = all_file_rights(version), .network = network_of(sandbox), .scope = scopes()
	};
	size_t bytes = version >= VERSION_SCOPE ? sizeof all
	    : version >= LANDLOCK_NETWORK       ? offsetof(struct ruleset, scope)
						: offsetof(struct ruleset, network);

	return (int)syscall(SYS_landlock_create_ruleset, &all, bytes, 0);
}

/* A folder that holds what must not be read is read by an opener. */
static uint64_t
rights_of(const struct sandbox *sandbox, const struct sandbox_rule *rule, int version)
{
	uint64_t rights = 0;

	if ((rule->rights & (SANDBOX_READ | SANDBOX_CHANGE)) &&
	    !sandbox_holds_forbidden(sandbox, rule->path))
		rights |= read_rights;
	if (rule->rights & SANDBOX_CHANGE)
		rights |= write_rights | (version >= VERSION_TRUNCATE ? TRUNCATE : 0);
	if (rule->rights & SANDBOX_MOVE)
		rights |= REFER;
	if (rule->rights & SANDBOX_SOCKET)
		rights |= socket_rights;
	/* To sync the folder, when a file of it was replaced. */
	return rights != 0 ? rights | LANDLOCK_ACCESS_FS_READ_DIR : 0;
}

/* A rule for a file knows no rights of folders. */
static bool
add_path(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = rights,
		.parent_fd = open(path, O_PATH | O_CLOEXEC) };
	bool is_added;
	int why;

	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == EACCES;
	is_added =
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	why = errno;
	close(rule.parent_fd);
	errno = why;
	return is_added;
}

/* /dev/null keeps a descriptor in reserve; GnuTLS asks /dev/urandom where getrandom(2) is not. */
static bool
add_devices(int ruleset)
{
	return add_path(ruleset, "/dev/null",
		   LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE) &&
	    add_path(ruleset, "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE);
}

/* Port 0 is whatever port a connection that is dialled gets: who dials from an address binds to it. */
static bool
add_dialling(int ruleset, const struct sandbox *sandbox, int version)
{
	const struct port_rule any = { .allowed = NETWORK_BIND, .port = 0 };

	return version < LANDLOCK_NETWORK || network_of(sandbox) != NETWORK_BIND ||
	    syscall(SYS_landlock_add_rule, ruleset, RULE_PORT, &any, 0) == 0;
}

static bool
add_rule(int ruleset, const struct sandbox *sandbox, const struct sandbox_rule *rule, int version)
{
	uint64_t rights = rights_of(sandbox, rule, version);

	return rights == 0 || add_path(ruleset, rule->path, rights);
}

bool
sandbox_landlock_restrict(const struct sandbox *sandbox, int version)
{
	int ruleset = new_ruleset(sandbox, version), why;
	bool done;

	if (ruleset < 0)
		return false;
	done = add_devices(ruleset) && add_dialling(ruleset, sandbox, version);
	for (size_t i = 0; done && i < sandbox->count; i++)
		done = add_rule(ruleset, sandbox, &sandbox->rules[i], version);
	done = done && syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	why = errno;
	close(ruleset);
	errno = why;
	return done;
}
