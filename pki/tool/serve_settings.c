/* The keys of pki.yml as a table, and their checks. */
#include "pki/tool/serve_settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/paths.h"
#include "pki/join_line.h"
#include "pki/tool/message.h"
#include "sni/name.h"

bool
serve_settings_is_listener(const char *text, char error[256])
{
	struct address address;

	if (address_parse(&address, text) && address.as.any.sa_family != AF_UNIX)
		return true;
	snprintf(error, 256, "is not an address to listen at; write [::]:8443 or 192.0.2.1:443");
	return false;
}

bool
serve_settings_is_name(const char *text, char error[256])
{
	char name[NAME_SIZE];

	if (name_normalise(name, text, strlen(text)))
		return true;
	snprintf(error, 256, "is not a host name; write one such as pki.example.net");
	return false;
}

static bool
is_url(const char *text, char error[256])
{
	char host[254];
	uint16_t port;

	if (join_url_parse(text, host, &port))
		return true;
	snprintf(error, 256,
	    "is not a URL to join by; write https://pki.example.net, with nothing behind the host "
	    "or its port");
	return false;
}

#define AT(member) offsetof(struct serve_settings, member)

static const struct conf_row rows[] = {
	{ "version", CONF_NUMBER, AT(version), .required = true, .least = 1, .most = 1 },
	{ "authority", CONF_TEXT, AT(authority), .required = false },
	{ "server_name", CONF_TEXTS, AT(server_name), .least = 1, .check = serve_settings_is_name },
	{ "listen", CONF_TEXTS, AT(listen), .fallback = "[::]:8443", .least = 1,
	    .check = serve_settings_is_listener },
	{ "url", CONF_TEXT, AT(url), .check = is_url },
	{ "passphrase_file", CONF_TEXT, AT(passphrase_file), .required = false },
	{ "limits.connections", CONF_NUMBER, AT(connections), .fallback = "1024", .least = 8,
	    .most = 65536 },
	{ "limits.requests", CONF_NUMBER, AT(requests), .fallback = "200", .most = 1000000 },
	{ "limits.requests_per_identity", CONF_NUMBER, AT(requests_per_identity), .fallback = "2",
	    .most = 1000000 },
	{ "limits.signatures_per_hour", CONF_NUMBER, AT(signatures_per_hour), .fallback = "1000",
	    .least = 1, .most = 1000000000 },
	DAEMON_LOG_ROWS(struct serve_settings, log),
	{ 0 },
};

int
serve_settings_read(struct serve_settings *settings, const char *path)
{
	static const char nothing[] = "version: 1\n";
	struct conf_report report = { .out = stderr, .path = path ? path : paths_pki_config };

	*settings = (struct serve_settings){ 0 };
	if (path || access(paths_pki_config, F_OK) == 0)
		conf_read(settings, rows, report.path, &report);
	else
		conf_read_bytes(settings, rows, nothing, sizeof nothing - 1, &report);
	if (report.errors == 0)
		return 0;
	return report.unreadable ? EX_NOINPUT : EX_CONFIG;
}

void
serve_settings_wipe(struct serve_settings *settings)
{
	conf_wipe(settings, rows);
}
