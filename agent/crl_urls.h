/*
 * What the agent fetches of CRLs: the keys that name URLs, as enrol/crl_refresh.h wants them.
 */
#ifndef AGENT_CRL_URLS_H
#define AGENT_CRL_URLS_H

#include <stdbool.h>
#include <stdio.h>

struct agent_settings;
struct crl_refresh;
struct fetch_proxy;

/* From now on by these settings, all of them at once.  False when memory is short: it is as before. */
bool crl_urls_refresh(
    struct crl_refresh *, const struct agent_settings *, const struct fetch_proxy *);
/* For `check`: what CAs name and nobody fetches (enrol/crl_advice.h).  False when memory is short. */
bool crl_urls_advise(const struct agent_settings *, FILE *);

#endif
