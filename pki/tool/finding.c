/* Prints the findings of check and lint, and finds the exit code they lead to. */
#include "pki/tool/finding.h"

#include <stdarg.h>
#include <stdio.h>

#include "pki/tool/output.h"
#include "pki/tool/message.h"

enum { FINE, NOT_FINE, NOT_FINE_SOON };

static const char *const words[] = {
	[FINDING_SOON] = "soon",
	[FINDING_WARNING] = "warning",
	[FINDING_EXPIRED] = "expired",
	[FINDING_WRONG] = "wrong",
};

int
findings_add(struct findings *findings, enum finding_weight weight, const char *format, ...)
{
	char sentence[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	if (weight == FINDING_SOON || weight == FINDING_WARNING)
		findings->soon = true;
	else
		findings->wrong = true;
	if (!findings->list)
		findings->list = json_array();
	return json_array_append_new(findings->list,
		   json_pack("{s:s, s:s}", "weight", words[weight], "finding", sentence)) == 0
	    ? 0
	    : message_no_memory();
}

int
findings_print(struct findings *findings, const struct common *common)
{
	int code = findings->wrong ? NOT_FINE : findings->soon ? NOT_FINE_SOON : FINE, problem = 0;
	json_t *item;
	size_t i;

	if (common->json) {
		problem = output_print(
		    common, findings->list ? json_incref(findings->list) : json_array());
	} else if (!findings->list) {
		puts("fine");
	} else {
		json_array_foreach(findings->list, i, item)
		    printf("%-8s %s\n", json_string_value(json_object_get(item, "weight")),
			json_string_value(json_object_get(item, "finding")));
	}
	return problem ? problem : code;
}

void
findings_wipe(struct findings *findings)
{
	json_decref(findings->list);
	*findings = (struct findings){ 0 };
}
