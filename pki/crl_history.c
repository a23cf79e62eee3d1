/* Marks of CRLs and revoked serials, each kept in a file. */
#include "pki/crl_history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/units.h"

enum {
	FILE_BYTES = 4 << 20,
	LINE_BYTES = 256,
};

struct crl_history {
	atomic_uint refs;
	pthread_mutex_t lock;
	struct crl_mark *marks; /* few: one an issuer */
	size_t mark_count;
	struct revoked *revoked; /* sorted by issuer and serial */
	size_t revoked_count;
	atomic_bool must_save; /* they have news that the file has not, or the file is damaged */
	atomic_bool has_new_marks;
	atomic_bool has_told_marks, has_told_revoked; /* that they could not be written */
};

struct crl_history *
crl_history_new(void)
{
	struct crl_history *history = calloc(1, sizeof *history);
	if (!history)
		return NULL;
	atomic_init(&history->refs, 1);
	pthread_mutex_init(&history->lock, NULL);
	return history;
}

struct crl_history *
crl_history_hold(struct crl_history *history)
{
	atomic_fetch_add(&history->refs, 1);
	return history;
}

void
crl_history_release(struct crl_history *history)
{
	if (!history || atomic_fetch_sub(&history->refs, 1) != 1)
		return;
	pthread_mutex_destroy(&history->lock);
	free(history->marks);
	free(history->revoked);
	free(history);
}

/* ---- CRL numbers ---- */

static struct crl_mark *
find_mark(struct crl_history *history, const uint8_t issuer[ISSUER_ID])
{
	for (size_t i = 0; i < history->mark_count; i++)
		if (memcmp(history->marks[i].issuer, issuer, ISSUER_ID) == 0)
			return &history->marks[i];
	return NULL;
}

/* CRL numbers are positive and in their shortest form, so the longer one is the larger. */
static int
compare_numbers(const struct serial *a, const struct serial *b)
{
	return a->bytes != b->bytes ? a->bytes - b->bytes : memcmp(a->data, b->data, a->bytes);
}

bool
crl_mark_is_older(const struct crl_mark *a, const struct crl_mark *b)
{
	int order = a->number.bytes == 0 || b->number.bytes == 0
	    ? 0
	    : compare_numbers(&a->number, &b->number);
	return order != 0 ? order < 0 : a->this_update < b->this_update;
}

bool
crl_history_would_roll_back(
    struct crl_history *history, const struct crl_mark *mark, struct crl_mark *seen)
{
	pthread_mutex_lock(&history->lock);
	const struct crl_mark *last = find_mark(history, mark->issuer);
	bool older = last && crl_mark_is_older(mark, last);
	if (older)
		*seen = *last;
	pthread_mutex_unlock(&history->lock);
	return older;
}

static bool
note_mark(struct crl_history *history, const struct crl_mark *mark)
{
	struct crl_mark *last = find_mark(history, mark->issuer);
	if (last) {
		if (crl_mark_is_older(last, mark))
			*last = *mark;
		return true;
	}
	struct crl_mark *more = realloc(history->marks, (history->mark_count + 1) * sizeof *more);
	if (!more)
		return false;
	history->marks = more;
	history->marks[history->mark_count++] = *mark;
	return true;
}

bool
crl_history_note_mark(struct crl_history *history, const struct crl_mark *mark)
{
	pthread_mutex_lock(&history->lock);
	const struct crl_mark *last = find_mark(history, mark->issuer);
	if (!last || crl_mark_is_older(last, mark))
		atomic_store(&history->has_new_marks, true);
	bool done = note_mark(history, mark);
	pthread_mutex_unlock(&history->lock);
	return done;
}

int64_t
crl_history_latest(struct crl_history *history)
{
	int64_t latest = 0;
	pthread_mutex_lock(&history->lock);
	for (size_t i = 0; i < history->mark_count; i++)
		if (history->marks[i].this_update > latest)
			latest = history->marks[i].this_update;
	pthread_mutex_unlock(&history->lock);
	return latest;
}

/* ---- the file: one line an issuer, "id number thisUpdate", number "-" for none ---- */

static bool
parse_line(const char *line, struct crl_mark *mark)
{
	char issuer[2 * ISSUER_ID + 1], number[SERIAL_TEXT + 2];
	uint8_t octets[SERIAL_BYTES + 1] = { 0 };
	long long this_update;
	int end = 0;
	size_t bytes;
	*mark = (struct crl_mark){ 0 };
	if (sscanf(line, "%64s %44s %lld%n", issuer, number, &this_update, &end) != 3 ||
	    line[end] != '\0')
		return false;
	if (!hex_decode(mark->issuer, ISSUER_ID, issuer))
		return false;
	mark->this_update = this_update;
	if (strcmp(number, "-") == 0)
		return true;
	bytes = strlen(number) / 2;
	return bytes <= SERIAL_BYTES && hex_decode(octets + 1, bytes, number) &&
	    serial_of(&mark->number, (struct der){ octets, bytes + 1 });
}

