/* Hashes announcements as they are encoded. */
#include "tunnel/announce_digest.h"

#include <stdlib.h>

#include <nettle/sha2.h>

struct announce_digest {
	struct sha256_ctx sha;
};

struct announce_digest *
announce_digest_new(void)
{
	struct announce_digest *digest = malloc(sizeof *digest);

	if (digest)
		sha256_init(&digest->sha);
	return digest;
}

void
announce_digest_add(struct announce_digest *digest, const struct frame_announce *announce)
{
	uint8_t frame[FRAME_BYTES];
	size_t bytes = frame_add_announce(frame, 0, announce);

	sha256_update(&digest->sha, bytes - FRAME_HEADER, frame + FRAME_HEADER);
}

void
announce_digest_end(struct announce_digest *digest, uint8_t out[RESUME_BYTES])
{
	_Static_assert(RESUME_BYTES == SHA256_DIGEST_SIZE, "it is SHA-256");
	sha256_digest(&digest->sha, RESUME_BYTES, out);
	free(digest);
}

void
announce_digest_free(struct announce_digest *digest)
{
	free(digest);
}
