/*
 * How the relay's documents are shown to people, command by command.
 */
#ifndef RELAY_RELAY_VIEWS_H
#define RELAY_RELAY_VIEWS_H

#include "base/admin_view.h"

/* The columns by which rows may be sorted, as options have choices (base/program.h). */
#define RELAY_AGENTS_SORT "agent|client|age_ms|rtt_us|endpoints|channels|waiting|flows|not_after"
#define RELAY_ROUTES_SORT "name|kind|endpoints"
#define RELAY_FLOWS_SORT "client|server_name|agent|bytes_in|bytes_out|rate|age_ms|state"

/* For admin_command_run(). */
extern const struct admin_view relay_views[];

#endif
