/* Sentences made of the documents of `status`. */
#include "enrol/attention.h"

#include <stdio.h>
#include "base/page.h"
#include "enrol/crl_refresh.h"
#include "enrol/renewal.h"

enum { SENTENCE = 600 };

static const char *
member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

void
attention_renewal(json_t *attention, const struct renewal *renewal)
{
	enum renewal_urgency urgency = renewal_urgency(renewal);
	char sentence[SENTENCE];
	json_t *facts;

	if (urgency < RENEWAL_FAILING)
		return;
	facts = renewal_describe(renewal);
	snprintf(sentence, sizeof sentence, "%s ends on %s and cannot be renewed: %s",
	    member(facts, "certificate"), member(facts, "ends"), member(facts, "error"));
	page_attend(attention, urgency >= RENEWAL_URGENT ? "error" : "warning", sentence);
	json_decref(facts);
}

void
attention_crls(json_t *attention, const struct crl_refresh *refresh)
{
	json_t *jobs = refresh ? crl_refresh_describe(refresh) : NULL;
	char sentence[SENTENCE];

	for (size_t i = 0; i < json_array_size(jobs); i++) {
		const json_t *job = json_array_get(jobs, i);

		if (!json_object_get(job, "error"))
			continue;
		snprintf(sentence, sizeof sentence, "%s cannot be fetched since %s: %s",
		    member(job, "url"), member(job, "failing_since"), member(job, "error"));
		page_attend(attention, "warning", sentence);
	}
	json_decref(jobs);
}
