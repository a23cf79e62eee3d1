/* The findings of a diagnosis, as lines and as a document. */
#include "agent/findings.h"

#include <stdarg.h>
#include <string.h>

#include "base/admin.h"
#include "base/clock.h"
#include "base/units.h"
#include "base/utf8.h"

enum { SENTENCE = 2048 };

static const struct {
	const char *mark, *word;
} shown[FINDINGS_KINDS] = {
	[FINDING_OK] = { " OK ", "ok" },
	[FINDING_WARNING] = { "WARN", "warning" },
	[FINDING_FAILED] = { "FAIL", "failed" },
};

void
findings_begin(struct diagnosis_findings *findings, FILE *out, bool as_json)
{
	*findings = (struct diagnosis_findings){ .out = out, .as_json = as_json };
	if (as_json)
		findings->list = json_array();
}

void
findings_about(struct diagnosis_findings *findings, const char *kind, const char *name)
{
	findings->kind = kind;
	findings->name = name;
	if (!findings->as_json)
		fprintf(findings->out, "%s %s\n", kind, name);
}

static void
keep(struct diagnosis_findings *findings, enum finding finding, const char *step, json_t *details,
    const char *sentence)
{
	json_t *one = json_pack("{s:s, s:s, s:o, s:s, s:o}", "result", shown[finding].word, "about",
	    findings->kind, "name", admin_text(findings->name), "step", step, "sentence",
	    admin_text(sentence));

	if (!one || (details && json_object_update(one, details) < 0) ||
	    json_array_append_new(findings->list, one) < 0) {
		json_decref(findings->list);
		findings->list = NULL; /* findings_end() says so */
	}
	json_decref(details);
}

static void
show(struct diagnosis_findings *findings, enum finding finding, const char *step,
    const char *sentence)
{
	fprintf(findings->out, "  [%s] %-12s ", shown[finding].mark, step);
	/* What others have said may neither move the cursor of a terminal, nor look like something else. */
	utf8_put_visibly(sentence, findings->out);
	fputc('\n', findings->out);
	fflush(findings->out);
}

void
findings_add(struct diagnosis_findings *findings, enum finding finding, const char *step,
    json_t *details, const char *format, ...)
{
	char sentence[SENTENCE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof sentence, format, arguments);
	va_end(arguments);
	findings->counts[finding]++;
	if (findings->as_json)
		keep(findings, finding, step, details, sentence);
	else
		show(findings, finding, step, sentence);
	if (!findings->as_json)
		json_decref(details);
}

static bool
write_document(struct diagnosis_findings *findings, const char *path)
{
	char now[TIME_TEXT];
	json_t *document = findings->list
	    ? json_pack("{s:s, s:s, s:s, s:o, s:i, s:i, s:O}", "program", "valise-agent", "version",
		  VALISE_VERSION, "at", time_text(clock_wall_s(), now), "configuration",
		  admin_text(path), "failed", (int)findings->counts[FINDING_FAILED], "warnings",
		  (int)findings->counts[FINDING_WARNING], "findings", findings->list)
	    : NULL;
	bool is_written = document &&
	    json_dumpf(document, findings->out, JSON_INDENT(1) | JSON_ENSURE_ASCII) == 0 &&
	    fputc('\n', findings->out) != EOF;

	json_decref(document);
	json_decref(findings->list);
	return is_written;
}

bool
findings_end(struct diagnosis_findings *findings, const char *path)
{
	if (findings->as_json)
		return write_document(findings, path);
	fprintf(findings->out, "%s: %u failed, %u warnings\n", path,
	    findings->counts[FINDING_FAILED], findings->counts[FINDING_WARNING]);
	return true;
}
