/* Places that are taken anew: an event that leaves gives its place to the newest one, and who is newest
 * says a number. */
#include "base/log_recent.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log_private.h"
#include "base/utf8.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_recent places[LOG_RECENT_MOST];
static _Atomic uint64_t newest;

/* ---- texts ---- */

/* One character, or one byte that is no part of any, as a reader can see it; the bytes that it took. */
static unsigned
put_visible(char out[5], const char *at, size_t left)
{
	uint32_t point;
	unsigned bytes = utf8_decode(at, left, &point);

	if (bytes > 0 && !utf8_is_invisible(point)) {
		memcpy(out, at, bytes);
		out[bytes] = '\0';
		return bytes;
	}
	snprintf(out, 5, "\\x%02x", (unsigned char)*at);
	return 1;
}

/* Cut after the last character that is there as a whole. */
static void
copy_visible(char *out, size_t out_size, const char *text)
{
	size_t used = 0, left = text ? strlen(text) : 0;

	while (left > 0) {
		char one[5];
		unsigned taken = put_visible(one, text, left);

		if (used + strlen(one) >= out_size)
			break;
		memcpy(out + used, one, strlen(one));
		used += strlen(one);
		text += taken;
		left -= taken;
	}
	out[used] = '\0';
}

/* ---- places ---- */

/* FNV-1a. */
static uint32_t
kind_of(const char *event)
{
	uint32_t kind = 2166136261u;

	for (; *event != '\0'; event++)
		kind = (kind ^ (unsigned char)*event) * 16777619u;
	return kind;
}

static size_t
count_alike(uint32_t kind)
{
	size_t count = 0;

	for (size_t i = 0; i < LOG_RECENT_MOST; i++)
		count += places[i].kind == kind;
	return count;
}

/* Under the lock: a free place, or that of who leaves. */
static struct log_recent *
make_room(void)
{
	struct log_recent *leaver = NULL;
	size_t most = 0;

	for (size_t i = 0; i < LOG_RECENT_MOST; i++) {
		struct log_recent *one = &places[i];
		size_t alike;

		if (one->number == 0)
			return one;
		alike = count_alike(one->kind);
		if (alike > most || (alike == most && one->number < leaver->number)) {
			most = alike;
			leaver = one;
		}
	}
	return leaver;
}

void
log_recent_put(enum log_level level, const char *event, const char *sentence, const char *fields)
{
	struct log_recent *place;

	pthread_mutex_lock(&lock);
	place = make_room();
	place->number = atomic_load(&newest) + 1;
	place->at_s = clock_wall_s();
	place->level = level;
	place->kind = kind_of(event);
	copy_visible(place->event, sizeof place->event, event);
	copy_visible(place->text, sizeof place->text, sentence);
	copy_visible(place->fields, sizeof place->fields, fields);
	atomic_store(&newest, place->number);
	pthread_mutex_unlock(&lock);
}

void
log_recent_lock(void)
{
	pthread_mutex_lock(&lock);
}

void
log_recent_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* ---- what is asked ---- */

uint64_t
log_recent_version(void)
{
	return atomic_load_explicit(&newest, memory_order_relaxed);
}

static int
newest_first(const void *a, const void *b)
{
	const struct log_recent *left = a, *right = b;

	return left->number < right->number ? 1 : left->number > right->number ? -1 : 0;
}

size_t
log_recent_copy(struct log_recent out[LOG_RECENT_MOST])
{
	size_t count = 0;

	pthread_mutex_lock(&lock);
	memcpy(out, places, sizeof places);
	pthread_mutex_unlock(&lock);
	qsort(out, LOG_RECENT_MOST, sizeof out[0], newest_first);
	while (count < LOG_RECENT_MOST && out[count].number > 0)
		count++;
	return count;
}
