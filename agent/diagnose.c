/* `valise-agent diagnose`: the order of the steps. */
#include "agent/diagnose.h"

#include <stdio.h>
#include <sysexits.h>

#include "agent/check.h"
#include "agent/diagnose_private.h"
#include "base/log.h"
#include "base/memory.h"
#include "keys/key_process.h"

/* False: there is nothing to begin with, and it has been said why. */
static bool
load(struct diagnosis *diagnosis, const char *path)
{
	char error[ENDPOINT_ERROR];

	diagnosis->paths = relay_paths_new(diagnosis->settings, error);
	if (diagnosis->paths)
		diagnosis->credentials = credentials_new(diagnosis->settings, NULL, error);
	if (diagnosis->credentials)
		diagnosis->table = endpoint_table_new(
		    diagnosis->settings, diagnosis->credentials->relays, NULL, NULL, error);
	if (!diagnosis->table)
		agent_check_tell(path, diagnosis->settings, error);
	return diagnosis->table != NULL;
}

static void
try_all(struct diagnosis *diagnosis, bool only_relays)
{
	for (size_t i = 0; i < diagnosis->paths->count; i++)
		diagnose_relay(diagnosis, &diagnosis->paths->paths[i]);
	for (size_t i = 0; !only_relays && i < diagnosis->table->count; i++)
		diagnose_endpoint(diagnosis, diagnosis->table->endpoints[i]);
}

static int
run(struct diagnosis *diagnosis, const struct diagnose_options *options)
{
	diagnosis->loop = loop_new();
	diagnosis->resolver = resolver_new();
	if (!diagnosis->loop || !diagnosis->resolver)
		return EX_OSERR;
	findings_begin(&diagnosis->findings, stdout, options->as_json);
	try_all(diagnosis, options->only_relays);
	if (!findings_end(&diagnosis->findings, options->config_path) || fflush(stdout) != 0)
		return EX_OSERR;
	return diagnosis->findings.counts[FINDING_FAILED] > 0;
}

int
diagnose_run(const struct diagnose_options *options)
{
	struct agent_settings settings;
	struct diagnosis diagnosis = { .settings = &settings, .hold_ms = options->hold_s * 1000 };
	int code = agent_check_read(&settings, options->config_path);

	log_init("valise-agent", LOG_ERROR, LOG_TEXT);
	memory_begin();
	if (code == 0 && !key_process_settle(settings.has_key_process))
		code = EX_OSERR;
	if (code == 0)
		code = load(&diagnosis, options->config_path) ? run(&diagnosis, options)
							      : memory_exit_code(EX_CONFIG);
	if (code == EX_OSERR)
		fprintf(stderr,
		    "valise-agent: diagnose: the system refuses a loop or a process, or memory is short\n");
	resolver_free(diagnosis.resolver);
	loop_free(diagnosis.loop);
	endpoint_table_release(diagnosis.table);
	credentials_release(diagnosis.credentials);
	relay_paths_free(diagnosis.paths);
	key_process_stop();
	agent_settings_wipe(&settings);
	return code;
}