/* NULL, or what is wrong. */
static const char *
parse_lines(struct crl_history *history, char *text)
{
	char *rest = text;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		struct crl_mark mark;
		if (line[0] == '\0')
			continue;
		if (!parse_line(line, &mark))
			return "is damaged; remove it to start anew without the CRL numbers seen so far";
		if (!note_mark(history, &mark))
			return "cannot be read: memory is short";
	}
	return NULL;
}

static void
path_of(const char *state_dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/crl-numbers", state_dir);
}

bool
crl_history_read(struct crl_history *history, const char *state_dir, char error[CRL_HISTORY_ERROR])
{
	char path[PATH_MAX];
	struct secret text = { 0 };
	path_of(state_dir, path);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return true;
	if (!file_read(&text, path, FILE_BYTES, error))
		return false;
	pthread_mutex_lock(&history->lock);
	const char *why = parse_lines(history, (char *)text.data);
	pthread_mutex_unlock(&history->lock);
	secret_wipe(&text);
	if (why)
		snprintf(error, CRL_HISTORY_ERROR, "%.300s %s", path, why);
	return !why;
}

static void
format_line(const struct crl_mark *mark, char line[LINE_BYTES])
{
	char issuer[2 * ISSUER_ID + 1], number[SERIAL_TEXT] = "-";
	hex_encode(issuer, mark->issuer, ISSUER_ID);
	if (mark->number.bytes > 0)
		serial_text(&mark->number, number);
	snprintf(line, LINE_BYTES, "%s %s %lld\n", issuer, number, (long long)mark->this_update);
}

static bool
write_text(const char *path, FILE *out, char **text, size_t *bytes, char error[CRL_HISTORY_ERROR])
{
	bool done = fclose(out) == 0 && file_write(path, 0644, *text, *bytes, error);
	free(*text);
	return done;
}

static FILE *
open_text(const char *path, char **text, size_t *bytes, char error[CRL_HISTORY_ERROR])
{
	FILE *out = open_memstream(text, bytes);
	if (!out)
		snprintf(
		    error, CRL_HISTORY_ERROR, "%.300s cannot be written: memory is short", path);
	return out;
}

static bool
write_lines(struct crl_history *history, const char *path, char error[CRL_HISTORY_ERROR])
{
	char *text = NULL, line[LINE_BYTES];
	size_t bytes;
	FILE *out = open_text(path, &text, &bytes, error);
	if (!out)
		return false;
	pthread_mutex_lock(&history->lock);
	for (size_t i = 0; i < history->mark_count; i++) {
		format_line(&history->marks[i], line);
		fputs(line, out);
	}
	pthread_mutex_unlock(&history->lock);
	return write_text(path, out, &text, &bytes, error);
}

/* The directory, locked against others that read, merge and write; -1 with a sentence. */
static int
lock_directory(const char *state_dir, char error[CRL_HISTORY_ERROR])
{
	int directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory >= 0 && flock(directory, LOCK_EX) == 0)
		return directory;
	snprintf(error, CRL_HISTORY_ERROR,
	    "%.300s cannot be opened: %s; create the directory and "
	    "let this user write it",
	    state_dir, strerror(errno));
	if (directory >= 0)
		close(directory);
	return -1;
}

static bool
save_marks(struct crl_history *history, const char *state_dir, char error[CRL_HISTORY_ERROR])
{
	char path[PATH_MAX];
	path_of(state_dir, path);
	int directory = lock_directory(state_dir, error);
	if (directory < 0)
		return false;
	/* What another process has put there meanwhile is merged first. */
	bool done =
	    crl_history_read(history, state_dir, error) && write_lines(history, path, error);
	close(directory);
	return done;
}

bool
crl_history_save(struct crl_history *history, const char *state_dir, char error[CRL_HISTORY_ERROR])
{
	atomic_store(&history->has_new_marks, false);
	bool done = save_marks(history, state_dir, error);
	if (!done)
		atomic_store(&history->has_new_marks, true);
	return done;
}

/* What is not on the disk is tried again the next time, and that it is not there is told once. */
static bool
has_told(atomic_bool *has_news, atomic_bool *has_told_it, bool is_written)
{
	if (!is_written)
		atomic_store(has_news, true);
	return atomic_exchange(has_told_it, !is_written) || is_written;
}

