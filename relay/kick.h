/*
 * What an operator does to end flows and sessions at once: the word kick.
 *
 * Sessions that fit hear goodbye with the code kicked, and leave with their parked channels; then flows that
 * fit are reset, those of these sessions included.  Nobody is kept away: an agent connects again in a few
 * seconds, and so may a client.  What shall stay away is revoked, or denied.
 */
#ifndef RELAY_KICK_H
#define RELAY_KICK_H

#include <jansson.h>

struct admin_question;
struct listing_place;

/* The question says whom, by what relay/listing_filter.h reads; who says nothing is refused.  The answer
 * is {"message", "found", "flows", "sessions"}: how many were ended. */
void kick(struct admin_question *, const struct listing_place *, const json_t *question);

#endif
