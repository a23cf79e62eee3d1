/* Tests of acme/caa: answers of the DNS, and what they say of an account. */
#include "acme/caa.h"

#include "helpers.h"

#define ACCOUNT "https://ca.example/acct/7"
#define PIN "; accounturi=" ACCOUNT

struct message {
	uint8_t bytes[4096];
	size_t length;
};

static void
put(struct message *message, const void *data, size_t bytes)
{
	assert_true(message->length + bytes <= sizeof message->bytes);
	memcpy(message->bytes + message->length, data, bytes);
	message->length += bytes;
}

static void
put_u16(struct message *message, unsigned value)
{
	const uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	put(message, bytes, sizeof bytes);
}

/* An answer to a question for example.com; its records' names point back at it. */
static void
begin(struct message *message, unsigned flags, unsigned answers)
{
	message->length = 0;
	put_u16(message, 0x1234);
	put_u16(message, flags);
	put_u16(message, 1);
	put_u16(message, answers);
	put_u16(message, 0);
	put_u16(message, 0);
	put(message, "\7example\3com\0", 13);
	put_u16(message, 257);
	put_u16(message, 1);
}

static void
put_head(struct message *message, unsigned type, size_t bytes)
{
	put(message, "\xc0\x0c", 2);
	put_u16(message, type);
	put_u16(message, 1);
	put(message, "\0\0\1\0", 4);
	put_u16(message, (unsigned)bytes);
}

static void
put_caa(struct message *message, uint8_t flags, const char *tag, const char *value)
{
	uint8_t lengths[] = { flags, (uint8_t)strlen(tag) };

	put_head(message, 257, 2 + strlen(tag) + strlen(value));
	put(message, lengths, 2);
	put(message, tag, strlen(tag));
	put(message, value, strlen(value));
}

static void
reads_records_among_others(void **state)
{
	struct message message;
	struct caa_set set;

	(void)state;
	begin(&message, 0x8180, 3);
	put_head(&message, 5, 2); /* an alias */
	put(&message, "\xc0\x0c", 2);
	put_caa(&message, 0, "ISSUE", "ca.example" PIN);
	put_caa(&message, 128, "iodef", "mailto:a@example.com");
	assert_true(caa_decode(&set, message.bytes, message.length));
	assert_int_equal(set.count, 2);
	assert_string_equal(set.records[0].tag, "issue");
	assert_string_equal(set.records[0].value, "ca.example" PIN);
	assert_false(set.records[0].is_critical);
	assert_true(set.records[1].is_critical);
	for (size_t i = 0; i < message.length; i++)
		assert_false(caa_decode(&set, message.bytes, i));
}

static void
an_answer_without_records_is_one(void **state)
{
	struct message message;
	struct caa_set set;

	(void)state;
	begin(&message, 0x8180, 0);
	assert_true(caa_decode(&set, message.bytes, message.length));
	assert_int_equal(set.count, 0);
}

static void
refuses_what_is_not_an_answer(void **state)
{
	static const unsigned flags[] = { 0x0100, 0x8182, 0x8183, 0x8185, 0x8380 };
	struct message message;
	struct caa_set set;

	(void)state;
	for (size_t i = 0; i < COUNT(flags); i++) {
		begin(&message, flags[i], 0);
		assert_false(caa_decode(&set, message.bytes, message.length));
	}
}

static void
refuses_records_that_are_odd_or_too_many(void **state)
{
	char longest[CAA_VALUE + 1];
	struct message message;
	struct caa_set set;

	(void)state;
	snprintf(longest, sizeof longest, "%0*d", CAA_VALUE - 1, 0);
	begin(&message, 0x8180, 1);
	put_caa(&message, 0, "issue", longest);
	assert_true(caa_decode(&set, message.bytes, message.length));
	snprintf(longest, sizeof longest, "%0*d", CAA_VALUE, 0);
	begin(&message, 0x8180, 1);
	put_caa(&message, 0, "issue", longest);
	assert_false(caa_decode(&set, message.bytes, message.length));
	begin(&message, 0x8180, 1);
	put_caa(&message, 0, "", "ca.example");
	assert_false(caa_decode(&set, message.bytes, message.length));
	begin(&message, 0x8180, 1);
	put_caa(&message, 0, "sixteencharacter", "ca.example");
	assert_false(caa_decode(&set, message.bytes, message.length));
	begin(&message, 0x8180, 1);
	put_head(&message, 257, 3);
	put(&message, "\0\5is", 3);
	assert_false(caa_decode(&set, message.bytes, message.length));
	begin(&message, 0x8180, CAA_RECORDS + 1);
	for (int i = 0; i < CAA_RECORDS; i++)
		put_caa(&message, 0, "issue", "ca.example");
	assert_false(caa_decode(&set, message.bytes, message.length));
	put_caa(&message, 0, "issue", "ca.example");
	assert_false(caa_decode(&set, message.bytes, message.length));
}

