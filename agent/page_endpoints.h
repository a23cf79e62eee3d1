/*
 * The table of the agent's page that says of each endpoint whose key answers there, and where it leads.
 */
#ifndef AGENT_PAGE_ENDPOINTS_H
#define AGENT_PAGE_ENDPOINTS_H

#include <jansson.h>

struct agent_live;

/* {"total", "rows": [{"name", "server_name", "mode", "flows", "upstreams", "probe", "caa"}]}: those with
 * trouble first, PAGE_ROWS_MOST at most.  "probe" is null where it is off, "caa" where the certificate does
 * not come by ACME.  NULL when memory is short. */
json_t *page_endpoints_describe(const struct agent_live *);
/* What of them needs attention: upstreams that are down, and names that another key answers for. */
void page_endpoints_attend(json_t *attention, const struct agent_live *);

#endif
