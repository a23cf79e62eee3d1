/*
 * The log: one line per event, text for people or JSON for machines, on
 * standard error.  An event has a stable word, a level, a sentence and fields.
 *
 *	log_event(LOG_INFO, "session-up", "agent connected",
 *	    log_str("agent", name), log_u64("pool", n));
 *
 * Strings and sentences may be hostile.  In text they are quoted when they hold
 * anything but plain printable ASCII (a sentence may have spaces), so that
 * nothing in one looks like a field, and other bytes become \xNN.  In JSON they
 * are escaped: bytes that are not UTF-8 become \u00NN, characters that cannot be
 * seen (base/utf8.h) become \uNNNN.  They are cut at 1 KiB.  A NULL string leaves
 * its field out.
 *
 * Any thread may log.  The thread that logs a line builds it and writes it at
 * once, until log_start(): from then on lines go to a ring of 4 MiB and a thread
 * that writes, so that nobody waits for the reader of standard error.  Audit events
 * and the first line after a while are written at once, the others of the same 10 ms
 * together.  All threads share the ring.  When it is full, new lines are dropped: ordinary ones
 * first, since the last MiB is for audit events, and then those.  How many were
 * dropped is told at most once a second (log-lines-dropped), as soon as a line
 * can be written.
 *
 * Audit events are what must be known later: start, stop and reload, sessions and
 * endpoints up and down, refusals of agents and of client certificates, and
 * revocations.  They are written with log_audit() and log_write_judged(), and nothing
 * else is.  log_write_judged() bounds the lines of each party that it is about; who
 * calls log_audit() for what a peer can repeat bounds the lines of that peer himself.
 *
 * Events that strangers can repeat are written with log_limited(): of one event
 * and one client block (an IPv4 address, an IPv6 /64) 30 lines a second pass, of
 * one event and all blocks 100, and what was suppressed is told when the second is
 * over (log-lines-suppressed, counted among the 100: nine blocks by name, the
 * others together).  The first blocks leave lines to those that come later: a
 * block gets no more than half of what is left.
 * There are 1024 windows, which all threads and clients share.  Each belongs to
 * one event and one block, and no other ever counts in it.  When all are taken,
 * none is given up: until one ends, the blocks that come then count together,
 * event by event, in the window of the clients that are nobody in particular; 32
 * of the windows are kept for that.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct address;

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_LEVELS };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON }; /* auto: text on a terminal, else JSON */

enum log_kind {
	LOG_KIND_END,
	LOG_KIND_STRING,
	LOG_KIND_UNSIGNED,
	LOG_KIND_SIGNED,
	LOG_KIND_BOOL,
	LOG_KIND_BYTES,
	LOG_KIND_OBJECT,
};

struct log_field {
	const char *key;
	enum log_kind kind;
	union {
		const char *string;
		uint64_t number;
		int64_t integer;
		bool truth;
		const void *object;
		struct {
			const void *data;
			size_t size;
		} bytes;
	} value;
};

#define log_str(k, v) ((struct log_field){ (k), LOG_KIND_STRING, { .string = (v) } })
#define log_u64(k, v) ((struct log_field){ (k), LOG_KIND_UNSIGNED, { .number = (v) } })
#define log_i64(k, v) ((struct log_field){ (k), LOG_KIND_SIGNED, { .integer = (v) } })
#define log_bool(k, v) ((struct log_field){ (k), LOG_KIND_BOOL, { .truth = (v) } })
/* In hexadecimal. */
#define log_hex(k, v, n) ((struct log_field){ (k), LOG_KIND_BYTES, { .bytes = { (v), (n) } } })
/* An object that has no number of its own: eight digits that are the same for as long as it lives, and
 * tell nothing about where it is.  Another one that is made in its place later has them, too. */
#define log_object(k, v) ((struct log_field){ (k), LOG_KIND_OBJECT, { .object = (v) } })

/* `sentence` may be NULL. */
#define log_event(level, event, ...) \
	log_write((level), (event), LOG_FIRST(__VA_ARGS__, 0), \
	    (const struct log_field[]){ LOG_REST(__VA_ARGS__, { 0 }) })
