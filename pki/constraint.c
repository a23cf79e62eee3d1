/* One name against one subtree, then all against all. */
#include "pki/constraint.h"

#include <stdio.h>
#include <string.h>

#include "pki/x509.h"
#include "sni/name.h"

/* One name of the certificate, or the base of one subtree. */
struct general_name_value {
	unsigned tag; /* of GeneralName */
	struct der value;
};

enum fit { OUTSIDE, WITHIN, UNCLEAR };

/* A subtree's domain; ".x" means names under x only.  False if it is not a domain. */
static bool
read_domain(struct der value, char domain[NAME_SIZE], bool *below)
{
	const char *text = (const char *)value.data;
	*below = value.bytes > 0 && text[0] == '.';
	return name_normalise(domain, text + *below, value.bytes - *below);
}

/*
 * A wildcard stands for all its names: it is permitted if all of them are, and
 * excluded if one of them is, even a name deeper than it covers today.
 */
static enum fit
fit_dns(struct der name, struct der base, bool excluding)
{
	char pattern[NAME_SIZE], domain[NAME_SIZE];
	bool below;
	if (base.bytes == 0)
		return WITHIN;
	if (!name_normalise_pattern(pattern, (const char *)name.data, name.bytes) ||
	    !read_domain(base, domain, &below))
		return UNCLEAR;
	bool wildcard = name_is_wildcard(pattern);
	const char *host = wildcard ? pattern + 2 : pattern;
	if (name_is_under(host, domain, wildcard || !below))
		return WITHIN;
	return excluding && wildcard && name_is_under(domain, host, false) ? WITHIN : OUTSIDE;
}

/* Of a host in a mailbox or URI: "x" means that host, ".x" the hosts under it. */
static enum fit
fit_host(const uint8_t *host, size_t bytes, struct der base)
{
	char name[NAME_SIZE], domain[NAME_SIZE];
	bool below;
	if (!name_normalise(name, (const char *)host, bytes) || !read_domain(base, domain, &below))
		return UNCLEAR;
	return (below ? name_is_under(name, domain, false) : strcmp(name, domain) == 0) ? WITHIN
											: OUTSIDE;
}

/* Of anything but visible ASCII, and of a backslash, two readers make two hosts: one may end there. */
static bool
is_plain(struct der name)
{
	for (size_t i = 0; i < name.bytes; i++)
		if (name.data[i] <= 0x20 || name.data[i] >= 0x7f || name.data[i] == '\\')
			return false;
	return name.bytes > 0;
}

/* A quoted @ in front of the one before the host would make two hosts, too. */
static enum fit
fit_email(struct der name, struct der base)
{
	const uint8_t *at = is_plain(name) ? memchr(name.data, '@', name.bytes) : NULL;
	if (!at || at != memrchr(name.data, '@', name.bytes))
		return UNCLEAR;
	const uint8_t *base_at = base.bytes == 0 ? NULL : memrchr(base.data, '@', base.bytes);
	if (base_at) {
		size_t local = (size_t)(base_at - base.data) + 1;
		if (local != (size_t)(at - name.data) + 1 ||
		    memcmp(name.data, base.data, local) != 0)
			return OUTSIDE;
		base = (struct der){ base.data + local, base.bytes - local };
	}
	return fit_host(at + 1, (size_t)(name.data + name.bytes - at - 1), base);
}

/* A letter of what may stand before "://" (RFC 3986, 3.1); beyond it there is no authority. */
static bool
is_scheme_letter(uint8_t letter)
{
	return (unsigned)(letter | 0x20) - 'a' < 26 || (unsigned)letter - '0' < 10 ||
	    letter == '+' || letter == '-' || letter == '.';
}

static enum fit
fit_uri(struct der name, struct der base)
{
	const uint8_t *host = name.data, *end = name.data + name.bytes;
	while (host < end && is_scheme_letter(*host))
		host++;
	if (!is_plain(name) || host == name.data || end - host < 3 || memcmp(host, "://", 3) != 0)
		return UNCLEAR;
	host += 3;
	const uint8_t *stop = host;
	while (stop < end && !strchr("/?#", *stop))
		stop++;
	const uint8_t *user = memrchr(host, '@', (size_t)(stop - host));
	if (user)
		host = user + 1;
	const uint8_t *port = memchr(host, ':', (size_t)(stop - host));
	return fit_host(host, (size_t)((!port ? stop : port) - host), base);
}

