/* Tests of agent/upstream_judge: whom pins let through where nothing else is judged. */
#include "agent/upstream_judge.h"

#include "agent/upstream.h"
#include "mint.h"

static struct test_mint mint;

static int
set_up(void **state)
{
	(void)state;
	mint_open(&mint);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	mint_close(&mint);
	return 0;
}

/* Of the mint's root, as an upstream with insecure_skip_verify shows it; count 0: it shows nothing. */
static unsigned
judge(struct spki_pin *pins, size_t pin_count, size_t count, char refusal[UPSTREAM_REFUSAL])
{
	struct upstream_target target = { 0 };
	struct upstream upstream = { .targets = &target, .pins = pins, .pin_count = pin_count };
	struct upstream_judge judge = { 0 };
	gnutls_datum_t der;
	unsigned alert;

	assert_int_equal(gnutls_x509_crt_export2(mint.root, GNUTLS_X509_FMT_DER, &der), 0);
	upstream_judge_init(&judge, &upstream, 0);
	alert =
	    upstream_judge_chain(&judge, &(struct tls_certificate){ der.data, der.size }, count);
	memcpy(refusal, judge.refusal, UPSTREAM_REFUSAL);
	upstream_judge_wipe(&judge);
	gnutls_free(der.data);
	return alert;
}

static struct spki_pin
pin_of_root(void)
{
	struct spki_pin pin;
	gnutls_datum_t der;

	assert_int_equal(gnutls_x509_crt_export2(mint.root, GNUTLS_X509_FMT_DER, &der), 0);
	assert_true(spki_pin_of(&pin, (struct der){ der.data, der.size }));
	gnutls_free(der.data);
	return pin;
}

static void
without_verification_a_pin_still_decides(void **state)
{
	struct spki_pin pins[2] = { { { 1 } }, pin_of_root() };
	const struct {
		size_t pin_count, count;
		unsigned alert;
		const char *refusal; /* a part of it */
	} cases[] = {
		{ 0, 1, 0, "" },
		{ 1, 1, 42, "the upstream's key is not one of upstream.spki" },
		{ 2, 1, 0, "" },
		{ 1, 0, 42, "its key is not one of upstream.spki" },
		{ 2, 0, 42, "its key is not one of upstream.spki" },
	};
	char refusal[UPSTREAM_REFUSAL];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned alert = judge(pins, cases[i].pin_count, cases[i].count, refusal);

		if (alert != cases[i].alert || !strstr(refusal, cases[i].refusal) ||
		    (alert == 0) != (refusal[0] == '\0'))
			fail_msg("case %zu: alert %u, %s", i, alert, refusal);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_verification_a_pin_still_decides),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/upstream_judge", tests, set_up, tear_down);
}
