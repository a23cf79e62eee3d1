/* Tests of relay/route_template: what a client's name can make of a target, and what not. */
#include "relay/route_template.h"

#include <string.h>
#include "relay/helpers.h"

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void
takes_one_ldh_label(void **state)
{
	static const struct {
		const char *pattern, *name, *label; /* NULL: none */
	} rows[] = {
		{ "*.apps.example", "shop.apps.example", "shop" },
		{ "*.apps.example", "a-1.apps.example", "a-1" },
		{ "*.apps.example", "127.apps.example", "127" },
		{ "*.apps.example", LABEL_63 ".apps.example", LABEL_63 },
		{ "*.apps.example", "a_b.apps.example", NULL },
		{ "*.apps.example", "-a.apps.example", NULL },
		{ "*.apps.example", "a-.apps.example", NULL },
		{ "*.apps.example", "a.b.apps.example", NULL },
		{ "*.apps.example", "apps.example", NULL },
		{ "*.apps.example", "shop.other.example", NULL },
		{ "*.apps.example", "", NULL },
		{ "shop.apps.example", "shop.apps.example", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char label[TEMPLATE_LABEL];
		bool found = route_template_label(label, rows[i].pattern, rows[i].name);

		if (found != (rows[i].label != NULL) || (found && strcmp(label, rows[i].label) != 0))
			fail_msg("%s", rows[i].name);
	}
}

static void
puts_the_label_into_the_host(void **state)
{
	static const struct {
		const char *target, *label, *out; /* NULL: refused */
	} rows[] = {
		{ "{1}.internal:443", "shop", "shop.internal:443" },
		{ "app-{1}.{1}.internal:443", "a", "app-a.a.internal:443" },
		{ "{1}:443", "localhost", "localhost:443" },
		{ "10.0.0.{1}:443", "5", "10.0.0.5:443" },
		{ "x{1}.internal:443", LABEL_63, NULL },
		{ "internal:{1}", "443", "internal:443" }, /* is_template() of settings.c refuses it */
		{ "internal:{1}", "a", NULL },
		{ "{2}.internal:443", "a", NULL },
		{ "{1.internal:443", "a", NULL },
		{ "{{1}}.internal:443", "a", NULL },
		{ "[fe80::{1}]:443", "a", NULL },
		{ "{1}.{1}.{1}.{1}.internal:443", LABEL_63, NULL },
		{ "{1}.{1}.{1}.{1}.{1}.{1}.internal:443", LABEL_63, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char out[UPSTREAM_URL_TARGET];
		bool fine = route_template_expand(out, rows[i].target, rows[i].label);

		if (fine != (rows[i].out != NULL) || (fine && strcmp(out, rows[i].out) != 0))
			fail_msg("%s with %s", rows[i].target, rows[i].label);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_one_ldh_label),
		cmocka_unit_test(puts_the_label_into_the_host),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay/route_template", tests, NULL, NULL);
}
