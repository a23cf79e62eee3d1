/* valise-sni: what a relay would see of a captured ClientHello. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/process.h"
#include "base/program.h"
#include "base/units.h"
#include "sni/clienthello.h"
#include "sni/tool/capture.h"
#include "sni/tool/flight.h"
#include "sni/tool/xalloc.h"
#include "sni/tool/report.h"

#ifndef VALISE_VERSION
#define VALISE_VERSION "unknown"
#endif

enum { EX_ANSWER_IS_NO = 1, END_TEXT = INET6_ADDRSTRLEN + 10 };

struct request {
	size_t most_bytes;
	bool text;
	bool name_files;
};

static int
fail(int code, const char *file, const char *what)
{
	fprintf(stderr, "valise-sni: %s: %s\n", file, what);
	return code;
}

/* Prints the answer in the form that was asked for, and returns its exit status. */
static int
answer(const struct request *request, const struct report *report)
{
	(request->text ? report_text : report_json)(report);
	return report->hello->verdict == CLIENTHELLO_COMPLETE ? EX_OK : EX_ANSWER_IS_NO;
}

/* A failure outweighs an answer, "no" outweighs "yes". */
static int
worse(int a, int b)
{
	return a > b ? a : b;
}

/* ---- a stream ---- */

static int
read_stream(const struct request *request, FILE *file, const char *name, const char *shown)
{
	size_t most = request->most_bytes * CLIENTHELLO_WIRE_FACTOR, bytes;
	uint8_t *wire = xalloc(most);
	struct clienthello hello;
	struct report report = { .file = shown, .hello = &hello, .wire = wire };
	int code;

	bytes = fread(wire, 1, most, file);
	if (ferror(file)) {
		code = fail(EX_NOINPUT, name, strerror(errno));
	} else {
		clienthello_init(&hello, request->most_bytes);
		clienthello_read(&hello, wire, bytes);
		code = answer(request, &report);
	}
	fclose(file);
	free(wire);
	return code;
}

/* ---- a capture ---- */

static const char *
show_end(char out[END_TEXT], const struct packet_end *end, bool ipv6)
{
	char address[INET6_ADDRSTRLEN];

	inet_ntop(ipv6 ? AF_INET6 : AF_INET, end->address, address, sizeof address);
	snprintf(out, END_TEXT, "%s%s%s:%u", ipv6 ? "[" : "", address, ipv6 ? "]" : "", end->port);
	return out;
}

static int
answer_flights(
    const struct request *request, struct flights *flights, const char *name, const char *shown)
{
	int code = EX_OK;

	if (!flights_first(flights))
		return fail(EX_ANSWER_IS_NO, name, "no TCP connection in this capture");

	for (const struct flight *f = flights_first(flights); f; f = f->next) {
		char client[END_TEXT], server[END_TEXT];
		struct report report = {
			.file = shown,
			.client = show_end(client, &f->client, f->ipv6),
			.server = show_end(server, &f->server, f->ipv6),
			.hello = &f->hello,
			.wire = f->wire,
		};

		code = worse(code, answer(request, &report));
	}
	return code;
}

static int
read_capture(const struct request *request, FILE *file, const char *name, const char *shown)
{
	struct flights *flights = flights_new(request->most_bytes);
	char error[CAPTURE_ERROR];
	int code;

	if (capture_read(flights, file, error))
		code = EX_OK;
	else
		code = fail(EX_DATAERR, name, error);
	code = worse(code, answer_flights(request, flights, name, shown));
	flights_free(flights);
	return code;
}

/* ---- files ---- */

/* Looks at the first bytes and puts them back (glibc takes back any that it just gave). */
static bool
begins_as_capture(FILE *file)
{
	unsigned char magic[CAPTURE_MAGIC];
	size_t bytes = fread(magic, 1, sizeof magic, file);
	bool capture = bytes == sizeof magic && capture_begins(magic);

	while (bytes > 0)
		ungetc(magic[--bytes], file);
	return capture;
}

