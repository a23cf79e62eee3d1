/* Tests of acme/chain: certificates of 2026-01-01 to 2026-04-01, made by another library. */
#include "acme/chain.h"

#include "helpers.h"
#include "pki/key_pem.h"
#include "pki/pem.h"

/* For app.example.com, with the identifiers of RFC 9773, appendix A. */
static const char good[] = "-----BEGIN CERTIFICATE-----\n"
			   "MIIBYDCCAQWgAwIBAgIFAIdlQyEwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKRXhh\n"
			   "bXBsZSBDQTAeFw0yNjAxMDEwMDAwMDBaFw0yNjA0MDEwMDAwMDBaMAAwWTATBgcq\n"
			   "hkjOPQIBBggqhkjOPQMBBwNCAAQLjBrRC/HMdmGzY/JC6j6MndPbh0W0bBlI9TaR\n"
			   "8QuunJfwTdzGpO6ViLdwR1Ht7x3alf8chZV+3j1o7xRL46Huo1cwVTAdBgNVHREB\n"
			   "Af8EEzARgg9hcHAuZXhhbXBsZS5jb20wEwYDVR0lBAwwCgYIKwYBBQUHAwEwHwYD\n"
			   "VR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4ByNQwCgYIKoZIzj0EAwIDSQAwRgIh\n"
			   "AOXPqO92wnCNllnakducUVTIsdrww7eDcGQUBLTySFc+AiEAx7UbFBO3vWvYz0ne\n"
			   "TtXZXFbTocAfg55MNIhUjHhUPQo=\n"
			   "-----END CERTIFICATE-----\n";

