/* The rows of `renew`, and what its texts mean. */
#include "enrol/renewal_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/daemon_rows.h"
#include "base/units.h"
#include "pki/join_line.h"

#define AT(member) offsetof(struct renewal_settings, member)

enum { PERCENT_MOST = 90, BEFORE_LEAST_MS = 60 * 1000 };

/* ---- one value ---- */

static bool
is_url(const char *text, char error[256])
{
	char host[254];
	uint16_t port;

	if (join_url_parse(text, host, &port))
		return true;
	snprintf(error, 256,
	    "is not the URL of an authority; write https://HOST or https://HOST:PORT, without a "
	    "path");
	return false;
}

/* False unless it is "1%" ... "90%". */
static bool
read_percent(const char *text, uint64_t *percent)
{
	size_t length = strlen(text);
	char digits[4];

	if (length < 2 || length > sizeof digits || text[length - 1] != '%')
		return false;
	snprintf(digits, sizeof digits, "%.*s", (int)length - 1, text);
	return number_parse(digits, percent) && *percent > 0 && *percent <= PERCENT_MOST;
}

static bool
is_before(const char *text, char error[256])
{
	uint64_t number;

	if (read_percent(text, &number) ||
	    (duration_parse(text, &number) && number >= BEFORE_LEAST_MS))
		return true;
	snprintf(error, 256,
	    "is not a part of a life or a time before its end; write 1%% to %d%%, or a duration from "
	    "1m on, such as 30d",
	    PERCENT_MOST);
	return false;
}

static bool
is_address(const char *text, char error[256])
{
	char host[254];
	uint16_t port;

	if (host_port_split(text, host, &port))
		return true;
	snprintf(error, 256, "is not an address; write host:port");
	return false;
}

/* ---- the rows ---- */

const struct conf_row renewal_rows[] = {
	{ "url", CONF_TEXT, AT(url), .required = true, .check = is_url },
	{ "address", CONF_TEXT, AT(address), .check = is_address },
	{ "cas", CONF_TEXTS, AT(cas), .required = true, .least = 1, .check = daemon_rows_is_path },
	{ "before", CONF_TEXT, AT(before), .fallback = "33%", .check = is_before },
	{ "rekey", CONF_BOOL, AT(rekey), .fallback = "true" },
	{ 0 },
};

int64_t
renewal_rows_before(const char *text, int64_t life_s)
{
	int64_t most_s = life_s / 100 * PERCENT_MOST;
	uint64_t number;

	if (read_percent(text, &number))
		return life_s / 100 * (int64_t)number;
	if (duration_parse(text, &number) && (int64_t)(number / 1000) < most_s)
		return (int64_t)(number / 1000);
	return most_s;
}

bool
renewal_rows_is_late(
    const struct renewal_settings *settings, int64_t not_before, int64_t not_after, int64_t now)
{
	return not_after - now < renewal_rows_before(settings->before, not_after - not_before) / 2;
}

const struct conf_texts *
renewal_rows_crl(struct renewal_crl *crl, const char *url)
{
	*crl = (struct renewal_crl){ .texts = { .items = crl->urls, .count = url ? 1 : 0 } };
	crl->urls[0] = crl->url;
	if (url)
		snprintf(crl->url, sizeof crl->url, "%s/crl/servers.pem", url);
	return &crl->texts;
}

const char *
renewal_rows_dial(const struct renewal_settings *settings, const struct conf_texts *urls)
{
	size_t length = settings->url ? strlen(settings->url) : 0;

	for (size_t i = 0; i < urls->count; i++)
		if (length == 0 || strncmp(urls->items[i], settings->url, length) != 0 ||
		    urls->items[i][length] != '/')
			return NULL;
	return settings->address;
}

void
renewal_rows_check(const struct renewal_settings *settings, const char *certificate,
    const char *private_key, struct conf_report *report)
{
	if (settings->mark.line == 0)
		return;
	if (!certificate || !private_key)
		conf_error(report, settings->mark,
		    "there is no certificate to renew; give certificate and private_key, too");
	else if (strcmp(certificate, private_key) == 0)
		conf_error(report, settings->mark,
		    "certificate and private_key are one file, '%s', and renewing needs two; put the "
		    "key into a file of its own",
		    certificate);
}
