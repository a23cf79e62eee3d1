/* Capabilities by their system calls: three words are no reason for a library. */
#include "base/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As capabilities(7) has them: two words for each of the sets. */
struct sets {
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

static bool
call(long number, struct sets *sets)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(number, &head, sets->words) == 0;
}

/* Only who has CAP_SETPCAP may lower its bounding set.  For all others it bounds nothing any more once they
 * have no capability and can get no new ones. */
static bool
lower_bounding_set(void)
{
	for (int number = 0; prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; number++)
		if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0 && errno != EPERM)
			return false;
	return true;
}

bool
privileges_drop(void)
{
	struct sets none = { 0 };

	if (!lower_bounding_set())
		return false;
	/* A kernel without an ambient set says EINVAL. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		return false;
	/* Who has none need not be allowed to call this. */
	if (privileges_any() && !call(SYS_capset, &none))
		return false;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool
privileges_any(void)
{
	struct sets sets = { 0 };

	if (!call(SYS_capget, &sets))
		return true;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if ((sets.words[i].permitted | sets.words[i].effective |
			sets.words[i].inheritable) != 0)
			return true;
	return false;
}
