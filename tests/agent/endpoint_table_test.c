/* Tests of agent/endpoint_table: numbers, and what a reload keeps of them. */
#include "agent/endpoint_table.h"

#include "mint.h"
#include "pki/trust.h"

static struct test_mint mint;
static struct trust *relays;

static struct trust *
load_trust(void)
{
	char path[128], error[TRUST_ERROR];
	const char *const cas[] = { mint_path(&mint, "root.crt", path) };
	struct trust_sources sources = { .ca_files = cas, .ca_count = 1, .label = "test" };
	struct trust *trust = trust_load(&sources, NULL, error, sizeof error);

	if (!trust)
		fail_msg("%s", error);
	return trust;
}

static int
set_up(void **state)
{
	(void)state;
	mint_open(&mint);
	mint_leaf(&mint, "app", "app.test", GNUTLS_KP_TLS_WWW_SERVER);
	relays = load_trust();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	trust_release(relays);
	mint_close(&mint);
	return 0;
}

/* Two endpoints: "sealed" passes through, "app" terminates with the mint's certificate. */
static struct endpoint_settings wanted[2];
static struct agent_settings settings;
static char certificate[128], private_key[128];
static char upstream[] = "tcp://127.0.0.1:80", other_upstream[] = "tcp://127.0.0.1:81";
static char *urls[] = { upstream, other_upstream };

static void
want(void)
{
	struct endpoint_settings *app = &wanted[1];

	memset(wanted, 0, sizeof wanted);
	memset(&settings, 0, sizeof settings);
	wanted[0].name = (char *)"sealed";
	strcpy(wanted[0].server_name, "sealed.test");
	wanted[0].weight = app->weight = 100;
	wanted[0].upstream.url = app->upstream.url =
	    (struct conf_texts){ .items = urls, .count = 2 };
	app->name = (char *)"app";
	strcpy(app->server_name, "app.test");
	app->terminates = true;
	app->termination.first.certificate =
	    (char *)(uintptr_t)mint_path(&mint, "app.crt", certificate);
	app->termination.first.private_key =
	    (char *)(uintptr_t)mint_path(&mint, "app.key", private_key);
	settings.endpoints.items = wanted;
	settings.endpoints.count = 2;
}

static struct endpoint_table *
make(const struct endpoint_table *previous, const struct endpoint_reload *reload)
{
	char error[ENDPOINT_ERROR];
	struct endpoint_table *table =
	    endpoint_table_new(&settings, relays, previous, reload, error);

	if (!table)
		fail_msg("%s", error);
	return table;
}

static void
finds_endpoints_by_their_numbers(void **state)
{
	struct endpoint_table *table;

	(void)state;
	want();
	table = make(NULL, NULL);
	for (size_t i = 0; i < table->count; i++)
		assert_ptr_equal(
		    endpoint_table_find(table, table->endpoints[i]->number), table->endpoints[i]);
	assert_null(endpoint_table_find(table, 0));
	assert_null(endpoint_table_find(table, table->endpoints[1]->number + 1));
	endpoint_table_release(table);
}

static void
keeps_numbers_over_a_reload_and_never_gives_one_twice(void **state)
{
	struct endpoint_table *first, *second, *third;
	uint32_t sealed, app;

	(void)state;
	want();
	first = make(NULL, NULL);
	sealed = first->endpoints[0]->number;
	app = first->endpoints[1]->number;
	assert_true(sealed > 0 && app > 0 && sealed != app);
	strcpy(wanted[0].server_name, "other.test");
	second = make(first, NULL);
	assert_null(endpoint_table_find(second, sealed));
	assert_string_equal(endpoint_table_find(second, app)->server_name, "app.test");
	strcpy(wanted[0].server_name, "sealed.test");
	third = make(second, NULL);
	assert_null(endpoint_table_find(third, sealed));
	endpoint_table_release(first);
	endpoint_table_release(second);
	endpoint_table_release(third);
}

