/* valise-pki invite: one line with which a host gets its certificate from `valise-pki serve`. */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/units.h"
#include "pki/join_line.h"
#include "pki/tool/authority.h"
#include "pki/tool/command.h"
#include "pki/tool/invitation.h"
#include "pki/tool/message.h"
#include "pki/tool/output.h"
#include "pki/tool/request.h"
#include "pki/tool/setting.h"
#include "pki/tool/signer.h"

struct invite_options {
	struct common common;
	struct request_options request;
	const char *url, *relay, *handle;
	int64_t ttl;
	bool list, replace;
};

static const struct option_row rows[] = {
	REQUEST_OPTION_ROWS(struct invite_options, request),
	{ "ttl", OPTION_SPAN, offsetof(struct invite_options, ttl), "TIME",
	    "the invitation is over after TIME (default: 24h, at most 30d)", 0 },
	{ "relay", OPTION_TEXT, offsetof(struct invite_options, relay), "HOST:PORT",
	    "an agent: the relay that it is to connect to", 0 },
	{ "url", OPTION_TEXT, offsetof(struct invite_options, url), "URL",
	    "where hosts reach `valise-pki serve` (default: what serve said)", 0 },
	{ "replace", OPTION_FLAG, offsetof(struct invite_options, replace), NULL,
	    "also if there is a valid certificate of this NAME", 0 },
	{ "list", OPTION_FLAG, offsetof(struct invite_options, list), NULL, "list all invitations",
	    0 },
	{ "revoke", OPTION_TEXT, offsetof(struct invite_options, handle), "HANDLE",
	    "withdraw this one", 0 },
	{ 0 },
};

static const struct synopsis usage = {
	"invite",
	"relay|agent|server|client NAME",
	0,
	2,
	"Prints one line with which NAME gets its certificate, once. --list, --revoke HANDLE.",
	rows,
};

/* ---- a new one ---- */

static int
copy(char *out, size_t out_size, const char *option, const char *value)
{
	return (size_t)snprintf(out, out_size, "%s", value) < out_size
	    ? 0
	    : message_fail(EX_USAGE, "invite: %s is too long, more than %zu characters", option,
		  out_size - 1);
}

static int
find_url(struct store *store, const struct invite_options *options, struct join_line *line)
{
	int code = 0;

	if (options->url)
		code = copy(line->url, sizeof line->url, "--url", options->url);
	else
		code = setting_read(store, SETTING_URL, line->url, sizeof line->url);
	return code || *line->url
	    ? code
	    : message_fail(EX_USAGE,
		  "invite: `valise-pki serve` has not run here yet; say where hosts reach it: "
		  "--url https://pki.example.net");
}

/* Whom to believe is the root, which the host knows by its key alone. */
static int
pin_root(struct store *store, struct ca ca, struct spki_pin *pin)
{
	gnutls_x509_crt_t root = NULL;
	gnutls_datum_t der = { 0 };
	int code = 0;

	while (!code && ca.parent != ca.id)
		code = ca_by_id(store, ca.parent, &ca);
	if (!code)
		code = record_ca_certificate(store, &ca, &root);
	if (!code &&
	    (gnutls_x509_crt_export2(root, GNUTLS_X509_FMT_DER, &der) < 0 ||
		!spki_pin_of(pin, (struct der){ der.data, der.size })))
		code = message_fail(EX_DATAERR, "the root's certificate cannot be read");
	gnutls_free(der.data);
	gnutls_x509_crt_deinit(root);
	return code;
}

static int
make_line(const struct invite_options *options, const struct invitation *invitation,
    const struct leaf *leaf, struct join_line *line, char text[JOIN_LINE_TEXT])
{
	const char *why;
	int code =
	    options->relay ? copy(line->relay, sizeof line->relay, "--relay", options->relay) : 0;

	line->kind = leaf->profile->kind;
	snprintf(line->handle, sizeof line->handle, "%s", invitation->handle);
	return code || join_line_encode(line, text, &why)
	    ? code
	    : message_fail(EX_USAGE, "invite: the join line %s", why);
}

static int
judge(struct store *store, const struct leaf *leaf, const struct signer *signer,
    struct invitation *invitation, int64_t now)
{
	struct record former;
	bool found;
	int code = invitation_refuse_reserved(store, leaf->profile->kind, leaf->name, &leaf->names);

	if (!code)
		code = record_look_up(store, leaf->name, &former, &found);
	snprintf(invitation->kind, sizeof invitation->kind, "%s", leaf->profile->kind);
	snprintf(invitation->name, sizeof invitation->name, "%s", leaf->name);
	invitation->issuer = signer->ca.id;
	invitation->names = leaf->names;
	invitation->seconds = leaf->seconds;
	invitation->made_at = now;
	if (code)
		return code;
	invitation->former = former.id;
	if (leaf->profile->granted)
		invitation->grant = leaf->grant;
	return invitation_judge_former(store, invitation, now);
}

/* The inventory has the invitation before anybody sees the line. */
static int
enter(struct authority *authority, const struct leaf *leaf, const struct signer *signer,
    struct invitation *invitation)
{
	struct store *store = &authority->store;
	int code = store_begin(store);

	if (!code)
		code = judge(store, leaf, signer, invitation, authority->now);
	if (!code)
		code = invitation_forget(store, authority->now);
	if (!code)
		code = invitation_add(store, invitation);
	return code ? code : store_commit(store);
}

