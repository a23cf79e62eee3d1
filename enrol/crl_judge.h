/*
 * Whether CRLs that were fetched may take the place of those in the store (pki/crl_store.h).
 */
#ifndef ENROL_CRL_JUDGE_H
#define ENROL_CRL_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

struct trust_sources;

enum { CRL_JUDGE_ERROR = 512 };

/*
 * By the CAs, the state_dir, the label and the time of this trust set, of what was put for the URL: each CRL
 * is whole, signed by a listed CA, not from the future and not older than one seen before.  With
 * `is_secure` (it came by https) one whose issuer is not listed may wait for him, as in a file that was
 * configured.  Nothing of it is kept.  False with a sentence.
 */
bool crl_judge(
    const struct trust_sources *, const char *url, bool is_secure, char error[CRL_JUDGE_ERROR]);

/* Whether it has one of each issuer of whom the file in the store has one that has not ended.  Else false
 * with a sentence. */
bool crl_judge_loses_nobody(
    const char *state_dir, const char *url, int64_t now_s, char error[CRL_JUDGE_ERROR]);

#endif
