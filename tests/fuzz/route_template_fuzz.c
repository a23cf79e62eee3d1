/*
 * A client's name in the upstream of a route: "PATTERN NAME TARGET".  Whatever the name is, it changes
 * neither the port nor the number of labels, and puts nothing but its one label there.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/address.h"
#include "relay/route_template.h"
#include "sni/name.h"

static size_t
count_dots(const char *text)
{
	size_t dots = 0;

	for (; *text != '\0'; text++)
		dots += *text == '.';
	return dots;
}

static void
must(bool truth)
{
	if (!truth)
		abort();
}

static void
check_label(const char *label, const char *name)
{
	size_t bytes = strlen(label);

	must(bytes > 0 && bytes <= 63 && strncmp(label, name, bytes) == 0 && name[bytes] == '.');
	must(label[0] != '-' && label[bytes - 1] != '-');
	for (const char *at = label; *at != '\0'; at++)
		must(islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '-');
}

static void
check_target(const char *filled, const char *target)
{
	char host[254];
	uint16_t port;
	const char *colon = strrchr(target, ':');

	must(host_port_split(filled, host, &port));
	must(count_dots(filled) == count_dots(target));
	must(!strpbrk(filled, "{}"));
	/* The port is the target's own unless that has the mark in it, which the settings refuse. */
	if (colon && !strchr(colon, '{'))
		must(strcmp(strrchr(filled, ':'), colon) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1024], pattern[NAME_SIZE], name[NAME_SIZE], label[TEMPLATE_LABEL];
	char filled[UPSTREAM_URL_TARGET], *rest = text;
	const char *said_pattern, *said_name;

	if (size >= sizeof text || memchr(data, 0, size))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	said_pattern = strsep(&rest, " ");
	said_name = strsep(&rest, " ");
	if (!said_name || !rest || !name_normalise_pattern(pattern, said_pattern, strlen(said_pattern)) ||
	    !name_normalise(name, said_name, strlen(said_name)) ||
	    !route_template_label(label, pattern, name))
		return 0;
	check_label(label, name);
	if (route_template_expand(filled, rest, label))
		check_target(filled, rest);
	return 0;
}
