/*
 * Sockets: listening, accepting and connecting, always non-blocking and
 * close-on-exec; and the options that every connection of ours carries.
 */
#ifndef BASE_SOCKET_H
#define BASE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/address.h"
#include "base/loop.h"

enum listen_flags {
	LISTEN_ALONE = 0,
	LISTEN_SHARED = 1,   /* SO_REUSEPORT */
	LISTEN_V6_ONLY = 2,  /* [::] leaves IPv4 to another listener */
	LISTEN_OWN_USER = 4, /* the file of a local socket has mode 0600 from the first moment */
};
/* Listening socket with SO_REUSEADDR, IPV6_V6ONLY off unless asked for, backlog 4096; the
 * stale file of a local socket that nobody answers at is replaced.  Where the kernel has no IPv6,
 * [::] is 0.0.0.0, unless that is left to another listener: socket_local() tells.
 * -1 with a sentence in error (512 bytes) and errno. */
int socket_listen(const struct address *, unsigned flags, char *error);
/* The same, but does not listen yet: whoever comes is refused. */
int socket_bind(const struct address *, unsigned flags, char *error);

/* TCP_NODELAY, and TCP_NOTSENT_LOWAT of 128 KiB: the kernel takes no more than that ahead of what the
 * network carries, so that a peer that does not read holds 150 KB of kernel memory and not 4 MB; it
 * holds for send(), which says EAGAIN, and for the readiness to write alike.
 * What a listener accepts and a connector connects has them already. */
void socket_prepare(int fd);
/* Dead peers are noticed a minute later, as long as nothing waits to be acknowledged; for that the caller
 * asks socket_health() now and then, or has deadlines of its own.  What a listener accepts has it
 * already; what is connected seldom lives as long. */
void socket_keep_alive(int fd);
/* For a peer that has shown how fast it takes what it gets: 2 MiB instead of these 128 KiB, since to be
 * told of room in small pieces costs more than the bytes do when they are not copied. */
void socket_set_fast(int fd, bool is_fast);
/* TCP_USER_TIMEOUT: ends a connection 30 s after what was sent was not taken, also when its peer lives
 * and only does not read. */
void socket_allow_no_pauses(int fd);
enum socket_health {
	SOCKET_QUIET,   /* the peer's kernel has all that was written */
	SOCKET_PENDING, /* it has not, yet; perhaps the peer does not read */
	SOCKET_SILENT,  /* and it has acknowledged nothing for too long */
};
/* silent_ms: how long what was sent may stay unanswered.  A peer that lives answers probes of its
 * closed window as well, but the kernel sends those as rarely as every two minutes: so it waits
 * 2.5 times as long there, for which silent_ms should be 60 s. */
enum socket_health socket_health(int fd, uint64_t silent_ms);
/* Bytes that were written and that the peer's kernel has not acknowledged. */
uint64_t socket_queued(int fd);
/* What the kernel holds for this socket, both ways (SO_MEMINFO); a system call. */
uint64_t socket_memory(int fd);
/* How much the kernel takes from a peer as long as nobody reads from it (SO_RCVBUF); a system call. */
uint64_t socket_receive_most(int fd);
/* As many descriptors as the hard limit allows: the soft one is often 1024, and a flow takes two.
 * Returns how many there may be now. */
uint64_t socket_raise_limit(void);
/* The same without raising anything: somebody may have changed it meanwhile (prlimit(1)). */
uint64_t socket_limit(void);
/* The next close() sends RST (SO_LINGER 0). */
void socket_reset_on_close(int fd);
struct address socket_peer(int fd);
struct address socket_local(int fd);
/* Whether it is a socket of streams that listens at this very address. */
bool socket_listens_at(int fd, const struct address *);
/* Whether others may listen beside it (LISTEN_SHARED). */
bool socket_is_one_of_several(int fd);

/*
 * A listener of one loop.  Accept errors never end it.  Without descriptors (EMFILE,
 * ENFILE) it turns away who waits, up to 64 at a time, by means of one that it keeps in
 * reserve; without memory (ENOMEM, ENOBUFS) it cannot.  Either way it looks again after
 * 100 ms.  One line in the log says when that begins, and one when it is over.
 */
struct listener;
/* Adopts fd. on_accept adopts the new descriptor. */
struct listener *listener_new(struct loop *, int fd,
    void (*on_accept)(void *arg, int fd, const struct address *peer), void *arg);
/* Called with each that is turned away so, before it is closed: a last word to who waits.  It must neither
 * wait nor open anything. */
void listener_say(struct listener *, void (*on_refuse)(int fd));
/* Stops accepting without closing; who connects waits in the kernel until listener_resume(), or is
 * refused by listener_free(), which closes at the end of the next turn.  All three may be called from
 * on_accept. */
void listener_pause(struct listener *);
void listener_resume(struct listener *);
void listener_free(struct listener *);
/* Borrowed. */
int listener_descriptor(const struct listener *);

/*
 * Connecting to a name or a literal.  A name's addresses race (RFC 8305): the
 * next one is tried 250 ms after the last (sooner where there are too many for
 * that), or at once when one fails, in the resolver's order; the first that is
 * connected wins, the others are closed, and all together are bounded by
 * `timeout_ms`.  The resolver is told of those that refuse, and of
 * those that did not answer although they had 250 ms.
 *
 * Shared by:     all that is dialled in the process: attempts that run beside another one of the same
 *                target, which would take up to 16 descriptors for one connection.
 * Bound:         CONNECT_RACING_MOST of them.
 * Who leaves:    nobody.  Who finds no place tries one address after the other, each for an equal
 *                part of the time.
 */
struct connector;
struct resolver;
enum { CONNECT_ERROR = 256, CONNECT_WHY = 128, CONNECT_RACING_MOST = 16 };
/* Instead of a descriptor.  SHORT: this process or host had no descriptor, memory or local port for it,
 * so that nothing is known of the target; it is told in the log, too, once (base/shortage.h). */
enum { CONNECT_FAILED = -1, CONNECT_SHORT = -2 };
/* "host:port" is resolved by the resolver; `unix:/path` and literals at once.
 * on_done is called once, never from inside this call: fd >= 0 (given to the callee), or one of the above
 * with a sentence, which has the last error of each family.  NULL when memory is short. */
struct connector *connector_new(struct loop *, struct resolver *, const char *target,
    uint64_t timeout_ms, void (*on_done)(void *arg, int fd, const char *error), void *arg);
/*
 * For a target that a stranger has a say in: its name is looked up as one that strangers choose
 * (resolver.h), and each of its addresses is asked of the fence before anything is connected.  Those that
 * it refuses are not tried; if it refuses all, the sentence names the last one.
 */
struct connector_fence {
	/* If not, `why` completes the address's sentence, as in "is outside of 192.0.2.0/24". */
	bool (*allows)(void *arg, const struct address *, char why[CONNECT_WHY]);
	void *arg;
};
struct connector *connector_new_fenced(struct loop *, struct resolver *, const char *target,
    uint64_t timeout_ms, const struct connector_fence *,
    void (*on_done)(void *arg, int fd, const char *error), void *arg);
/* Right after it was made: where its connections come from (base/connect_source.h; copied). */
struct connect_source;
void connector_set_source(struct connector *, const struct connect_source *);
/* Gives up silently; after on_done has been called the connector is gone by itself and must not
 * be freed. */
void connector_free(struct connector *);

#endif
