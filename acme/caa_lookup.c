/* The thread that asks.  What is asked belongs to it until it has called the loop, and to that call
 * then. */
#include "acme/caa_lookup.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/loop.h"

enum { TYPE_CAA = 257, MESSAGE = 16384, SECONDS = 3, TIMES = 2, NAME = 256 };

struct caa_lookup {
	struct call call;
	struct loop *loop;
	bool is_cancelled; /* under the lock */
	char name[NAME];
	struct address server; /* bytes 0: the system's */
	struct caa_set set;
	bool has_answer;
	void (*on_done)(void *arg, const struct caa_set *);
	void *arg;
};

/* Held while a loop is called, so that no loop is called whose owner has cancelled. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- on the thread ---- */

enum found { FOUND, NONE, SILENT };

static enum found
ask(struct __res_state *resolver, const char *name, struct caa_set *set)
{
	uint8_t message[MESSAGE];
	int bytes = res_nquery(resolver, name, ns_c_in, TYPE_CAA, message, sizeof message);

	if (bytes < 0)
		return resolver->res_h_errno == HOST_NOT_FOUND || resolver->res_h_errno == NO_DATA
		    ? NONE
		    : SILENT;
	if ((size_t)bytes > sizeof message || !caa_decode(set, message, (size_t)bytes))
		return SILENT;
	return set->count > 0 ? FOUND : NONE;
}

/* From the name towards the root, which is not asked. */
static bool
climb(struct __res_state *resolver, const char *name, struct caa_set *set)
{
	enum found found = NONE;

	while (name && *name && found == NONE) {
		found = ask(resolver, name, set);
		name = strchr(name, '.');
		name = name ? name + 1 : NULL;
	}
	if (found == NONE)
		set->count = 0;
	return found != SILENT;
}

static bool
look_up(struct caa_lookup *lookup)
{
	struct __res_state resolver = { 0 };
	bool has_answer;

	if (res_ninit(&resolver) < 0)
		return false;
	resolver.retrans = SECONDS;
	resolver.retry = TIMES;
	resolver.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
	if (lookup->server.bytes > 0) {
		resolver.nscount = 1;
		resolver.nsaddr_list[0] = lookup->server.as.v4;
	}
	has_answer = climb(&resolver, lookup->name, &lookup->set);
	res_nclose(&resolver);
	return has_answer;
}

static void
on_answer(void *data)
{
	struct caa_lookup *lookup = data;

	if (!lookup->is_cancelled) /* the lock was released after it was written */
		lookup->on_done(lookup->arg, lookup->has_answer ? &lookup->set : NULL);
	free(lookup);
}

static void *
run(void *arg)
{
	struct caa_lookup *lookup = arg;
	bool is_cancelled;

	lookup->has_answer = look_up(lookup);
	pthread_mutex_lock(&lock);
	is_cancelled = lookup->is_cancelled;
	if (!is_cancelled)
		loop_call(lookup->loop, &lookup->call, on_answer, lookup);
	pthread_mutex_unlock(&lock);
	if (is_cancelled)
		free(lookup);
	return NULL;
}

/* ---- on the loop ---- */

/* Signals are for the main thread. */
static bool
start_thread(struct caa_lookup *lookup)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	bool is_started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	is_started = pthread_create(&thread, &attributes, run, lookup) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return is_started;
}

struct caa_lookup *
caa_lookup_start(struct loop *loop, const char *name, const struct address *server,
    void (*on_done)(void *arg, const struct caa_set *), void *arg)
{
	struct caa_lookup *lookup = calloc(1, sizeof *lookup);

	if (!lookup)
		return NULL;
	lookup->loop = loop;
	snprintf(lookup->name, sizeof lookup->name, "%s", name);
	if (server)
		lookup->server = *server;
	lookup->on_done = on_done;
	lookup->arg = arg;
	if (start_thread(lookup))
		return lookup;
	free(lookup);
	return NULL;
}

void
caa_lookup_cancel(struct caa_lookup *lookup)
{
	if (!lookup)
		return;
	pthread_mutex_lock(&lock);
	lookup->is_cancelled = true;
	pthread_mutex_unlock(&lock);
}
