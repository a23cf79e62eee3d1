/* The two mistakes that have a cure of their own. */
#include "pki/name_fault.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/gnutls.h>

bool
name_is_address(const char *text)
{
	unsigned char octets[sizeof(struct in6_addr)];
	size_t bytes = strlen(text);
	char inner[INET6_ADDRSTRLEN];

	if (text[0] == '[' && bytes > 2 && bytes - 2 < sizeof inner && text[bytes - 1] == ']') {
		snprintf(inner, sizeof inner, "%.*s", (int)bytes - 2, text + 1);
		text = inner;
	}
	return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}

static bool
is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* Two mappings of IDNA are in use, so the name is only suggested. */
static bool
suggest(const char *text, char error[NAME_FAULT])
{
	const char *wildcard = strncmp(text, "*.", 2) == 0 ? "*." : "";
	const char *name = text + strlen(wildcard);
	gnutls_datum_t mapped = { 0 };
	bool is_mapped =
	    !is_ascii(name) && gnutls_idna_map(name, (unsigned)strlen(name), &mapped, 0) >= 0;

	if (is_mapped)
		snprintf(error, NAME_FAULT, "is not ASCII; write its A-label, probably %s%.*s",
		    wildcard, (int)mapped.size, (const char *)mapped.data);
	gnutls_free(mapped.data);
	return is_mapped;
}

void
name_fault(const char *text, const char *otherwise, char error[NAME_FAULT])
{
	if (name_is_address(text))
		snprintf(error, NAME_FAULT,
		    "is an address, which no client asks for as a server name (RFC 6066); write a name");
	else if (!suggest(text, error))
		snprintf(error, NAME_FAULT, "%s", otherwise);
}
