/* Tests of base/conf: values, defaults, and messages with their place. */
#include "base/conf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "helpers.h"

struct tested_upstream {
	char *url;
	uint64_t version;
	struct conf_mark url_mark;
};

struct tested_route {
	char *server_name;
	uint64_t weight;
	struct tested_upstream upstream;
	struct conf_mark upstream_mark;
	struct conf_texts tags;
};

struct tested_group {
	struct conf_texts urls;
	uint64_t most;
};

struct tested_settings {
	uint64_t version, hello_ms, hello_bytes;
	bool fast;
	int mode;
	char *socket;
	struct conf_mark socket_mark;
	struct conf_texts cas;
	struct conf_items routes;
	struct tested_upstream fallback;
	struct tested_group group;
};

static bool
check_ca(const char *text, char error[256])
{
	snprintf(error, 256, "must begin with a slash; write an absolute path");
	return text[0] == '/';
}

static bool
check_tag(const char *text, char error[256])
{
	snprintf(error, 256, "has a blank");
	return !strchr(text, ' ');
}

static const char *const modes[] = {"off", "request", "require", NULL};

static const struct conf_row upstream_rows[] = {
    {"url", CONF_TEXT, offsetof(struct tested_upstream, url), .required = true,
	.mark_offset = offsetof(struct tested_upstream, url_mark)},
    {"proxy_protocol", CONF_NUMBER, offsetof(struct tested_upstream, version), .fallback = "1", .least = 1,
	.most = 2},
    {0},
};

static const struct conf_row group_rows[] = {
    {"urls", CONF_TEXTS, offsetof(struct tested_group, urls), .required = true},
    {"most", CONF_NUMBER, offsetof(struct tested_group, most), .fallback = "7"},
    {0},
};

static const struct conf_row route_rows[] = {
    {"server_name", CONF_TEXT, offsetof(struct tested_route, server_name), .required = true},
    {"weight", CONF_NUMBER, offsetof(struct tested_route, weight), .fallback = "10"},
    {"upstream", CONF_MAPPING, offsetof(struct tested_route, upstream), .table = upstream_rows,
	.scalar = "url", .mark_offset = offsetof(struct tested_route, upstream_mark)},
    {"tags", CONF_TEXTS, offsetof(struct tested_route, tags), .fallback = "any", .check = check_tag},
    {0},
};

static const struct conf_row rows[] = {
    {"version", CONF_NUMBER, offsetof(struct tested_settings, version), .required = true, .least = 1,
	.most = 1},
    {"limits.hello_timeout", CONF_DURATION, offsetof(struct tested_settings, hello_ms), .fallback = "3s",
	.least = 100, .most = 60000},
    {"limits.hello_bytes", CONF_SIZE, offsetof(struct tested_settings, hello_bytes), .fallback = "16KiB",
	.least = 1024, .most = 65536},
    {"fast", CONF_BOOL, offsetof(struct tested_settings, fast), .fallback = "yes"},
    {"tls.mode", CONF_WORD, offsetof(struct tested_settings, mode), .fallback = "request", .words = modes},
    {"admin.socket", CONF_TEXT, offsetof(struct tested_settings, socket),
	.mark_offset = offsetof(struct tested_settings, socket_mark), .has_variable = true},
    {"cas", CONF_TEXTS, offsetof(struct tested_settings, cas), .required = true, .check = check_ca,
	.has_variable = true},
    {"routes", CONF_MAPPINGS, offsetof(struct tested_settings, routes), .table = route_rows,
	.item_bytes = sizeof(struct tested_route)},
    {"fallback", CONF_MAPPING, offsetof(struct tested_settings, fallback), .table = upstream_rows,
	.scalar = "url"},
    {"group", CONF_MAPPING, offsetof(struct tested_settings, group), .table = group_rows,
	.scalar = "urls"},
    {0},
};

static const struct conf_answer answers[] = {
    {"addr", "write \"url\"", false},
    {"endpoints", "this is another program's", true},
    {0},
};

static char said[65536];

