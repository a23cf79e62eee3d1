/*
 * What a session gives to its channels: a name that travels in clear, and the
 * key that belongs to it.
 */
#include <nettle/sha2.h>
#include <string.h>

#include "base/units.h"
#include "tunnel/session.h"

bool
session_channel_key(struct session *s, const uint8_t id[SESSION_ID_BYTES], struct secret *key)
{
	enum { KEY_BYTES = 32 };
	uint8_t bytes[KEY_BYTES];
	bool is_made = tls_export(session_tls(s), "EXPERIMENTAL valise channel 1", id,
			   SESSION_ID_BYTES, bytes, sizeof bytes) &&
	    secret_init(key, bytes, sizeof bytes);
	bytes_wipe(bytes, sizeof bytes);
	return is_made;
}

void
channel_identity(const uint8_t id[SESSION_ID_BYTES], char identity[CHANNEL_IDENTITY])
{
	enum { SHOWN_BYTES = 16 };
	static const char salt[] = "valise channel";
	struct sha256_ctx hash;
	uint8_t digest[SHA256_DIGEST_SIZE];
	sha256_init(&hash);
	sha256_update(&hash, strlen(salt), (const uint8_t *)salt);
	sha256_update(&hash, SESSION_ID_BYTES, id);
	sha256_digest(&hash, sizeof digest, digest);
	memcpy(identity, "v1.", 3);
	hex_encode(identity + 3, digest, SHOWN_BYTES);
}
