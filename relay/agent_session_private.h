/*
 * Internal to sessions: the object that their sources share.
 *
 * Announcements wait in a queue (`waiting`) until a turn of the loop takes some.
 *
 * Shared by:     the announcements of one session; a queue is never that of others.
 * Bound:         WAITING_MOST of agent_session_endpoints.c, and no more is read from the agent until
 *                all are taken; beside it the budget of frames (tunnel/session.h).
 * Who leaves:    nobody: beyond the bound all that wait are taken at once.
 */
#ifndef RELAY_AGENT_SESSION_PRIVATE_H
#define RELAY_AGENT_SESSION_PRIVATE_H

#include "base/address.h"
#include "base/hash.h"
#include "base/loop.h"
#include "relay/agent_session.h"
#include "relay/resumption.h"
#include "relay/route.h"
#include "relay/worker_context.h"
#include "tunnel/session.h"

struct session_ref_command;

enum { AGENT_ACCEPTED_MOST = 32, AGENT_REFUSALS_MOST = 32 };

/* agent_session_log.c: the lines of this minute, which begins with the first of them. */
struct agent_session_lines {
	struct timer minute;
	uint64_t refusals[AGENT_REFUSALS_MOST]; /* hashes of name and code */
	unsigned refusal_count;
	size_t changes, endpoints_most;
	uint64_t refusals_suppressed, changes_suppressed;
	bool has_told_twin;
};

/* agent_session_resume.c: what the agent offers to go on with, and how its endpoints leave. */
struct agent_session_resume {
	bool is_offered;              /* the agent waits for the answer, or has had it */
	uint8_t digest[RESUME_BYTES]; /* of what it offers */
	uint64_t until_ms;            /* so long the session before is waited for */
	struct timer look;
	struct timer leaving;
	struct announcement **said; /* by those that have left; NULL: nobody will ask for it */
	size_t said_count, said_room, hashed;
	struct announce_digest *hash;
	struct resumption_list list; /* of what was hashed */
};

/*
 *	arriving (until the welcome) --> serving --> retired (nobody finds it any more) --> gone
 *
 * It may be gone from everywhere; arriving leads there without being retired.
 */
enum agent_session_state {
	AGENT_SESSION_ARRIVING,
	AGENT_SESSION_SERVING,
	AGENT_SESSION_RETIRED,
	AGENT_SESSION_GONE,
	AGENT_SESSION_STATES
};

struct agent_session {
	LIST_ENTRY(agent_session) link;
	struct worker_context *worker;
	struct session *session;
	struct address client;
	struct shares_place *place;         /* while it has none in its usage: agent_session.h */
	struct recent_peer *peer;           /* from its hello on */
	struct identity *identity;          /* held, from the handshake on */
	struct session_ref *session_ref;    /* held, from the welcome on */
	struct table endpoints, patterns;   /* agent_session_endpoints.c */
	LIST_HEAD(, agent_endpoint) newest; /* of them, the newest first */
	LIST_HEAD(, agent_mark) marks;      /* agent_session_pending.c */
	unsigned mark_count;
	struct announcement_list waiting;
	size_t waiting_count;
	struct timer taking;
	struct frame_range accepted[AGENT_ACCEPTED_MOST]; /* not told yet */
	unsigned range_count, accepted_count;
	struct agent_session_resume resume;
	struct agent_session_lines lines;
	uint64_t begun_us, up_ms;
	/* As it says; NULL: it has not, or memory was short. */
	char *software, *region;
	uint32_t features; /* that both have */
	bool is_succeeded; /* by another session of its process; ends soon */
	bool is_dry_run;   /* what it announces is judged and neither served nor kept; */
	size_t rehearsed;  /* so much was */
	enum agent_session_state state;
	bool can_move;   /* FEATURE_MOVE, in a version that has facts */
	bool is_leaving; /* its endpoints, until they are gone */
	bool was_logged;
	/* There were too many lines of its tenant: it gets none for a minute (relay/session_lines.h). */
	bool is_quiet;
	bool is_draining;  /* as it has said itself */
	bool has_reserved; /* an endpoint was refused as name-reserved since the last rules */
	struct timer not_after, probe;
	/* agent_session_doubt.c: the first question since its last answer (0: none), the last one, the
	 * last that it has answered; when its channels were asked. */
	uint64_t first_asked_ms, asked_ms, answered_ms, distrusted_ms;
	bool is_silent;
	struct timer silence;
	struct task reap, displacing;
};

/* The only writer of ->state. */
void agent_session_move(struct agent_session *, enum agent_session_state);
/* It counts no more among the handshakes and sessions, or might soon, but still has a descriptor: gives it a
 * place among the lingers, if it has none. */
void agent_session_linger(struct agent_session *);
/* Says goodbye and ends it. */
void agent_session_end(struct agent_session *, enum code, const char *sentence);

