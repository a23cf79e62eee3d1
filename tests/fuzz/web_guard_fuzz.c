/* What a request says of its host and of the page that makes it, one of three a line. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/web_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Whoever is let in has called a host that is local or listed, and is no page of others. */
static void
hold(const struct web_guard_header *header, const struct conf_texts *hosts)
{
	char host[WEB_GUARD_HOST];

	if (web_guard_refusal(header, hosts))
		return;
	assert(header->host && web_guard_host(header->host, host));
	assert(strlen(host) < WEB_GUARD_HOST && host[0] != '\0');
	assert(web_guard_is_local(host) || strcmp(host, "status.example") == 0);
	assert(!header->origin || strcasestr(header->origin, header->host));
	assert(!header->fetch_site || strchr(header->fetch_site, 'n'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static char listed[] = "status.example";
	static char *items[] = { listed };
	static const struct conf_texts hosts = { .items = items, .count = 1 };
	char *text = strndup((const char *)data, bytes), *rest = text, *part[3];
	struct web_guard_header header;

	for (int i = 0; i < 3; i++)
		part[i] = strsep(&rest, "\n");
	header = (struct web_guard_header){ part[0], part[1], part[2] };
	hold(&header, &hosts);
	header.origin = header.fetch_site = NULL;
	hold(&header, &hosts);
	web_guard_refusal(&header, NULL);
	free(text);
	return 0;
}
