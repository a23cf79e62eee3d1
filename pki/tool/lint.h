/*
 * What is unwise or broken about a certificate or a CRL, beyond what makes it
 * fail today: a table of rules, each with the sentence that explains it.
 */
#ifndef PKI_TOOL_LINT_H
#define PKI_TOOL_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pki/der.h"
#include "pki/tool/finding.h"

/* `label` names it in the findings. issuer: the DER of the next certificate of the
 * chain, or empty. */
int lint_certificate(
    struct findings *, const char *label, struct der certificate, struct der issuer, int64_t now);
/* Reads the next time: whether it is a GeneralizedTime before 2050, which RFC 5280, 4.1.2.5 excludes. */
bool lint_next_time_is_odd(struct cursor *);
int lint_crl(struct findings *, const char *label, struct der crl, int64_t now);

#endif
