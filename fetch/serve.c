/* The loop of valise-fetch: orders in, answers out. */
#include "fetch/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/parcel.h"
#include "base/pass.h"
#include "fetch/job.h"
#include "keys/key_channel.h"

enum {
	IDLE_MS = 30000,
	POLL_MS = 60000, /* libcurl's own times come before that */
};

struct service {
	int way;
	CURLM *multi;
	struct job_list jobs;
	unsigned count;
};

/* ---- what goes out ---- */

static void
answer(const struct service *service, const struct job *job)
{
	bool is_answered = job->outcome == FETCH_ANSWERED;
	const struct fetch_answer told = {
		.outcome = job->outcome,
		.error = is_answered ? NULL : job->error,
		.status = is_answered ? job->status : 0,
		.url = job->url,
		.headers = job->headers.data,
		.body = job->body.data,
		.body_bytes = job->body.bytes,
		.chain = job->chain.data,
	};
	uint8_t head[sizeof job->number];
	struct writer out = writer_over(head, sizeof head);
	struct fetch_buffer message = { 0 };

	writer_u64(&out, job->number);
	/* There is room: so few orders are out.  Where memory is short, the daemon's patience ends it. */
	if (fetch_answer_encode(&message, &told, job->headers.bytes))
		parcel_send(service->way, head, sizeof head, message.data, message.bytes);
	fetch_buffer_wipe(&message);
}

static void
drop(struct service *service, struct job *job)
{
	TAILQ_REMOVE(&service->jobs, job, link);
	service->count--;
	transfer_wipe(job, service->multi);
	job_free(job);
}

/* ---- what comes in ---- */

static struct job *
find(const struct service *service, uint64_t number)
{
	struct job *job;

	TAILQ_FOREACH(job, &service->jobs, link)
		if (job->number == number)
			return job;
	return NULL;
}

static void
take_order(struct service *service, uint64_t number, int fd)
{
	struct secret message;
	struct job *job = NULL;

	if (parcel_read(fd, FETCH_ORDER_BYTES, &message) && service->count < FETCH_MOST)
		job = job_new(number, &message);
	secret_wipe(&message);
	if (!job)
		return;
	TAILQ_INSERT_TAIL(&service->jobs, job, link);
	service->count++;
	if (transfer_begin(job, service->multi))
		return;
	answer(service, job);
	drop(service, job);
}

static void
obey(struct service *service, struct cursor in, int fd)
{
	uint64_t number = cursor_u64(&in);
	unsigned word = cursor_u8(&in);
	struct job *job = find(service, number);
	bool is_whole = cursor_end(&in);

	if (is_whole && word == FETCH_ORDERED && fd >= 0 && !job) {
		take_order(service, number, fd);
		return;
	}
	if (is_whole && word == FETCH_CANCELLED && job)
		drop(service, job);
	if (is_whole && word == FETCH_KEY && fd >= 0)
		key_channel_adopt(fd);
	else if (fd >= 0)
		close(fd);
}

/* All that has come.  False: the daemon has gone. */
static bool
listen_to_daemon(struct service *service)
{
	uint8_t head[FETCH_MESSAGE];
	ssize_t got;
	int fd;

	while ((got = pass_receive(service->way, head, sizeof head, &fd)) > 0)
		obey(service, cursor_over(head, (size_t)got), fd);
	return got < 0 && (errno == EAGAIN || errno == EINTR || errno == EMSGSIZE);
}

/* ---- the loop ---- */

static void
end_some(struct service *service)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(service->multi, &left))) {
		char *private = NULL;
		struct job *job;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		job = (void *)private;
		if (!transfer_end(job, service->multi, (int)message->data.result))
			continue;
		answer(service, job);
		drop(service, job);
	}
}

/* False: there was nothing to do for long enough. */
static bool
wait(struct service *service)
{
	struct curl_waitfd daemon = { .fd = service->way, .events = CURL_WAIT_POLLIN };
	int ready = 0;

	curl_multi_poll(service->multi, &daemon, 1, service->count > 0 ? POLL_MS : IDLE_MS, &ready);
	return ready > 0 || service->count > 0;
}

int
serve(int way)
{
	struct service service = { .way = way };
	struct job *job;
	int ignored;

	TAILQ_INIT(&service.jobs);
	if (!transfer_init() || !(service.multi = curl_multi_init()))
		return EX_OSERR;
	while (listen_to_daemon(&service)) {
		curl_multi_perform(service.multi, &ignored);
		end_some(&service);
		if (!wait(&service))
			break;
	}
	while ((job = TAILQ_FIRST(&service.jobs)))
		drop(&service, job);
	curl_multi_cleanup(service.multi);
	return EX_OK;
}