static bool
read_text(struct tested_settings *out, const char *text, size_t bytes)
{
	struct conf_report report = {.path = "t.yml", .answers = answers};
	bool fine;

	memset(out, 0, sizeof *out);
	memset(said, 0, sizeof said);
	report.out = fmemopen(said, sizeof said, "w");
	fine = conf_read_bytes(out, rows, text, bytes, &report);
	fclose(report.out);
	assert_int_equal(fine, report.errors == 0);
	return fine;
}

static void
fills_a_struct_with_values_and_defaults(void **state)
{
	static const char text[] =
	    "version: 1\n"
	    "limits: {hello_timeout: 1s500ms}\n"
	    "fast: off\n"
	    "cas: [/a, \"/b c\"]\n"
	    "admin:\n"
	    "  socket: /run/x\n"
	    "routes:\n"
	    "  - server_name: one\n"
	    "    weight: 3\n"
	    "    upstream: {url: tcp://x, proxy_protocol: 2}\n"
	    "    tags: t\n"
	    "  - server_name: 'two'\n"
	    "    upstream: tcp://y\n"
	    "  - {server_name: three}\n";
	struct tested_settings s;
	struct tested_route *r;

	(void)state;
	assert_true(read_text(&s, text, sizeof text - 1));
	assert_string_equal(said, "");
	assert_int_equal(s.version, 1);
	assert_int_equal(s.hello_ms, 1500);
	assert_int_equal(s.hello_bytes, 16384);
	assert_false(s.fast);
	assert_int_equal(s.mode, 1);
	assert_string_equal(s.socket, "/run/x");
	assert_int_equal(s.socket_mark.line, 6);
	assert_int_equal(s.socket_mark.column, 11);
	assert_int_equal(s.cas.count, 2);
	assert_string_equal(s.cas.items[1], "/b c");
	assert_int_equal(s.cas.marks[1].line, 4);
	assert_int_equal(s.cas.marks[1].column, 11);
	assert_int_equal(s.routes.count, 3);
	r = s.routes.items;
	assert_string_equal(r[0].server_name, "one");
	assert_int_equal(r[0].weight, 3);
	assert_int_equal(r[0].upstream.version, 2);
	assert_string_equal(r[0].tags.items[0], "t");
	assert_string_equal(r[1].upstream.url, "tcp://y");
	assert_int_equal(r[1].upstream.version, 1);
	assert_int_equal(r[1].upstream.url_mark.line, 13);
	assert_int_equal(r[1].upstream_mark.line, 13);
	assert_int_equal(r[1].weight, 10);
	assert_string_equal(r[1].tags.items[0], "any");
	assert_int_equal(r[1].tags.marks[0].line, 0);
	assert_null(r[2].upstream.url);
	assert_int_equal(r[2].upstream.version, 1);
	assert_int_equal(r[2].upstream_mark.line, 0);
	assert_null(s.fallback.url);
	conf_wipe(&s, rows);
	assert_null(s.socket);
	assert_int_equal(s.routes.count, 0);
	conf_wipe(&s, rows);
}

static void
accepts_one_where_a_list_may_stand_and_nothing_at_all(void **state)
{
	static const char one[] = "version: 1\ncas: /a\nroutes: {server_name: x}\n";
	static const char nothing[] = "version: 1\ncas: /a\nroutes:\nlimits:\nadmin: ~\n";
	struct tested_settings s;

	(void)state;
	assert_true(read_text(&s, one, sizeof one - 1));
	assert_int_equal(s.cas.count, 1);
	assert_int_equal(s.routes.count, 1);
	conf_wipe(&s, rows);
	assert_true(read_text(&s, nothing, sizeof nothing - 1));
	assert_int_equal(s.routes.count, 0);
	assert_int_equal(s.hello_ms, 3000);
	conf_wipe(&s, rows);
}

#define GOOD "version: 1\ncas: /a\n"

