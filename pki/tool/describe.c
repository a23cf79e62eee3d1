/* Turns a certificate into the JSON object that people and scripts see. */
#include "pki/tool/describe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "base/utf8.h"
#include "pki/oid.h"
#include "pki/tool/extension.h"
#include "pki/tool/names.h"
#include "pki/tool/output.h"
#include "pki/tool/record.h"

/* Distinguished names come from anybody; what no terminal should see becomes `?`. */
json_t *
describe_text(const char *text, size_t bytes)
{
	char out[1024];
	size_t used = 0;
	uint32_t point;

	for (size_t at = 0; at < bytes && used + 4 < sizeof out;) {
		unsigned length = utf8_decode(text + at, bytes - at, &point);

		if (length == 0 || utf8_is_invisible(point)) {
			out[used++] = '?';
			at += length ? length : 1;
			continue;
		}
		memcpy(out + used, text + at, length);
		used += length;
		at += length;
	}
	return json_stringn(out, used);
}

static json_t *
take_dn(gnutls_datum_t *dn)
{
	json_t *value = describe_text((const char *)dn->data, dn->size);

	gnutls_free(dn->data);
	return value;
}

static json_t *
subject_of(gnutls_x509_crt_t certificate)
{
	gnutls_datum_t dn = { 0 };

	return gnutls_x509_crt_get_dn3(certificate, &dn, 0) < 0 ? json_null() : take_dn(&dn);
}

static json_t *
issuer_of(gnutls_x509_crt_t certificate)
{
	gnutls_datum_t dn = { 0 };

	return gnutls_x509_crt_get_issuer_dn3(certificate, &dn, 0) < 0 ? json_null() : take_dn(&dn);
}

static json_t *
serial_of_certificate(gnutls_x509_crt_t certificate)
{
	uint8_t serial[64];
	char text[2 * sizeof serial + 1];
	size_t bytes = sizeof serial;

	if (gnutls_x509_crt_get_serial(certificate, serial, &bytes) < 0)
		return json_null();
	hex_encode(text, serial, bytes);
	for (char *at = text; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return json_string(text);
}

json_t *
describe_fingerprint(gnutls_x509_crt_t certificate)
{
	uint8_t digest[32];
	char text[2 * sizeof digest + 1];
	size_t bytes = sizeof digest;

	if (gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &bytes) < 0)
		return json_null();
	return json_string(hex_encode(text, digest, bytes));
}

/* As pki/spki_pin.h has it. */
static json_t *
spki_of(gnutls_x509_crt_t certificate)
{
	uint8_t digest[32];
	char text[2 * sizeof digest + 1];
	size_t bytes = sizeof digest;

	if (gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, digest, &bytes) < 0)
		return json_null();
	return json_string(hex_encode(text, digest, bytes));
}

json_t *
describe_key(int algorithm, unsigned bits)
{
	char text[64];

	snprintf(text, sizeof text, "%s, %u bits",
	    gnutls_pk_get_name((gnutls_pk_algorithm_t)algorithm), bits);
	return json_string(text);
}

static json_t *
purposes_of(gnutls_x509_crt_t certificate)
{
	static const struct {
		const char *oid, *word;
	} words[] = {
		{ OID_SERVER_AUTH, "serverAuth" },
		{ OID_CLIENT_AUTH, "clientAuth" },
		{ OID_AGENT_PURPOSE, "valiseAgent" },
		{ GNUTLS_KP_ANY, "any" },
	};
	json_t *list = json_array();
	char oid[128];
	size_t bytes = sizeof oid;

	for (unsigned i = 0;
	     gnutls_x509_crt_get_key_purpose_oid(certificate, i, oid, &bytes, NULL) >= 0;
	     i++, bytes = sizeof oid) {
		const char *word = oid;

		for (size_t j = 0; j < sizeof words / sizeof *words; j++)
			if (strcmp(oid, words[j].oid) == 0)
				word = words[j].word;
		json_array_append_new(list, json_string(word));
	}
	return list;
}

static json_t *
constraints_of(gnutls_x509_crt_t certificate)
{
	gnutls_x509_name_constraints_t constraints;
	json_t *list = json_array();
	gnutls_datum_t name;
	unsigned type;

	if (gnutls_x509_name_constraints_init(&constraints) < 0)
		return list;
	if (gnutls_x509_crt_get_name_constraints(certificate, constraints, 0, NULL) >= 0)
		for (unsigned i = 0;
		     gnutls_x509_name_constraints_get_permitted(constraints, i, &type, &name) >= 0;
		     i++)
			if (type == GNUTLS_SAN_DNSNAME)
				json_array_append_new(
				    list, describe_text((const char *)name.data, name.size));
	gnutls_x509_name_constraints_deinit(constraints);
	return list;
}

