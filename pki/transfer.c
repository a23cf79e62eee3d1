/* DER to base64 in one line, and back from base64 in any. */
#include "pki/transfer.h"

#include <stdlib.h>

#include <nettle/base64.h>

bool
transfer_encode(struct der der, struct secret *text)
{
	size_t bytes = BASE64_ENCODE_RAW_LENGTH(der.bytes);

	*text = (struct secret){ malloc(bytes + 1), 0 };
	if (!text->data)
		return false;
	base64_encode_raw((char *)text->data, der.bytes, der.data);
	text->data[bytes] = '\0';
	text->bytes = bytes;
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
