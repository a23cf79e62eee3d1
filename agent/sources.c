/*
 * From settings to the sources of trust sets.
 */
#include "agent/sources.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "pki/crl_catalogue.h"
#include "pki/crl_store.h"

static const char *const system_cas[] = { SOURCES_SYSTEM_CAS };

void
sources_fill(struct trust_sources *out, const struct sources_keys *keys,
    const struct agent_settings *agent, const char *label)
{
	trust_rows_fill(out, keys->cas, keys->crls, keys->crl_urls, keys->policy);
	out->label = label;
	if (keys->cas->count == 0) {
		out->ca_files = system_cas;
		out->ca_count = 1;
		out->label = "the system's CAs";
	}
	if (!agent)
		return;
	out->catalogue = agent->catalogue;
	out->state_dir = agent->state_dir;
	out->keeps_nothing = agent->keeps_nothing;
	out->waits_for_clock = agent->waits_for_clock;
}

/* ---- the CRL files of all keys ---- */

struct crl_files {
	const struct agent_settings *settings;
	char **files; /* NULL: they are only counted */
	size_t count;
	unsigned keys; /* that have any */
	bool has_failed;
};

static void
add_file(struct crl_files *all, const char *file)
{
	if (all->files && !(all->files[all->count] = strdup(file)))
		all->has_failed = true;
	else
		all->count++;
}

/* What URLs have is a file in the store. */
static void
add_key(struct crl_files *all, const struct conf_texts *crls, const struct conf_texts *crl_urls)
{
	const char *state_dir = all->settings->state_dir;
	size_t url_count = state_dir ? crl_urls->count : 0;
	char path[PATH_MAX];

	for (size_t i = 0; i < crls->count; i++)
		add_file(all, crls->items[i]);
	for (size_t i = 0; i < url_count; i++)
		add_file(all, crl_store_path(state_dir, crl_urls->items[i], path));
	all->keys += crls->count + url_count > 0;
}

static void
add_keys(struct crl_files *all)
{
	const struct agent_settings *settings = all->settings;

	all->count = all->keys = 0;
	add_key(all, &settings->connect_crls, &settings->connect_crl_url);
	for (size_t i = 0; i < settings->endpoints.count; i++) {
		const struct endpoint_settings *endpoint = agent_settings_endpoint(settings, i);
		const struct termination_settings *clients = &endpoint->termination;

		add_key(all, &clients->crls, &clients->crl_url);
		add_key(all, &endpoint->upstream.crls, &endpoint->upstream.crl_url);
	}
	for (size_t i = 0; i < settings->forwards.count; i++) {
		const struct upstream_settings *server =
		    &agent_settings_forward(settings, i)->upstream;

		add_key(all, &server->crls, &server->crl_url);
	}
}

static void
free_files(struct crl_files *all)
{
	for (size_t i = 0; all->files && i < all->count; i++)
		free(all->files[i]);
	free(all->files);
}

static bool
read_catalogue(struct agent_settings *settings, const struct crl_files *all)
{
	struct crl_catalogue *fresh =
	    crl_catalogue_new((const char *const *)all->files, all->count);

	if (!fresh)
		return false;
	crl_catalogue_free(settings->catalogue);
	settings->catalogue = fresh;
	return true;
}

bool
sources_catalogue(struct agent_settings *settings, struct trust_stamp *seen)
{
	struct crl_files all = { .settings = settings };
	struct trust_sources sources = { 0 };
	bool is_new = false;

	add_keys(&all);
	if (all.keys < 2)
		return false; /* each trust set reads its own files anyway */
	all.files = calloc(all.count, sizeof *all.files);
	if (all.files)
		add_keys(&all);
	if (!all.files || all.has_failed) {
		memory_short("a look at the CRL files");
	} else {
		sources.crl_files = (const char *const *)all.files;
		sources.crl_count = all.count;
		is_new = trust_files_changed(&sources, seen);
	}
	if (is_new && !(is_new = read_catalogue(settings, &all))) {
		memory_short("what the CRL files say");
		*seen = (struct trust_stamp){ 0 }; /* the next look tries again */
	}
	free_files(&all);
	return is_new;
}

bool
sources_file_changed(const char *path, struct file_stamp *seen)
{
	struct file_stamp now = file_stamp_of(path);

	if (file_stamp_equals(&now, seen))
		return false;
	*seen = now;
	return true;
}

void
sources_stamp_add(struct sources_stamp *stamp, const char *path)
{
	struct file_stamp now = file_stamp_of(path);
	const int64_t facts[] = { now.exists, (int64_t)now.inode, (int64_t)now.bytes,
		now.modified_ns, now.changed_ns };
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, sizeof stamp->digest, stamp->digest);
	sha256_update(&sha, sizeof facts, (const uint8_t *)facts);
	sha256_digest(&sha, sizeof stamp->digest, stamp->digest);
}

bool
sources_stamp_replace(struct sources_stamp *seen, const struct sources_stamp *now)
{
	bool differs = memcmp(seen, now, sizeof *seen) != 0;

	*seen = *now;
	return differs;
}

void
sources_warn(const struct trust *trust, const char *label)
{
	const char *sentence;

	for (size_t i = 0; trust && (sentence = trust_warning(trust, i)); i++)
		log_event(LOG_WARNING, "trust-warning", sentence, log_str("key", label));
}

void
sources_warn_of_end(const struct trust *trust, const char *label)
{
	char sentence[TRUST_ERROR];

	if (trust && trust_crl_warning(trust, clock_wall_s(), sentence))
		log_event(LOG_WARNING, "trust-warning", sentence, log_str("key", label));
}

void
sources_keep_revoked(struct trust *trust)
{
	char error[TRUST_ERROR];

	if (trust && !trust_keep_revoked(trust, error))
		log_event(LOG_WARNING, "trust-warning", error);
}
