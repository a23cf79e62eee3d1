/* "Basic " and base64 of "user:password". */
#include "pki/tool/basic.h"

#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "pki/transfer.h"

static bool
take(char out[BASIC_TEXT], const uint8_t *data, size_t bytes)
{
	if (bytes >= BASIC_TEXT)
		return false;
	for (size_t i = 0; i < bytes; i++)
		if (data[i] < 0x20 || data[i] == 0x7f)
			return false;
	memcpy(out, data, bytes);
	out[bytes] = '\0';
	return true;
}

bool
basic_read(struct basic *out, const char *header)
{
	static const char scheme[] = "Basic ";
	struct secret text;
	const uint8_t *colon;
	bool done;

	*out = (struct basic){ 0 };
	if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0 ||
	    !transfer_decode(
		header + sizeof scheme - 1, strlen(header) - (sizeof scheme - 1), &text))
		return false;
	colon = memchr(text.data, ':', text.bytes);
	done = colon && take(out->user, text.data, (size_t)(colon - text.data)) &&
	    take(out->password, colon + 1, text.bytes - (size_t)(colon + 1 - text.data));
	secret_wipe(&text);
	if (!done)
		basic_wipe(out);
	return done;
}

void
basic_wipe(struct basic *basic)
{
	bytes_wipe(basic, sizeof *basic);
}
