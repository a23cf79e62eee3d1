/*
 * Takes from the process in front what it has no use for, by Landlock: of all files it can
 * read what the authority publishes and nothing else, it can change none, and where the
 * kernel knows how (6.7) it can neither connect nor listen anew.  So a stranger who has
 * taken it over has no CA key and no inventory, although both belong to the same user.
 */
#ifndef PKI_TOOL_SERVE_CONFINE_H
#define PKI_TOOL_SERVE_CONFINE_H

/* For the whole process, for good, when all threads but this one are still to come; `directory` is
 * the authority's.  Where the kernel has no Landlock it says so in the log (not-confined) and goes on.
 * 0, or an exit code after a message. */
int serve_confine(const char *directory);

#endif
