/* `valise-agent probe`: one look, compared with what was expected. */
#include "agent/probe_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "agent/command.h"
#include "agent/probe_look.h"
#include "base/loop.h"
#include "base/resolver.h"

static const char command[] = "probe";

enum probe_option { EXPECT, ADDRESS, OPTIONS };

const struct program_option probe_command_options[OPTIONS + 1] = {
	[EXPECT] = { "expect", 0, "SPKI[,SPKI]...", "SHA-256 of the public key that should answer",
	    NULL, true, false },
	[ADDRESS] = PROGRAM_OPTION(
	    "address", "HOST:PORT", "where the name is reached, instead of by its own addresses"),
};

static const struct program_command command_line = { command, "tls://NAME[:PORT]", "",
	probe_command_options, NULL };

static const char *const wanted[] = { "the public name, for example tls://app.example.com", NULL };

struct probe_command {
	struct conf_texts expected;
	struct url_public public;
	struct upstream_settings from;
	struct loop *loop;
	int code;
};

static int
check(struct probe_command *probe, const char *values[OPTIONS], const char *name)
{
	char error[256], host[254];
	uint16_t port;

	if (!url_public(&probe->public, name, error))
		return command_fail(command, EX_USAGE, "%s %s", name, error);
	for (size_t i = 0; i < probe->expected.count; i++)
		if (!spki_pin_is(probe->expected.items[i], error))
			return command_fail(
			    command, EX_USAGE, "--expect %s %s", probe->expected.items[i], error);
	if (values[ADDRESS] && !host_port_split(values[ADDRESS], host, &port))
		return command_fail(command, EX_USAGE,
		    "--address %s is not a valid address; write HOST:PORT", values[ADDRESS]);
	snprintf(probe->from.parsed.target, sizeof probe->from.parsed.target, "%s",
	    values[ADDRESS] ? values[ADDRESS] : probe->public.target);
	return 0;
}

static bool
is_expected(const struct probe_command *probe, const struct spki_pin *key)
{
	struct spki_pin pin;

	for (size_t i = 0; i < probe->expected.count; i++)
		if (spki_pin_parse(&pin, probe->expected.items[i]) && spki_pin_equals(&pin, key))
			return true;
	return false;
}

static void
on_done(void *arg, const struct spki_pin *key, const char *error)
{
	struct probe_command *probe = arg;
	const char *name = probe->public.name, *target = probe->from.parsed.target;
	char text[SPKI_PIN_TEXT];

	if (!key) {
		printf("%s at %s: unknown: nobody has proven any key: %s\n", name, target, error);
		probe->code = EX_UNAVAILABLE;
	} else if (is_expected(probe, key))
		printf("%s at %s: match: %s answers on this connection\n", name, target,
		    spki_pin_text(key, text));
	else {
		printf(
		    "%s at %s: mismatch: another key answers, %s: somebody else holds a certificate "
		    "for the name, unless it was given a new key\n",
		    name, target, spki_pin_text(key, text));
		probe->code = 1;
	}
	loop_stop(probe->loop);
}

static int
look(struct probe_command *probe)
{
	struct resolver *resolver = resolver_new();
	struct probe_look *one = NULL;

	probe->loop = loop_new();
	if (probe->loop && resolver)
		one = probe_look_new(probe->loop, resolver, NULL, &probe->from, 0,
		    probe->public.name, on_done, probe);
	if (one)
		loop_run(probe->loop);
	else
		probe->code =
		    command_fail(command, EX_OSERR, "the system refuses a loop or memory");
	probe_look_free(one);
	resolver_free(resolver);
	loop_free(probe->loop);
	return probe->code;
}

int
probe_command_run(int count, char **arguments)
{
	const char *values[OPTIONS] = { 0 }, *name = NULL;
	struct probe_command probe = { 0 };
	int code = program_read(&command_line, count, arguments, values, wanted, &name);

	if (code != 0)
		return code;
	command_list(&probe.expected, values[EXPECT], ",");
	code = check(&probe, values, name);
	if (code == 0)
		code = look(&probe);
	for (size_t i = 0; i < probe.expected.count; i++)
		free(probe.expected.items[i]);
	free(probe.expected.items);
	free(probe.expected.marks);
	return code;
}
