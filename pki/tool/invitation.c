/* Rows of invitations to values and back, and what may be invited at all. */
#include "pki/tool/invitation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "base/secret.h"
#include "base/units.h"
#include "pki/crl.h"
#include "pki/tool/message.h"
#include "pki/tool/profile.h"
#include "pki/tool/setting.h"

static const char invitation_columns[] =
    "SELECT id, handle, secret, kind, name, issuer, grant_der, seconds, replaces, former, made_at, "
    "ends_at, withdrawn_at, used_at, certificate FROM invitation ";

static void
hash_secret(const char *secret, uint8_t hash[INVITATION_HASH])
{
	struct sha256_ctx sha;

	sha256_init(&sha);
	sha256_update(&sha, strlen(secret), (const uint8_t *)secret);
	sha256_digest(&sha, INVITATION_HASH, hash);
	bytes_wipe(&sha, sizeof sha);
}

void
invitation_make_secret(struct invitation *invitation, char secret[JOIN_SECRET])
{
	uint8_t random[(JOIN_SECRET - 1) / 2];

	arc4random_buf(random, (JOIN_HANDLE - 1) / 2);
	hex_encode(invitation->handle, random, (JOIN_HANDLE - 1) / 2);
	arc4random_buf(random, sizeof random);
	hex_encode(secret, random, sizeof random);
	bytes_wipe(random, sizeof random);
	hash_secret(secret, invitation->hash);
}

bool
invitation_knows(const struct invitation *invitation, const char *secret)
{
	const struct secret kept = { (uint8_t *)(uintptr_t)invitation->hash, INVITATION_HASH };
	uint8_t hash[INVITATION_HASH];
	bool same;

	hash_secret(secret, hash);
	same = secret_equals(&kept, hash, sizeof hash);
	bytes_wipe(hash, sizeof hash);
	return same && invitation->id != 0;
}

const char *
invitation_state(const struct invitation *invitation, int64_t now)
{
	if (invitation->used_at)
		return "used";
	if (invitation->withdrawn_at)
		return "withdrawn";
	return invitation->ends_at <= now ? "over" : "open";
}

static int
take_name(void *arg, sqlite3_stmt *row)
{
	return names_add(arg, (gnutls_x509_subject_alt_name_t)sqlite3_column_int(row, 0),
	    (const char *)sqlite3_column_text(row, 1));
}

static int
take_grant(sqlite3_stmt *row, struct invitation *invitation)
{
	const uint8_t *der = sqlite3_column_blob(row, 6);
	const char *why = "";

	return !der ||
		grant_decode(&invitation->grant, der, (size_t)sqlite3_column_bytes(row, 6), &why)
	    ? 0
	    : message_fail(EX_DATAERR, "the grant of the invitation %s cannot be read: it %s",
		  invitation->handle, why);
}

static int
take_invitation(void *arg, sqlite3_stmt *row)
{
	struct invitation *out = arg;

	*out = (struct invitation){ .id = sqlite3_column_int64(row, 0) };
	store_text(row, 1, out->handle, sizeof out->handle);
	if (sqlite3_column_bytes(row, 2) == INVITATION_HASH)
		memcpy(out->hash, sqlite3_column_blob(row, 2), INVITATION_HASH);
	store_text(row, 3, out->kind, sizeof out->kind);
	store_text(row, 4, out->name, sizeof out->name);
	out->issuer = sqlite3_column_int64(row, 5);
	out->seconds = sqlite3_column_int64(row, 7);
	out->replaces = sqlite3_column_int(row, 8) != 0;
	out->former = sqlite3_column_int64(row, 9);
	out->made_at = sqlite3_column_int64(row, 10);
	out->ends_at = sqlite3_column_int64(row, 11);
	out->withdrawn_at = sqlite3_column_int64(row, 12);
	out->used_at = sqlite3_column_int64(row, 13);
	out->certificate = sqlite3_column_int64(row, 14);
	return take_grant(row, out);
}

static int
read_names(struct store *store, struct invitation *invitation)
{
	return store_each(store, take_name, &invitation->names,
	    "SELECT type, text FROM invitation_name WHERE invitation = ? ORDER BY rowid", "i",
	    invitation->id);
}