static void
gives_a_new_number_to_what_relays_must_be_told_of_again(void **state)
{
	struct endpoint_table *first, *second, *third;

	(void)state;
	want();
	first = make(NULL, NULL);
	wanted[0].weight = 7;
	second = make(first, NULL);
	assert_null(endpoint_table_find(second, first->endpoints[0]->number));
	assert_int_equal(second->endpoints[0]->number, first->endpoints[1]->number);
	assert_int_equal(second->endpoints[1]->weight, 7);
	wanted[0].carrier = CARRIER_HANDOFF;
	third = make(second, NULL);
	assert_null(endpoint_table_find(third, second->endpoints[1]->number));
	assert_int_equal(
	    third->endpoints[1]->carriers, 1u << CARRIER_SEALED | 1u << CARRIER_HANDOFF);
	endpoint_table_release(first);
	endpoint_table_release(second);
	endpoint_table_release(third);
}

static void
how_flows_are_divided_is_told_again_under_a_new_number(void **state)
{
	struct endpoint_table *first, *second, *third;

	(void)state;
	want();
	first = make(NULL, NULL);
	assert_int_equal(first->endpoints[0]->balance, BALANCE_LEAST);
	assert_int_equal(first->endpoints[0]->priority, 0);
	wanted[0].balance = BALANCE_SOURCE;
	second = make(first, NULL);
	assert_null(endpoint_table_find(second, first->endpoints[0]->number));
	assert_int_equal(second->endpoints[1]->balance, BALANCE_SOURCE);
	wanted[0].priority = 255;
	third = make(second, NULL);
	assert_null(endpoint_table_find(third, second->endpoints[1]->number));
	assert_int_equal(third->endpoints[1]->priority, 255);
	endpoint_table_release(first);
	endpoint_table_release(second);
	endpoint_table_release(third);
}

/* A relay that has not heard of the new number yet opens the old one, and flows last longer still. */
static void
finds_an_endpoint_by_what_it_was_before(void **state)
{
	struct endpoint_table *tables[4];
	uint32_t before;

	(void)state;
	want();
	tables[0] = make(NULL, NULL);
	before = tables[0]->endpoints[0]->number;
	for (int i = 1; i < 4; i++) {
		if (i < 3)
			wanted[0].weight = (uint16_t)i;
		tables[i] = make(tables[i - 1], NULL);
		assert_string_equal(
		    endpoint_table_find_again(tables[i], tables[0]->endpoints[0])->server_name,
		    "sealed.test");
		assert_ptr_equal(endpoint_table_find_again(tables[i], tables[0]->endpoints[1]),
		    endpoint_table_find(tables[i], tables[0]->endpoints[1]->number));
	}
	assert_int_equal(endpoint_table_find_opened(tables[1], before)->weight, 1);
	assert_null(endpoint_table_find_opened(tables[2], before));
	for (int i = 2; i < 4; i++) /* the second time nothing new was told */
		assert_int_equal(
		    endpoint_table_find_opened(tables[i], tables[1]->endpoints[1]->number)->weight,
		    2);
	for (int i = 0; i < 4; i++)
		assert_null(endpoint_table_find_opened(tables[i], 0));
	strcpy(wanted[0].server_name, "other.test");
	struct endpoint_table *gone = make(tables[3], NULL);
	assert_null(endpoint_table_find_again(gone, tables[0]->endpoints[0]));
	assert_null(endpoint_table_find_opened(gone, tables[3]->endpoints[1]->number));
	endpoint_table_release(gone);
	for (int i = 0; i < 4; i++)
		endpoint_table_release(tables[i]);
}

static void
note_refused(void *arg, size_t index, const char *sentence)
{
	snprintf(arg, ENDPOINT_ERROR, "%zu: %s", index, sentence);
}

static void
takes_over_what_has_not_changed(void **state)
{
	const struct endpoint_reload reload = { (const bool[]){ false, true },
		(const bool[]){ false, false }, note_refused, NULL };
	struct endpoint_table *first, *second;

	(void)state;
	want();
	first = make(NULL, NULL);
	second = make(first, &reload);
	assert_ptr_equal(first->endpoints[0], second->endpoints[0]);
	assert_ptr_not_equal(first->endpoints[1], second->endpoints[1]);
	assert_int_equal(first->endpoints[1]->number, second->endpoints[1]->number);
	endpoint_table_release(first);
	endpoint_table_release(second);
}