bool
crl_history_save_news(
    struct crl_history *history, const char *state_dir, char error[CRL_HISTORY_ERROR])
{
	return !atomic_load(&history->has_new_marks) ||
	    has_told(&history->has_new_marks, &history->has_told_marks,
		crl_history_save(history, state_dir, error));
}

/* ---- revoked serials ---- */

static int
compare_revoked(
    const struct revoked *entry, const uint8_t issuer[ISSUER_ID], const struct serial *serial)
{
	int order = memcmp(entry->issuer, issuer, ISSUER_ID);
	return order != 0 ? order : serial_compare(&entry->serial, serial);
}

/* The index of the entry, or where it would stand. */
static size_t
place_of(
    const struct crl_history *history, const uint8_t issuer[ISSUER_ID], const struct serial *serial)
{
	size_t low = 0, high = history->revoked_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_revoked(&history->revoked[middle], issuer, serial) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const struct crl_history *history, size_t at, const uint8_t issuer[ISSUER_ID],
    const struct serial *serial)
{
	return at < history->revoked_count &&
	    compare_revoked(&history->revoked[at], issuer, serial) == 0;
}

static void
forget_expired(struct crl_history *history, int64_t now)
{
	size_t kept = 0;
	for (size_t i = 0; i < history->revoked_count; i++)
		if (history->revoked[i].not_after >= now)
			history->revoked[kept++] = history->revoked[i];
	history->revoked_count = kept;
}

/* The entries are sorted by issuer, so each issuer's stand together. */
static void
make_room(struct crl_history *history)
{
	const struct revoked *all = history->revoked;
	size_t begin = 0, heaviest = 0, most = 0, victim;
	for (size_t i = 1; i <= history->revoked_count; i++) {
		if (i < history->revoked_count &&
		    memcmp(all[i].issuer, all[begin].issuer, ISSUER_ID) == 0)
			continue;
		if (i - begin > most) {
			most = i - begin;
			heaviest = begin;
		}
		begin = i;
	}
	victim = heaviest;
	for (size_t i = heaviest; i < heaviest + most; i++)
		if (all[i].not_after < all[victim].not_after)
			victim = i;
	history->revoked_count--;
	memmove(history->revoked + victim, all + victim + 1,
	    (history->revoked_count - victim) * sizeof *all);
}

/* Under the lock. False when memory is short. */
static bool
insert_revoked(struct crl_history *history, const struct revoked *entry)
{
	if (history->revoked_count >= CRL_HISTORY_REVOKED)
		make_room(history);
	size_t at = place_of(history, entry->issuer, &entry->serial);
	if (is_at(history, at, entry->issuer, &entry->serial))
		return true;
	struct revoked *more =
	    realloc(history->revoked, (history->revoked_count + 1) * sizeof *more);
	if (!more)
		return false;
	history->revoked = more;
	memmove(more + at + 1, more + at, (history->revoked_count - at) * sizeof *more);
	more[at] = *entry;
	history->revoked_count++;
	return true;
}

void
crl_history_note_revoked(struct crl_history *history, const struct revoked *entry, int64_t now)
{
	pthread_mutex_lock(&history->lock);
	size_t at = place_of(history, entry->issuer, &entry->serial);
	if (!is_at(history, at, entry->issuer, &entry->serial)) {
		forget_expired(history, now);
		if (insert_revoked(history, entry))
			atomic_store(&history->must_save, true);
	}
	pthread_mutex_unlock(&history->lock);
}

bool
crl_history_has_revoked(struct crl_history *history, const uint8_t issuer[ISSUER_ID],
    const struct serial *serial, struct revoked *out)
{
	pthread_mutex_lock(&history->lock);
	size_t at = place_of(history, issuer, serial);
	bool found = is_at(history, at, issuer, serial);
	if (found)
		*out = history->revoked[at];
	pthread_mutex_unlock(&history->lock);
	return found;
}

/*
 * ---- their file ----
 *
 *	valise-crl-revoked 1
 *	ISSUER SERIAL REASON REVOKED-AT NOT-AFTER	for each, the first two in hexadecimal
 *	end
 */

static const char revoked_head[] = "valise-crl-revoked 1", revoked_end[] = "end";

enum file_state { FILE_FINE, FILE_DAMAGED, FILE_UNREADABLE };

