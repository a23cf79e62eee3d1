/* An order taken in, and thrown away. */
#include "fetch/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct job *
job_new(uint64_t number, struct secret *message)
{
	struct job *job = calloc(1, sizeof *job);
	char ignored[256];

	if (!job)
		return NULL;
	job->number = number;
	job->message = *message;
	*message = (struct secret){ 0 };
	if (fetch_order_decode(cursor_over(job->message.data, job->message.bytes), &job->order) &&
	    fetch_target_parse(&job->target, job->order.request.url, ignored) &&
	    (job->url = strdup(job->order.request.url))) {
		job->deadline_ms = clock_ms() + job->order.request.deadline_ms;
		snprintf(
		    job->contact.host, sizeof job->contact.host, "%s", job->order.contact_host);
		job->contact.port = job->order.contact_port;
		return job;
	}
	job_free(job);
	return NULL;
}

void
job_free(struct job *job)
{
	if (!job)
		return;
	secret_wipe(&job->message);
	fetch_buffer_wipe(&job->headers);
	fetch_buffer_wipe(&job->body);
	fetch_buffer_wipe(&job->chain);
	free(job->url);
	free(job);
}
