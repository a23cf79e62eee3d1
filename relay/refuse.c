/* The table of refusals. */
#include "relay/refuse.h"

#include <stdio.h>
#include <string.h>

enum { ALERT_ACCESS_DENIED = 49, ALERT_INTERNAL = 80, ALERT_NAME = 112, ALERT_ALPN = 120, ALERT_DECODE = 50 };

static const struct {
	const char *word;
	uint8_t alert;
} refusals[REFUSALS] = {
	[REFUSE_NO_NAME] = { "no-name", ALERT_NAME },
	[REFUSE_UNKNOWN_NAME] = { "unknown-name", ALERT_NAME },
	[REFUSE_MALFORMED] = { "malformed-hello", ALERT_DECODE },
	[REFUSE_NO_AGENT] = { "no-agent", ALERT_INTERNAL },
	[REFUSE_OVER_LIMIT] = { "over-limit", ALERT_INTERNAL },
	[REFUSE_DENIED] = { "denied", ALERT_ACCESS_DENIED },
	[REFUSE_FOREIGN_ALPN] = { "foreign-alpn", ALERT_ALPN },
	[REFUSE_NOT_TLS] = { "not-tls", 0 },
	[REFUSE_TIMEOUT] = { "hello-timeout", 0 },
};

const char *
refuse_word(enum refusal reason)
{
	return refusals[reason].word;
}

uint8_t
refuse_alert(enum refusal reason)
{
	return refusals[reason].alert;
}

bool
refuse_rule_parse(struct refuse_rule *rule, const char *text, char error[256])
{
	static const char *const words[] = {
		[REFUSE_BY_ALERT] = "alert",
		[REFUSE_BY_CLOSE] = "close",
		[REFUSE_BY_RESET] = "reset",
	};
	static const char by_route[] = "route:";

	rule->route[0] = '\0';
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) == 0) {
			rule->action = (enum refuse_action)i;
			return true;
		}
	}
	if (strncmp(text, by_route, strlen(by_route)) != 0) {
		snprintf(error, 256, "is no answer; write alert, close, reset or route:NAME");
		return false;
	}
	text += strlen(by_route);
	rule->action = REFUSE_BY_ROUTE;
	if (name_normalise_pattern(rule->route, text, strlen(text)))
		return true;
	snprintf(error, 256, "is no server name; write the server_name of a static route");
	return false;
}

void
refuse_record(uint8_t record[REFUSE_RECORD], uint8_t alert)
{
	const uint8_t fatal[REFUSE_RECORD] = { 0x15, 0x03, 0x03, 0x00, 0x02, 0x02, alert };

	memcpy(record, fatal, sizeof(fatal));
}
