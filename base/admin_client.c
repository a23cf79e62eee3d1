/* Finds the daemon's socket and asks one question there. */
#include "base/admin_client.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>
#include "base/admin.h"

enum { PATIENCE_S = 75, SENTENCE = 5000 };

__attribute__((format(printf, 3, 4))) static int
fail(const struct admin_program *program, int code, const char *format, ...)
{
	char sentence[SENTENCE];
	va_list more;

	va_start(more, format);
	vsnprintf(sentence, sizeof sentence, format, more);
	va_end(more);
	fprintf(stderr, "%s: %s\n", program->name, sentence);
	return code;
}

/* The daemon tells the mistakes of its configuration, unless they keep us from finding it. */
static int
find_socket(const struct admin_program *program, const char *config_path, char path[ADMIN_PATH])
{
	struct conf_report silent = { 0 }, loud = { .out = stderr };
	struct admin_place place = { 0 };

	conf_read(&place, program->place, config_path, &silent);
	path[0] = '\0';
	if (place.socket || place.state_dir)
		admin_path(place.socket, place.state_dir, path);
	conf_wipe(&place, program->place);
	if (silent.unreadable)
		return fail(
		    program, EX_NOINPUT, "%s cannot be read: %s", config_path, strerror(errno));
	if (path[0] != '\0')
		return EX_OK;
	conf_read(&place, program->place, config_path, &loud);
	conf_wipe(&place, program->place);
	return fail(program, EX_CONFIG, "%s does not say where the admin socket is", config_path);
}

static int
connect_to(const struct admin_program *program, const char *path, int *fd)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof address.sun_path)
		return fail(program, EX_UNAVAILABLE, "%s is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path));
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return fail(program, EX_OSERR, "%s", strerror(errno));
	setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(*fd, (struct sockaddr *)&address, sizeof address) == 0)
		return EX_OK;
	if (errno == EACCES || errno == EPERM)
		return fail(program, EX_NOPERM,
		    "%s: %s; ask as root or as the user that %s runs as", path, strerror(errno),
		    program->name);
	return fail(program, EX_UNAVAILABLE,
	    "no %s answers at %s (%s); is it running with this configuration?", program->name, path,
	    strerror(errno));
}

/* 0: it is too long. */
static size_t
encode_question(const json_t *question, char line[ADMIN_QUESTION_BYTES])
{
	size_t bytes = json_dumpb(question, line, ADMIN_QUESTION_BYTES - 1, JSON_COMPACT);

	if (bytes == 0 || bytes >= ADMIN_QUESTION_BYTES)
		return 0;
	line[bytes++] = '\n';
	return bytes;
}

/* A refusal may come before the question is sent; then the question is not needed, and failing to
 * send it is not a fault. */
static void
send_question(int fd, const char *line, size_t bytes)
{
	if (send(fd, line, bytes, MSG_NOSIGNAL) < 0)
		return;
}

static size_t
receive(void *buffer, size_t bytes, void *data)
{
	ssize_t got = recv(*(int *)data, buffer, bytes, 0);

	return got >= 0 ? (size_t)got : (size_t)-1;
}

static int
exit_code_of(const json_t *error)
{
	const char *code = json_string_value(json_object_get(error, "code"));

	if (json_object_get(error, "mistakes"))
		return EX_CONFIG;
	if (code && strcmp(code, "admin-question-malformed") == 0)
		return EX_USAGE;
	if (code && strcmp(code, "admin-not-permitted") == 0)
		return EX_NOPERM;
	if (code && (strcmp(code, "admin-busy") == 0 || strcmp(code, "admin-no-answer") == 0))
		return EX_UNAVAILABLE;
	return EX_SOFTWARE;
}

static int
tell_error(const struct admin_program *program, const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	const json_t *mistake;
	size_t i;

	json_array_foreach(json_object_get(error, "mistakes"), i, mistake)
	    fprintf(stderr, "%s\n", json_string_value(mistake));
	return fail(program, exit_code_of(error), "%s", message ? message : "no reason given");
}

/* Takes the answer. */
static int
judge(const struct admin_program *program, const char *path, json_t *given, json_t **answer)
{
	const json_t *error = json_object_get(given, "error");
	int code = EX_OK;

	if (!given)
		code = fail(program, EX_UNAVAILABLE,
		    "no answer came from %s; is it overloaded, or stopping?", path);
	else if (error)
		code = tell_error(program, error);
	*answer = code == EX_OK ? json_incref(given) : NULL;
	json_decref(given);
	return code;
}

int
admin_client_ask(const struct admin_program *program, const char *config_path,
    const json_t *question, json_t **answer)
{
	char path[ADMIN_PATH], line[ADMIN_QUESTION_BYTES];
	size_t bytes = encode_question(question, line);
	json_error_t why;
	int fd = -1, code;

	*answer = NULL;
	if (bytes == 0)
		return fail(program, EX_USAGE, "the question is too long; shorten its options");
	code = find_socket(program, config_path, path);
	if (code == EX_OK)
		code = connect_to(program, path, &fd);
	if (code == EX_OK) {
		send_question(fd, line, bytes);
		code = judge(program, path,
		    json_load_callback(receive, &fd, JSON_DISABLE_EOF_CHECK, &why), answer);
	}
	if (fd >= 0)
		close(fd);
	return code;
}
