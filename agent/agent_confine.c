/* One line for each setting that names a file or a folder. */
#include "agent/agent_confine.h"

#include <limits.h>
#include <stdio.h>

#include "acme/store.h"
#include "agent/settings.h"
#include "base/sandbox.h"
#include "pki/crl_store.h"

static void
add_proxy(struct sandbox *plan, const struct fetch_proxy_settings *proxy)
{
	sandbox_file(plan, "agent.proxy.password_file", proxy->password_file, SANDBOX_READ);
	sandbox_files(plan, "agent.proxy.cas", &proxy->cas, SANDBOX_READ);
}

/* What a process of its own reads is forbidden to the daemon. */
static void
add_key(struct sandbox *plan, const struct agent_settings *settings, const char *key,
    const char *file, const char *certificate, unsigned rights)
{
	if (settings->has_key_process)
		sandbox_forbid_key(plan, file, certificate);
	else
		sandbox_file(plan, key, file, rights);
}

static void
add_relays(struct sandbox *plan, const struct agent_settings *settings)
{
	unsigned own = settings->renew.url ? SANDBOX_CHANGE : SANDBOX_READ;

	sandbox_file(plan, "agent.certificate", settings->certificate, own);
	add_key(
	    plan, settings, "agent.private_key", settings->private_key, settings->certificate, own);
	sandbox_files(plan, "agent.renew.cas", &settings->renew.cas, SANDBOX_READ);
	sandbox_files(plan, "agent.connect_cas", &settings->connect_cas, SANDBOX_READ);
	sandbox_files(plan, "agent.connect_crls", &settings->connect_crls, SANDBOX_READ);
	add_proxy(plan, &settings->proxy);
	for (size_t i = 0; i < settings->connect_url.count; i++)
		add_proxy(plan, &agent_settings_relay(settings, i)->proxy);
}

static void
add_upstream(struct sandbox *plan, const struct agent_settings *settings,
    const struct upstream_settings *upstream)
{
	sandbox_files(plan, "upstream.cas", &upstream->cas, SANDBOX_READ);
	sandbox_files(plan, "upstream.crls", &upstream->crls, SANDBOX_READ);
	sandbox_file(plan, "upstream.certificate", upstream->certificate, SANDBOX_READ);
	add_key(plan, settings, "upstream.private_key", upstream->private_key,
	    upstream->certificate, SANDBOX_READ);
}

static void
add_endpoint(struct sandbox *plan, const struct agent_settings *settings,
    const struct endpoint_settings *endpoint)
{
	const struct termination_settings *termination = &endpoint->termination;

	for (size_t i = 0; i < agent_settings_certificate_count(termination); i++) {
		const struct certificate_settings *one = agent_settings_certificate(termination, i);

		sandbox_file(plan, "server_certificate", one->certificate, SANDBOX_READ);
		add_key(plan, settings, "server_private_key", one->private_key, one->certificate,
		    SANDBOX_READ);
		sandbox_file(plan, "server_ocsp_response", one->staple, SANDBOX_READ);
	}
	sandbox_files(plan, "mutual_tls_certificate_authorities", &termination->cas, SANDBOX_READ);
	sandbox_files(plan, "mutual_tls_crls", &termination->crls, SANDBOX_READ);
	sandbox_files(plan, "acme.cas", &termination->acme.cas, SANDBOX_READ);
	sandbox_file(plan, "acme.eab.hmac_key_file", termination->acme.mac_key_file, SANDBOX_READ);
	add_upstream(plan, settings, &endpoint->upstream);
}

/* What listens at a local path is made anew at a reload. */
static void
add_forward(struct sandbox *plan, const struct agent_settings *settings,
    const struct forward_settings *forward)
{
	if (forward->listener.as.any.sa_family == AF_UNIX)
		sandbox_file(
		    plan, "forwards.listen", forward->listener.as.local.sun_path, SANDBOX_SOCKET);
	add_upstream(plan, settings, &forward->upstream);
}

/* An agent that has forwards may move them to other ports at a reload. */
struct sandbox *
agent_confine_plan_reload(const struct agent_settings *settings, const char *config_path)
{
	struct sandbox *plan = sandbox_new();

	if (!plan)
		return NULL;
	sandbox_file(plan, "configuration", config_path, SANDBOX_READ);
	add_relays(plan, settings);
	for (size_t i = 0; i < settings->endpoints.count; i++)
		add_endpoint(plan, settings, agent_settings_endpoint(settings, i));
	for (size_t i = 0; i < settings->forwards.count; i++)
		add_forward(plan, settings, agent_settings_forward(settings, i));
	if (settings->forwards.count > 0)
		sandbox_listening(plan, "forwards");
	return plan;
}

struct sandbox *
agent_confine_plan(const struct agent_settings *settings, const char *config_path)
{
	struct sandbox *plan = agent_confine_plan_reload(settings, config_path);
	char ignored[FILE_ERROR], folder[PATH_MAX];

	if (!plan)
		return NULL;
	sandbox_host(plan);
	if (sandbox_state(plan, "agent.state_dir", settings->state_dir)) {
		sandbox_folder(plan, "agent.state_dir",
		    crl_store_folder(settings->state_dir, folder), SANDBOX_CHANGE);
		snprintf(folder, sizeof folder, "%s/acme", settings->state_dir);
		store_open(settings->state_dir, ignored);
		sandbox_folder(plan, "agent.state_dir", folder, SANDBOX_CHANGE);
	}
	/* Made now, since it could not be made later; who uses it tells what is wrong with it. */
	if (settings->acme_dir)
		store_open(settings->acme_dir, ignored);
	sandbox_folder(plan, "acme", settings->acme_dir, SANDBOX_CHANGE);
	sandbox_file(plan, "admin.socket", settings->admin_socket, SANDBOX_SOCKET);
	return plan;
}