/* 0 would read as if nothing were allowed. */
static json_t *
limit(uint32_t most)
{
	return most == 0 ? json_null() : json_integer(most);
}

json_t *
describe_grant(const struct grant *grant)
{
	json_t *sources = json_array(), *regions = json_array();
	char text[PREFIX_TEXT];

	for (size_t i = 0; i < grant->source_count; i++)
		json_array_append_new(sources, json_string(prefix_text(&grant->sources[i], text)));
	for (size_t i = 0; i < grant->region_count; i++)
		json_array_append_new(regions, json_string(grant->regions[i]));
	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o, s:o}", "name", grant->name, "shared",
	    grant->shared, "any_depth", grant->any_depth, "max_flows", limit(grant->max_flows),
	    "max_sessions", limit(grant->max_sessions), "sources", sources, "regions", regions);
}

static json_t *
grant_of(gnutls_x509_crt_t certificate)
{
	gnutls_datum_t der;
	const char *why = "";
	struct grant grant;
	json_t *value;

	if (extension_read(certificate, OID_GRANT, &der) || !der.data)
		return json_null();
	value = grant_decode(&grant, der.data, der.size, &why)
	    ? describe_grant(&grant)
	    : json_pack("{s:s}", "unreadable", why);
	gnutls_free(der.data);
	return value;
}

json_t *
describe_names(const struct names *names, gnutls_x509_subject_alt_name_t type)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->count; i++)
		if (names->at[i].type == type)
			json_array_append_new(
			    list, describe_text(names->at[i].text, strlen(names->at[i].text)));
	return list;
}

/* False when memory is short; of names that cannot be read there is a message. */
static bool
add_names(json_t *object, gnutls_x509_crt_t certificate)
{
	struct names *names = calloc(1, sizeof *names);

	if (!names)
		return false;
	if (names_of_certificate(names, certificate) == 0) {
		json_object_set_new(object, "hosts", describe_names(names, GNUTLS_SAN_DNSNAME));
		json_object_set_new(
		    object, "addresses", describe_names(names, GNUTLS_SAN_IPADDRESS));
		json_object_set_new(object, "emails", describe_names(names, GNUTLS_SAN_RFC822NAME));
		json_object_set_new(object, "uris", describe_names(names, GNUTLS_SAN_URI));
	}
	free(names);
	return true;
}

json_t *
describe_certificate(gnutls_x509_crt_t certificate)
{
	json_t *object = json_object();
	unsigned bits = 0, is_ca = 0;
	int algorithm = gnutls_x509_crt_get_pk_algorithm(certificate, &bits), path_length = -1;

	json_object_set_new(object, "subject", subject_of(certificate));
	json_object_set_new(object, "issuer", issuer_of(certificate));
	json_object_set_new(object, "serial", serial_of_certificate(certificate));
	json_object_set_new(object, "not_before",
	    output_json_time(gnutls_x509_crt_get_activation_time(certificate)));
	json_object_set_new(object, "not_after",
	    output_json_time(gnutls_x509_crt_get_expiration_time(certificate)));
	json_object_set_new(object, "key", describe_key(algorithm, bits));
	gnutls_x509_crt_get_basic_constraints(certificate, NULL, &is_ca, &path_length);
	json_object_set_new(object, "ca", json_boolean(is_ca));
	json_object_set_new(object, "path_length",
	    is_ca && path_length >= 0 ? json_integer(path_length) : json_null());
	json_object_set_new(object, "purposes", purposes_of(certificate));
	if (!add_names(object, certificate)) {
		json_decref(object);
		return NULL;
	}
	json_object_set_new(object, "permitted_hosts", constraints_of(certificate));
	json_object_set_new(object, "grant", grant_of(certificate));
	json_object_set_new(object, "sha256", describe_fingerprint(certificate));
	json_object_set_new(object, "spki_sha256", spki_of(certificate));
	return object;
}

int
describe_record(struct store *store, const struct record *record, json_t **out)
{
	gnutls_x509_crt_t certificate = NULL;
	int code = record_certificate(store, record->id, &certificate);

	if (code)
		return code;
	*out = output_join(json_pack("{s:s, s:s}", "name", record->name, "kind", record->kind),
	    describe_certificate(certificate));
	gnutls_x509_crt_deinit(certificate);
	return 0;
}