int
invitation_find(struct store *store, const char *handle, struct invitation *out, bool *found)
{
	char sql[512];
	int code;

	*out = (struct invitation){ 0 };
	snprintf(sql, sizeof sql, "%sWHERE handle = ?", invitation_columns);
	code = store_each(store, take_invitation, out, sql, "t", handle);
	*found = out->id != 0;
	return code || !*found ? code : read_names(store, out);
}

struct invitation_each_call {
	int (*each)(void *, const struct invitation *);
	void *arg;
	struct store *store;
	struct invitation invitation;
};

static int
call_with_invitation(void *arg, sqlite3_stmt *row)
{
	struct invitation_each_call *call = arg;
	int code = take_invitation(&call->invitation, row);

	if (!code)
		code = read_names(call->store, &call->invitation);
	return code ? code : call->each(call->arg, &call->invitation);
}

int
invitation_each(struct store *store, int (*each)(void *, const struct invitation *), void *arg)
{
	struct invitation_each_call *call = calloc(1, sizeof *call);
	char sql[512];
	int code;

	if (!call)
		return message_no_memory();
	call->each = each;
	call->arg = arg;
	call->store = store;
	snprintf(sql, sizeof sql, "%sORDER BY id", invitation_columns);
	code = store_each(store, call_with_invitation, call, sql, "");
	free(call);
	return code;
}

static int
add_names(struct store *store, const struct invitation *invitation)
{
	int code = 0;

	for (size_t i = 0; !code && i < invitation->names.count; i++)
		code = store_do(store,
		    "INSERT INTO invitation_name(invitation, type, text) VALUES(?, ?, ?)", "iit",
		    invitation->id, (int64_t)invitation->names.at[i].type,
		    invitation->names.at[i].text);
	return code;
}

int
invitation_add(struct store *store, struct invitation *invitation)
{
	uint8_t grant[GRANT_DER_BYTES];
	size_t grant_bytes = 0;
	bool granted = *invitation->grant.name != '\0';
	int code;

	if (granted && !grant_encode(&invitation->grant, grant, sizeof grant, &grant_bytes))
		return message_fail(
		    EX_DATAERR, "the grant is out of its ranges; see valise-pki(1)");
	code = store_do(store,
	    "INSERT INTO invitation(handle, secret, kind, name, issuer, grant_der, seconds, "
	    "replaces, former, made_at, ends_at) VALUES(?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0), ?, "
	    "?)",
	    "tbttibiiiii", invitation->handle, invitation->hash, sizeof invitation->hash,
	    invitation->kind, invitation->name, invitation->issuer, granted ? grant : NULL,
	    grant_bytes, invitation->seconds, (int64_t)invitation->replaces, invitation->former,
	    invitation->made_at, invitation->ends_at);
	if (code)
		return code;
	invitation->id = sqlite3_last_insert_rowid(store->db);
	return add_names(store, invitation);
}

int
invitation_withdraw(struct store *store, const char *handle, int64_t now)
{
	struct invitation invitation;
	char end[TIME_TEXT];
	bool found;
	int code = invitation_find(store, handle, &invitation, &found);

	if (code)
		return code;
	if (!found)
		return message_fail(EX_NOINPUT,
		    "'%s': no invitation has this handle; see `valise-pki invite --list`", handle);
	if (invitation.used_at)
		return message_fail(EX_DATAERR,
		    "the invitation %s was used; `valise-pki revoke %s` takes back what came of it",
		    handle, invitation.name);
	if (strcmp(invitation_state(&invitation, now), "open") != 0)
		return message_fail(EX_DATAERR, "the invitation %s is %s; it ended %s", handle,
		    invitation_state(&invitation, now),
		    time_text(
			invitation.withdrawn_at ? invitation.withdrawn_at : invitation.ends_at,
			end));
	return store_do(
	    store, "UPDATE invitation SET withdrawn_at = ? WHERE id = ?", "ii", now, invitation.id);
}

