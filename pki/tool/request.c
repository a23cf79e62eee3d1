/* Turns the options of issue and sign into the leaf that they ask for. */
#include "pki/tool/request.h"

#include <string.h>

#include "pki/tool/message.h"

static int
read_names(struct leaf *leaf, const struct request_options *options)
{
	char normal[NAME_SIZE];
	int code = 0;

	for (size_t i = 0; !code && i < options->hosts.count; i++)
		code = names_add_host(&leaf->names, leaf->profile, options->hosts.at[i]);
	for (size_t i = 0; !code && i < options->emails.count; i++)
		code = names_add_email(&leaf->names, options->emails.at[i]);
	for (size_t i = 0; !code && i < options->uris.count; i++)
		code = names_add_uri(&leaf->names, options->uris.at[i]);
	/* A server that is called by its name needs no telling twice. */
	if (!code && leaf->profile->serves && leaf->names.count == 0 && strchr(leaf->name, '.') &&
	    name_normalise(normal, leaf->name, strlen(leaf->name)))
		code = names_add(&leaf->names, GNUTLS_SAN_DNSNAME, normal);
	return code;
}

static int
refuse_foreign_options(const struct leaf *leaf, const struct request_options *options)
{
	const struct grant_options *grant = &options->grant;
	bool granted = grant->shared || grant->any_depth || grant->max_flows ||
	    grant->max_sessions || grant->from.count || grant->regions.count || options->identity;

	if (!leaf->profile->granted && granted)
		return message_fail(EX_USAGE,
		    "a %s's certificate carries no grant; leave the agent's options out",
		    leaf->profile->kind);
	if (leaf->profile->granted && (options->emails.count || options->uris.count))
		return message_fail(EX_USAGE,
		    "an agent's certificate holds host names only; leave --email and --uri out");
	return 0;
}

int
request_read(
    struct leaf *leaf, const struct request_options *options, const char *kind, const char *name)
{
	int code;

	leaf->profile = profile_of_kind(kind);
	leaf->name = name;
	leaf->seconds = options->seconds;
	if (!leaf->profile)
		return message_fail(EX_USAGE,
		    "'%s' is not a kind of certificate: give relay, agent, server or client", kind);
	code = names_check_label(name);
	if (!code)
		code = refuse_foreign_options(leaf, options);
	if (!code)
		code = read_names(leaf, options);
	if (!code && leaf->profile->granted)
		code = grant_options_read(
		    &leaf->grant, &options->grant, options->identity ? options->identity : name);
	return code;
}

int
request_judge(struct authority *authority, const struct request_options *options, struct leaf *leaf,
    struct signer *signer)
{
	int code =
	    signer_open(&authority->store, options->issuer ? options->issuer : leaf->profile->role,
		&authority->passphrase, signer);

	return code ? code : leaf_judge(&authority->store, signer, leaf);
}
