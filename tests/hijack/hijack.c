/*
 * Relay and agent as somebody has them who has taken them over: linked into $B/hijack in front of
 * admin_new(), they obey one more word at their admin socket, and make whatever system call it asks for.
 *
 *	{"command": "hijack", "call": "openat", "arguments": [-100, "/etc/shadow", 0]}
 *	{"result": -1, "error": "EACCES"}
 *
 * A text is passed as its address, {"hex": "0200..."} as the address of these bytes, {"room": 64} as that
 * of so many zeros.  With "in_thread" a new thread makes the call.
 */
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/admin.h"
#include "base/loop.h"

enum { ARGUMENTS = 6, WORDS = 64 };

struct admin *__wrap_admin_new(struct loop *, const char *path, const struct admin_word *, void *arg,
    char error[ADMIN_ERROR]);
struct admin *__real_admin_new(struct loop *, const char *path, const struct admin_word *, void *arg,
    char error[ADMIN_ERROR]);

struct admin *__wrap_admin_adopt(struct loop *, int fd, const char *path, const struct admin_word *, void *arg,
    char error[ADMIN_ERROR]);
struct admin *__real_admin_adopt(struct loop *, int fd, const char *path, const struct admin_word *, void *arg,
    char error[ADMIN_ERROR]);

struct hijack {
	long number, arguments[ARGUMENTS], result;
	void *memory[ARGUMENTS];
	int error;
};

static void *
bytes_of(const char *hex)
{
	size_t count = strlen(hex) / 2;
	unsigned char *bytes = calloc(1, count + 1);

	for (size_t i = 0; i < count; i++)
		sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
	return bytes;
}

static void *
memory_of(const json_t *value)
{
	const char *hex = json_string_value(json_object_get(value, "hex"));

	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (hex)
		return bytes_of(hex);
	return calloc(1, (size_t)json_integer_value(json_object_get(value, "room")) + 1);
}

static void *
obey(void *arg)
{
	struct hijack *order = arg;
	const long *a = order->arguments;

	order->result = syscall(order->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	order->error = order->result < 0 ? errno : 0;
	return NULL;
}

static void
obey_in_thread(struct hijack *order)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, obey, order) == 0)
		pthread_join(thread, NULL);
}

static void
on_hijack(void *arg, struct admin_question *question, const json_t *document)
{
	const char *name = json_string_value(json_object_get(document, "call"));
	struct hijack order = { .number = seccomp_syscall_resolve_name(name), .result = -1 };
	const json_t *arguments = json_object_get(document, "arguments");

	(void)arg;
	for (size_t i = 0; i < json_array_size(arguments) && i < ARGUMENTS; i++) {
		const json_t *value = json_array_get(arguments, i);

		if (!json_is_integer(value))
			order.memory[i] = memory_of(value);
		order.arguments[i] = order.memory[i] ? (long)order.memory[i]
						     : (long)json_integer_value(value);
	}
	if (json_is_true(json_object_get(document, "in_thread")))
		obey_in_thread(&order);
	else
		obey(&order);
	for (size_t i = 0; i < ARGUMENTS; i++)
		free(order.memory[i]);
	admin_answer(question,
	    json_pack("{s:I, s:s}", "result", (json_int_t)order.result, "error",
		order.error ? strerrorname_np(order.error) : ""));
}

/* The words, and one more. */
static const struct admin_word *
with_one_more(const struct admin_word *words)
{
	static struct admin_word more[WORDS];
	size_t count = 0;

	for (; words[count].word; count++)
		more[count] = words[count];
	more[count] = (struct admin_word){ .word = "hijack", .on_question = on_hijack };
	return more;
}

struct admin *
__wrap_admin_new(struct loop *loop, const char *path, const struct admin_word *words, void *arg,
    char error[ADMIN_ERROR])
{
	return __real_admin_new(loop, path, with_one_more(words), arg, error);
}

struct admin *
__wrap_admin_adopt(struct loop *loop, int fd, const char *path, const struct admin_word *words,
    void *arg, char error[ADMIN_ERROR])
{
	return __real_admin_adopt(loop, fd, path, with_one_more(words), arg, error);
}
