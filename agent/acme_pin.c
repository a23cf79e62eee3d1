/* Whether the DNS pins the names to their accounts. */
#include "agent/acme_private.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { WORD_MOST = 64, NO_ANSWER_S = 600 };

/* ---- over a restart ---- */

static const char *
path_of(char out[PATH_MAX], const char *dir, const char *name)
{
	snprintf(out, PATH_MAX, "%.3500s/acme/%s.caa", dir, name);
	return out;
}

enum caa_verdict
acme_pin_read(const char *dir, const char *name)
{
	char path[PATH_MAX], error[FILE_ERROR];
	struct secret text = { 0 };
	enum caa_verdict verdict = CAA_UNKNOWN;

	if (file_read(&text, path_of(path, dir, name), WORD_MOST, error))
		for (enum caa_verdict i = 0; i < CAA_VERDICTS; i++)
			if (strncmp((const char *)text.data, caa_words[i], strlen(caa_words[i])) ==
			    0)
				verdict = i;
	secret_wipe(&text);
	return verdict;
}

static void
keep(const struct acme_name *name, const char *dir)
{
	char path[PATH_MAX], error[FILE_ERROR], text[WORD_MOST];
	int bytes = snprintf(text, sizeof text, "%s\n", caa_words[name->pin]);

	file_write(path_of(path, dir, name->server_name), 0644, text, (size_t)bytes, error);
}

/* ---- what is told ---- */

const char *
acme_pin_sentence(enum caa_verdict verdict, const char *name, const char *identity,
    const char *account, char out[ACME_WARNING])
{
	char record[CAA_SENTENCE];

	if (verdict == CAA_PINNED)
		return NULL;
	if (verdict == CAA_FOREIGN)
		snprintf(out, ACME_WARNING,
		    "the CAA records of %s let other accounts have certificates, and not this one; the CA will "
		    "refuse: %s",
		    name, caa_record_text(name, identity, account, record));
	else if (account[0] == '\0')
		snprintf(out, ACME_WARNING,
		    "whoever runs the relay can obtain a certificate for %s, until a CAA record names the account "
		    "that may; which one, the agent says as soon as it has one",
		    name);
	else
		snprintf(out, ACME_WARNING,
		    "whoever runs the relay can obtain a certificate for %s, until a CAA record names the account "
		    "that may: %s",
		    name, caa_record_text(name, identity, account, record));
	return out;
}

/* Once for each verdict. */
static void
tell(struct acme_name *name)
{
	const struct acme_registration *registration = name->registration;
	char sentence[ACME_WARNING];

	if (name->has_told_pin && name->told_pin == name->pin)
		return;
	name->has_told_pin = true;
	name->told_pin = name->pin;
	acme_pin_sentence(
	    name->pin, name->server_name, registration->identity, registration->account, sentence);
	if (name->pin == CAA_FOREIGN)
		log_event(LOG_ERROR, "acme-foreign", sentence, log_str("endpoint", name->endpoint),
		    log_str("server_name", name->server_name));
	else if (name->pin == CAA_PINNED)
		log_event(LOG_INFO, "acme-pinned",
		    "only the agent's account can have certificates for this name, says the DNS",
		    log_str("endpoint", name->endpoint), log_str("server_name", name->server_name));
	else
		log_event(LOG_WARNING, "acme-unpinned", sentence,
		    log_str("endpoint", name->endpoint), log_str("server_name", name->server_name));
}

/* ---- looking ---- */

static void
on_looked(void *arg, const struct caa_set *set)
{
	struct agent_acme *acme = arg;
	struct acme_name *name = acme->looked_up;
	const struct acme_registration *registration = name->registration;

	acme->lookup = NULL;
	acme->looked_up = NULL;
	/* A resolver that is away for a moment has not unpinned anything. */
	if (set) {
		name->pin = caa_judge(set, registration->identity, registration->account);
		keep(name, acme_dir_of(acme->settings));
	} else
		name->pin_asked_s -= CAA_AGAIN_S - NO_ANSWER_S;
	tell(name);
}

void
acme_pin_tick(struct agent_acme *acme, int64_t now_s)
{
	struct acme_name *name;

	if (acme->lookup)
		return;
	TAILQ_FOREACH(name, &acme->names, link) {
		if (name->pin_asked_s > 0 && now_s >= name->pin_asked_s &&
		    now_s - name->pin_asked_s < CAA_AGAIN_S)
			continue;
		name->pin_asked_s = now_s;
		acme->looked_up = name;
		acme->lookup = caa_lookup_start(acme->context->records, name->server_name,
		    name->caa_resolver.bytes > 0 ? &name->caa_resolver : NULL, on_looked, acme);
		return;
	}
}

void
acme_pin_cancel(struct agent_acme *acme)
{
	caa_lookup_cancel(acme->lookup);
	if (acme->looked_up)
		acme->looked_up->pin_asked_s = 0;
	acme->lookup = NULL;
	acme->looked_up = NULL;
}
