/*
 * What of renewals and fetches needs somebody's attention, for the page (page_attend() of base/page.h).
 */
#ifndef ENROL_ATTENTION_H
#define ENROL_ATTENTION_H

#include <jansson.h>

struct crl_refresh;
struct renewal;

/* A certificate that is not renewed although it is time.  NULL: it renews itself by nobody. */
void attention_renewal(json_t *attention, const struct renewal *);
/* CRLs that cannot be fetched. */
void attention_crls(json_t *attention, const struct crl_refresh *);

#endif
