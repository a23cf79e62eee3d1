/* The first things that a program does, and its signals. */
#include "base/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sysexits.h>
#include <unistd.h>

void
process_open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The kernel gives the lowest number that is free, which is this one. */
		if (open("/dev/null", O_RDWR) != fd)
			_exit(EX_OSERR);
	}
}

/* The table of signal(7), without those that a fault of ours or the limit on processor time brings.
 * SIGXFSZ is here because a full quota is an error of the write that meets it. */
void
process_ignore_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2, SIGIO, SIGPROF,
		SIGVTALRM, SIGSTKFLT, SIGPWR, SIGXFSZ };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		signal(numbers[i], SIG_IGN);
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		signal(number, SIG_IGN);
}

const int process_faults[PROCESS_FAULTS] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS,
	SIGTRAP };

void
process_block_signals(sigset_t *before)
{
	sigset_t set;

	sigfillset(&set);
	for (int i = 0; i < PROCESS_FAULTS; i++)
		sigdelset(&set, process_faults[i]);
	pthread_sigmask(SIG_SETMASK, &set, before);
}
