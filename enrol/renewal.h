/*
 * Keeps one certificate of a daemon's own from ending: when a part of its life is left, the authority is
 * asked for the next one (RFC 7030, 4.2.2), again and again until it comes, and the files are replaced at
 * once (renewal_files.h).  Who loads the files sees that they have changed and does the rest.
 *
 *	off <--> resting --> asking --> resting
 *	              \<------ asking (failed: later again)
 *
 * All that is due is judged by the wall clock, which may jump, and is looked at every few seconds.  The
 * first attempt comes up to six hours after it is due (an eighth of that time, if it is less), so that hosts
 * that joined together do not ask together.  After a failure the next comes within a minute, then later and
 * later, up to four hours, and sooner again the closer the end is.  An authority that says when is obeyed,
 * unless that is too late.  One that sends what is due already is asked once a minute, or ten times in such a
 * life.
 *
 * It says louder and louder that it fails: each state of the last attempt makes an event, then one a day,
 * and from half of that time on each attempt is an error.
 *
 * Everything belongs to the loop's thread.
 */
#ifndef ENROL_RENEWAL_H
#define ENROL_RENEWAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "enrol/renewal_rows.h"
#include "pki/verdict.h"

struct loop;
struct renewal;

/* ---- whom it asks ---- */

/* Borrowed for the call. */
struct renewal_question {
	const char *url, *address;    /* the second may be NULL */
	const struct conf_texts *cas; /* files: what the authority is judged by */
	/* Those in force, who asks: PEM, and a URL (keys/key_url.h). */
	const struct secret *certificate, *key;
	const struct secret *request; /* DER */
};

enum renewal_outcome {
	RENEWAL_ISSUED,
	RENEWAL_LATER,       /* the authority is there, and cannot now */
	RENEWAL_REFUSED,     /* it will not, until somebody changes something */
	RENEWAL_UNREACHABLE, /* nobody is there who is the authority */
	RENEWAL_FAILED,      /* we cannot: files, memory, or what came is no good */
	RENEWAL_OUTCOMES
};

/* Borrowed for the call. */
struct renewal_answer {
	enum renewal_outcome outcome;
	struct secret chain;  /* ISSUED: PEM, the leaf first */
	uint64_t retry_ms;    /* LATER: not before; 0: it has not said */
	const char *sentence; /* unless ISSUED */
};

enum { RENEWAL_ERROR = 1024 };

/* How an authority is asked.  The answer comes later and once, in the loop's thread, unless it is
 * cancelled; the handle is void from then on. */
struct renewal_authority {
	/* NULL with a sentence. */
	void *(*ask)(void *arg, const struct renewal_question *,
	    void (*on_answer)(void *asker, const struct renewal_answer *), void *asker,
	    char error[RENEWAL_ERROR]);
	void (*cancel)(void *arg, void *handle);
	void *arg;
};

/* ---- what it keeps ---- */

/* Borrowed until the next renewal_set(), and the authority for the life of the renewal. */
struct renewal_certificate {
	const char *key; /* what messages call it: "agent.certificate" */
	enum role role;
	const char *host; /* ROLE_RELAY: what it must be for */
	const char *certificate, *private_key;
	const struct renewal_settings *settings;
};

/* Whether all is there that a renewal needs of this host: files that can be replaced, roots that can be read.
 * False with a sentence, for `check`; a renewal that is set says so by itself. */
bool renewal_is_possible(const struct renewal_certificate *, char error[RENEWAL_ERROR]);
/* At a start, before its files are loaded: finishes a renewal in whose middle the last process died. */
void renewal_mend(const struct renewal_certificate *);
/* on_change is called when what renewal_text() says has changed.  NULL when memory is short. */
struct renewal *renewal_new(
    struct loop *, const struct renewal_authority *, void (*on_change)(void *arg), void *arg);
/* NULL is fine. */
void renewal_free(struct renewal *);
/* At the start and after each reload: what is kept from now on.  NULL, or one without a url: nothing.  A
 * request that is under way is dropped, and made again at once. */
void renewal_set(struct renewal *, const struct renewal_certificate *);

/* ---- what people see ---- */

/* To all of these NULL is one that is off. */

enum renewal_urgency {
	RENEWAL_NONE,    /* it is off */
	RENEWAL_FINE,    /* not due, or due and not failed */
	RENEWAL_FAILING, /* failed, and there is time */
	RENEWAL_URGENT,  /* and half of that time is over */
	RENEWAL_ENDED,   /* the certificate has ended */
};

enum renewal_urgency renewal_urgency(const struct renewal *);
/* "", or what to append to a status for people: "; agent.certificate ends on ...: SENTENCE". */
enum { RENEWAL_TEXT = 400 };
const char *renewal_text(const struct renewal *, char out[RENEWAL_TEXT]);
/* For a status document: {"certificate", "ends", "urgency", "next", "failures", "code", "error"}; JSON's null
 * where it is off. */
json_t *renewal_describe(const struct renewal *);

#endif
