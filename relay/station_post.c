/* What the control thread tells a station. */
#include "relay/station.h"

#include <stdlib.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/thread.h"
#include "pki/trust.h"
#include "relay/agent_session.h"
#include "relay/flow.h"
#include "relay/rules.h"

struct order {
	struct message message;
	struct station *station;
	void (*obey)(struct order *);
	struct rules *rules;		/* held */
	struct trust *trust;		/* held */
	uint64_t deadline_ms;
};

static void
deliver(struct message *message)
{
	struct order *order = container_of(message, struct order, message);

	if (!order->station->is_over)
		order->obey(order);
	rules_release(order->rules);
	if (order->trust != NULL)
		trust_release(order->trust);
	free(order);
}

static void
post(struct station *station, const struct order *what)
{
	struct order *order = malloc(sizeof(*order));

	if (order == NULL) {
		log_event(LOG_ERROR, "memory-short", "a worker could not be told of a change; tell it again");
		rules_release(what->rules);
		if (what->trust != NULL)
			trust_release(what->trust);
		return;
	}
	*order = *what;
	order->station = station;
	order->message.deliver = deliver;
	loop_post(thread_loop(station->thread), &order->message);
}

static void
obey_rules(struct order *order)
{
	station_adopt_rules(order->station, order->rules);
	order->rules = NULL;
	agent_session_reserve_all(order->station);
}

void
station_post_rules(struct station *station, struct rules *rules)
{
	post(station, &(struct order){ .obey = obey_rules, .rules = rules_hold(rules) });
}

static void
obey_trust(struct order *order)
{
	int64_t now = clock_wall_s();

	if (order->trust == NULL) {
		agent_session_end_all(order->station, CODE_CERTIFICATE_REFUSED, "the relay takes no agents any more");
		return;
	}
	agent_session_judge_all(order->station, order->trust, now);
	flow_judge_all(order->station, order->trust, now);
}

void
station_post_trust(struct station *station, struct trust *trust)
{
	post(station, &(struct order){ .obey = obey_trust, .trust = trust != NULL ? trust_hold(trust) : NULL });
}

static void
obey_drain(struct order *order)
{
	order->station->draining = true;
	station_close_ports(order->station);
	agent_session_drain_all(order->station, order->deadline_ms);
	station_check(order->station);
}

void
station_post_drain(struct station *station, uint64_t deadline_ms)
{
	post(station, &(struct order){ .obey = obey_drain, .deadline_ms = deadline_ms });
}

static void
obey_goodbye(struct order *order)
{
	station_say_goodbye(order->station);
}

void
station_post_goodbye(struct station *station)
{
	post(station, &(struct order){ .obey = obey_goodbye });
}
