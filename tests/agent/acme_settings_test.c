/* Tests of agent/acme_settings: what `acme` of an endpoint may say, and where its certificate lies. */
#include "agent/acme_settings.h"

#include <sysexits.h>

#include "agent/settings.h"
#include "helpers.h"

#define AGENT \
	"version: 1\n" \
	"agent: {connect_url: 'relay.test:443', connect_cas: ca, certificate: c, private_key: k," \
	" state_dir: /state}\n" \
	"endpoints:\n"
#define ENDPOINT(name, termination) \
	"  - {name: " name ", url: 'tls://" name \
	".test', upstream: 80, agent_tls_termination: {" termination "}}\n"

static char *told;

static int
read_text(struct agent_settings *settings, const char *text)
{
	char path[] = "/tmp/valise-settings-XXXXXX";
	int fd = mkstemp(path), code;
	size_t bytes;
	FILE *messages;

	free(told);
	messages = open_memstream(&told, &bytes);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	code = agent_settings_read(settings, path, messages);
	fclose(messages);
	unlink(path);
	return code;
}

static void
needs_nothing_but_the_word(void **state)
{
	struct agent_settings settings;
	const struct termination_settings *termination;

	(void)state;
	assert_int_equal(
	    read_text(&settings, AGENT ENDPOINT("a", "acme: {terms_agreed: true}")), 0);
	assert_true(agent_settings_endpoint(&settings, 0)->terminates);
	termination = &agent_settings_endpoint(&settings, 0)->termination;
	assert_string_equal(termination->acme.directory, ACME_USUAL_DIRECTORY);
	assert_true(termination->acme.has_agreed);
	assert_int_equal(acme_settings_key_type(&termination->acme), KEY_P256);
	assert_int_equal(agent_settings_certificate_count(termination), 1);
	assert_true(termination->first.is_acme);
	assert_string_equal(termination->first.certificate, "/state/acme/a.test.crt");
	assert_string_equal(termination->first.private_key, "/state/keys/acme-a.test.key");
	agent_settings_wipe(&settings);
}

static void
takes_all_keys(void **state)
{
	struct agent_settings settings;
	const struct acme_settings *acme;

	(void)state;
	assert_int_equal(
	    read_text(&settings,
		AGENT ENDPOINT("a",
		    "acme: {directory: 'https://ca.test/dir', contact: [a@b.test, 'mailto:c@d.test'],"
		    " terms_agreed: yes, key: rsa3072, eab: {key_id: k-1, hmac_key_file: /k},"
		    " cas: [x, y], caa_resolver: '127.0.0.1:53'}")),
	    0);
	acme = &agent_settings_endpoint(&settings, 0)->termination.acme;
	assert_int_equal(acme->contact.count, 2);
	assert_int_equal(acme_settings_key_type(acme), KEY_RSA3072);
	assert_string_equal(acme->key_id, "k-1");
	assert_string_equal(acme->mac_key_file, "/k");
	assert_int_equal(acme->cas.count, 2);
	agent_settings_wipe(&settings);
}

static void
refuses_what_cannot_be(void **state)
{
	static const struct {
		const char *text, *place, *says;
	} cases[] = {
		{ AGENT ENDPOINT("a", "acme: {directory: 'http://ca.test/'}"),
		    ":4:", "https://HOST/PATH" },
		{ AGENT ENDPOINT("a", "acme: {contact: nobody}"), ":4:", "you@example.com" },
		{ AGENT ENDPOINT("a", "acme: {contact: 'a@b.test?x=y'}"),
		    ":4:", "you@example.com" },
		{ AGENT ENDPOINT("a", "acme: {contact: 'a@b.test,c@d.test'}"),
		    ":4:", "you@example.com" },
		{ AGENT ENDPOINT("a", "acme: {key: ed25519}"), ":4:", "rsa2048" },
		{ AGENT ENDPOINT("a", "acme: {caa_resolver: '[::1]:53'}"), ":4:", "IPv4" },
		{ AGENT ENDPOINT("a", "acme: {eab: {key_id: k}}"),
		    ":4:", "without eab.hmac_key_file" },
		{ AGENT ENDPOINT("a", "acme: {eab: {hmac_key_file: k}}"),
		    ":4:", "without eab.key_id" },
		{ AGENT ENDPOINT("a", "acme: {}, server_certificate: c, server_private_key: k"),
		    ":4:", "beside a certificate" },
		{ AGENT ENDPOINT("a",
		      "acme: {}, server_certificates: [{server_certificate: c, "
		      "server_private_key: k}]"),
		    ":4:", "beside a certificate" },
		{ AGENT ENDPOINT("a", "acme: {}, server_ocsp_response: o"),
		    ":4:", "server_ocsp_response" },
		{ AGENT
		    "  - {name: a, url: 'tls://*.a.test', upstream: 80, agent_tls_termination: {acme: {}}}\n",
		    ":4:", "is a wildcard" },
		{ AGENT ENDPOINT("a", "acme: {contact: a@b.test}")
			ENDPOINT("b", "acme: {contact: c@d.test}"),
		    ":5:", "that of line 4, too" },
		{ AGENT ENDPOINT("a", "acme: {terms_agreed: true}") ENDPOINT("b", "acme: {}"),
		    ":5:", "write them alike" },
	};
	struct agent_settings settings;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(read_text(&settings, cases[i].text), EX_CONFIG);
		if (!strstr(told, cases[i].place) || !strstr(told, cases[i].says))
			fail_msg("case %zu: %s", i, told);
		agent_settings_wipe(&settings);
	}
}

static void
accounts_differ_by_directory_and_key(void **state)
{
	struct agent_settings settings;

	(void)state;
	assert_int_equal(
	    read_text(&settings,
		AGENT ENDPOINT("a", "acme: {contact: a@b.test}") ENDPOINT(
		    "b", "acme: {directory: 'https://ca.test/', contact: c@d.test}")
		    ENDPOINT("c", "acme: {contact: e@f.test, eab: {key_id: k, hmac_key_file: f}}")
			ENDPOINT("d", "acme: {contact: a@b.test, key: rsa2048}")),
	    0);
	agent_settings_wipe(&settings);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(needs_nothing_but_the_word),
	cmocka_unit_test(takes_all_keys),
	cmocka_unit_test(refuses_what_cannot_be),
	cmocka_unit_test(accounts_differ_by_directory_and_key),
};
RUN_TESTS("agent/acme_settings", tests)
