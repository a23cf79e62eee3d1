/* A question to another loop: two calls, one after the other.  It has a file of its own because the
 * simulation has loops of its own, and the same questions. */
#include "base/loop.h"

/* The answer travels in the storage of the question. */
static void
answer(void *data)
{
	struct question *question = data;

	question->function(question->data);
	loop_call(question->asker, &question->call, question->reply, question->data);
}

void
loop_ask(struct loop *loop, struct question *question, void (*function)(void *), void *data,
    struct loop *asker, void (*reply)(void *))
{
	question->function = function;
	question->data = data;
	question->asker = asker;
	question->reply = reply;
	loop_call(loop, &question->call, answer, question);
}