static void
a_list_may_stand_for_a_mapping_whose_key_takes_one(void **state)
{
	static const char *const same[] = { GOOD "group: [a, b]\n",
		GOOD "group: {urls: [a, b], most: 7}\n", GOOD "group:\n  - a\n  - b\n" };
	static const char wrong[] = GOOD "fallback: [a, b]\n", empty[] = GOOD "group: []\n";
	struct tested_settings s;

	(void)state;
	for (size_t i = 0; i < COUNT(same); i++) {
		assert_true(read_text(&s, same[i], strlen(same[i])));
		assert_int_equal(s.group.urls.count, 2);
		assert_string_equal(s.group.urls.items[1], "b");
		assert_int_equal(s.group.most, 7);
		conf_wipe(&s, rows);
	}
	assert_false(read_text(&s, wrong, sizeof wrong - 1));
	assert_non_null(strstr(said, "t.yml:3:11: \"fallback\" takes a mapping"));
	conf_wipe(&s, rows);
	assert_false(read_text(&s, empty, sizeof empty - 1));
	assert_non_null(strstr(said, "t.yml:3:8: \"urls\" is empty"));
	conf_wipe(&s, rows);
}

static void
tells_place_fault_and_cure(void **state)
{
	static const struct { const char *text, *message;
	} cases[] = {
	    /* Unknown keys, with the nearest known one at the level or elsewhere. */
	    {GOOD "rotues: []\n", "t.yml:3:1: unknown key \"rotues\"; did you mean \"routes\"?\n"},
	    {GOOD "limits:\n  helo_bytes: 1\n",
		"t.yml:4:3: unknown key \"limits.helo_bytes\"; did you mean \"hello_bytes\"?\n"},
	    {GOOD "hello_bytes: 1\n",
		"t.yml:3:1: unknown key \"hello_bytes\"; did you mean \"limits.hello_bytes\"?\n"},
	    {GOOD "zzzzzzzzzz: 1\n", "t.yml:3:1: unknown key \"zzzzzzzzzz\"; remove it\n"},
	    {GOOD "limit: {}\n", "t.yml:3:1: unknown key \"limit\"; did you mean \"limits\"?\n"},
	    {GOOD "\"a\\x1bb\": {}\n", "t.yml:3:1: unknown key \"a\\x1bb\"; remove it\n"},
	    {GOOD "<<: {}\n", "t.yml:3:1: unknown key \"<<\"; remove it\n"},
	    /* Bad values. */
	    {GOOD "limits: {hello_timeout: 10}\n", "t.yml:3:25: limits.hello_timeout: \"10\" is "
						   "not a duration; write a number with its unit "
						   "(ms, s, m, h, d), as in 500ms, 10s or 1m30s\n"},
	    {GOOD "limits: {hello_timeout: 10ms}\n",
		"t.yml:3:25: limits.hello_timeout: \"10ms\" is out of range; give 100ms to 1m\n"},
	    {GOOD "limits: {hello_bytes: 1MiB}\n",
		"t.yml:3:23: limits.hello_bytes: \"1MiB\" is out of range; give 1KiB to 64KiB\n"},
	    {GOOD "limits: {hello_bytes: many}\n",
		"t.yml:3:23: limits.hello_bytes: \"many\" is not a size; write a number of bytes "
		"or one with its unit "
		"(KiB, MiB, GiB, KB, MB, GB), as in 16KiB\n"},
	    {GOOD "fast: maybe\n",
		"t.yml:3:7: fast: \"maybe\" is neither true nor false; write one of them\n"},
	    {GOOD "tls: {mode: requir}\n",
		"t.yml:3:13: tls.mode: \"requir\" is not known here; did you mean \"require\"? "
		"(one of: off, request, require)\n"},
	    {GOOD "tls: {mode: xyz}\n", "t.yml:3:13: tls.mode: \"xyz\" is not known here; write "
					"one of: off, request, require\n"},
	    {"version: one\ncas: /a\n",
		"t.yml:1:10: version: \"one\" is not a whole number; write digits only\n"},
	    {"version: 2\ncas: /a\n", "t.yml:1:10: version: \"2\" is not known; give 1\n"},
	    {"version: 1\ncas: [/a, b]\n",
		"t.yml:2:11: cas: \"b\" must begin with a slash; write an absolute path\n"},
	    {GOOD "admin: {socket: \"a\\0b\"}\n",
		"t.yml:3:17: \"admin.socket\" has a NUL character in its value; remove it\n"},
	    /* Missing ones: told where they would stand. */
	    {"cas: /a\n", "t.yml:1:1: missing key \"version\"; add it here\n"},
	    {"# nothing\n", "t.yml:1:1: missing key \"version\"; add it here\nt.yml:1:1: missing "
			    "key \"cas\"; add it here\n"},
	    {"", "t.yml:1:1: missing key \"version\"; add it here\nt.yml:1:1: missing key \"cas\"; "
		 "add it here\n"},
	    {GOOD "routes:\n  - weight: 1\n",
		"t.yml:4:5: missing key \"server_name\"; add it here\n"},
	    {GOOD "fallback: {proxy_protocol: 1}\n",
		"t.yml:3:11: missing key \"url\"; add it here\n"},
	    {"version: 1\ncas: []\n", "t.yml:2:6: \"cas\" is empty; give at least one\n"},
	    {"version: 1\ncas:\n", "t.yml:2:5: \"cas\" is empty; give at least one\n"},
	    {"version:\ncas: /a\n",
		"t.yml:1:9: \"version\" has no value; give one or remove the key\n"},
	    /* The wrong kind of thing. */
	    {GOOD "fast: [yes]\n", "t.yml:3:7: \"fast\" takes a single value, not a list\n"},
	    {GOOD "limits: 3\n",
		"t.yml:3:9: \"limits\" takes a mapping (key: value), not a single value\n"},
	    {GOOD "limits: [3]\n",
		"t.yml:3:9: \"limits\" takes a mapping (key: value), not a list\n"},
	    {GOOD "routes: [x]\n", "t.yml:3:10: \"routes\" takes a list of mappings (- key: "
				   "value), not of a single value\n"},
	    {GOOD "fallback: [x]\n",
		"t.yml:3:11: \"fallback\" takes a mapping (key: value), not a list\n"},
	    {"version: 1\ncas: [{a: b}]\n",
		"t.yml:2:7: \"cas\" takes a single value, not a mapping\n"},
	    {"- 1\n", "t.yml:1:1: the file must be a mapping (key: value), not a list\n"},
	    {"text\n", "t.yml:1:1: the file must be a mapping (key: value), not a single value\n"},
	    {GOOD "? [a]\n: b\n",
		"t.yml:3:3: a key must be a word, not a list; write key: value\n"},
	    {GOOD "limits.hello_bytes: 2KiB\n", "t.yml:3:1: \"limits.hello_bytes\" is not a key; "
						"nest keys instead of joining them by dots\n"},
	    {GOOD "routes: [{server_name: a, tags: {site: berlin}}]\n",
		"t.yml:3:33: \"tags\" takes a list of texts and not mappings; write [site=berlin]\n"},
	    {GOOD "routes: [{server_name: a, tags: [{site: berlin}]}]\n",
		"t.yml:3:34: \"tags\" takes a list of texts and not mappings; write [site=berlin]\n"},
	    {GOOD "routes: [{server_name: a, tags: {\"s t\": b}}]\n",
		"t.yml:3:33: \"tags\" takes a single value, not a mapping\n"},
	    /* What others call it. */
	    {GOOD "fallback: {addr: 1, url: x}\n",
		"t.yml:3:12: unknown key \"addr\"; write \"url\"\n"},
	    {"endpoints: x\nroutes: 3\nnonsense: 1\n",
		"t.yml:1:1: unknown key \"endpoints\"; this is another program's\n"},
	    {GOOD "limits: {endpoints: 1}\n",
		"t.yml:3:10: unknown key \"limits.endpoints\"; remove it\n"},
	    /* Twice. */
	    {GOOD "version: 1\n",
		"t.yml:3:1: \"version\" is given twice, first in line 1; keep one\n"},
	    {GOOD "limits: {}\nlimits: {}\n",
		"t.yml:4:1: \"limits\" is given twice, first in line 3; keep one\n"},
	    {GOOD "routes: [{server_name: a}]\nroutes: [{server_name: b}]\n",
		"t.yml:4:1: \"routes\" is given twice, first in line 3; keep one\n"},
	    {GOOD "fallback: {url: a, url: b}\n",
		"t.yml:3:20: \"url\" is given twice, first in line 3; keep one\n"},
	    /* What YAML has and we do not. */
	    {GOOD "---\nversion: 1\n",
		"t.yml:3:1: a second document begins here; keep one, without another '---'\n"},
	    {GOOD "fast: &x yes\n", "t.yml:3:7: anchors (&) and tags (!) are not supported; write "
				    "the plain value, in quotes if it begins so\n"},
	    {GOOD "fast: !!bool yes\n", "t.yml:3:7: anchors (&) and tags (!) are not supported; "
					"write the plain value, in quotes if it begins so\n"},
	    {GOOD "fast: *x\n", "t.yml:3:7: aliases (*) are not supported; write the value out, or "
				"in quotes if it begins so\n"},
	    {GOOD "routes: [[[[[[[[[[[[[[[[[[[[\n", "t.yml:3:24: lists and mappings are nested "
						    "more than 16 deep; check the indentation\n"},
	    /* What is not YAML at all. */
	    {GOOD "fast: [yes\n", "t.yml:4:1: not valid YAML: did not find expected ',' or ']', "
				  "while parsing a flow sequence that began "
				  "in line 3; check indentation, colons and quotes\n"},
	    {GOOD "fast: \"yes\n", "t.yml:4:1: not valid YAML: found unexpected end of stream, "
				   "while scanning a quoted scalar that began "
				   "in line 3; check indentation, colons and quotes\n"},
	    {GOOD "fast: @\n", "t.yml:3:7: not valid YAML: nothing may begin with a @ in YAML; write it "
			       "in quotes: \"@\"\n"},
	    {GOOD "routes: [{server_name: *.a.example}]\n",
		"t.yml:3:24: not valid YAML: a * begins an alias in YAML; write it in quotes: "
		"\"*.a.example\"\n"},
	    {GOOD "tls: {mode: off}\nsocket: [::]:443\n",
		"t.yml:4:9: not valid YAML: a [ begins a list in YAML; write it in quotes: "
		"\"[::]:443\"\n"},
	    {GOOD "# \u00e9\n\tfast: yes\n",
		"t.yml:4:1: not valid YAML: a tab; indent with spaces\n"},
	    {GOOD "fast: \xff\n", "t.yml:3:7: not valid YAML text: invalid leading UTF-8 octet; "
				  "save the file as UTF-8\n"},
	    {GOOD "fast: \x01\n", "t.yml:3:7: not valid YAML text: control characters are not "
				  "allowed; save the file as UTF-8\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct tested_settings s;

		assert_false(read_text(&s, cases[i].text, strlen(cases[i].text)));
		assert_string_equal(said, cases[i].message);
		conf_wipe(&s, rows);
	}
}

static void
a_variable_gives_what_the_file_does_not(void **state)
{
	static const char text[] = "version: 1\n", both[] = GOOD;
	struct tested_settings s;

	(void)state;
	setenv("VALISE_ADMIN_SOCKET", "/run/y", 1);
	setenv("VALISE_CAS", "/c", 1);
	assert_true(read_text(&s, text, sizeof text - 1));
	assert_string_equal(s.socket, "/run/y");
	assert_int_equal(s.socket_mark.line, 0);
	assert_int_equal(s.cas.count, 1);
	assert_string_equal(s.cas.items[0], "/c");
	conf_wipe(&s, rows);
	assert_false(read_text(&s, both, sizeof both - 1));
	assert_string_equal(said,
	    "t.yml:2:6: cas is given here and by the variable VALISE_CAS; keep one of the two\n");
	conf_wipe(&s, rows);
	setenv("VALISE_CAS", "c", 1);
	assert_false(read_text(&s, text, sizeof text - 1));
	assert_string_equal(
	    said, "t.yml: VALISE_CAS: \"c\" must begin with a slash; write an absolute path\n");
	conf_wipe(&s, rows);
	setenv("VALISE_CAS", "", 1);
	assert_false(read_text(&s, text, sizeof text - 1));
	assert_string_equal(said, "t.yml:1:1: missing key \"cas\"; add it here\n");
	conf_wipe(&s, rows);
	unsetenv("VALISE_CAS");
	unsetenv("VALISE_ADMIN_SOCKET");
}

static void
tells_all_errors_at_once(void **state)
{
	static const char text[] = "fast: x\nrouts: 1\nroutes:\n  - {weight: y}\n  - 5\ncas: b\n";
	struct tested_settings s;
	unsigned lines = 0;

	(void)state;
	assert_false(read_text(&s, text, sizeof text - 1));
	for (const char *at = said; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 7);
	conf_wipe(&s, rows);
}

static void
stops_telling_after_fifty(void **state)
{
	char text[8192] = "";
	struct tested_settings s;
	unsigned lines = 0;

	(void)state;
	for (int i = 0; i < 500; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), "k%d: x\n", i);
	assert_false(read_text(&s, text, strlen(text)));
	for (const char *at = said; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 51);
	assert_non_null(strstr(said, "t.yml: too many errors; mend these first\n"));
	conf_wipe(&s, rows);
}

