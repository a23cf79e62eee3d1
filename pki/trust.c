/* One set of CAs and CRLs: loading it whole, what it warns of, and the watch over its files. */
#include "pki/trust.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/units.h"
#include "pki/ca_list.h"
#include "pki/crl.h"
#include "pki/crl_catalogue.h"
#include "pki/crl_store.h"
#include "pki/pem.h"
#include "pki/revocation.h"
#include "pki/trust_private.h"

enum { WARNINGS = 32, WARNING_BYTES = 320, LABEL_BYTES = 64 };

struct trust {
	atomic_uint refs;
	char label[LABEL_BYTES];
	struct ca_list cas;
	struct revocation *revocation; /* NULL: no CRLs configured */
	char **crl_files;              /* as given, and then those that were fetched */
	size_t crl_count;
	char *state_dir; /* NULL: nothing is kept */
	char *refusal;   /* NULL: all CRL files were taken */
	bool doubts_clock;
	char *doubt; /* NULL: it judges */
	char *warnings[WARNINGS];
	size_t warning_count;
	enum trust_outlook outlook;
};

struct trust *
trust_hold(struct trust *trust)
{
	atomic_fetch_add(&trust->refs, 1);
	return trust;
}

void
trust_release(struct trust *trust)
{
	if (!trust || atomic_fetch_sub(&trust->refs, 1) != 1)
		return;
	ca_list_wipe(&trust->cas);
	revocation_free(trust->revocation);
	for (size_t i = 0; i < trust->crl_count; i++)
		free(trust->crl_files[i]);
	free(trust->crl_files);
	free(trust->state_dir);
	free(trust->refusal);
	free(trust->doubt);
	for (size_t i = 0; i < trust->warning_count; i++)
		free(trust->warnings[i]);
	free(trust);
}

const struct ca_list *
trust_ca_list(const struct trust *trust)
{
	return &trust->cas;
}

struct revocation *
trust_revocation(const struct trust *trust)
{
	return trust->revocation;
}

const char *
trust_label(const struct trust *trust)
{
	return trust->label;
}

const char *
trust_warning(const struct trust *trust, size_t index)
{
	return index < trust->warning_count ? trust->warnings[index] : NULL;
}

size_t
trust_ca_count(const struct trust *trust)
{
	return trust->cas.count;
}

const char *
trust_doubt(const struct trust *trust)
{
	return trust->doubt;
}

size_t
trust_refusals(const struct trust *trust, const char **sentence)
{
	const char *first;
	*sentence = trust ? trust->refusal : NULL;
	return *sentence ? revocation_refusals(trust->revocation, &first) : 0;
}

struct der
trust_accepted_ca(const struct trust *trust, size_t index)
{
	const struct listed_ca *ca = trust->cas.cas[index];
	return ca->narrowed ? (struct der){ 0 } : ca->link.facts.whole;
}

enum trust_outlook
trust_outlook(const struct trust *trust)
{
	return trust->outlook;
}

/* ---- warnings ---- */

__attribute__((format(printf, 2, 3))) static void
warn(struct trust *trust, const char *format, ...)
{
	char text[WARNING_BYTES];
	va_list arguments;
	if (trust->warning_count == WARNINGS)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	trust->warnings[trust->warning_count] = strdup(text);
	trust->warning_count += trust->warnings[trust->warning_count] != NULL;
}

