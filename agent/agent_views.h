/*
 * How the agent's documents are shown to people, command by command.
 */
#ifndef AGENT_AGENT_VIEWS_H
#define AGENT_AGENT_VIEWS_H

#include "base/admin_view.h"

/* The columns by which rows may be sorted, as options have choices (base/program.h). */
#define AGENT_ENDPOINTS_SORT "name|server_name|mode|flows|denied"
#define AGENT_FLOWS_SORT \
	"client|server_name|endpoint|forward|relay|upstream|bytes_in|bytes_out|rate|age_ms|state"

/* For admin_command_run(). */
extern const struct admin_view agent_views[];

#endif
