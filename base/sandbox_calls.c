/*
 * The system calls that are left, by libseccomp.  The list is of what glibc, GnuTLS and this tree call in
 * threads that serve, on all kernels and machines that Debian has.  What is not in it answers ENOSYS:
 * libraries try newer calls first and older ones then.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/sandbox_private.h"

/* Whatever their arguments are. */
static const int allowed[] = {
	/* memory, and threads among themselves */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(membarrier),
	SCMP_SYS(futex),
	SCMP_SYS(futex_time64),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	/* time and chance */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_nanosleep_time64),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	/* who and where we are */
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrlimit),
	SCMP_SYS(ugetrlimit),
	SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(getcwd),
	SCMP_SYS(umask),
	/* descriptors */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(_llseek),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(fcntl),
	SCMP_SYS(fcntl64),
	SCMP_SYS(pipe2),
	SCMP_SYS(splice),
	SCMP_SYS(eventfd2),
	SCMP_SYS(memfd_create),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),
	SCMP_SYS(select),
	SCMP_SYS(_newselect),
	SCMP_SYS(pselect6),
	SCMP_SYS(pselect6_time64),
	/* files, where Landlock lets us */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(stat),
	SCMP_SYS(stat64),
	SCMP_SYS(lstat),
	SCMP_SYS(lstat64),
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(fstatat64),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(ftruncate),
	SCMP_SYS(ftruncate64),
	SCMP_SYS(fallocate),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fchmod),
	SCMP_SYS(flock),
	/* sockets */
	SCMP_SYS(socketpair),
	SCMP_SYS(bind),
	SCMP_SYS(connect),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmmsg_time64),
	/* of helpers that were made before */
	SCMP_SYS(wait4),
	SCMP_SYS(waitid),
};

/* Those that one argument decides: `mask` of it must be `value`. */
struct narrowed {
	int call;
	unsigned argument;
	uint64_t mask, value;
};

#define ALL UINT64_C(0xffffffff)

static const struct narrowed narrowed[] = {
	/* Threads of ours and no other processes.  clone3 hides its flags in memory, so glibc hears
	 * ENOSYS of it and calls this. */
	{ SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD },
	{ SCMP_SYS(socket), 0, ALL, AF_UNIX },
	{ SCMP_SYS(prctl), 0, ALL, PR_SET_NAME },
	{ SCMP_SYS(prctl), 0, ALL, PR_GET_NAME },
	{ SCMP_SYS(ioctl), 1, ALL, FIONREAD },
	{ SCMP_SYS(ioctl), 1, ALL, FIONBIO },
	{ SCMP_SYS(ioctl), 1, ALL, SIOCOUTQ },
	{ SCMP_SYS(ioctl), 1, ALL, TCGETS },
	{ SCMP_SYS(ioctl), 1, ALL, TIOCGWINSZ },
	{ SCMP_SYS(ioctl), 1, ALL, SIOCGIFINDEX },
	{ SCMP_SYS(ioctl), 1, ALL, SIOCGIFNAME },
	{ SCMP_SYS(prlimit64), 0, ALL, 0 }, /* our own limits */
	/* Code is where the program began with it, and nothing else becomes executable. */
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mmap2), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
};

static const struct narrowed of_dialling[] = {
	{ SCMP_SYS(socket), 0, ALL, AF_INET },
	{ SCMP_SYS(socket), 0, ALL, AF_INET6 },
};

static const struct narrowed of_listening[] = {
	{ SCMP_SYS(listen), 0, 0, 0 },
	{ SCMP_SYS(seccomp), 0, 0, 0 }, /* sandbox_calls_forbid_listening() */
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* libseccomp gives errors as negative numbers. */
static bool
add(scmp_filter_ctx filter, const struct narrowed *rows, size_t count)
{
	int why = 0;

	for (size_t i = 0; i < count && why == 0; i++) {
		const struct scmp_arg_cmp argument = { .arg = rows[i].argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = rows[i].mask,
			.datum_b = rows[i].value };

		why = seccomp_rule_add_array(
		    filter, SCMP_ACT_ALLOW, rows[i].call, rows[i].mask != 0, &argument);
	}
	errno = -why;
	return why == 0;
}

/* A thread may send a signal, that of abort() say, to threads of this process only. */
static bool
add_own_signals(scmp_filter_ctx filter)
{
	const struct narrowed own = { SCMP_SYS(tgkill), 0, ALL, (uint64_t)getpid() };

	return add(filter, &own, 1);
}

static bool
add_all(scmp_filter_ctx filter, const struct sandbox *sandbox)
{
	for (size_t i = 0; i < COUNT(allowed); i++) {
		const struct narrowed any = { .call = allowed[i] };

		if (!add(filter, &any, 1))
			return false;
	}
	return add(filter, narrowed, COUNT(narrowed)) && add_own_signals(filter) &&
	    (sandbox->is_isolated || add(filter, of_dialling, COUNT(of_dialling))) &&
	    (!sandbox->listening_key || add(filter, of_listening, COUNT(of_listening)));
}

/* For all threads (TSYNC), which have no way to new privileges already.  A tree of comparisons is
 * quicker than a list. */
static bool
load(scmp_filter_ctx filter)
{
	int why = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);

	if (why == 0)
		why = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (why == 0)
		why = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (why == 0)
		why = seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (why == 0)
		why = seccomp_load(filter);
	errno = -why;
	return why == 0;
}

static bool
release(scmp_filter_ctx filter, bool is_fine)
{
	int why = errno;

	seccomp_release(filter);
	errno = why;
	return is_fine;
}

bool
sandbox_calls_restrict(const struct sandbox *sandbox)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

	errno = ENOMEM;
	return filter && release(filter, add_all(filter, sandbox) && load(filter));
}

bool
sandbox_calls_forbid_listening(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int why;

	errno = ENOMEM;
	if (!filter)
		return false;
	why = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(listen), 0);
	errno = -why;
	return release(filter, why == 0 && load(filter));
}
