/* Two tables over one kind of seat. */
#include "relay/roster.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "pki/identity.h"
#include "tunnel/session.h"

enum { TWIN_BYTES = IDENTITY_KEY_BYTES + INSTANCE_BYTES };

struct seat {
	struct hash_link by_channel, by_twin;
	struct member *member;
	struct secret key;
	char channel[CHANNEL_IDENTITY];
	uint8_t twin[TWIN_BYTES];
};

struct roster {
	pthread_mutex_t lock;
	struct table channels, twins;
};

struct roster *
roster_new(void)
{
	struct roster *roster = calloc(1, sizeof(*roster));

	if (roster == NULL || !table_init(&roster->channels)) {
		free(roster);
		return NULL;
	}
	if (!table_init(&roster->twins)) {
		table_wipe(&roster->channels);
		free(roster);
		return NULL;
	}
	pthread_mutex_init(&roster->lock, NULL);
	return roster;
}

void
roster_free(struct roster *roster)
{
	if (roster == NULL)
		return;
	table_wipe(&roster->channels);
	table_wipe(&roster->twins);
	pthread_mutex_destroy(&roster->lock);
	free(roster);
}

static void
twin_of(uint8_t twin[TWIN_BYTES], const uint8_t *key, const uint8_t *instance)
{
	memcpy(twin, key, IDENTITY_KEY_BYTES);
	memcpy(twin + IDENTITY_KEY_BYTES, instance, INSTANCE_BYTES);
}

static void
seat_free(struct seat *seat)
{
	secret_wipe(&seat->key);
	member_release(seat->member);
	free(seat);
}

bool
roster_add(struct roster *roster, struct member *member, const struct secret *key)
{
	struct seat *seat = calloc(1, sizeof(*seat));

	if (seat == NULL)
		return false;
	seat->member = member_hold(member);
	channel_identity(member_session_id(member), seat->channel);
	twin_of(seat->twin, identity_key(member_identity(member)), member_instance(member));
	if (!secret_init(&seat->key, key->data, key->bytes)) {
		seat_free(seat);
		return false;
	}
	pthread_mutex_lock(&roster->lock);
	table_add(&roster->channels, &seat->by_channel,
	    table_hash(&roster->channels, seat->channel, strlen(seat->channel)));
	table_add(&roster->twins, &seat->by_twin, table_hash(&roster->twins, seat->twin, TWIN_BYTES));
	pthread_mutex_unlock(&roster->lock);
	return true;
}

/* Under the lock. */
static struct seat *
seat_by_channel(struct roster *roster, const char *channel)
{
	uint64_t hash = table_hash(&roster->channels, channel, strlen(channel));

	for (struct hash_link *at = table_first(&roster->channels, hash); at != NULL; at = table_next(at)) {
		struct seat *seat = container_of(at, struct seat, by_channel);

		if (strcmp(seat->channel, channel) == 0)
			return seat;
	}
	return NULL;
}

void
roster_remove(struct roster *roster, struct member *member)
{
	char channel[CHANNEL_IDENTITY];
	struct seat *seat;

	channel_identity(member_session_id(member), channel);
	pthread_mutex_lock(&roster->lock);
	seat = seat_by_channel(roster, channel);
	if (seat != NULL) {
		table_remove(&roster->channels, &seat->by_channel);
		table_remove(&roster->twins, &seat->by_twin);
	}
	pthread_mutex_unlock(&roster->lock);
	if (seat != NULL)
		seat_free(seat);
}

struct member *
roster_find_twin(struct roster *roster, const uint8_t *key, const uint8_t *instance, const uint8_t *start,
    const struct member *except)
{
	struct member *found = NULL;
	uint8_t twin[TWIN_BYTES];
	struct hash_link *at;

	twin_of(twin, key, instance);
	pthread_mutex_lock(&roster->lock);
	at = table_first(&roster->twins, table_hash(&roster->twins, twin, TWIN_BYTES));
	for (; at != NULL; at = table_next(at)) {
		struct seat *seat = container_of(at, struct seat, by_twin);

		if (seat->member == except || memcmp(seat->twin, twin, TWIN_BYTES) != 0)
			continue;
		found = seat->member;
		if (memcmp(member_start(found), start, START_BYTES) == 0)
			break;
	}
	if (found != NULL)
		member_hold(found);
	pthread_mutex_unlock(&roster->lock);
	return found;
}

struct member *
roster_find_channel(struct roster *roster, const char *channel)
{
	struct member *member = NULL;
	struct seat *seat;

	pthread_mutex_lock(&roster->lock);
	seat = seat_by_channel(roster, channel);
	if (seat != NULL)
		member = member_hold(seat->member);
	pthread_mutex_unlock(&roster->lock);
	return member;
}

bool
roster_find_key(void *arg, const char *channel, struct secret *key)
{
	struct roster *roster = arg;
	struct seat *seat;
	bool found;

	pthread_mutex_lock(&roster->lock);
	seat = seat_by_channel(roster, channel);
	found = seat != NULL && secret_init(key, seat->key.data, seat->key.bytes);
	pthread_mutex_unlock(&roster->lock);
	return found;
}
