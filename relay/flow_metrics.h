/*
 * What flows add to the metrics of their worker (metrics.h), each called once where the thing happens.
 */
#ifndef RELAY_FLOW_METRICS_H
#define RELAY_FLOW_METRICS_H

#include "relay/refuse.h"

struct flow;

/* Before it has that state; of its states is enum flow_state. */
void flow_metrics_move(const struct flow *, int to);
/* It has got the channel that it has asked for. */
void flow_metrics_has_channel(const struct flow *);
void flow_metrics_joined(const struct flow *);
/* Before what it holds is given back.  The reason is a stable word. */
void flow_metrics_closed(const struct flow *, const char *reason);
void flow_metrics_refused(const struct flow *, enum refusal);

#endif
