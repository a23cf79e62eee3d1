/* The plan of what a process may touch, and the steps that leave it only that. */
#include "base/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/conf.h"
#include "base/log.h"
#include "base/privileges.h"
#include "base/sandbox_private.h"

/* ---- the plan ---- */

struct sandbox *
sandbox_new(void)
{
	struct sandbox *sandbox = calloc(1, sizeof *sandbox);

	if (sandbox && SANDBOX_IS_SANITIZED)
		sandbox_folder(sandbox, NULL, "/proc", SANDBOX_READ);
	return sandbox;
}

void
sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox)
		return;
	for (size_t i = 0; i < sandbox->count; i++)
		free(sandbox->rules[i].path);
	for (size_t i = 0; i < sandbox->forbidden_count; i++)
		free(sandbox->forbidden[i]);
	free(sandbox->forbidden);
	free(sandbox->rules);
	free(sandbox);
}

/* Takes its path.  Files of one folder come behind each other, as a rule; others are sorted out later. */
static void
add(struct sandbox *sandbox, struct sandbox_rule rule)
{
	struct sandbox_rule *last = sandbox->count > 0 ? &sandbox->rules[sandbox->count - 1] : NULL;
	struct sandbox_rule *rules;

	if (last && strcmp(last->path, rule.path) == 0) {
		last->rights |= rule.rights;
		free(rule.path);
		return;
	}
	rules = reallocarray(sandbox->rules, sandbox->count + 1, sizeof *rules);
	if (!rules) {
		sandbox->is_short = true;
		free(rule.path);
		return;
	}
	sandbox->rules = rules;
	rules[sandbox->count++] = rule;
}

static void
add_folder(struct sandbox *sandbox, const char *folder, struct sandbox_rule rule)
{
	rule.path = realpath(folder, NULL);
	if (rule.path)
		add(sandbox, rule);
	else if (errno == ENOMEM)
		sandbox->is_short = true;
}

void
sandbox_folder(struct sandbox *sandbox, const char *key, const char *folder, unsigned rights)
{
	if (folder)
		add_folder(sandbox, folder, (struct sandbox_rule){ .key = key, .rights = rights });
}

static void
add_folder_of(struct sandbox *sandbox, const char *file, struct sandbox_rule rule)
{
	char copy[PATH_MAX];

	if (snprintf(copy, sizeof copy, "%s", file) < (int)sizeof copy)
		add_folder(sandbox, dirname(copy), rule);
}

void
sandbox_file(struct sandbox *sandbox, const char *key, const char *file, unsigned rights)
{
	const struct sandbox_rule rule = { .key = key, .file = file, .rights = rights };
	char target[PATH_MAX];
	struct stat st;

	if (!file)
		return;
	add_folder_of(sandbox, file, rule);
	if (lstat(file, &st) == 0 && S_ISLNK(st.st_mode) && realpath(file, target))
		add_folder_of(sandbox, target, rule);
}

void
sandbox_files(
    struct sandbox *sandbox, const char *key, const struct conf_texts *files, unsigned rights)
{
	for (size_t i = 0; i < files->count; i++)
		sandbox_file(sandbox, key, files->items[i], rights);
}

/* Where it would be if it is not there yet; its folder must be. */
static char *
place_of(const char *path)
{
	char copy[PATH_MAX], folder[PATH_MAX], *place = realpath(path, NULL);

	if (place || errno == ENOMEM || snprintf(copy, sizeof copy, "%s", path) >= PATH_MAX ||
	    !realpath(dirname(copy), folder))
		return place;
	snprintf(copy, sizeof copy, "%s", path);
	return asprintf(&place, "%s/%s", folder, basename(copy)) < 0 ? NULL : place;
}

void
sandbox_forbid(struct sandbox *sandbox, const char *path)
{
	char *place = place_of(path);
	char **forbidden = place
	    ? reallocarray(sandbox->forbidden, sandbox->forbidden_count + 1, sizeof *forbidden)
	    : NULL;

	if (forbidden) {
		sandbox->forbidden = forbidden;
		forbidden[sandbox->forbidden_count++] = place;
	} else if (place || errno == ENOMEM) {
		sandbox->is_short = true;
		free(place);
	}
}

void
sandbox_forbid_key(struct sandbox *sandbox, const char *key, const char *certificate)
{
	if (key && (!certificate || strcmp(key, certificate) != 0))
		sandbox_forbid(sandbox, key);
}