__attribute__((format(printf, 3, 4))) static void
warn_of_end(struct trust *trust, enum trust_outlook outlook, const char *format, ...)
{
	char text[WARNING_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (trust->outlook < outlook)
		trust->outlook = outlook;
	warn(trust, "%s", text);
}

static void
warn_of_ca_time(struct trust *trust, const struct listed_ca *ca, int64_t now)
{
	const struct x509 *facts = &ca->link.facts;
	char subject[100], when[TIME_TEXT], clock[TIME_TEXT];
	x509_name_text(facts->subject, subject, sizeof subject);
	if (facts->not_after < now)
		warn_of_end(trust, TRUST_HAS_ENDED,
		    "%.120s: the CA %s has ended on %s; put the renewed one there", ca->file,
		    subject, time_text(facts->not_after, when));
	if (facts->not_before > now + CLOCK_SKEW_S)
		warn(trust,
		    "%.120s: the CA %s begins on %s, and the clock says %s; is the clock right?",
		    ca->file, subject, time_text(facts->not_before, when), time_text(now, clock));
}

/* Of whom there are CRLs, when it is not whom there should be one of: the wrong file is seen by that. */
static const char *
whose_crl_there_is(const struct trust *trust, char text[240])
{
	const char *file;
	const struct crl *crl = revocation_crl(trust->revocation, 0, &file);
	char issuer[100];
	text[0] = '\0';
	if (crl)
		snprintf(text, 240, " (%.120s has that of %s)", file,
		    x509_name_text(crl_issuer(crl), issuer, sizeof issuer));
	return text;
}

static void
warn_of_ca(struct trust *trust, const struct listed_ca *ca, const struct trust_sources *sources,
    int64_t now)
{
	char subject[100], other[240];
	x509_name_text(ca->link.facts.subject, subject, sizeof subject);
	warn_of_ca_time(trust, ca, now);
	if (!trust->revocation || sources->missing != CRL_MISSING_REJECT ||
	    revocation_has(trust->revocation, &ca->link.issuer))
		return;
	if (sources->crl_url_count == 0)
		trust->outlook = TRUST_LACKS;
	const char *namesake = revocation_namesake(trust->revocation, &ca->link.issuer);
	if (namesake)
		warn(trust,
		    "%.120s: the CRL of %s names another key identifier than that CA has; what the CA "
		    "issued will be refused, so add the CRL of its key",
		    namesake, subject);
	else
		warn(trust,
		    "%s: there is no CRL of %s%s; what it issued will be refused, so add its CRL",
		    trust->label, subject, whose_crl_there_is(trust, other));
}

/* Until when a CRL that has ended is believed. */
static int64_t
last_moment(const struct trust_sources *sources, int64_t end)
{
	switch (sources->expired) {
	case CRL_EXPIRED_ALLOW:
		return INT64_MAX;
	case CRL_EXPIRED_GRACE:
		return end + sources->grace_s;
	case CRL_EXPIRED_REJECT:
		break;
	}
	return end;
}

/* Past its end, or in the last third of its life. */
static void
warn_of_crl(struct trust *trust, const struct trust_sources *sources, const struct crl *crl,
    const char *file, int64_t now)
{
	char issuer[100], when[TIME_TEXT];
	int64_t end = crl_next_update(crl), life = end - crl_this_update(crl);
	x509_name_text(crl_issuer(crl), issuer, sizeof issuer);
	time_text(end, when);
	if (now > end)
		warn_of_end(trust,
		    now > last_moment(sources, end) ? TRUST_HAS_ENDED : TRUST_ENDS_SOON,
		    "%.120s: the CRL of %s has ended on %s; issue a new one", file, issuer, when);
	else if (end - now < life / 3)
		warn_of_end(trust, TRUST_ENDS_SOON,
		    "%.120s: the CRL of %s ends on %s; issue a new one", file, issuer, when);
}

static void
warn_of_all(struct trust *trust, const struct trust_sources *sources, int64_t now)
{
	const char *file;
	if (!trust->revocation)
		warn(trust, "%s: no CRLs are configured, so nothing is checked for revocation",
		    trust->label);
	for (size_t i = 0; i < trust->cas.passed_over_count; i++)
		warn(trust, "%.240s; it is passed over, and nothing that leads to it is believed",
		    trust->cas.passed_over[i].sentence);
	for (size_t i = 0; i < trust->cas.count; i++)
		warn_of_ca(trust, trust->cas.cas[i], sources, now);
	for (size_t i = 0; trust->revocation; i++) {
		const struct crl *crl = revocation_crl(trust->revocation, i, &file);
		if (!crl)
			break;
		warn_of_crl(trust, sources, crl, file, now);
	}
}

/* ---- loading ---- */

static bool
load_crl_file(struct trust *trust, const char *path, const struct issuer *cas, int64_t now,
    char error[TRUST_ERROR])
{
	struct pem_file file;
	if (!pem_load(&file, path, PEM_CRL, error))
		return false;
	bool done = true;
	for (size_t i = 0; i < file.count && done; i++)
		done = revocation_add(trust->revocation, pem_block(&file, i), path, cas,
		    trust->cas.count, now, error);
	pem_wipe(&file);
	return done;
}

/* Whether a file of this name was among those of the set in force; a wrong name in a new configuration is
 * a mistake as at a start. */
static bool
had_file(const struct trust *previous, const char *path)
{
	for (size_t i = 0; previous && i < previous->crl_count; i++)
		if (strcmp(previous->crl_files[i], path) == 0)
			return true;
	return false;
}

/* A file that is refused keeps what it had, so that its owner cannot hold off what others revoke. */
static bool
load_or_keep(struct trust *trust, const char *path, const struct trust *previous,
    const struct issuer *cas, int64_t now, char error[TRUST_ERROR])
{
	size_t count = revocation_count(trust->revocation);
	if (load_crl_file(trust, path, cas, now, error))
		return true;
	if (!had_file(previous, path))
		return false;
	warn(trust, "%.200s; the CRLs that this file had before stay in force", error);
	return revocation_keep_file(
	    trust->revocation, path, count, error, cas, trust->cas.count, now);
}

/* One that was fetched, and is bad, is passed over where nothing of it was in force, unless it is the clock
 * that may be wrong. */
static bool
load_fetched(struct trust *trust, const char *path, const struct trust *previous,
    const struct issuer *cas, int64_t now, char error[TRUST_ERROR])
{
	size_t count = revocation_count(trust->revocation);
	if (access(path, F_OK) != 0 || load_crl_file(trust, path, cas, now, error))
		return true;
	warn(trust, "%.200s; it was fetched, and will be fetched anew", error);
	if (had_file(previous, path))
		return revocation_keep_file(
		    trust->revocation, path, count, error, cas, trust->cas.count, now);
	if (revocation_doubts_clock(trust->revocation))
		return false;
	revocation_forget(trust->revocation, count);
	return true;
}

/* A new history with what the last process left in its files. */
static struct crl_history *
read_history(struct trust *trust, const struct trust_sources *sources, char error[TRUST_ERROR])
{
	struct crl_history *history = crl_history_new();
	char reason[CRL_HISTORY_ERROR];
	if (!history)
		snprintf(error, TRUST_ERROR, "%s cannot be read: memory is short", sources->label);
	if (!history || !sources->state_dir)
		return history;
	/* Who checks may be somebody else than who runs. */
	if (sources->keeps_nothing && access(sources->state_dir, X_OK) != 0 && errno == EACCES) {
		warn(trust,
		    "%.200s cannot be read by this user: whether a CRL is older than one seen before is not known; check as the user that the daemon runs as",
		    sources->state_dir);
		return history;
	}
	if (!crl_history_read_revoked(history, sources->state_dir, reason))
		warn(trust, "%.250s", reason);
	if (crl_history_read(history, sources->state_dir, error))
		return history;
	crl_history_release(history);
	return NULL;
}

/* The file may have changed since it was listed; then the next look at the files finds that. */
static void
offer_listed(
    struct trust *trust, const struct crl_listing *listing, const struct issuer *cas, int64_t now)
{
	struct pem_file file;
	char ignored[PEM_ERROR];
	if (!pem_load(&file, listing->file, PEM_CRL, ignored))
		return;
	if (listing->block < file.count)
		revocation_offer(trust->revocation, pem_block(&file, listing->block), listing->file,
		    cas, trust->cas.count, now);
	pem_wipe(&file);
}

/* What other files of the daemon have that is newer. */
static void
load_newer(struct trust *trust, const struct crl_catalogue *catalogue, const struct issuer *cas,
    int64_t now)
{
	const struct crl_listing *listing;
	for (size_t i = 0; catalogue && (listing = crl_catalogue_at(catalogue, i)); i++)
		if (revocation_wants(trust->revocation, listing, cas, trust->cas.count, now))
			offer_listed(trust, listing, cas, now);
}

/* To be freed; NULL when memory is short. */
static struct issuer *
issuers_of(const struct trust *trust)
{
	struct issuer *cas = calloc(trust->cas.count, sizeof *cas);
	for (size_t i = 0; cas && i < trust->cas.count; i++)
		cas[i] = trust->cas.cas[i]->link.issuer;
	return cas;
}

/* The first `count` of them. */
static bool
load_crl_files(struct trust *trust, const struct trust_sources *sources, size_t count,
    const struct trust *previous, int64_t now, char error[TRUST_ERROR])
{
	struct issuer *cas = issuers_of(trust);
	bool done = cas != NULL;
	snprintf(error, TRUST_ERROR, "%s cannot be read: memory is short", trust->label);
	for (size_t i = 0; done && i < count; i++)
		done = (i < sources->crl_count ? load_or_keep : load_fetched)(
		    trust, trust->crl_files[i], previous, cas, now, error);
	trust->doubts_clock = !done && revocation_doubts_clock(trust->revocation);
	if (done)
		load_newer(trust, sources->catalogue, cas, now);
	free(cas);
	return done && revocation_seal(trust->revocation, error);
}

/* What was fetched is no reason not to start. */
static bool
load_crls(struct trust *trust, const struct trust_sources *sources, const struct trust *previous,
    int64_t now, char error[TRUST_ERROR])
{
	if (load_crl_files(trust, sources, trust->crl_count, previous, now, error))
		return true;
	if (previous || trust->doubts_clock || trust->crl_count == sources->crl_count)
		return false;
	struct revocation *fresh =
	    revocation_new(sources, revocation_history(trust->revocation), NULL);
	if (!fresh)
		return false;
	warn(trust, "%.200s; what was fetched is passed over, and will be fetched anew", error);
	revocation_free(trust->revocation);
	trust->revocation = fresh;
	return load_crl_files(trust, sources, sources->crl_count, NULL, now, error);
}

bool
trust_is_behind(const struct trust *trust, const struct crl_catalogue *catalogue, int64_t now)
{
	struct issuer *cas = trust->revocation ? issuers_of(trust) : NULL;
	const struct crl_listing *listing;
	bool is_behind = false;
	for (size_t i = 0; cas && !is_behind && (listing = crl_catalogue_at(catalogue, i)); i++)
		is_behind =
		    revocation_wants(trust->revocation, listing, cas, trust->cas.count, now);
	free(cas);
	return is_behind;
}

bool
trust_keep_revoked(struct trust *trust, char error[TRUST_ERROR])
{
	char reason[CRL_HISTORY_ERROR];
	if (!trust->revocation || !trust->state_dir)
		return true;
	struct crl_history *history = revocation_history(trust->revocation);
	if (!crl_history_save_revoked(history, trust->state_dir, reason))
		snprintf(error, TRUST_ERROR,
		    "the revocations found are not kept, and what a later CRL drops will be accepted after a restart: %.400s",
		    reason);
	else if (!crl_history_save_news(history, trust->state_dir, reason))
		snprintf(error, TRUST_ERROR, "the CRL numbers seen are not kept: %.400s", reason);
	else
		return true;
	return false;
}

/* Of which `index` counts those of URLs behind those that were configured. */
static const char *
crl_file(const struct trust_sources *sources, size_t index, char path[PATH_MAX])
{
	return index < sources->crl_count
	    ? sources->crl_files[index]
	    : crl_store_path(
		  sources->state_dir, sources->crl_urls[index - sources->crl_count], path);
}

/* What was fetched is kept in state_dir, or nowhere. */
static size_t
crl_file_count(const struct trust_sources *sources)
{
	return sources->crl_count + (sources->state_dir ? sources->crl_url_count : 0);
}

static bool
copy_names(struct trust *trust, const struct trust_sources *sources)
{
	size_t count = crl_file_count(sources);
	char path[PATH_MAX];
	trust->crl_files = calloc(count + 1, sizeof *trust->crl_files);
	if (!trust->crl_files)
		return false;
	while (trust->crl_count < count) {
		char *name = strdup(crl_file(sources, trust->crl_count, path));
		if (!name)
			return false;
		trust->crl_files[trust->crl_count++] = name;
	}
	return !sources->state_dir || sources->keeps_nothing ||
	    (trust->state_dir = strdup(sources->state_dir));
}

/* False when memory is short. */
static bool
copy_refusal(struct trust *trust)
{
	char text[TRUST_ERROR];
	const char *first;
	size_t count = revocation_refusals(trust->revocation, &first);
	if (count == 0)
		return true;
	if (count == 1)
		snprintf(text, sizeof text, "%s", first);
	else
		snprintf(text, sizeof text, "%.470s (and %zu CRLs more)", first, count - 1);
	return (trust->refusal = strdup(text)) != NULL;
}

/* What was loaded is in force. */
static void
keep(struct trust *trust)
{
	struct crl_history *history = revocation_history(trust->revocation);
	char reason[CRL_HISTORY_ERROR];
	if (!trust->state_dir)
		return;
	if (!crl_history_save(history, trust->state_dir, reason))
		warn(trust, "the CRL numbers seen are not kept: %s", reason);
	if (!trust_keep_revoked(trust, reason))
		warn(trust, "%s", reason);
}

/* Whether the clock is not behind what was in force before. */
static bool
is_plausible(struct trust *trust, struct crl_history *history, const struct trust_sources *sources,
    int64_t now, char error[TRUST_ERROR])
{
	char seen[TIME_TEXT], clock[TIME_TEXT];
	int64_t latest = crl_history_latest(history);
	if (latest <= now + CLOCK_SKEW_S)
		return true;
	trust->doubts_clock = true;
	snprintf(error, TRUST_ERROR,
	    "%.200s: a CRL of %s was in force here before%s%.180s, and the clock says %s; is the clock right?",
	    sources->label, time_text(latest, seen),
	    sources->state_dir ? ", by crl-numbers in " : "",
	    sources->state_dir ? sources->state_dir : "", time_text(now, clock));
	return false;
}

static bool
load_revocation(struct trust *trust, const struct trust_sources *sources,
    const struct trust *previous, int64_t now, char error[TRUST_ERROR])
{
	struct crl_history *history = previous && previous->revocation
	    ? crl_history_hold(revocation_history(previous->revocation))
	    : read_history(trust, sources, error);
	if (!history)
		return false;
	/* One that believes nobody has nothing to stand in with. */
	const struct trust *former =
	    previous && previous->revocation && !previous->doubt ? previous : NULL;
	trust->revocation = revocation_new(sources, history, former ? former->revocation : NULL);
	bool done = trust->revocation && copy_names(trust, sources);
	if (!done)
		snprintf(error, TRUST_ERROR, "%s cannot be read: memory is short", trust->label);
	done = done && is_plausible(trust, history, sources, now, error);
	done = done && load_crls(trust, sources, former, now, error);
	if (done && !(done = revocation_commit(trust->revocation) && copy_refusal(trust)))
		snprintf(error, TRUST_ERROR,
		    "%s: the CRL numbers seen cannot be kept: memory is short", trust->label);
	if (done)
		keep(trust);
	crl_history_release(history);
	return done;
}

/* Where a sound one is in force, that stays. */
static bool
may_wait(
    const struct trust *trust, const struct trust_sources *sources, const struct trust *previous)
{
	return trust && trust->doubts_clock &&
	    (previous ? previous->doubt != NULL : sources->waits_for_clock);
}

struct trust *
trust_load(const struct trust_sources *sources, const struct trust *previous, char *error,
    size_t error_bytes)
{
	char sentence[TRUST_ERROR] = "memory is short";
	int64_t now = sources->now != 0 ? sources->now : clock_wall_s();
	struct trust *trust = calloc(1, sizeof *trust);
	bool done = trust != NULL;
	if (done) {
		atomic_init(&trust->refs, 1);
		snprintf(trust->label, sizeof trust->label, "%s", sources->label);
		done = ca_list_load(&trust->cas, sources, sentence) &&
		    (!sources->crls_configured ||
			load_revocation(trust, sources, previous, now, sentence));
	}
	if (done) {
		warn_of_all(trust, sources, now);
		return trust;
	}
	if (may_wait(trust, sources, previous) && (trust->doubt = strdup(sentence)))
		return trust;
	snprintf(error, error_bytes, "%s", sentence);
	trust_release(trust);
	return NULL;
}

bool
trust_stranger(const struct trust *trust, char *issuer, size_t issuer_bytes)
{
	const struct crl *crl = trust->revocation ? revocation_waiting(trust->revocation, 0) : NULL;
	if (crl)
		x509_name_text(crl_issuer(crl), issuer, issuer_bytes);
	return crl != NULL;
}

size_t
trust_crl_count(const struct trust *trust)
{
	const char *file;
	size_t count = 0;
	while (trust->revocation && revocation_crl(trust->revocation, count, &file))
		count++;
	return count;
}

int64_t
trust_next_update(const struct trust *trust)
{
	const char *file;
	int64_t earliest = INT64_MAX;
	for (size_t i = 0; trust->revocation; i++) {
		const struct crl *crl = revocation_crl(trust->revocation, i, &file);
		if (!crl)
			break;
		if (crl_next_update(crl) < earliest)
			earliest = crl_next_update(crl);
	}
	return earliest;
}

/* ---- the watch ---- */

static void
digest_file(struct sha256_ctx *sha, const char *file)
{
	struct file_stamp now = file_stamp_of(file);
	int64_t facts[5] = { now.exists, (int64_t)now.inode, (int64_t)now.bytes, now.modified_ns,
		now.changed_ns };
	sha256_update(sha, sizeof facts, (const uint8_t *)facts);
}

bool
trust_files_changed(const struct trust_sources *sources, struct trust_stamp *seen)
{
	struct sha256_ctx sha;
	struct trust_stamp now;
	char path[PATH_MAX];
	sha256_init(&sha);
	for (size_t i = 0; i < sources->ca_count; i++)
		digest_file(&sha, sources->ca_files[i]);
	for (size_t i = 0; i < crl_file_count(sources); i++)
		digest_file(&sha, crl_file(sources, i, path));
	sha256_digest(&sha, sizeof now.digest, now.digest);
	bool changed = memcmp(&now, seen, sizeof now) != 0;
	*seen = now;
	return changed;
}
