/* DER to base64 in lines, and back from base64 in any. */
#include "pki/transfer.h"

#include <stdlib.h>

#include <nettle/base64.h>

enum { LINE_BYTES = 48 }; /* 64 characters */

bool
transfer_encode(struct der der, struct secret *text)
{
	size_t lines = (der.bytes + LINE_BYTES - 1) / LINE_BYTES;
	char *at = malloc(BASE64_ENCODE_RAW_LENGTH(der.bytes) + lines + 1);

	*text = (struct secret){ (uint8_t *)at, 0 };
	if (!at)
		return false;
	for (size_t done = 0; done < der.bytes; done += LINE_BYTES) {
		size_t bytes = der.bytes - done < LINE_BYTES ? der.bytes - done : LINE_BYTES;

		base64_encode_raw(at, bytes, der.data + done);
		at += BASE64_ENCODE_RAW_LENGTH(bytes);
		*at++ = '\n';
	}
	*at = '\0';
	text->bytes = (size_t)(at - (char *)text->data);
	return true;
}

bool
transfer_decode(const void *text, size_t bytes, struct secret *out)
{
	struct base64_decode_ctx base64;
	size_t length = BASE64_DECODE_LENGTH(bytes);

	*out = (struct secret){ malloc(length + 1), 0 };
	base64_decode_init(&base64);
	if (out->data && base64_decode_update(&base64, &length, out->data, bytes, text) &&
	    base64_decode_final(&base64) && length > 0) {
		out->bytes = length;
		return true;
	}
	/* What was written before the fault may be a secret, too. */
	out->bytes = out->data ? BASE64_DECODE_LENGTH(bytes) : 0;
	secret_wipe(out);
	return false;
}