static bool
is_beneath(const char *path, const char *folder)
{
	size_t length = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

bool
sandbox_holds_forbidden(const struct sandbox *sandbox, const char *folder)
{
	for (size_t i = 0; i < sandbox->forbidden_count; i++)
		if (is_beneath(sandbox->forbidden[i], folder))
			return true;
	return false;
}

bool
sandbox_state(struct sandbox *sandbox, const char *key, const char *folder)
{
	char place[PATH_MAX], keys[PATH_MAX];

	sandbox_folder(sandbox, key, folder, SANDBOX_CHANGE);
	if (!folder || !realpath(folder, place) || !sandbox_holds_forbidden(sandbox, place))
		return false;
	snprintf(keys, sizeof keys, "%s/keys", folder);
	sandbox_forbid(sandbox, keys);
	return true;
}

bool
sandbox_may_open(const struct sandbox *sandbox, const char *file, const char *folder)
{
	for (size_t i = 0; i < sandbox->forbidden_count; i++)
		if (is_beneath(file, sandbox->forbidden[i]))
			return false;
	for (size_t i = 0; i < sandbox->count; i++) {
		const struct sandbox_rule *rule = &sandbox->rules[i];

		if (!(rule->rights & (SANDBOX_READ | SANDBOX_CHANGE)))
			continue;
		if (strcmp(rule->path, folder) == 0 ||
		    (is_beneath(file, rule->path) && !sandbox_holds_forbidden(sandbox, rule->path)))
			return true;
	}
	return false;
}

void
sandbox_host(struct sandbox *sandbox)
{
	sandbox_folder(sandbox, NULL, "/proc", SANDBOX_READ);
	sandbox_folder(sandbox, NULL, "/sys/fs/cgroup", SANDBOX_READ);
}

void
sandbox_isolate(struct sandbox *sandbox)
{
	sandbox->is_isolated = true;
}

void
sandbox_listening(struct sandbox *sandbox, const char *key)
{
	sandbox->listening_key = key;
}

/* ---- what is said of it ---- */

int
sandbox_rule_compare(const void *a, const void *b)
{
	return strcmp(
	    ((const struct sandbox_rule *)a)->path, ((const struct sandbox_rule *)b)->path);
}

/* One rule a path, in their order. */
static void
sort(struct sandbox *sandbox)
{
	struct sandbox_rule *rules = sandbox->rules;
	size_t kept = 0;

	qsort(rules, sandbox->count, sizeof *rules, sandbox_rule_compare);
	for (size_t i = 0; i < sandbox->count; i++) {
		rules[i].file = NULL;
		if (kept > 0 && strcmp(rules[kept - 1].path, rules[i].path) == 0) {
			rules[kept - 1].rights |= rules[i].rights;
			free(rules[i].path);
		} else {
			rules[kept++] = rules[i];
		}
	}
	sandbox->count = kept;
}

static unsigned
rights_at(const struct sandbox *sandbox, char *path)
{
	const struct sandbox_rule wanted = { .path = path };
	const struct sandbox_rule *rule =
	    bsearch(&wanted, sandbox->rules, sandbox->count, sizeof wanted, sandbox_rule_compare);

	return !rule                        ? 0
	    : rule->rights & SANDBOX_CHANGE ? rule->rights | SANDBOX_READ
					    : rule->rights;
}

/* What holds for a folder holds for all beneath it. */
static unsigned
rights_in(const struct sandbox *sandbox, const char *path)
{
	char root[] = "/", folder[PATH_MAX], *slash;
	unsigned rights = rights_at(sandbox, root);

	snprintf(folder, sizeof folder, "%s", path);
	while ((slash = strrchr(folder, '/')) && slash[1] != '\0') {
		rights |= rights_at(sandbox, folder);
		*slash = '\0';
	}
	return rights;
}

bool
sandbox_misses(
    const struct sandbox *entered, const struct sandbox *wanted, char sentence[SANDBOX_ERROR])
{
	if (entered && entered->is_sealed && wanted->listening_key && !entered->listening_key) {
		snprintf(sentence, SANDBOX_ERROR,
		    "%s: nothing can be made to listen in the sandbox, since the configuration did not "
		    "want that at the start; restart",
		    wanted->listening_key);
		return true;
	}
	if (!entered || entered->landlock == 0)
		return false;
	for (size_t i = 0; i < wanted->count; i++) {
		const struct sandbox_rule *rule = &wanted->rules[i];
		unsigned has = rights_in(entered, rule->path);

		if ((rule->rights & ~has) == 0)
			continue;
		snprintf(sentence, SANDBOX_ERROR,
		    "%s: %.160s%sthe sandbox %s the folder %.160s, since the configuration did not want "
		    "that at the start, and it never widens; restart, or use another folder",
		    rule->key ? rule->key : "system", rule->file ? rule->file : "",
		    rule->file ? ": " : "", has == 0 ? "does not reach" : "allows less in",
		    rule->path);
		return true;
	}
	return false;
}

static bool
is_wide(const char *path)
{
	static const char *const wide[] = { "/", "/boot", "/dev", "/etc", "/home", "/media", "/mnt",
		"/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/usr/local", "/usr/local/etc",
		"/var", "/var/lib", "/var/tmp" };

	for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
		if (strcmp(path, wide[i]) == 0)
			return true;
	return false;
}

static void
tell_wide(const struct sandbox *sandbox)
{
	char sentence[SANDBOX_ERROR];

	for (size_t i = 0; i < sandbox->count; i++) {
		const struct sandbox_rule *rule = &sandbox->rules[i];

		if (!rule->key || !(rule->rights & (SANDBOX_READ | SANDBOX_CHANGE)) ||
		    !is_wide(rule->path))
			continue;
		snprintf(sentence, sizeof sentence,
		    "%s: the folder %s holds more than this program's files, and the sandbox lets it %s "
		    "all of them; put its files into a folder of their own",
		    rule->key, rule->path, rule->rights & SANDBOX_CHANGE ? "change" : "read");
		log_event(LOG_WARNING, "sandbox-wide", sentence);
	}
}

/* ---- the steps ---- */

static void
tell_partial(const char *sentence, int version)
{
	log_event(LOG_WARNING, "sandbox-partial", sentence, log_i64("landlock", version));
}

static bool
fail(char error[SANDBOX_ERROR], const char *what)
{
	snprintf(error, SANDBOX_ERROR, "%s: %s; --no-sandbox starts without all of the sandbox",
	    what, strerror(errno));
	return false;
}

static bool
moves(const struct sandbox *sandbox)
{
	for (size_t i = 0; i < sandbox->count; i++)
		if (sandbox->rules[i].rights & SANDBOX_MOVE)
			return true;
	return false;
}

static bool
enter_landlock(struct sandbox *sandbox, char error[SANDBOX_ERROR])
{
	int version = sandbox_landlock_version();

	if (version < LANDLOCK_MOVES && moves(sandbox)) {
		tell_partial(
		    "Landlock of this kernel is missing or cannot move files between folders "
		    "(Linux 5.19 can): files are held by the rights of the user alone",
		    version);
		return true;
	}
	if (version == 0) {
		tell_partial(
		    "this kernel has no Landlock: files are held by the rights of the user "
		    "alone, as far as no other sandbox holds them",
		    version);
		return true;
	}
	if (!sandbox_landlock_restrict(sandbox, version))
		return fail(error, "files cannot be taken away (Landlock)");
	sandbox->landlock = version;
	tell_wide(sandbox);
	if (version < LANDLOCK_NETWORK)
		tell_partial(
		    "Landlock of this kernel knows no ports (Linux 6.7 does): that nothing new "
		    "listens is held by the list of system calls alone",
		    version);
	return true;
}

/* They would keep everything.  The kernel counts them as it counts links. */
static bool
is_alone(void)
{
	struct stat st;

	return SANDBOX_IS_SANITIZED || stat("/proc/self/task", &st) < 0 || st.st_nlink <= 3;
}

bool
sandbox_enter(struct sandbox *sandbox, char error[SANDBOX_ERROR])
{
	assert(is_alone());
	errno = ENOMEM;
	if (sandbox->is_short)
		return fail(error, "the sandbox cannot be made");
	if (!privileges_drop())
		return fail(error, "capabilities cannot be given up");
	if (SANDBOX_IS_LEFT_OUT)
		return true;
	sort(sandbox);
	return enter_landlock(sandbox, error);
}

/* The kernel has no filters, or a sandbox around this process keeps them from us. */
static bool
is_missing(int why)
{
	return why == ENOSYS || why == EINVAL || why == EOPNOTSUPP;
}

bool
sandbox_seal(struct sandbox *sandbox, char error[SANDBOX_ERROR])
{
	if (SANDBOX_IS_LEFT_OUT || SANDBOX_IS_SANITIZED) {
		tell_partial(
		    "this build has no list of system calls: its instruments would not go by it",
		    sandbox->landlock);
		return true;
	}
	if (sandbox_calls_restrict(sandbox)) {
		sandbox->is_sealed = true;
		log_event(LOG_DEBUG, "sandboxed", NULL, log_i64("landlock", sandbox->landlock),
		    log_bool("seccomp", true));
		return true;
	}
	if (!is_missing(errno))
		return fail(error, "system calls cannot be taken away (seccomp)");
	tell_partial(
	    "this kernel has no seccomp filters: all system calls stay, within what Landlock and "
	    "the rights of the user hold",
	    sandbox->landlock);
	return true;
}

bool
sandbox_stop_listening(const struct sandbox *sandbox, char error[SANDBOX_ERROR])
{
	if (!sandbox->listening_key || SANDBOX_IS_LEFT_OUT || SANDBOX_IS_SANITIZED ||
	    sandbox_calls_forbid_listening() || is_missing(errno))
		return true;
	return fail(error, "listening cannot be given up (seccomp)");
}

void
sandbox_tell_off(void)
{
	log_audit(LOG_WARNING, "sandbox-off",
	    "--no-sandbox: who takes this process over can do whatever its user can");
}
