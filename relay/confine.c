/* One line for each setting that names a file or a folder. */
#include "relay/confine.h"

#include <limits.h>

#include "base/sandbox.h"
#include "pki/crl_store.h"
#include "relay/settings.h"

/* Where it is renewed its file is replaced, and so is the key's. */
static unsigned
rights_of_certificate(const struct settings *settings)
{
	return settings->renew.url ? SANDBOX_CHANGE : SANDBOX_READ;
}

struct sandbox *
confine_plan_reload(const struct settings *settings, const char *config_path)
{
	unsigned own = rights_of_certificate(settings);
	struct sandbox *plan = sandbox_new();

	if (!plan)
		return NULL;
	sandbox_file(plan, "configuration", config_path, SANDBOX_READ);
	sandbox_file(plan, "connect.certificate", settings->certificate, own);
	if (settings->has_key_process)
		sandbox_forbid_key(plan, settings->private_key, settings->certificate);
	else
		sandbox_file(plan, "connect.private_key", settings->private_key, own);
	sandbox_files(plan, "connect.renew.cas", &settings->renew.cas, SANDBOX_READ);
	sandbox_files(plan, "connect.agent_cas", &settings->agent_cas, SANDBOX_READ);
	sandbox_files(plan, "connect.agent_crls", &settings->agent_crls, SANDBOX_READ);
	return plan;
}

struct sandbox *
confine_plan(const struct settings *settings, const char *config_path)
{
	struct sandbox *plan = confine_plan_reload(settings, config_path);
	char folder[PATH_MAX];

	if (!plan)
		return NULL;
	sandbox_host(plan);
	if (sandbox_state(plan, "state_dir", settings->state_dir))
		sandbox_folder(plan, "state_dir", crl_store_folder(settings->state_dir, folder),
		    SANDBOX_CHANGE);
	sandbox_file(plan, "admin.socket", settings->admin_socket, SANDBOX_SOCKET);
	return plan;
}
