/* Two texts in base64, a signature over both, and JSON around. */
#include "acme/jws.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/hmac.h>
#include <nettle/sha2.h>

#include "acme/account_key.h"
#include "acme/base64url.h"

/* What signs: an account's key, or a MAC key. */
struct jws_signer {
	struct account_key *key;
	const struct secret *mac_key;
};

static char *
signature_over(const struct jws_signer *signer, const char *text)
{
	uint8_t mac[SHA256_DIGEST_SIZE], signature[ACCOUNT_KEY_SIGNATURE];
	struct hmac_sha256_ctx hmac;

	if (signer->key)
		return account_key_sign(signer->key, text, signature)
		    ? base64url_encode(signature, sizeof signature)
		    : NULL;
	hmac_sha256_set_key(&hmac, signer->mac_key->bytes, signer->mac_key->data);
	hmac_sha256_update(&hmac, strlen(text), (const uint8_t *)text);
	hmac_sha256_digest(&hmac, sizeof mac, mac);
	bytes_wipe(&hmac, sizeof hmac);
	return base64url_encode(mac, sizeof mac);
}

/* NULL when memory is short. */
static json_t *
flattened(const struct jws_signer *signer, const char *head, const char *payload)
{
	char *protected = base64url_encode(head, strlen(head)),
	     *body = base64url_encode(payload, strlen(payload)), *signed_text = NULL,
	     *signature = NULL;
	json_t *jws = NULL;

	if (protected && body && asprintf(&signed_text, "%s.%s", protected, body) < 0)
		signed_text = NULL;
	if (signed_text)
		signature = signature_over(signer, signed_text);
	if (signature)
		jws = json_pack("{s:s, s:s, s:s}", "protected", protected, "payload", body,
		    "signature", signature);
	free(protected);
	free(body);
	free(signed_text);
	free(signature);
	return jws;
}

/* Takes the head, which may be NULL: memory. */
static char *
finish(const struct jws_signer *signer, json_t *head, const char *payload)
{
	char *head_text = head ? json_dumps(head, JSON_COMPACT) : NULL, *payload_text = NULL;
	json_t *jws = head_text && payload ? flattened(signer, head_text, payload) : NULL;

	if (jws)
		payload_text = json_dumps(jws, JSON_COMPACT);
	json_decref(jws);
	json_decref(head);
	free(head_text);
	return payload_text;
}

/* NULL when memory is short. */
static json_t *
head_of(const struct account_key *key, const struct jws_head *head)
{
	json_t *public = head->account ? NULL : account_key_public(key);

	if (!head->account && !public)
		return NULL; /* not left out, as json_pack() would */
	return json_pack("{s:s, s:s*, s:s, s:s*, s:o*}", "alg", "ES256", "nonce", head->nonce,
	    "url", head->url, "kid", head->account, "jwk", public);
}

char *
jws_sign(struct account_key *key, const struct jws_head *head, const char *payload)
{
	const struct jws_signer signer = { .key = key };

	return finish(&signer, head_of(key, head), payload);
}

char *
jws_bind(const struct account_key *key, const char *key_id, const struct secret *mac_key,
    const char *new_account_url)
{
	const struct jws_signer signer = { .mac_key = mac_key };
	json_t *public = account_key_public(key);
	char *payload = public ? json_dumps(public, JSON_COMPACT) : NULL;
	char *bound = finish(&signer,
	    json_pack("{s:s, s:s, s:s}", "alg", "HS256", "kid", key_id, "url", new_account_url),
	    payload);

	free(payload);
	json_decref(public);
	return bound;
}

char *
jws_change_key(const struct account_key *old, struct account_key *fresh, const char *account,
    const char *key_change_url)
{
	json_t *change =
	    json_pack("{s:s, s:o}", "account", account, "oldKey", account_key_public(old));
	char *payload = change ? json_dumps(change, JSON_COMPACT) : NULL;
	const struct jws_head head = { .url = key_change_url };
	char *inner = payload ? jws_sign(fresh, &head, payload) : NULL;

	free(payload);
	json_decref(change);
	return inner;
}

bool
jws_authorise(const struct account_key *key, const char *token, uint8_t digest[32])
{
	char *thumbprint = account_key_thumbprint(key);
	struct sha256_ctx sha;

	if (!thumbprint)
		return false;
	sha256_init(&sha);
	sha256_update(&sha, strlen(token), (const uint8_t *)token);
	sha256_update(&sha, 1, (const uint8_t *)".");
	sha256_update(&sha, strlen(thumbprint), (const uint8_t *)thumbprint);
	sha256_digest(&sha, SHA256_DIGEST_SIZE, digest);
	free(thumbprint);
	return true;
}
