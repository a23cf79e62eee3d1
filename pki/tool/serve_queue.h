/*
 * The front's way to the process that signs: questions go to it one at a time, answers come
 * back to who asked.  The process says by an answer that nobody asked for that it is ready;
 * what is asked before waits.
 *
 * Shared by:  all requests, and the front's own upkeep.
 * Bound:      SERVE_QUEUE_MOST questions that wait.
 * Who leaves: nobody; a newcomer is refused, and its client told when to come back.
 */
#ifndef PKI_TOOL_SERVE_QUEUE_H
#define PKI_TOOL_SERVE_QUEUE_H

#include <stdbool.h>

#include "base/loop.h"
#include "pki/tool/enrol_message.h"

enum { SERVE_QUEUE_MOST = 256 };

struct serve_queue;

/* Adopts the descriptor of a SOCK_SEQPACKET pair.  on_lost is called once, when the process has gone or
 * talks nonsense; nothing is answered from then on.  NULL when memory is short. */
struct serve_queue *serve_queue_new(struct loop *, int fd, void (*on_lost)(void *arg), void *arg);
/* What waits gets no answer (NULL). */
void serve_queue_free(struct serve_queue *);

/* The answer is borrowed for the call of on_answer, which comes once, and never from in here.  False when
 * the queue is full, memory is short, or the question does not fit. */
bool serve_queue_ask(struct serve_queue *, const struct enrol_question *,
    void (*on_answer)(void *arg, const struct enrol_answer *), void *arg);

#endif