/* The same for an audit event. */
#define log_audit(level, event, ...) \
	log_write_audit((level), (event), LOG_FIRST(__VA_ARGS__, 0), \
	    (const struct log_field[]){ LOG_REST(__VA_ARGS__, { 0 }) })
/* The same for an event that strangers can bring about as often as they like; `client` (borrowed, NULL:
 * nobody in particular) is who did. */
#define log_limited(level, event, client, ...) \
	log_write_limited((level), (event), (client), LOG_FIRST(__VA_ARGS__, 0), \
	    (const struct log_field[]){ LOG_REST(__VA_ARGS__, { 0 }) })
#define LOG_FIRST(first, ...) first
#define LOG_REST(first, ...) __VA_ARGS__

/* `program` is borrowed for ever.  Before the call the log is text at level info.  Where standard
 * error is the journal (JOURNAL_STREAM of systemd.exec(5)) each line begins with its priority, which
 * the journal takes off: <3> error, <4> warning, <6> info, <7> debug. */
void log_init(const char *program, enum log_level, enum log_format);
bool log_enabled(enum log_level);
void log_write(
    enum log_level, const char *event, const char *sentence, const struct log_field *fields);
void log_write_audit(
    enum log_level, const char *event, const char *sentence, const struct log_field *fields);

/* `event` is borrowed for ever. */
void log_write_limited(enum log_level, const char *event, const struct address *client,
    const char *sentence, const struct log_field *fields);
/* For a verdict on somebody.  `who` is a number for the party that is proven to answer for it, whatever it
 * has others make; 0 is nobody.  What happens to a party must be known later, so this is an audit event 60
 * times a minute for each; more of them are only counted (log-lines-suppressed).  What comes of nobody is
 * limited, because anybody can send junk as fast as handshakes go; and so is what comes of further parties
 * when 256 have come in a minute. */
void log_write_judged(enum log_level, const char *event, const struct address *client, uint64_t who,
    const char *sentence, const struct log_field *fields);

/* A line at debug level for a move of a state machine, called by the one function that writes the
 * state.  `id` says which of its kind it is: log_hex() or log_str() of what it is called elsewhere, else
 * log_object().  The names come from one table: who stays in a state has not moved.  Nearly free below
 * that level. */
void log_move(const char *machine, struct log_field id, const char *from, const char *to);

/* Until log_start() lines wait in the ring: for a process that must have no thread yet, and must not
 * wait for the reader of standard error either. */
void log_hold(void);
/* Starts the writer; call it when the process is what it will be (user, sandbox). False when the
 * system refuses a thread: lines are written directly then, as before.  A process that dies by a
 * fault of its own (abort, assert, a bad address) writes out what it has for up to a second; what an
 * assert says is a line as well (assertion-failed).  In the child of a fork lines are written
 * directly. */
bool log_start(void);
/* Writes what is left, for at most a second, and ends the writer. Later lines are written directly,
 * or dropped when the second was not enough. Harmless without log_start(). */
void log_stop(void);

/*
 * Lines that stay under the log where it is a terminal, each with its '\n' and none longer than a row: the
 * writer takes them away before it writes and puts them back behind it.  Copied; "" takes them away.  Does
 * nothing without the writer or a terminal.
 */
enum { LOG_FOOTER = 2048 };
void log_footer(const char *text);
/* The columns of the terminal that the log goes to; 0: it is none that can be drawn on. */
unsigned log_columns(void);

/* Lines that nobody got, since the start: for which the ring had no room, audit events apart, and which were
 * suppressed, as far as that has been told. */
struct log_lost {
	uint64_t dropped, dropped_audit, suppressed;
};
struct log_lost log_lost(void);

const char *log_level_name(enum log_level);
/* Writes `text` to `out` (NUL-terminated, cut to fit) so that it is safe in a terminal and in one
 * line: escapes, but no quotes around it. */
void log_quote(char *out, unsigned out_size, const char *text, unsigned bytes);

#endif
