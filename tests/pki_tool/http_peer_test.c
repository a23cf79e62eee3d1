/* Certificate messages of clients, fit to be read or not, in TLS 1.2 and 1.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/forge.h"
#include "pki/tool/http_peer.h"

static uint8_t message[2 * HTTP_PEER_BYTES];

static void
put24(size_t at, size_t number)
{
	for (size_t i = 0; i < 3; i++)
		message[at + i] = (uint8_t)(number >> 8 * (2 - i));
}

/* `filler` octets behind the leaf are a second certificate. */
static struct der
message_of(const void *leaf, size_t bytes, size_t filler, bool is_13)
{
	size_t at = is_13 ? 1 : 0, start = at, per = is_13 ? 5 : 3;

	memset(message, 0, sizeof message);
	at += 3;
	if (bytes > 0) {
		put24(at, bytes);
		memcpy(message + at + 3, leaf, bytes);
		at += bytes + per;
	}
	if (filler > 0) {
		put24(at, filler);
		at += filler + per;
	}
	put24(start, at - start - 3);
	return (struct der){ message, at };
}

static bool
fits(const struct recipe *recipe, bool is_13)
{
	struct forged leaf;

	forge_certificate(&leaf, recipe, LEVEL_LEAF, LEVEL_MIDDLE, "client");
	return http_peer_is_fit(message_of(leaf.data, leaf.bytes, 0, is_13), is_13);
}

static void
usable_keys_are_fit_and_others_are_not(void **state)
{
	static const struct {
		enum key key;
		bool is_fit;
	} cases[] = {
		{ KEY_LEAF, true }, { KEY_RSA, true }, { KEY_ED25519, true }, { KEY_RSA_HUGE, false },
		{ KEY_RSA_1024, false }, { KEY_EXPLICIT, false }, { KEY_UNKNOWN_KIND, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int is_13 = 0; is_13 < 2; is_13++) {
			const struct recipe recipe = { .key = cases[i].key };

			if (fits(&recipe, is_13) != cases[i].is_fit)
				fail_msg("key %d in TLS 1.%d", cases[i].key, 2 + is_13);
		}
}

static void
no_certificate_is_fit_and_too_many_are_not(void **state)
{
	static const struct recipe plain = { .key = KEY_LEAF };
	struct forged leaf;

	(void)state;
	forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, "client");
	for (int is_13 = 0; is_13 < 2; is_13++) {
		assert_true(http_peer_is_fit(message_of(NULL, 0, 0, is_13), is_13));
		assert_true(http_peer_is_fit(message_of(leaf.data, leaf.bytes, 1000, is_13), is_13));
		assert_false(http_peer_is_fit(message_of(leaf.data, leaf.bytes, HTTP_PEER_BYTES, is_13), is_13));
	}
}

static void
is_not_fit_when_it_is_cut_anywhere(void **state)
{
	static const struct recipe plain = { .key = KEY_LEAF };
	struct forged leaf;
	struct der whole;

	(void)state;
	forge_certificate(&leaf, &plain, LEVEL_LEAF, LEVEL_MIDDLE, "client");
	for (int is_13 = 0; is_13 < 2; is_13++) {
		whole = message_of(leaf.data, leaf.bytes, 0, is_13);
		for (size_t bytes = 0; bytes + 2 < whole.bytes; bytes++)
			assert_false(http_peer_is_fit((struct der){ whole.data, bytes }, is_13));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(usable_keys_are_fit_and_others_are_not),
		cmocka_unit_test(no_certificate_is_fit_and_too_many_are_not),
		cmocka_unit_test(is_not_fit_when_it_is_cut_anywhere),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/tool/http_peer", tests, NULL, NULL);
}