static int
print(const struct authority *authority, const struct invitation *invitation,
    const struct join_line *line, const char *text)
{
	char end[TIME_TEXT], pin[SPKI_PIN_TEXT];

	if (authority->common->json)
		return output_print(authority->common,
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s*, s:o}", "line", text,
			"handle", line->handle, "secret", line->secret, "url", line->url,
			"root_spki_sha256", spki_pin_text(&line->root, pin), "kind", line->kind,
			"name", invitation->name, "relay", *line->relay ? line->relay : NULL,
			"ends_at", output_json_time(invitation->ends_at)));
	message_note("for %s '%s', once, until %s; handle %s. Who has this line first can take its "
		     "place:",
	    line->kind, invitation->name, time_text(invitation->ends_at, end), line->handle);
	return printf("%s\n", text) < 0 || fflush(stdout) != 0
	    ? message_fail(EX_IOERR, "standard output cannot be written")
	    : 0;
}

static int
make(struct authority *authority, const struct invite_options *options, struct leaf *leaf,
    struct join_line *line)
{
	struct invitation invitation = { .replaces = options->replace,
		.ends_at = authority->now + (options->ttl ? options->ttl : INVITATION_S) };
	struct signer signer = { 0 };
	char text[JOIN_LINE_TEXT];
	int code = find_url(&authority->store, options, line);

	if (!code)
		code = signer_look_up(&authority->store,
		    options->request.issuer ? options->request.issuer : leaf->profile->role,
		    &signer);
	if (!code)
		code = leaf_judge(&authority->store, &signer, leaf);
	if (!code)
		code = pin_root(&authority->store, signer.ca, &line->root);
	invitation_make_secret(&invitation, line->secret);
	if (!code)
		code = make_line(options, &invitation, leaf, line, text);
	if (!code)
		code = enter(authority, leaf, &signer, &invitation);
	if (!code)
		code = print(authority, &invitation, line, text);
	bytes_wipe(text, sizeof text);
	signer_wipe(&signer);
	return code;
}

static int
refuse_options(const struct invite_options *options, const struct leaf *leaf)
{
	if (options->relay && !leaf->profile->granted)
		return message_fail(EX_USAGE,
		    "invite: --relay is for agents; a %s connects to no relay",
		    leaf->profile->kind);
	if (options->ttl > INVITATION_MOST_S)
		return message_fail(EX_USAGE,
		    "invite: --ttl is more than 30d; what lies about that long is found by somebody");
	return 0;
}

static int
invite(struct authority *authority, const struct invite_options *options,
    const struct operands *operands)
{
	struct join_line line = { 0 };
	struct leaf leaf = { 0 };
	int code;

	if (operands->count != 2)
		return message_fail(EX_USAGE,
		    "invite: say for whom, relay|agent|server|client NAME, or --list, or --revoke "
		    "HANDLE");
	code = request_read(&leaf, &options->request, operands->at[0], operands->at[1]);
	if (!code)
		code = refuse_options(options, &leaf);
	if (!code)
		code = make(authority, options, &leaf, &line);
	join_line_wipe(&line);
	return code;
}

/* ---- those that there are ---- */

struct invite_listing {
	const struct authority *authority;
	json_t *list; /* with --json */
};

static int
add_json(
    const struct invite_listing *listing, const struct invitation *invitation, const char *hosts)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "state",
	    invitation_state(invitation, listing->authority->now), "handle", invitation->handle,
	    "kind", invitation->kind, "name", invitation->name, "hosts", hosts, "made_at",
	    output_json_time(invitation->made_at), "ends_at", output_json_time(invitation->ends_at),
	    "used_at", invitation->used_at ? output_json_time(invitation->used_at) : json_null());

	return row && json_array_append_new(listing->list, row) == 0 ? 0 : message_no_memory();
}

static int
on_invitation(void *arg, const struct invitation *invitation)
{
	const struct invite_listing *listing = arg;
	char hosts[HOSTS_TEXT], end[TIME_TEXT];

	names_join(&invitation->names, hosts, sizeof hosts);
	if (listing->list)
		return add_json(listing, invitation, hosts);
	printf("%-9s %s %-6s %-24s %s %s\n", invitation_state(invitation, listing->authority->now),
	    invitation->handle, invitation->kind, invitation->name,
	    time_text(invitation->ends_at, end), hosts);
	return 0;
}

static int
list(struct authority *authority)
{
	struct invite_listing listing = { authority,
		authority->common->json ? json_array() : NULL };
	int code = invitation_each(&authority->store, on_invitation, &listing);

	if (!code && listing.list)
		return output_print(authority->common, listing.list);
	json_decref(listing.list);
	return code || fflush(stdout) == 0
	    ? code
	    : message_fail(EX_IOERR, "standard output cannot be written");
}

static int
withdraw(struct authority *authority, const char *handle)
{
	int code = store_begin(&authority->store);

	if (!code)
		code = invitation_withdraw(&authority->store, handle, authority->now);
	if (!code)
		code = store_commit(&authority->store);
	return code ? code
		    : output_print(authority->common, json_pack("{s:s}", "withdrawn", handle));
}

static int
run(int argc, char **argv)
{
	struct invite_options options = { 0 };
	struct authority authority = { 0 };
	struct operands operands;
	int code;

	if (!options_read(&usage, argc, argv, &options, &operands, &code))
		return code;
	if (options.list + (options.handle != NULL) + (operands.count > 0) > 1)
		return message_fail(EX_USAGE,
		    "invite: make an invitation, --list, and --revoke exclude each other");
	authority.reads = options.list;
	code = authority_open(&authority, &options.common);
	if (!code && options.list)
		code = list(&authority);
	else if (!code && options.handle)
		code = withdraw(&authority, options.handle);
	else if (!code)
		code = invite(&authority, &options, &operands);
	authority_close(&authority);
	return code;
}

const struct command command_invite = { &usage, run };
