/* What of this host a start would take: its directories, and addresses to listen at. */
#include "agent/check.h"

#include <stdio.h>
#include <sysexits.h>

#include "agent/settings.h"
#include "agent/state.h"
#include "base/admin.h"
#include "base/ready.h"
#include "base/socket.h"
#include "base/start_check.h"

static int
tell_directories(const struct agent_settings *settings)
{
	char error[START_CHECK_ERROR];
	struct admin_group group;

	if (!admin_group_find(&group, settings->admin_group, error)) {
		fprintf(stderr, "%s\n", error);
		return EX_CONFIG;
	}
	if ((!settings->state_dir ||
		start_check_directory(settings->state_dir, "agent.state_dir", error)) &&
	    (!settings->admin_socket ||
		start_check_socket(settings->admin_socket, "admin.socket", error)))
		return 0;
	fprintf(stderr, "%s\n", error);
	return EX_CANTCREAT;
}

/* False unless an agent runs with this configuration, which has what it listens at. */
static bool
is_running(const struct agent_settings *settings)
{
	char path[AGENT_LOCK_PATH];
	long holder = settings->state_dir
	    ? ready_lock_holder(agent_state_lock_path(settings->state_dir, path))
	    : 0;

	if (holder > 0)
		printf("running: process %ld, which has what it listens at\n", holder);
	return holder != 0;
}

static int
tell_addresses(const struct agent_settings *settings)
{
	char error[START_CHECK_ERROR];
	int code = 0;

	if (!start_check_address(settings->web.http, "admin.http", error) ||
	    !start_check_address(settings->web.health, "admin.health", error)) {
		fprintf(stderr, "%s\n", error);
		code = EX_UNAVAILABLE;
	}
	for (size_t i = 0; i < settings->forwards.count; i++) {
		const struct forward_settings *forward = agent_settings_forward(settings, i);

		if (start_check_listener(&forward->listener, LISTEN_OWN_USER, "listen", error))
			continue;
		fprintf(stderr, "forward %s: %s\n", forward->name, error);
		code = EX_UNAVAILABLE;
	}
	return code;
}

int
agent_check_start(const struct agent_settings *settings)
{
	int code = tell_directories(settings);

	return code != 0 || is_running(settings) ? code : tell_addresses(settings);
}
