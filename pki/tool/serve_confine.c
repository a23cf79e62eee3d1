/* What each of the two processes of `valise-pki serve` may still touch. */
#include "pki/tool/serve_confine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/privileges.h"
#include "base/sandbox.h"
#include "pki/tool/message.h"

static const char key[] = "authority";

/* Takes the plan. */
static int
confine(struct sandbox *plan)
{
	char error[SANDBOX_ERROR];
	bool is_fine;

	if (!plan)
		return message_no_memory();
	sandbox_isolate(plan);
	is_fine = sandbox_enter(plan, error) && sandbox_seal(plan, error);
	sandbox_free(plan);
	return is_fine ? 0 : message_fail(EX_OSERR, "%s", error);
}

int
serve_confine(const char *directory)
{
	struct sandbox *plan = sandbox_new();
	char cas[PATH_MAX], crls[PATH_MAX];

	snprintf(cas, sizeof cas, "%s/cas", directory);
	snprintf(crls, sizeof crls, "%s/crls", directory);
	if (plan) {
		sandbox_folder(plan, key, cas, SANDBOX_READ);
		sandbox_folder(plan, key, crls, SANDBOX_READ);
	}
	return confine(plan);
}

int
serve_confine_signer(const char *directory, bool has_token)
{
	struct sandbox *plan;

	if (has_token) {
		log_event(LOG_WARNING, "sandbox-partial",
		    "a CA's key is on a token, whose module may need any file and any system call: the "
		    "process that signs keeps those that its user has");
		return privileges_drop() ? 0 : message_fail(EX_OSERR, "%s", strerror(errno));
	}
	plan = sandbox_new();
	if (plan)
		sandbox_folder(plan, key, directory, SANDBOX_CHANGE | SANDBOX_MOVE);
	return confine(plan);
}