/* For other.example.com. */
static const char of_another_name[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBYTCCAQegAwIBAgIFAIdlQyEwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKRXhh\n"
    "bXBsZSBDQTAeFw0yNjAxMDEwMDAwMDBaFw0yNjA0MDEwMDAwMDBaMAAwWTATBgcq\n"
    "hkjOPQIBBggqhkjOPQMBBwNCAAQLjBrRC/HMdmGzY/JC6j6MndPbh0W0bBlI9TaR\n"
    "8QuunJfwTdzGpO6ViLdwR1Ht7x3alf8chZV+3j1o7xRL46Huo1kwVzAfBgNVHREB\n"
    "Af8EFTATghFvdGhlci5leGFtcGxlLmNvbTATBgNVHSUEDDAKBggrBgEFBQcDATAf\n"
    "BgNVHSMEGDAWgBRpiFtrh0ZAQeGze4R7oK4s3gHI1DAKBggqhkjOPQQDAgNIADBF\n"
    "AiBGUSaEb/IYwii63hvg6FnMG7230iYbmBwZLuU1/YeTogIhAIQKx9SWyr5WWKQM\n"
    "rNehurW+IIXnbYS8+gQF2dk7llLQ\n"
    "-----END CERTIFICATE-----\n";

/* For clients. */
static const char for_clients[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBXjCCAQWgAwIBAgIFAIdlQyEwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKRXhh\n"
    "bXBsZSBDQTAeFw0yNjAxMDEwMDAwMDBaFw0yNjA0MDEwMDAwMDBaMAAwWTATBgcq\n"
    "hkjOPQIBBggqhkjOPQMBBwNCAAQLjBrRC/HMdmGzY/JC6j6MndPbh0W0bBlI9TaR\n"
    "8QuunJfwTdzGpO6ViLdwR1Ht7x3alf8chZV+3j1o7xRL46Huo1cwVTAdBgNVHREB\n"
    "Af8EEzARgg9hcHAuZXhhbXBsZS5jb20wEwYDVR0lBAwwCgYIKwYBBQUHAwIwHwYD\n"
    "VR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4ByNQwCgYIKoZIzj0EAwIDRwAwRAIg\n"
    "VFO9Z08BOtVeNCQLZJeC3iNoW/9vBgiTzpY+VQxakiICIDEx0C5L15it9npyODGg\n"
    "m1nBsuCvIdyMQicZx4PMeHrb\n"
    "-----END CERTIFICATE-----\n";

/* Without the identifier of its issuer's key. */
static const char without_issuer[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBPTCB5KADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApFeGFt\n"
    "cGxlIENBMB4XDTI2MDEwMTAwMDAwMFoXDTI2MDQwMTAwMDAwMFowADBZMBMGByqG\n"
    "SM49AgEGCCqGSM49AwEHA0IABAuMGtEL8cx2YbNj8kLqPoyd09uHRbRsGUj1NpHx\n"
    "C66cl/BN3Mak7pWIt3BHUe3vHdqV/xyFlX7ePWjvFEvjoe6jNjA0MB0GA1UdEQEB\n"
    "/wQTMBGCD2FwcC5leGFtcGxlLmNvbTATBgNVHSUEDDAKBggrBgEFBQcDATAKBggq\n"
    "hkjOPQQDAgNIADBFAiBUWYUj0U1MsbbmpsOR+iuimYS9F86lXPxAZ81Ad0uGfwIh\n"
    "AJ04ezLvn2zwbwG0LO+v/6LnJ8FcV+c2+9mTIRsAy3+l\n"
    "-----END CERTIFICATE-----\n";

/* Of a CA. */
static const char of_a_ca[] = "-----BEGIN CERTIFICATE-----\n"
			      "MIIBkTCCATegAwIBAgIFAIdlQyIwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKRXhh\n"
			      "bXBsZSBDQTAeFw0yNjAxMDEwMDAwMDBaFw0yNjA0MDEwMDAwMDBaMAAwWTATBgcq\n"
			      "hkjOPQIBBggqhkjOPQMBBwNCAAQLjBrRC/HMdmGzY/JC6j6MndPbh0W0bBlI9TaR\n"
			      "8QuunJfwTdzGpO6ViLdwR1Ht7x3alf8chZV+3j1o7xRL46Huo4GIMIGFMB0GA1Ud\n"
			      "EQEB/wQTMBGCD2FwcC5leGFtcGxlLmNvbTATBgNVHSUEDDAKBggrBgEFBQcDATAP\n"
			      "BgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBRRkWu84/FA/ivHeT54enb7qut9zjAf\n"
			      "BgNVHSMEGDAWgBTMLPPApW2FcPq6RUXMReHBba7SXzAKBggqhkjOPQQDAgNIADBF\n"
			      "AiAaqS0K+yBwP1C0qPUvrnQwdNlw1BgkYPXCqhHYS49+jgIhAMkmbTvJThBFdm19\n"
			      "CVhkBWRuPu96QdHk3ZD/iWRPyFyg\n"
			      "-----END CERTIFICATE-----\n";

static const char own_key[] = "-----BEGIN PRIVATE KEY-----\n"
			      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgso3Fxi1mzkLbDbsx\n"
			      "oyxWCZI4JA0OPsLDYD/Z5Svz9iOhRANCAAQLjBrRC/HMdmGzY/JC6j6MndPbh0W0\n"
			      "bBlI9TaR8QuunJfwTdzGpO6ViLdwR1Ht7x3alf8chZV+3j1o7xRL46Hu\n"
			      "-----END PRIVATE KEY-----\n";

static const char other_key[] = "-----BEGIN PRIVATE KEY-----\n"
				"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3+KL+oQzamIXufpA\n"
				"gNK46JL5dsH6kknODowWCHklP7ihRANCAATpzPRrhy30ZNN7QWLvVN8pyxz+mMJb\n"
				"RnWkvheow8ZROGMG1B2cb4/3nFX2DJHKGqvKhiVRifbt3TYb/nF48EBh\n"
				"-----END PRIVATE KEY-----\n";

enum { NOT_BEFORE = 1767225600, NOT_AFTER = 1775001600 };

static struct der
der_of(const char *pem)
{
	return (struct der){ (const uint8_t *)pem, strlen(pem) };
}

static enum chain_fault
judge(const char *pem, const char *key_pem, int64_t now_s, char error[CHAIN_ERROR])
{
	struct secret key;
	struct spki_pin pin;

	assert_true(secret_init(&key, key_pem, strlen(key_pem)));
	assert_true(key_pem_pin(&pin, &key));
	secret_wipe(&key);
	error[0] = '\0';
	return chain_judge(der_of(pem), "app.example.com", pin.digest, now_s, error);
}

static void
reads_what_renewals_need(void **state)
{
	struct chain_facts facts;

	(void)state;
	assert_true(chain_read(&facts, der_of(good)));
	assert_int_equal(facts.not_before_s, NOT_BEFORE);
	assert_int_equal(facts.not_after_s, NOT_AFTER);
	assert_string_equal(facts.id, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
	assert_string_equal(facts.issuer, "CN=Example CA");
	assert_true(chain_read(&facts, der_of(without_issuer)));
	assert_string_equal(facts.id, "");
	assert_false(chain_read(&facts, der_of("nothing")));
	assert_false(chain_read(&facts, der_of(own_key)));
}

static void
takes_what_was_ordered(void **state)
{
	char error[CHAIN_ERROR];

	(void)state;
	assert_int_equal(judge(good, own_key, NOT_BEFORE, error), CHAIN_FINE);
	assert_int_equal(judge(good, own_key, NOT_AFTER - 1, error), CHAIN_FINE);
	assert_string_equal(error, "");
}

static void
refuses_what_was_not(void **state)
{
	static const struct {
		const char *pem, *key, *says;
	} cases[] = {
		{ good, other_key, "another key" },
		{ of_another_name, own_key, "not for a server called app.example.com" },
		{ for_clients, own_key, "not for a server called app.example.com" },
		{ of_a_ca, own_key, "a certificate of a CA" },
		{ "", own_key, "what the CA has sent" },
		{ own_key, own_key, "what the CA has sent" },
	};
	char error[CHAIN_ERROR];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(judge(cases[i].pem, cases[i].key, NOT_BEFORE, error), CHAIN_WRONG);
		assert_non_null(strstr(error, cases[i].says));
	}
}

/* Whatever else a CA writes into its answer: the file has our key and these certificates. */
static void
keeps_the_certificates_and_nothing_else(void **state)
{
	struct secret out, again;
	char error[CHAIN_ERROR], text[16 << 10];
	struct pem_file file = { 0 };
	const char *why;

	(void)state;
	snprintf(text, sizeof text, "\xef\xbb\xbf%sand\n%s%s", good, other_key, of_another_name);
	assert_true(chain_write(&out, der_of(text), error));
	snprintf(text, sizeof text, "%s%s", good, of_another_name);
	assert_true(secret_equals(&out, text, strlen(text)));
	secret_wipe(&out);
	/* In DER, too. */
	assert_true(secret_init(&file.storage, good, strlen(good)));
	assert_true(pem_decode(&file, PEM_CERTIFICATE, &why));
	assert_true(chain_write(&again, pem_block(&file, 0), error));
	assert_true(secret_equals(&again, good, strlen(good)));
	secret_wipe(&again);
	pem_wipe(&file);
}

static void
keeps_nothing_that_cannot_be_loaded(void **state)
{
	static const char spoilt[] = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n"
				     "-----END CERTIFICATE-----\n";
	char error[CHAIN_ERROR], text[32 << 10] = "";
	struct secret out;

	(void)state;
	snprintf(text, sizeof text, "%s%s", good, spoilt);
	assert_false(chain_write(&out, der_of(text), error));
	assert_non_null(strstr(error, "certificate 2"));
	text[0] = '\0';
	for (int i = 0; i <= CHAIN_CERTIFICATES; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "%s", good);
	assert_false(chain_write(&out, der_of(text), error));
	assert_non_null(strstr(error, "11 certificates"));
	assert_false(chain_write(&out, der_of("nothing"), error));
	assert_null(out.data);
}

static void
doubts_the_clock_where_all_else_is_right(void **state)
{
	char error[CHAIN_ERROR];

	(void)state;
	assert_int_equal(judge(good, own_key, NOT_BEFORE - 1, error), CHAIN_CLOCK);
	assert_int_equal(judge(good, own_key, NOT_AFTER, error), CHAIN_CLOCK);
	assert_non_null(strstr(error, "our clock says 2026-04-01T00:00:00Z"));
	assert_int_equal(judge(good, other_key, NOT_AFTER, error), CHAIN_WRONG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_renewals_need),
		cmocka_unit_test(takes_what_was_ordered),
		cmocka_unit_test(refuses_what_was_not),
		cmocka_unit_test(keeps_the_certificates_and_nothing_else),
		cmocka_unit_test(keeps_nothing_that_cannot_be_loaded),
		cmocka_unit_test(doubts_the_clock_where_all_else_is_right),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/chain", tests, NULL, NULL);
}