static void
keeps_an_endpoint_whose_new_file_is_bad(void **state)
{
	char error[ENDPOINT_ERROR], refused[ENDPOINT_ERROR] = "";
	const struct endpoint_reload reload = { (const bool[]){ true, true },
		(const bool[]){ false, false }, note_refused, refused };
	struct endpoint_table *first, *second;

	(void)state;
	want();
	first = make(NULL, NULL);
	wanted[1].termination.first.certificate = private_key; /* no certificate in there */
	second = make(first, &reload);
	assert_ptr_equal(first->endpoints[1], second->endpoints[1]);
	assert_non_null(strstr(refused, "1: endpoint app"));
	endpoint_table_release(second);
	/* A whole new configuration is all or nothing. */
	assert_null(endpoint_table_new(&settings, relays, first, NULL, error));
	assert_non_null(strstr(error, "endpoint app"));
	endpoint_table_release(first);
}

static void
loads_cas_and_crls_of_an_endpoint_whose_new_certificate_is_bad(void **state)
{
	char refused[ENDPOINT_ERROR] = "";
	const struct endpoint_reload reload = { (const bool[]){ true, true },
		(const bool[]){ true, true }, note_refused, refused };
	struct endpoint_table *first, *second, *third;
	struct server_certificate *certificates;

	(void)state;
	want();
	first = make(NULL, NULL);
	certificates = first->endpoints[1]->certificates;
	wanted[1].termination.first.certificate = private_key; /* no certificate in there */
	second = make(first, &reload);
	assert_non_null(strstr(refused, "1: endpoint app"));
	assert_ptr_not_equal(first->endpoints[1], second->endpoints[1]);
	third = make(second, &reload);
	endpoint_table_release(first);
	endpoint_table_release(second);
	assert_ptr_equal(third->endpoints[1]->certificates, certificates);
	assert_int_equal(third->endpoints[1]->certificate_count, 1);
	assert_non_null(certificates->tls);
	endpoint_table_release(third);
}

static void
refuses_a_key_of_another_certificate(void **state)
{
	char other[128], error[ENDPOINT_ERROR];

	(void)state;
	want();
	mint_leaf(&mint, "other", "app.test", GNUTLS_KP_TLS_WWW_SERVER);
	wanted[1].termination.first.private_key =
	    (char *)(uintptr_t)mint_path(&mint, "other.key", other);
	assert_null(endpoint_table_new(&settings, relays, NULL, NULL, error));
	assert_non_null(strstr(error, "endpoint app"));
}

/* In one file. */
static void
mint_cas(const char *name, int count)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);

	for (int i = 0; i < count; i++) {
		char cn[32];
		gnutls_x509_crt_t crt;
		gnutls_datum_t pem;

		snprintf(cn, sizeof cn, "clients %d", i);
		crt = mint_begin(&mint, mint.root_key, cn);
		gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
		gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN);
		assert_int_equal(
		    gnutls_x509_crt_sign2(crt, crt, mint.root_key, GNUTLS_DIG_SHA256, 0), 0);
		assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
		fprintf(file, "%s", (const char *)pem.data);
		gnutls_free(pem.data);
		gnutls_x509_crt_deinit(crt);
	}
	fclose(file);
	mint_write(&mint, name, text, bytes);
	free(text);
}

