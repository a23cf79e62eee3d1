/*
 * The HTTP of a relay: what is found where (base/web.h), and how it begins and ends.
 */
#ifndef RELAY_METRICS_WEB_H
#define RELAY_METRICS_WEB_H

struct relay;

/* Listens where the settings say, with what another process or the service manager has passed, if anything.
 * EX_OK, also where nothing is to be served, or the exit code after a line in the log. */
int relay_web_open(struct relay *);

#endif