static void
judges_who_may_have_a_certificate(void **state)
{
	static const struct {
		const char *values[3];
		const char *identity, *account;
		enum caa_verdict verdict;
	} cases[] = {
		{ { NULL }, "ca.example", ACCOUNT, CAA_OPEN },
		{ { "ca.example" }, "ca.example", ACCOUNT, CAA_OPEN },
		{ { "ca.example" PIN }, "ca.example", ACCOUNT, CAA_PINNED },
		{ { "CA.example ;accounturi = " ACCOUNT " " }, "ca.example", ACCOUNT, CAA_PINNED },
		{ { "ca.example; validationmethods=tls-alpn-01" PIN }, "ca.example", ACCOUNT,
		    CAA_PINNED },
		{ { "ca.example" PIN "; x=y" }, "ca.example", ACCOUNT, CAA_PINNED },
		{ { "ca.example; AccountURI=" ACCOUNT }, "ca.example", ACCOUNT, CAA_PINNED },
		{ { "ca.example" PIN }, "", ACCOUNT, CAA_PINNED },
		{ { "ca.example" PIN, ";" }, "ca.example", ACCOUNT, CAA_PINNED },
		/* Another CA would issue to anybody. */
		{ { "ca.example" PIN, "other.example" }, "ca.example", ACCOUNT, CAA_OPEN },
		{ { "ca.example" PIN, "ca.example" }, "ca.example", ACCOUNT, CAA_OPEN },
		/* Others may, and we may not. */
		{ { ";" }, "ca.example", ACCOUNT, CAA_FOREIGN },
		{ { "" }, "ca.example", ACCOUNT, CAA_FOREIGN },
		{ { "other.example" PIN }, "ca.example", ACCOUNT, CAA_FOREIGN },
		{ { "ca.example; accounturi=" ACCOUNT "0" }, "ca.example", ACCOUNT, CAA_FOREIGN },
		{ { "ca.example; accounturi=" }, "ca.example", ACCOUNT, CAA_FOREIGN },
		/* What is no parameter pins nothing. */
		{ { "ca.example accounturi=" ACCOUNT }, "ca.example", ACCOUNT, CAA_OPEN },
		{ { "ca.example; myaccounturi=" ACCOUNT }, "ca.example", ACCOUNT, CAA_OPEN },
		{ { "ca.example; accounturi" }, "ca.example", ACCOUNT, CAA_OPEN },
		/* Nobody knows yet what the account is called. */
		{ { "ca.example" PIN }, "ca.example", "", CAA_UNKNOWN },
		{ { "ca.example" }, "ca.example", "", CAA_OPEN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct caa_set set = { 0 };

		for (; set.count < 3 && cases[i].values[set.count]; set.count++) {
			struct caa_record *record = &set.records[set.count];

			snprintf(record->tag, sizeof record->tag, "issue");
			snprintf(
			    record->value, sizeof record->value, "%s", cases[i].values[set.count]);
		}
		if (caa_judge(&set, cases[i].identity, cases[i].account) != cases[i].verdict)
			fail_msg("case %zu: %s", i,
			    caa_words[caa_judge(&set, cases[i].identity, cases[i].account)]);
	}
}

/* Exact names are asked for only: issuewild says nothing about them (RFC 8659, 4.3). */
static void
other_properties_restrict_nobody(void **state)
{
	static const char *const tags[] = { "issuewild", "iodef", "issuemail" };
	struct caa_set set = { .count = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(tags); i++) {
		snprintf(set.records[0].tag, sizeof set.records[0].tag, "%s", tags[i]);
		snprintf(set.records[0].value, sizeof set.records[0].value, "ca.example" PIN);
		assert_int_equal(caa_judge(&set, "ca.example", ACCOUNT), CAA_OPEN);
	}
}

static void
writes_the_record_that_pins(void **state)
{
	char text[CAA_SENTENCE];

	(void)state;
	assert_string_equal(caa_record_text("app.example.com", "ca.example", ACCOUNT, text),
	    "app.example.com. IN CAA 0 issue \"ca.example; accounturi=" ACCOUNT
	    "; validationmethods=tls-alpn-01\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_records_among_others),
		cmocka_unit_test(an_answer_without_records_is_one),
		cmocka_unit_test(refuses_what_is_not_an_answer),
		cmocka_unit_test(refuses_records_that_are_odd_or_too_many),
		cmocka_unit_test(judges_who_may_have_a_certificate),
		cmocka_unit_test(other_properties_restrict_nobody),
		cmocka_unit_test(writes_the_record_that_pins),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("acme/caa", tests, NULL, NULL);
}