static int
read_file(const struct request *request, const char *name)
{
	bool standard = strcmp(name, "-") == 0;
	const char *shown = request->name_files ? name : NULL;
	FILE *file = standard ? stdin : fopen(name, "rb");

	if (standard)
		name = "standard input";
	if (!file)
		return fail(EX_NOINPUT, name, strerror(errno));
	return (begins_as_capture(file) ? read_capture : read_stream)(request, file, name, shown);
}

/* ---- the command line ---- */

static int
usage(const char *what, const char *value)
{
	fprintf(stderr, "valise-sni: %s%s; see `valise-sni --help`\n", what, value);
	return EX_USAGE;
}

static int
print_help(void)
{
	printf("Usage: valise-sni [OPTION]... [FILE]...\n"
	       "What a relay would see of a captured ClientHello, as JSON.\n\n"
	       "FILE is the byte stream that a client sent first, or a capture of connections\n"
	       "(pcap, pcapng); without one, or with -, standard input is read.\n\n"
	       "  -t, --text              for people instead of programs\n"
	       "  -b, --hello-bytes SIZE  refuse a longer hello (16KiB, at most 64KiB)\n"
	       "  -h, --help              this text\n"
	       "  -V, --version           the version\n"
	       "      --list-commands     the options as a table, for programs\n\n"
	       "Exit status: 0 every hello is complete, 1 it is not, 64 usage, 65 broken capture,\n"
	       "66 no such file.  valise-sni(1) tells more.\n");
	return EX_OK;
}

static int
list_options(void)
{
	program_list_program("valise-sni", "What a relay would see of a captured ClientHello.");
	program_list_command(NULL, "FILE...", "what a relay would see of a captured ClientHello");
	program_list_option(NULL, "text", 't', NULL, "for people instead of programs");
	program_list_option(NULL, "hello-bytes", 'b', "SIZE", "refuse a longer hello");
	program_list_option(NULL, "help", 'h', NULL, "this text");
	program_list_option(NULL, "version", 'V', NULL, "the version");
	program_list_option(NULL, "list-commands", 0, NULL, "the options as a table, for programs");
	return fflush(stdout) == 0 ? EX_OK : EX_OSERR;
}

/* Fills the request; -1 to go on, else the exit status. */
static int
read_options(struct request *request, int argc, char **argv)
{
	static const struct option options[] = {
		{ "text", no_argument, NULL, 't' },
		{ "hello-bytes", required_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "list-commands", no_argument, NULL, 'l' },
		{ 0 },
	};
	uint64_t bytes;
	int option;

	while ((option = getopt_long(argc, argv, "tb:hV", options, NULL)) != -1)
		switch (option) {
		case 't':
			request->text = true;
			break;
		case 'b':
			if (!size_parse(optarg, &bytes) || bytes == 0 ||
			    bytes > CLIENTHELLO_MOST_BYTES)
				return usage("--hello-bytes wants 1 to 64KiB, not ", optarg);
			request->most_bytes = (size_t)bytes;
			break;
		case 'h':
			return print_help();
		case 'V':
			printf("valise-sni %s\n", VALISE_VERSION);
			return EX_OK;
		case 'l':
			return list_options();
		default: /* getopt has said what */
			return EX_USAGE;
		}
	return -1;
}

int
main(int argc, char **argv)
{
	struct request request = { .most_bytes = CLIENTHELLO_DEFAULT_BYTES };
	int code;

	process_open_standard();
	code = read_options(&request, argc, argv);
	if (code >= 0)
		return code;
	request.name_files = argc - optind > 1;
	code = optind == argc ? read_file(&request, "-") : EX_OK;
	for (; optind < argc; optind++)
		code = worse(code, read_file(&request, argv[optind]));
	if (fflush(stdout) != 0)
		return fail(EX_OSERR, "standard output", strerror(errno));
	return code;
}