static bool
parse_revoked(const char *line, struct revoked *out)
{
	char issuer[2 * ISSUER_ID + 1], serial[SERIAL_TEXT];
	uint8_t octets[SERIAL_BYTES];
	long long not_after;
	int end = 0;
	size_t bytes;
	*out = (struct revoked){ 0 };
	if (sscanf(line, "%64s %42s %" SCNu8 " %" SCNu32 " %lld%n", issuer, serial, &out->reason,
		&out->revoked_at, &not_after, &end) != 5 ||
	    line[end] != '\0')
		return false;
	out->not_after = not_after;
	bytes = strlen(serial) / 2;
	return hex_decode(out->issuer, ISSUER_ID, issuer) && bytes <= sizeof octets &&
	    hex_decode(octets, bytes, serial) &&
	    serial_of(&out->serial, (struct der){ octets, bytes });
}

/* Takes what can be read. True if that was all of it. */
static bool
take_revoked(struct crl_history *history, char *text)
{
	char *rest = text, *line = strsep(&rest, "\n");
	bool is_whole = strcmp(line, revoked_head) == 0;
	struct revoked entry;
	while ((line = strsep(&rest, "\n")) && strcmp(line, revoked_end) != 0)
		is_whole =
		    parse_revoked(line, &entry) && insert_revoked(history, &entry) && is_whole;
	return is_whole && line && rest && *rest == '\0';
}

static enum file_state
read_revoked(struct crl_history *history, const char *path, char error[CRL_HISTORY_ERROR])
{
	struct secret text = { 0 };
	if (access(path, F_OK) != 0)
		return FILE_FINE;
	if (!file_read(&text, path, FILE_BYTES, error))
		return FILE_UNREADABLE;
	pthread_mutex_lock(&history->lock);
	bool is_whole = take_revoked(history, (char *)text.data);
	pthread_mutex_unlock(&history->lock);
	secret_wipe(&text);
	if (is_whole)
		return FILE_FINE;
	snprintf(error, CRL_HISTORY_ERROR,
	    "%.300s is damaged: certificates that it lists and no CRL does may be accepted again; it is kept as %s.damaged",
	    path, strrchr(path, '/') + 1);
	return FILE_DAMAGED;
}

static void
path_of_revoked(const char *state_dir, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/crl-revoked", state_dir);
}

bool
crl_history_read_revoked(
    struct crl_history *history, const char *state_dir, char error[CRL_HISTORY_ERROR])
{
	char path[PATH_MAX];
	path_of_revoked(state_dir, path);
	enum file_state state = read_revoked(history, path, error);
	if (state == FILE_DAMAGED)
		atomic_store(&history->must_save, true);
	return state == FILE_FINE;
}

static void
put_revoked(const struct revoked *entry, FILE *out)
{
	char issuer[2 * ISSUER_ID + 1], serial[SERIAL_TEXT];
	hex_encode(issuer, entry->issuer, ISSUER_ID);
	/* As it is, with its sign, which serial_text() leaves out. */
	hex_encode(serial, entry->serial.data, entry->serial.bytes);
	fprintf(out, "%s %s %u %" PRIu32 " %lld\n", issuer, serial, entry->reason,
	    entry->revoked_at, (long long)entry->not_after);
}

static bool
write_revoked(struct crl_history *history, const char *path, char error[CRL_HISTORY_ERROR])
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_text(path, &text, &bytes, error);
	if (!out)
		return false;
	fprintf(out, "%s\n", revoked_head);
	pthread_mutex_lock(&history->lock);
	for (size_t i = 0; i < history->revoked_count; i++)
		put_revoked(&history->revoked[i], out);
	pthread_mutex_unlock(&history->lock);
	fprintf(out, "%s\n", revoked_end);
	return write_text(path, out, &text, &bytes, error);
}

static bool
set_aside(const char *path, char error[CRL_HISTORY_ERROR])
{
	char aside[PATH_MAX + sizeof ".damaged"];
	snprintf(aside, sizeof aside, "%s.damaged", path);
	if (rename(path, aside) == 0)
		return true;
	snprintf(error, CRL_HISTORY_ERROR, "%.300s is damaged and cannot be renamed: %s", path,
	    strerror(errno));
	return false;
}

static bool
save_revoked(struct crl_history *history, const char *state_dir, char error[CRL_HISTORY_ERROR])
{
	char path[PATH_MAX];
	path_of_revoked(state_dir, path);
	int directory = lock_directory(state_dir, error);
	if (directory < 0)
		return false;
	enum file_state state = read_revoked(history, path, error);
	bool done = state != FILE_UNREADABLE && (state == FILE_FINE || set_aside(path, error)) &&
	    write_revoked(history, path, error);
	close(directory);
	return done;
}

bool
crl_history_save_revoked(
    struct crl_history *history, const char *state_dir, char error[CRL_HISTORY_ERROR])
{
	return !atomic_exchange(&history->must_save, false) ||
	    has_told(&history->must_save, &history->has_told_revoked,
		save_revoked(history, state_dir, error));
}
