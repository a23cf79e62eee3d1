/* Questions in a row, and the one that is out. */
#include "pki/tool/serve_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"

struct waiting_question {
	STAILQ_ENTRY(waiting_question) link;
	void (*on_answer)(void *arg, const struct enrol_answer *);
	void *arg;
	struct secret packet; /* it may hold an invitation */
};

struct serve_queue {
	struct loop *loop;
	int fd;
	struct watch watch;
	STAILQ_HEAD(, waiting_question) waiting;
	size_t count;
	struct waiting_question *asked; /* the one that is out */
	bool is_ready, is_lost;
	void (*on_lost)(void *arg);
	void *arg;
	uint8_t packet[ENROL_MESSAGE_BYTES];
};

static void
end_question(struct waiting_question *question, const struct enrol_answer *answer)
{
	if (!question)
		return;
	question->on_answer(question->arg, answer);
	secret_wipe(&question->packet);
	free(question);
}

static void
lose(struct serve_queue *queue)
{
	queue->is_lost = true;
	watch_want(&queue->watch, WATCH_NOTHING);
	queue->on_lost(queue->arg);
}

static void
ask_next(struct serve_queue *queue)
{
	struct waiting_question *next = STAILQ_FIRST(&queue->waiting);

	if (!queue->is_ready || queue->is_lost || queue->asked || !next)
		return;
	STAILQ_REMOVE_HEAD(&queue->waiting, link);
	queue->count--;
	queue->asked = next;
	/* There is room: the other end has taken all that came before. */
	if (send(queue->fd, next->packet.data, next->packet.bytes, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		lose(queue);
}

/* The first answer of all is to nobody. */
static void
take_answer(struct serve_queue *queue, const struct enrol_answer *answer)
{
	struct waiting_question *asked = queue->asked;

	queue->asked = NULL;
	queue->is_ready = true;
	end_question(asked, answer);
	ask_next(queue);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct serve_queue *queue = arg;
	struct enrol_answer answer;
	ssize_t got = recv(queue->fd, queue->packet, sizeof queue->packet, MSG_DONTWAIT);

	(void)ready;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || (queue->is_ready && !queue->asked) ||
	    !enrol_answer_decode(cursor_over(queue->packet, (size_t)got), &answer)) {
		lose(queue);
		return;
	}
	take_answer(queue, &answer);
	bytes_wipe(queue->packet, (size_t)got);
}

struct serve_queue *
serve_queue_new(struct loop *loop, int fd, void (*on_lost)(void *arg), void *arg)
{
	struct serve_queue *queue = calloc(1, sizeof *queue);

	if (!queue) {
		close(fd);
		return NULL;
	}
	queue->loop = loop;
	queue->fd = fd;
	queue->on_lost = on_lost;
	queue->arg = arg;
	STAILQ_INIT(&queue->waiting);
	watch_init(&queue->watch, loop, fd, on_ready, queue);
	watch_want(&queue->watch, WATCH_READ);
	return queue;
}

void
serve_queue_free(struct serve_queue *queue)
{
	struct waiting_question *question;

	if (!queue)
		return;
	queue->is_lost = true; /* who hears that there is no answer asks no more */
	while ((question = STAILQ_FIRST(&queue->waiting))) {
		STAILQ_REMOVE_HEAD(&queue->waiting, link);
		end_question(question, NULL);
	}
	end_question(queue->asked, NULL);
	watch_wipe(&queue->watch);
	close(queue->fd);
	free(queue);
}

bool
serve_queue_ask(struct serve_queue *queue, const struct enrol_question *question,
    void (*on_answer)(void *arg, const struct enrol_answer *), void *arg)
{
	struct waiting_question *waiting;
	uint8_t packet[ENROL_MESSAGE_BYTES];
	struct writer writer = writer_over(packet, sizeof packet);
	bool fits = !queue->is_lost && queue->count < SERVE_QUEUE_MOST &&
	    enrol_question_encode(question, &writer);

	waiting = fits ? calloc(1, sizeof *waiting) : NULL;
	fits = waiting && secret_init(&waiting->packet, packet, writer.bytes);
	bytes_wipe(packet, writer.bytes);
	if (!fits) {
		free(waiting);
		return false;
	}
	waiting->on_answer = on_answer;
	waiting->arg = arg;
	STAILQ_INSERT_TAIL(&queue->waiting, waiting, link);
	queue->count++;
	ask_next(queue);
	return true;
}
