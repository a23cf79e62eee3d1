/*
 * Who may ask for a renewal, as far as the process in front can tell: whose chain leads to
 * the authority's root, by the verifier of relay and agent, in whatever role the leaf is for.
 * Here alone no purpose is asked for: a relay's or server's certificate, which is for
 * servers only, is what its owner has.
 *
 * What the CRLs of root and roles list is refused.  That one is old or missing, as those of
 * sub-CAs are here, is no reason: the inventory knows what is revoked, and the process that
 * signs asks it (enrolment.h); and who is refused because a CRL has ended could never come
 * back.
 *
 * It looks at the files each second.  Belongs to the loop.
 */
#ifndef PKI_TOOL_SERVE_JUDGE_H
#define PKI_TOOL_SERVE_JUDGE_H

#include "base/loop.h"
#include "pki/der.h"
#include "pki/tool/message.h"
#include "pki/verdict.h"

struct identity;
struct serve_judge;

/* `directory` is the authority's, borrowed.  0 or an exit code after a message. */
int serve_judge_open(struct serve_judge **, struct loop *, const char *directory);
void serve_judge_close(struct serve_judge *);

/* A chain whose leaf's key the peer has proved to hold.  NULL with the verdict, or an identity to be
 * released. */
struct identity *serve_judge_ask(
    struct serve_judge *, const struct der *chain, size_t count, struct verdict *);

#endif
