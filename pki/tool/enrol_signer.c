/* Reads a question, answers it, and so on: nothing else happens in this process. */
#include "pki/tool/enrol_signer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "keys/key_server.h"
#include "keys/key_store.h"
#include "pki/tool/authority.h"
#include "pki/tool/message.h"
#include "pki/tool/serve_confine.h"

struct talk {
	int fd;
	uint8_t packet[ENROL_MESSAGE_BYTES];
	size_t bytes;
};

/* False at the end of the talk: 0 bytes, or more than fit. */
static bool
hear(struct talk *talk)
{
	ssize_t got;

	do
		got = recv(talk->fd, talk->packet, sizeof talk->packet, MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	talk->bytes = got > 0 ? (size_t)got : 0;
	return talk->bytes > 0 && talk->bytes <= sizeof talk->packet;
}

static bool
say(struct talk *talk, const struct enrol_answer *answer)
{
	struct writer out = writer_over(talk->packet, sizeof talk->packet);
	ssize_t sent = -1;

	if (enrol_answer_encode(answer, &out))
		do
			sent = send(talk->fd, talk->packet, out.bytes, MSG_NOSIGNAL);
		while (sent < 0 && errno == EINTR);
	bytes_wipe(talk->packet, out.bytes);
	return sent >= 0;
}

static int
answer_one(struct talk *talk, struct enrolment *enrolment)
{
	struct enrol_question question;
	struct enrol_answer answer;

	if (!enrol_question_decode(cursor_over(talk->packet, talk->bytes), &question))
		return message_fail(EX_PROTOCOL,
		    "the process in front sent something that is not a question; it may have been taken over");
	enrolment_answer(enrolment, &question, &answer);
	bytes_wipe(&question, sizeof question);
	say(talk, &answer); /* who has not heard it has gone, which hear() finds next */
	return 0;
}

static int
talk_to_front(struct talk *talk, struct enrolment *enrolment)
{
	int code = 0;

	if (!say(talk, &(struct enrol_answer){ .code = ENROL_ISSUED }))
		return 0;
	while (!code && hear(talk))
		code = answer_one(talk, enrolment);
	if (!code && talk->bytes > sizeof talk->packet)
		code = message_fail(EX_PROTOCOL,
		    "the process in front said too much at once; it may have been taken over");
	return code;
}

/* ---- the own certificate's key ---- */

struct signing_keys {
	int control;
	struct key_store *store;
};

static void *
serve_keys(void *arg)
{
	const struct signing_keys *keys = arg;

	key_server_serve(keys->control, keys->store);
	return NULL;
}

/* Its thread lasts as long as the process. */
static bool
start_keys(struct signing_keys *keys)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, serve_keys, keys) == 0 && pthread_detach(thread) == 0;
}

/* ---- the whole ---- */

int
enrol_signer_run(
    int fd, int keys, const struct common *common, const struct enrolment_options *given)
{
	static struct signing_keys signing;
	struct enrolment_options options = *given;
	struct enrolment *enrolment = NULL;
	struct talk *talk = calloc(1, sizeof *talk);
	int code;

	signing.control = keys;
	signing.store = key_store_new_closed();
	options.keys = signing.store;
	code = talk && signing.store ? enrolment_open(&enrolment, common, &options)
				     : message_no_memory();
	if (!code && options.has_sandbox)
		code = serve_confine_signer(
		    authority_directory(common), enrolment_has_token(enrolment));
	if (!code && !start_keys(&signing))
		code = message_no_memory();
	if (!code) {
		/* A terminal tells both processes; this one ends with the other. */
		signal(SIGINT, SIG_IGN);
		talk->fd = fd;
		code = talk_to_front(talk, enrolment);
	}
	enrolment_close(enrolment);
	if (talk)
		bytes_wipe(talk, sizeof *talk);
	free(talk);
	close(fd);
	return code;
}
