/* Ids of flows.  The key is expanded anew for each id, which is a tenth of a microsecond a flow and
 * keeps nettle's type out of the header. */
#include "relay/flow_id.h"

#include <assert.h>
#include <nettle/aes.h>
#include <stdlib.h>
#include "base/cursor.h"
#include "base/secret.h"

static_assert(FLOW_ID_BYTES == AES_BLOCK_SIZE, "a flow id is one block of AES");
static_assert(FLOW_ID_KEY_BYTES == AES128_KEY_SIZE, "the key is one of AES-128");

void
flow_ids_init(struct flow_ids *ids)
{
	arc4random_buf(ids->key, sizeof ids->key);
	arc4random_buf(ids->start, sizeof ids->start);
	atomic_init(&ids->made, 0);
}

void
flow_ids_wipe(struct flow_ids *ids)
{
	bytes_wipe(ids->key, sizeof ids->key);
	bytes_wipe(ids->start, sizeof ids->start);
}

void
flow_id_make(struct flow_ids *ids, uint8_t id[FLOW_ID_BYTES])
{
	uint8_t block[FLOW_ID_BYTES];
	struct writer writer = writer_over(block, sizeof block);
	struct aes128_ctx aes;

	writer_bytes(&writer, ids->start, sizeof ids->start);
	writer_u64(&writer, atomic_fetch_add(&ids->made, 1) + 1);
	aes128_set_encrypt_key(&aes, ids->key);
	aes128_encrypt(&aes, sizeof block, id, block);
	bytes_wipe(&aes, sizeof aes);
	bytes_wipe(block, sizeof block);
}
