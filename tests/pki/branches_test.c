/* Tests of pki/branches: which lists of CAs have several at which chains may end. */
#include "pki/branches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pki/forge.h"
#include "pki/trust.h"

enum { ROOT, OTHER_ROOT, ROOT_AGAIN, SUB, OTHER_SUB, BELOW_SUB, CAS };

static const struct {
	struct recipe recipe;
	enum level level, above;
} makes[CAS] = {
	[ROOT] = { { 0 }, LEVEL_ROOT, LEVEL_ROOT },
	[OTHER_ROOT] = { { .subject = "other", .issuer = "other", .key = KEY_STRANGER, .signer = KEY_STRANGER },
	    LEVEL_ROOT, LEVEL_ROOT },
	[ROOT_AGAIN] = { { .serial = "77" }, LEVEL_ROOT, LEVEL_ROOT },
	[SUB] = { { 0 }, LEVEL_MIDDLE, LEVEL_ROOT },
	[OTHER_SUB] = { { .subject = "sibling", .key = KEY_STRANGER }, LEVEL_MIDDLE, LEVEL_ROOT },
	[BELOW_SUB] = { { 0 }, LEVEL_SUB, LEVEL_MIDDLE },
};

static bool
are_several(const int *list, size_t count)
{
	const char *files[1];
	char error[TRUST_ERROR];
	struct forged ca;
	struct trust *trust;
	bool answer;

	unlink(forge_path("cas.pem"));
	for (size_t i = 0; i < count; i++) {
		forge_certificate(&ca, &makes[list[i]].recipe, makes[list[i]].level,
		    makes[list[i]].above, "");
		forge_append_pem("cas.pem", "CERTIFICATE", &ca);
	}
	files[0] = forge_path("cas.pem");
	trust = trust_load(
	    &(struct trust_sources){ .ca_files = files, .ca_count = 1, .label = "cas", .now = NOW },
	    NULL, error, sizeof error);
	if (!trust)
		fail_msg("%s", error);
	answer = branches_are_several(trust);
	trust_release(trust);
	return answer;
}

static void
counts_roots_and_the_lowest_sub_cas(void **state)
{
	static const struct {
		int list[4];
		size_t count;
		bool several;
	} rows[] = {
		{ { ROOT }, 1, false },
		{ { ROOT, OTHER_ROOT }, 2, true },
		/* one key with one name, renewed */
		{ { ROOT, ROOT_AGAIN }, 2, false },
		/* a sub-CA narrows its root, and one below it both */
		{ { ROOT, SUB }, 2, false },
		{ { SUB, ROOT, ROOT_AGAIN }, 3, false },
		{ { ROOT, SUB, BELOW_SUB }, 3, false },
		{ { ROOT, SUB, OTHER_SUB }, 3, true },
		{ { ROOT, BELOW_SUB, SUB, OTHER_SUB }, 4, true },
		{ { ROOT, SUB, OTHER_ROOT }, 3, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (are_several(rows[i].list, rows[i].count) != rows[i].several)
			fail_msg("row %zu", i);
	forge_clean();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_roots_and_the_lowest_sub_cas),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pki/branches", tests, NULL, NULL);
}
