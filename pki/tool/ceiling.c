/* Grants at issue time; the verifier does the same along the chain. */
#include "pki/tool/ceiling.h"

#include <string.h>

#include "pki/oid.h"
#include "pki/tool/extension.h"
#include "pki/tool/message.h"

int
ceiling_of(gnutls_x509_crt_t certificate, struct grant *grant, bool *found)
{
	gnutls_datum_t der;
	const char *why = "";
	int code = extension_read(certificate, OID_GRANT, &der);

	*found = false;
	if (code || !der.data)
		return code;
	*found = grant_decode(grant, der.data, der.size, &why);
	gnutls_free(der.data);
	return *found
	    ? 0
	    : message_fail(EX_DATAERR, "a certificate's grant cannot be read: it %s", why);
}

static int
fit_number(uint32_t *number, uint32_t most, const char *option)
{
	if (most && *number > most)
		return message_fail(
		    EX_DATAERR, "--%s %u is more than its CA may grant: %u", option, *number, most);
	if (*number == 0)
		*number = most;
	return 0;
}

static int
fit_flag(bool flag, bool ceiling, const char *option)
{
	return flag && !ceiling
	    ? message_fail(EX_DATAERR, "--%s is more than its CA may grant", option)
	    : 0;
}

static bool
source_is_within(const struct prefix *source, const struct grant *ceiling)
{
	for (size_t i = 0; i < ceiling->source_count; i++)
		if (prefix_covers(&ceiling->sources[i], source))
			return true;
	return false;
}

static int
fit_sources(struct grant *grant, const struct grant *ceiling)
{
	char text[PREFIX_TEXT];

	if (ceiling->source_count == 0)
		return 0;
	for (size_t i = 0; i < grant->source_count; i++)
		if (!source_is_within(&grant->sources[i], ceiling))
			return message_fail(EX_DATAERR,
			    "--from %s is outside of what its CA may grant",
			    prefix_text(&grant->sources[i], text));
	if (grant->source_count == 0) {
		grant->source_count = ceiling->source_count;
		memcpy(grant->sources, ceiling->sources, sizeof grant->sources);
	}
	return 0;
}

static int
fit_regions(struct grant *grant, const struct grant *ceiling)
{
	if (ceiling->region_count == 0)
		return 0;
	for (size_t i = 0; i < grant->region_count; i++)
		if (!grant_has_region(ceiling, grant->regions[i]))
			return message_fail(EX_DATAERR,
			    "--region %s is outside of what its CA may grant", grant->regions[i]);
	if (grant->region_count == 0) {
		grant->region_count = ceiling->region_count;
		memcpy(grant->regions, ceiling->regions, sizeof grant->regions);
	}
	return 0;
}

int
ceiling_fit(struct grant *grant, const struct grant *ceiling)
{
	int code = fit_flag(grant->shared, ceiling->shared, "shared");

	if (!code)
		code = fit_flag(grant->any_depth, ceiling->any_depth, "any-depth");
	if (!code)
		code = fit_number(&grant->max_flows, ceiling->max_flows, "max-flows");
	if (!code)
		code = fit_number(&grant->max_sessions, ceiling->max_sessions, "max-sessions");
	if (!code)
		code = fit_sources(grant, ceiling);
	return code ? code : fit_regions(grant, ceiling);
}