static void
tells_no_more_names_of_cas_than_its_certificates_may_cost(void **state)
{
	static const struct {
		const char *cas;
		bool tells;
		const char *refusal; /* NULL: none */
	} cases[] = {
		{ "16.crt", true, NULL },
		{ "17.crt", false, NULL },
		{ "17.crt", true,
		    "endpoint app: the names of 17 clients' CAs for each of 256 certificates are "
		    "more than 4096 in all; list fewer CAs or certificates, or set "
		    "client_ca_names: off" },
	};
	static struct certificate_settings more[255];
	char cas[128], *path = cas;

	(void)state;
	want();
	mint_cas("16.crt", 16);
	mint_cas("17.crt", 17);
	for (size_t i = 0; i < COUNT(more); i++)
		more[i] = wanted[1].termination.first;
	wanted[1].termination.more = (struct conf_items){ .items = more, .count = COUNT(more) };
	wanted[1].termination.mutual_tls = MUTUAL_REQUIRE;
	wanted[1].termination.cas = (struct conf_texts){ .items = &path, .count = 1 };
	for (size_t i = 0; i < COUNT(cases); i++) {
		char error[ENDPOINT_ERROR] = "";
		struct endpoint_table *table;

		mint_path(&mint, cases[i].cas, cas);
		wanted[1].termination.tells_ca_names = cases[i].tells;
		table = endpoint_table_new(&settings, relays, NULL, NULL, error);
		if (!table != (cases[i].refusal != NULL))
			fail_msg("case %zu: %s", i, table ? "taken" : error);
		if (!table)
			assert_string_equal(error, cases[i].refusal);
		endpoint_table_release(table);
	}
}

static void
keeps_what_is_known_of_upstreams_that_have_not_changed(void **state)
{
	struct endpoint_table *tables[3];

	(void)state;
	want();
	tables[0] = make(NULL, NULL);
	wanted[0].weight = 7;
	wanted[1].upstream.url.count = 1;
	tables[1] = make(tables[0], NULL);
	wanted[0].upstream.health.check = HEALTH_TCP;
	tables[2] = make(tables[1], NULL);
	assert_ptr_equal(
	    endpoint_table_find_again(tables[1], tables[0]->endpoints[0])->upstream.group,
	    tables[0]->endpoints[0]->upstream.group);
	assert_ptr_not_equal(
	    endpoint_table_find_again(tables[1], tables[0]->endpoints[1])->upstream.group,
	    tables[0]->endpoints[1]->upstream.group);
	assert_ptr_not_equal(
	    endpoint_table_find_again(tables[2], tables[0]->endpoints[0])->upstream.group,
	    tables[0]->endpoints[0]->upstream.group);
	for (int i = 0; i < 3; i++)
		endpoint_table_release(tables[i]);
}

static void
sees_each_change_of_a_file_once(void **state)
{
	struct endpoint_stamp seen = { 0 };

	(void)state;
	want();
	assert_true(endpoint_files_changed(&wanted[1], NULL, &seen));
	assert_false(endpoint_files_changed(&wanted[1], NULL, &seen));
	mint_leaf(&mint, "app", "app.test", GNUTLS_KP_TLS_WWW_SERVER);
	assert_true(endpoint_files_changed(&wanted[1], NULL, &seen));
	assert_false(endpoint_files_changed(&wanted[1], NULL, &seen));
	assert_false(endpoint_files_changed(&wanted[0], NULL, &seen));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_endpoints_by_their_numbers),
		cmocka_unit_test(keeps_numbers_over_a_reload_and_never_gives_one_twice),
		cmocka_unit_test(gives_a_new_number_to_what_relays_must_be_told_of_again),
		cmocka_unit_test(how_flows_are_divided_is_told_again_under_a_new_number),
		cmocka_unit_test(finds_an_endpoint_by_what_it_was_before),
		cmocka_unit_test(takes_over_what_has_not_changed),
		cmocka_unit_test(keeps_an_endpoint_whose_new_file_is_bad),
		cmocka_unit_test(loads_cas_and_crls_of_an_endpoint_whose_new_certificate_is_bad),
		cmocka_unit_test(refuses_a_key_of_another_certificate),
		cmocka_unit_test(tells_no_more_names_of_cas_than_its_certificates_may_cost),
		cmocka_unit_test(keeps_what_is_known_of_upstreams_that_have_not_changed),
		cmocka_unit_test(sees_each_change_of_a_file_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent/table", tests, set_up, tear_down);
}