int
invitation_forget(struct store *store, int64_t now)
{
	int64_t before = now - INVITATION_KEPT_S;
	int code = store_do(store,
	    "DELETE FROM invitation_name WHERE invitation IN "
	    "(SELECT id FROM invitation WHERE ends_at < ?)",
	    "i", before);

	return code ? code
		    : store_do(store, "DELETE FROM invitation WHERE ends_at < ?", "i", before);
}

int
invitation_use(
    struct store *store, const struct invitation *invitation, int64_t certificate, int64_t now)
{
	return store_do(store, "UPDATE invitation SET used_at = ?, certificate = ? WHERE id = ?",
	    "iii", now, certificate, invitation->id);
}

/* ---- what may be invited ---- */

/* Whose names nobody else may have. */
struct reserved {
	const char *kind, *name;
	const struct names *names;
	const char *whose;
};

static bool
is_taken(const struct reserved *reserved, const char *host)
{
	const struct profile *profile = profile_of_kind(reserved->kind);

	for (size_t i = 0; i < reserved->names->count; i++) {
		const struct name *name = &reserved->names->at[i];

		if (strcmp(name->text, host) == 0 ||
		    (profile->serves && name->type == GNUTLS_SAN_DNSNAME &&
			name_matches(name->text, host, false)))
			return true;
	}
	return false;
}

/* `hosts` as names_join() writes them. */
static int
refuse_hosts(const struct reserved *reserved, const char *hosts)
{
	char list[HOSTS_TEXT], *rest = list, *host;

	snprintf(list, sizeof list, "%s", hosts);
	while ((host = strsep(&rest, " ")))
		if (*host && is_taken(reserved, host))
			return message_fail(EX_DATAERR,
			    "%s is the name of %s; it cannot be had by invitation, only by "
			    "`valise-pki issue` or sign",
			    host, reserved->whose);
	return 0;
}

static int
refuse_relay(void *arg, const struct record *record)
{
	return refuse_hosts(arg, record->hosts);
}

static int
refuse_own(struct store *store, const struct reserved *reserved)
{
	char own[HOSTS_TEXT];
	int code = setting_read(store, SETTING_OWN_NAME, own, sizeof own);

	if (!code && strcmp(own, reserved->name) == 0)
		code = message_fail(EX_DATAERR,
		    "'%s' is the certificate of `valise-pki serve` itself; take another name", own);
	if (!code)
		code = setting_read(store, SETTING_OWN_HOSTS, own, sizeof own);
	return code ? code : refuse_hosts(reserved, own);
}

int
invitation_refuse_reserved(
    struct store *store, const char *kind, const char *name, const struct names *names)
{
	struct reserved reserved = { kind, name, names, "`valise-pki serve` itself" };
	int code = refuse_own(store, &reserved);

	if (code || strcmp(kind, "relay") == 0)
		return code;
	reserved.whose = "a relay";
	return record_each(store, refuse_relay, &reserved,
	    "WHERE kind = 'relay' AND current = 1 AND revoked_at IS NULL", "");
}

/* Dead is what has ended or was revoked for good: nobody is harmed by a new one of that name. */
static int
judge_living(const struct invitation *invitation, const struct record *former, int64_t now)
{
	bool alive = former->not_after > now && (!former->revoked_at || former->reason == CRL_HOLD);

	if (strcmp(former->kind, invitation->kind) != 0)
		return message_fail(EX_DATAERR,
		    "'%s' names a certificate of another kind here (%s); take another name",
		    former->name, former->kind);
	if (former->revoked_at > invitation->made_at)
		return message_fail(EX_DATAERR,
		    "'%s' was revoked after the invitation was made; ask for a new one",
		    former->name);
	return !alive || invitation->replaces
	    ? 0
	    : message_fail(EX_CANTCREAT,
		  "'%s' exists already and is valid; say --replace if another host is to take "
		  "its place",
		  former->name);
}

int
invitation_judge_former(struct store *store, const struct invitation *invitation, int64_t now)
{
	struct record former;
	bool found;
	int code = record_look_up(store, invitation->name, &former, &found);

	if (code)
		return code;
	if (former.id != invitation->former)
		return message_fail(EX_DATAERR,
		    "'%s' got a certificate after the invitation was made; ask for a new one",
		    invitation->name);
	return found ? judge_living(invitation, &former, now) : 0;
}