/* agent_session_admit.c */
struct tls_certificate;
unsigned agent_session_judge_chain(void *self, const struct tls_certificate *chain, size_t count);
void agent_session_judge(struct agent_session *, struct trust *, int64_t now);
/* Ends the session with its certificate: the timer not_after calls it, and it sets that timer. */
void agent_session_watch_end(void *self);
/* The agent's hello: admitted and welcomed, or refused. */
void agent_session_greet(struct agent_session *, const struct frame_hello *);

/* agent_session_metrics.c: each once, where the thing happens.  Codes are stable words; of one that was never
 * up the last counts nothing. */
void agent_session_count_up(struct agent_session *);
void agent_session_count_refused(const struct agent_session *, const char *code);
void agent_session_count_over(const struct agent_session *);

/* agent_session_endpoints.c. The first is false when memory is short; the second comes after all
 * are withdrawn, and is harmless on {0}. */
bool agent_session_endpoints_init(struct agent_session *);
void agent_session_endpoints_wipe(struct agent_session *);
void agent_session_announce(struct agent_session *, const struct frame_announce *);
void agent_session_withdraw(struct agent_session *, uint32_t endpoint);
/* As if the agent had announced them now; the list is empty then. */
void agent_session_announce_all(struct agent_session *, struct resumption_list *);
/* One endpoint leaves, or an announcement that still waits, and what was said of it is the caller's; NULL:
 * there is none. */
struct announcement *agent_session_drop_newest(struct agent_session *);
void agent_session_obey_rules(struct agent_session *);
/* Refuses as many as its usage owes, the newest first. */
void agent_session_yield_endpoints(struct agent_session *);
/* Those of an announcement that the relay has, too, and that the session speaks of. */
uint8_t agent_session_carriers(const struct agent_session *, const struct frame_announce *);
/* Tells that this number of an endpoint or a mark is refused. */
void agent_session_refuse(
    struct agent_session *, uint32_t number, const char *name, enum code, const char *sentence);

/*
 * agent_session_resume.c.  The endpoints of a session that is over leave by and by, some in each turn of the
 * loop, since there may be very many; then what was announced is kept for its return.
 *
 *	agent_session_resume_init, with the session
 *	agent_session_hear_offer (with the hello) --> the welcome says so --> agent_session_resume
 *	agent_session_depart --> all have left: agent_session_departed() of agent_session.c
 */
void agent_session_resume_init(struct agent_session *);
void agent_session_hear_offer(struct agent_session *, const struct frame_hello *);
/* After the welcome.  awaits_twin: the session before is just being ended. */
void agent_session_resume(struct agent_session *, bool awaits_twin);
/* Nobody finds the session any more. */
void agent_session_depart(struct agent_session *);
/* The loop ends: all that are left leave now. */
void agent_session_depart_now(struct agent_session *);

/*
 * agent_session_pending.c: the marks of a session, which are announced, answered and withdrawn like
 * endpoints, under numbers of their own.
 *
 * Shared by:     the endpoints of one session.
 * Bound:         AGENT_MARKS_MOST.
 * Who leaves:    nobody; the newcomer is refused.
 */
enum { AGENT_MARKS_MOST = 64 };
/* Marks an endpoint, which is up under this name, for what an announcement says.  CODE_NONE, or the refusal
 * with a sentence. */
enum code agent_session_mark(struct agent_session *, const struct frame_announce *,
    uint32_t endpoint, const char *name, char sentence[SENTENCE_TEXT]);
/* Takes the mark of this number away.  False: there is none. */
bool agent_session_unmark(struct agent_session *, uint32_t number);
/* Those of an endpoint that is up no more, and tells so. */
void agent_session_unmark_endpoint(struct agent_session *, uint32_t endpoint);
/* All, without a word; also on {0}. */
void agent_session_unmark_all(struct agent_session *);

/* agent_session_log.c; the first on {0}, the second when the session is over. */
void agent_session_log_init(struct agent_session *);
/* The session is up; hello is NULL when that is told later. Without a word when it is quiet. */
void agent_session_log_welcome(struct agent_session *, const struct frame_hello *);
void agent_session_log_end(struct agent_session *);
void agent_session_log_refused(
    struct agent_session *, uint32_t number, const char *name, enum code, const char *sentence);
void agent_session_log_up(
    struct agent_session *, uint32_t number, const char *pattern, const char *name);
void agent_session_log_down(struct agent_session *, uint32_t number, const char *pattern);
/* It goes on with so many announcements of the session before. */
void agent_session_log_resumed(const struct agent_session *, size_t count);
void agent_session_log_pending(struct agent_session *, uint32_t number, const char *name);
/* Another process has its instance: the first time that one comes. */
void agent_session_log_twin(struct agent_session *);

/* agent_session_doubt.c: the first on {0}; the last when the session is over. */
void agent_session_doubt_init(struct agent_session *);
/* A flow doubts it. */
void agent_session_doubt(struct agent_session *);
/* It has answered a probe. */
void agent_session_answers(struct agent_session *);
void agent_session_doubt_end(struct agent_session *);

/* agent_session.c */
void agent_session_departed(struct agent_session *);
void agent_session_command(void *self, const struct session_ref_command *);
void agent_session_twin_lives(struct agent_session *);
void agent_session_twin_silent(void *self);

#endif