static enum fit
fit_address(struct der name, struct der base)
{
	if ((name.bytes != 4 && name.bytes != 16) || (base.bytes != 8 && base.bytes != 32))
		return UNCLEAR;
	if (base.bytes != 2 * name.bytes)
		return OUTSIDE;
	for (size_t i = 0; i < name.bytes; i++)
		if ((name.data[i] ^ base.data[i]) & base.data[name.bytes + i])
			return OUTSIDE;
	return WITHIN;
}

/* A directory name is under another that it begins with.  Octets are compared, which
 * may miss a name but never permits one too many, so exclusions are not judged. */
static enum fit
fit_directory(struct der name, struct der base, bool excluding)
{
	struct cursor name_in = der_over(name), base_in = der_over(base);
	struct der have = der_read(&name_in, DER_SEQUENCE), want = der_read(&base_in, DER_SEQUENCE);
	if (excluding || !cursor_end(&name_in) || !cursor_end(&base_in))
		return UNCLEAR;
	have.bytes = have.bytes < want.bytes ? have.bytes : want.bytes;
	return der_equal(have, want) ? WITHIN : OUTSIDE;
}

static enum fit
fit(const struct general_name_value *name, struct der base, bool excluding)
{
	switch (name->tag) {
	case NAME_DNS:
		return fit_dns(name->value, base, excluding);
	case NAME_EMAIL:
		return fit_email(name->value, base);
	case NAME_URI:
		return fit_uri(name->value, base);
	case NAME_ADDRESS:
		return fit_address(name->value, base);
	case NAME_DIRECTORY:
		return fit_directory(name->value, base, excluding);
	default:
		return UNCLEAR;
	}
}

/* Whether the subtrees of the name's kind let it pass; those of other kinds say nothing. */
static bool
subtrees_allow(struct cursor list, const struct general_name_value *name, bool excluding)
{
	bool any = false, within = false;
	while (list.left > 0 && !list.failed) {
		struct cursor subtree = der_enter(&list, DER_SEQUENCE);
		struct general_name_value base;
		base.value = der_any(&subtree, &base.tag);
		if (!cursor_end(&subtree)) /* minimum or maximum, which RFC 5280 forbids */
			return false;
		if (base.tag != name->tag)
			continue;
		enum fit is = fit(name, base.value, excluding);
		if (is == UNCLEAR)
			return false;
		any = true;
		within = within || is == WITHIN;
	}
	return !list.failed && (excluding ? !within : within || !any);
}

static bool
name_allowed(struct der constraints, const struct general_name_value *name)
{
	struct cursor in = der_over(constraints);
	struct der subtrees;
	if (der_optional(&in, DER_CONTEXT_SEQUENCE, &subtrees) &&
	    !subtrees_allow(der_over(subtrees), name, false))
		return false;
	if (der_optional(&in, DER_CONTEXT_SEQUENCE | 1, &subtrees) &&
	    !subtrees_allow(der_over(subtrees), name, true))
		return false;
	return cursor_end(&in);
}

static void
describe(const struct general_name_value *name, char *why, size_t why_bytes)
{
	char text[128];
	size_t at = 0;
	for (size_t i = 0; i < name->value.bytes && at + 1 < sizeof text; i++)
		text[at++] = name->value.data[i] > 0x20 && name->value.data[i] < 0x7f
		    ? (char)name->value.data[i]
		    : '?';
	text[at] = '\0';
	if (name->tag == NAME_DIRECTORY)
		x509_name_text(name->value, text, sizeof text);
	if (name->tag == NAME_ADDRESS)
		snprintf(text, sizeof text, "(an IP address)");
	snprintf(why, why_bytes, "name %s", text);
}

bool
constraint_allows(
    const struct x509 *ca, const struct x509 *certificate, char *why, size_t why_bytes)
{
	struct cursor subject = der_over(certificate->subject);
	bool has_subject = der_read(&subject, DER_SEQUENCE).bytes > 0;
	struct general_name_value name = { NAME_DIRECTORY, certificate->subject };
	bool allowed = !ca->has_constraints || !has_subject || name_allowed(ca->constraints, &name);
	struct cursor names = der_over(certificate->names);
	while (allowed && ca->has_constraints && x509_next_name(&names, &name.tag, &name.value))
		allowed = name_allowed(ca->constraints, &name);
	if (!allowed)
		describe(&name, why, why_bytes);
	return allowed;
}