static void
every_prefix_of_a_file_is_judged_and_freed(void **state)
{
	static const char text[] =
	    "version: 1\ncas: [/a, \"/b\"]\nroutes:\n  - {server_name: x, upstream: tcp://y, tags: "
	    "[a]}\n"
	    "  - server_name: |\n      z\n    upstream: {url: u}\nfallback: f\n";

	(void)state;
	for (size_t bytes = 0; bytes < sizeof text; bytes++) {
		char *copy = malloc(bytes + 1);
		struct tested_settings s;

		memcpy(copy, text, bytes);
		copy = realloc(copy, bytes > 0 ? bytes : 1);
		read_text(&s, copy, bytes);
		conf_wipe(&s, rows);
		free(copy);
	}
}

static void
reads_a_file_and_says_when_it_cannot(void **state)
{
	char path[] = "/tmp/valise-conf-XXXXXX", *text = NULL;
	struct conf_report report = {0};
	struct tested_settings s = {0};
	size_t bytes;
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, GOOD, strlen(GOOD)), strlen(GOOD));
	assert_true(conf_read(&s, rows, path, &report));
	conf_wipe(&s, rows);
	assert_int_equal(ftruncate(fd, (64 << 20) + 1), 0);
	report.out = open_memstream(&text, &bytes);
	assert_false(conf_read(&s, rows, path, &report));
	assert_true(report.unreadable);
	unlink(path);
	assert_false(conf_read(&s, rows, path, &report));
	conf_error(&report, (struct conf_mark){7, 9}, "\"%s\" is taken; choose another", "x");
	conf_error(&report, (struct conf_mark){0}, "nowhere");
	fclose(report.out);
	assert_non_null(strstr(text, ": is larger than 67108864 bytes"));
	assert_non_null(strstr(text, ": cannot read: No such file or directory"));
	assert_non_null(strstr(text, ":7:9: \"x\" is taken; choose another\n"));
	assert_int_equal(report.errors, 4);
	free(text);
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(fills_a_struct_with_values_and_defaults),
	cmocka_unit_test(a_list_may_stand_for_a_mapping_whose_key_takes_one),
	cmocka_unit_test(accepts_one_where_a_list_may_stand_and_nothing_at_all),
	cmocka_unit_test(tells_place_fault_and_cure),
	cmocka_unit_test(a_variable_gives_what_the_file_does_not),
	cmocka_unit_test(tells_all_errors_at_once),
	cmocka_unit_test(stops_telling_after_fifty),
	cmocka_unit_test(every_prefix_of_a_file_is_judged_and_freed),
	cmocka_unit_test(reads_a_file_and_says_when_it_cannot),
};

RUN_TESTS("conf", tests)
