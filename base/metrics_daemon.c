/* Writes the metrics that all daemons have. */
#include "base/metrics_daemon.h"

#include <string.h>
#include <sys/resource.h>

void
metrics_words(struct metrics_text *text, const char *label, const struct word_sums *sums)
{
	for (size_t i = 0; i < sums->words; i++)
		metrics_number(text, sums->count[i], METRICS_LABELS({ label, sums->word[i] }));
}

/* ---- the process ---- */

static uint64_t
us_of(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

void
metrics_process(struct metrics_text *text, const char *program, int64_t since_s)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_SELF, &usage);
	metrics_family(text, "valise_build_info", METRICS_GAUGE, NULL, "The program that runs.");
	metrics_number(
	    text, 1, METRICS_LABELS({ "program", program }, { "version", VALISE_VERSION }));
	metrics_family(text, "process_start_time_seconds", METRICS_GAUGE, "seconds",
	    "When it was started, in seconds since 1970.");
	metrics_signed(text, since_s, NULL);
	metrics_family(text, "process_cpu_seconds", METRICS_COUNTER, "seconds",
	    "Processor time that it has taken.");
	metrics_seconds(text, us_of(&usage.ru_utime) + us_of(&usage.ru_stime), NULL);
}

void
metrics_log(struct metrics_text *text, const struct log_lost *lost)
{
	metrics_family(text, "valise_log_lines_dropped", METRICS_COUNTER, NULL,
	    "Lines of the log for which its reader was too slow.");
	metrics_number(text, lost->dropped, METRICS_LABELS({ "kind", "ordinary" }));
	metrics_number(text, lost->dropped_audit, METRICS_LABELS({ "kind", "audit" }));
	metrics_family(text, "valise_log_lines_suppressed", METRICS_COUNTER, NULL,
	    "Lines of the log that were only counted, since strangers brought about too many.");
	metrics_number(text, lost->suppressed, NULL);
}

void
metrics_reload(struct metrics_text *text, const struct metrics_reload *reload)
{
	metrics_family(text, "valise_reload_good", METRICS_GAUGE, NULL,
	    "Whether the configuration in force is the one that was read last: 0 if that was "
	    "refused.");
	metrics_number(text, reload->is_good, NULL);
	metrics_family(text, "valise_reload_faults", METRICS_GAUGE, NULL,
	    "Parts of the configuration that are older than their files, as the new ones were "
	    "refused.");
	metrics_number(text, reload->faults, NULL);
	metrics_family(text, "valise_configuration_time_seconds", METRICS_GAUGE, "seconds",
	    "When the configuration came into force, in seconds since 1970.");
	metrics_signed(text, reload->at_s, NULL);
}

/* ---- what ends ---- */

/* Of several of one key the first that ends stands for all. */
static bool
is_least(const struct ending *endings, size_t count, size_t index)
{
	for (size_t i = 0; i < count; i++) {
		bool is_sooner = endings[i].ends_s < endings[index].ends_s ||
		    (endings[i].ends_s == endings[index].ends_s && i < index);

		if (endings[i].is_crl == endings[index].is_crl && is_sooner &&
		    strcmp(endings[i].what, endings[index].what) == 0)
			return false;
	}
	return true;
}

static void
put_endings(struct metrics_text *text, const struct ending *endings, size_t count, int64_t now_s,
    bool in_detail, bool is_crl)
{
	for (size_t i = 0; i < count; i++) {
		const struct ending *ending = &endings[i];
		const char *name = in_detail && ending->name[0] != '\0' ? ending->name : NULL;

		if (ending->is_crl == is_crl && (in_detail || is_least(endings, count, i)))
			metrics_signed(text, ending->ends_s - now_s,
			    METRICS_LABELS({ "key", ending->what }, { "name", name }));
	}
}

void
metrics_endings(struct metrics_text *text, const struct ending *endings, size_t count,
    int64_t now_s, bool in_detail)
{
	metrics_family(text, "valise_certificate_left_seconds", METRICS_GAUGE, "seconds",
	    "Until a certificate ends; negative when it has.");
	put_endings(text, endings, count, now_s, in_detail, false);
	metrics_family(text, "valise_crl_left_seconds", METRICS_GAUGE, "seconds",
	    "Until the nextUpdate of a CRL; negative when it is over.");
	put_endings(text, endings, count, now_s, in_detail, true);
}

/* ---- limits ---- */

void
metrics_limits(struct metrics_text *text, const struct metrics_limit *limits, size_t count)
{
	metrics_family(text, "valise_limit_used", METRICS_GAUGE, NULL,
	    "How much of a limit is used at the moment.");
	for (size_t i = 0; i < count; i++)
		metrics_number(
		    text, limits[i].load.weight, METRICS_LABELS({ "limit", limits[i].name }));
	metrics_family(text, "valise_limit_bound", METRICS_GAUGE, NULL,
	    "The limit; one without a bound has none.");
	for (size_t i = 0; i < count; i++)
		if (limits[i].load.most > 0)
			metrics_number(
			    text, limits[i].load.most, METRICS_LABELS({ "limit", limits[i].name }));
	metrics_family(text, "valise_limit_evicted", METRICS_COUNTER, NULL,
	    "How many had to leave because a limit was reached.");
	for (size_t i = 0; i < count; i++)
		metrics_number(
		    text, limits[i].load.evicted, METRICS_LABELS({ "limit", limits[i].name }));
}
