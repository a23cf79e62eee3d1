/* A master secret with an age, and keys made of it. */
#include "tunnel/tls_tickets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/hmac.h>

#include "base/clock.h"
#include "base/secret.h"

struct tls_tickets {
	atomic_uint references;
	pthread_mutex_t lock; /* of all below */
	uint64_t made_at_ms;
	uint8_t master[TLS_TICKETS_KEY];
};

static void
renew(struct tls_tickets *tickets, uint64_t now_ms)
{
	arc4random_buf(tickets->master, sizeof tickets->master);
	tickets->made_at_ms = now_ms;
}

struct tls_tickets *
tls_tickets_new(void)
{
	struct tls_tickets *tickets = malloc(sizeof *tickets);
	if (!tickets)
		return NULL;
	atomic_init(&tickets->references, 1);
	pthread_mutex_init(&tickets->lock, NULL);
	renew(tickets, clock_ms());
	return tickets;
}

struct tls_tickets *
tls_tickets_hold(struct tls_tickets *tickets)
{
	atomic_fetch_add(&tickets->references, 1);
	return tickets;
}

void
tls_tickets_release(struct tls_tickets *tickets)
{
	if (!tickets || atomic_fetch_sub(&tickets->references, 1) != 1)
		return;
	pthread_mutex_destroy(&tickets->lock);
	bytes_wipe(tickets, sizeof *tickets);
	free(tickets);
}

void
tls_tickets_continue(struct tls_tickets *tickets, struct tls_tickets *from)
{
	uint8_t master[TLS_TICKETS_KEY];
	pthread_mutex_lock(&from->lock);
	uint64_t made_at_ms = from->made_at_ms;
	memcpy(master, from->master, sizeof master);
	pthread_mutex_unlock(&from->lock);
	pthread_mutex_lock(&tickets->lock);
	tickets->made_at_ms = made_at_ms;
	memcpy(tickets->master, master, sizeof master);
	pthread_mutex_unlock(&tickets->lock);
	bytes_wipe(master, sizeof master);
}

static void
renew_if_due(struct tls_tickets *tickets, uint64_t now_ms)
{
	if (now_ms >= tickets->made_at_ms + TLS_TICKETS_MASTER_MS)
		renew(tickets, now_ms);
}

void
tls_tickets_refresh(struct tls_tickets *tickets, uint64_t now_ms)
{
	pthread_mutex_lock(&tickets->lock);
	renew_if_due(tickets, now_ms);
	pthread_mutex_unlock(&tickets->lock);
}

/* Each part behind its length, so that no two scopes make the same bytes. */
static void
add_part(struct hmac_sha512_ctx *hmac, const void *data, size_t bytes)
{
	const uint8_t length[] = { (uint8_t)(bytes >> 8), (uint8_t)bytes };
	hmac_sha512_update(hmac, sizeof length, length);
	hmac_sha512_update(hmac, bytes, data);
}

void
tls_tickets_key(struct tls_tickets *tickets, const struct tls_tickets_scope *scope, uint64_t now_ms,
    uint8_t key[TLS_TICKETS_KEY])
{
	struct hmac_sha512_ctx hmac;
	pthread_mutex_lock(&tickets->lock);
	renew_if_due(tickets, now_ms);
	hmac_sha512_set_key(&hmac, sizeof tickets->master, tickets->master);
	pthread_mutex_unlock(&tickets->lock);
	add_part(&hmac, scope->name, strlen(scope->name));
	add_part(&hmac, scope->protocol, strlen(scope->protocol));
	add_part(&hmac, "384", scope->is_sha384 ? 3 : 0);
	hmac_sha512_digest(&hmac, TLS_TICKETS_KEY, key);
	bytes_wipe(&hmac, sizeof hmac);
}
