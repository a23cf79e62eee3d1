/* Puts a label of a server name into the host of an upstream. */
#include "relay/route_template.h"

#include <stdint.h>
#include <string.h>
#include "base/address.h"
#include "sni/name.h"

static const char mark[] = "{1}";

bool
route_template_is(const char *text)
{
	return strpbrk(text, "{}") != NULL;
}

static bool
is_ldh(const char *label, size_t bytes)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	return bytes > 0 && bytes < TEMPLATE_LABEL && strspn(label, letters) >= bytes &&
	    label[0] != '-' && label[bytes - 1] != '-';
}

bool
route_template_label(char label[TEMPLATE_LABEL], const char *pattern, const char *name)
{
	size_t bytes = strcspn(name, ".");

	if (!name_is_wildcard(pattern) || !name_matches(pattern, name, false) ||
	    !is_ldh(name, bytes))
		return false;
	memcpy(label, name, bytes);
	label[bytes] = '\0';
	return true;
}

bool
route_template_fill(char out[UPSTREAM_URL_TARGET], const char *text, const char *label)
{
	size_t label_bytes = strlen(label), used = 0, bytes;

	while (*text != '\0') {
		bool is_mark = strncmp(text, mark, sizeof mark - 1) == 0;

		bytes = is_mark ? label_bytes : 1;
		if (bytes >= UPSTREAM_URL_TARGET - used)
			return false;
		memcpy(out + used, is_mark ? label : text, bytes);
		used += bytes;
		text += is_mark ? sizeof mark - 1 : 1;
	}
	out[used] = '\0';
	return !route_template_is(out);
}

bool
route_template_expand(char out[UPSTREAM_URL_TARGET], const char *target, const char *label)
{
	char host[254], name[NAME_SIZE];
	uint16_t port;

	return route_template_fill(out, target, label) && host_port_split(out, host, &port) &&
	    name_normalise(name, host, strlen(host));
}
