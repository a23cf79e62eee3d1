/* nettle's base64 with the alphabet for URLs, its padding taken off and put on. */
#include "acme/base64url.h"

#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

char *
base64url_encode(const void *data, size_t bytes)
{
	char *text = malloc(BASE64_ENCODE_LENGTH(bytes) + BASE64_ENCODE_FINAL_LENGTH + 1);
	struct base64_encode_ctx encoder;
	size_t length;

	if (!text)
		return NULL;
	base64url_encode_init(&encoder);
	length = base64_encode_update(&encoder, text, bytes, data);
	length += base64_encode_final(&encoder, text + length);
	while (length > 0 && text[length - 1] == '=')
		length--;
	text[length] = '\0';
	return text;
}

bool
base64url_decode(struct secret *out, const char *text)
{
	size_t length = strcspn(text, "="), bytes = 0, more = 0;
	uint8_t *data = malloc(BASE64_DECODE_LENGTH(length) + 1);
	struct base64_decode_ctx decoder;
	bool is_fine;

	*out = (struct secret){ 0 };
	if (!data)
		return false;
	base64url_decode_init(&decoder);
	is_fine = length % 4 != 1 && strspn(text + length, "=") == strlen(text + length) &&
	    base64_decode_update(&decoder, &bytes, data, length, text) &&
	    base64_decode_update(&decoder, &more, data + bytes, (4 - length % 4) % 4, "===") &&
	    base64_decode_final(&decoder) && secret_init(out, data, bytes);
	bytes_wipe(data, bytes);
	free(data);
	return is_fine;
}
