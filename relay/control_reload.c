/* All or nothing: what is new is complete before anything of the old is given up. */
#include "relay/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "relay/control_parts.h"
#include "relay/crowd.h"
#include "relay/limits.h"
#include "relay/route.h"
#include "relay/rules.h"
#include "relay/trustwatch.h"

static const char old_configuration[] = "the old configuration";

void
control_warn(const struct trust *trust)
{
	const char *warning;

	for (size_t i = 0; (warning = trust_warning(trust, i)) != NULL; i++)
		log_event(LOG_WARNING, "trust-warning", warning);
}

void
control_stamp(struct control *control)
{
	const struct settings *settings = &control->rules->settings;

	if (settings->connect_name == NULL)
		return;
	control->certificate = file_stamp_of(settings->certificate);
	control->private_key = file_stamp_of(settings->private_key);
}

static void
tell_trust(struct control *control)
{
	struct trust *trust = trustwatch_trust(control->relay.trustwatch);

	for (unsigned i = 0; i < control->relay.station_count; i++)
		station_post_trust(control->relay.stations[i], trust);
	if (trust != NULL)
		trust_release(trust);
}

/* Where readers put their sentences, of which each becomes an event of its own: an alarm counts
 * mistakes, and `kept` says what goes on. */
struct mistakes {
	char *text;
	size_t bytes;
	FILE *out;
};

static void
open_mistakes(struct mistakes *mistakes)
{
	*mistakes = (struct mistakes){ 0 };
	mistakes->out = open_memstream(&mistakes->text, &mistakes->bytes);
}

static void
log_refusal(const char *sentence, const char *kept)
{
	log_event(LOG_ERROR, "reload-refused", sentence, log_str("kept", kept));
}

/* What fails without a sentence has failed for memory. */
static void
close_mistakes(struct mistakes *mistakes, bool is_fine, const char *kept)
{
	char *rest;

	if (mistakes->out != NULL)
		fclose(mistakes->out);
	if (!is_fine && mistakes->bytes == 0)
		log_refusal("memory is short", kept);
	rest = is_fine ? NULL : mistakes->text;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		if (line[0] != '\0')
			log_refusal(line, kept);
	}
	free(mistakes->text);
}

static struct rules *
read_rules(struct control *control)
{
	enum rules_failure failure;
	struct mistakes mistakes;
	struct rules *rules;

	open_mistakes(&mistakes);
	rules = rules_load(control->path, control->relay.roster, mistakes.out, &failure);
	close_mistakes(&mistakes, rules != NULL, old_configuration);
	return rules;
}

static void
reload_certificate(struct control *control)
{
	struct mistakes mistakes;
	bool is_fine;

	open_mistakes(&mistakes);
	is_fine = rules_renew(control->rules, mistakes.out);
	close_mistakes(&mistakes, is_fine, "what was loaded before");
	if (is_fine)
		log_event(LOG_INFO, "certificate-reloaded", "new sessions are shown the new certificate");
	control_stamp(control);
}

/* What only a restart can change. */
static void
tell_unchanged(const struct settings *old, const struct settings *new)
{
	bool same = old->listeners.count == new->listeners.count && strcmp(old->workers, new->workers) == 0;

	for (size_t i = 0; same && i < new->listeners.count; i++)
		same = strcmp(settings_listener_at(old, i)->address, settings_listener_at(new, i)->address) == 0;
	if (!same)
		log_event(LOG_WARNING, "restart-needed", "workers and listeners change only by a restart");
}

static void
set_bounds(struct control *control)
{
	const struct settings_limits *limits = &control->rules->settings.limits;
	struct relay *relay = &control->relay;
	struct crowd_bounds hellos = { limits->hellos, limits->hellos_per_client, limits->hello_memory };
	struct crowd_bounds handshakes = { limits->handshakes / 2, limits->handshakes / 2, 0 };
	struct crowd_bounds channels = { limits->channel_handshakes, limits->channel_handshakes, 0 };

	limits_set(relay->limits, limits->flows, limits->flows_per_client);
	crowd_set_bounds(relay->hellos, &hellos);
	crowd_set_bounds(relay->strangers, &handshakes);
	crowd_set_bounds(relay->acquaintances, &handshakes);
	crowd_set_bounds(relay->channels, &channels);
}

static void
use_rules(struct control *control, struct rules *rules)
{
	rules_release(control->rules);
	control->rules = rules;
	set_bounds(control);
	log_init("valise-relay", (enum log_level)rules->settings.log_level,
	    (enum log_format)rules->settings.log_format);
	for (unsigned i = 0; i < control->relay.station_count; i++)
		station_post_rules(control->relay.stations[i], rules);
}

static bool
load_trust(struct control *control, const struct rules *rules, struct trust **trust)
{
	char error[TRUST_ERROR];

	*trust = NULL;
	if (rules->settings.connect_name == NULL)
		return true;
	trustwatch_files_changed(control->relay.trustwatch, &rules->settings);
	*trust = trustwatch_load(control->relay.trustwatch, &rules->settings, error);
	if (*trust == NULL)
		log_refusal(error, old_configuration);
	return *trust != NULL;
}

void
control_reload(struct control *control)
{
	struct rules *rules = read_rules(control);
	struct trust *trust;

	if (rules != NULL && load_trust(control, rules, &trust)) {
		if (route_set_fixed(control->relay.routes, rules->settings.connect_pattern, rules->fixed,
		    rules->fixed_count)) {
			tell_unchanged(&control->rules->settings, &rules->settings);
			if (trust != NULL)
				control_warn(trust);
			trustwatch_swap(control->relay.trustwatch, trust);
			use_rules(control, rules);
			control_stamp(control);
			tell_trust(control);
			log_event(LOG_INFO, "reloaded", "the new configuration is in force");
			return;
		}
		log_refusal("memory is short", old_configuration);
		if (trust != NULL)
			trust_release(trust);
	}
	rules_release(rules);
	control_stamp(control);
}

static void
reload_trust(struct control *control)
{
	struct trustwatch *watch = control->relay.trustwatch;
	char error[TRUST_ERROR];
	struct trust *trust = trustwatch_load(watch, &control->rules->settings, error);

	if (trust == NULL) {
		log_event(LOG_ERROR, "trust-refused", error);
		return;
	}
	control_warn(trust);
	trustwatch_swap(watch, trust);
	log_event(LOG_INFO, "trust-reloaded", "agents' CAs or CRLs have changed; all that is held is judged again",
	    log_u64("cas", trust_ca_count(trust)), log_u64("crls", trust_crl_count(trust)));
	tell_trust(control);
}

static bool
certificate_changed(const struct control *control)
{
	const struct settings *settings = &control->rules->settings;
	struct file_stamp certificate = file_stamp_of(settings->certificate);
	struct file_stamp private_key = file_stamp_of(settings->private_key);

	return !file_stamp_equals(&certificate, &control->certificate) ||
	    !file_stamp_equals(&private_key, &control->private_key);
}

void
control_look_at_trust(struct control *control)
{
	const struct settings *settings = &control->rules->settings;

	if (settings->connect_name != NULL && trustwatch_files_changed(control->relay.trustwatch, settings))
		reload_trust(control);
}

void
control_look(struct control *control)
{
	if (control->rules->settings.connect_name != NULL && certificate_changed(control))
		reload_certificate(control);
	control_look_at_trust(control);
}
