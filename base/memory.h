/*
 * When memory is short.  Whoever finds NULL where an allocation was meant carries
 * on without it and tells its caller, who may know more; but what was lost must
 * stand in the log, where an operator sees it, even if the caller can only close
 * something.  So the place that first knows what is lost says it here, once.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/* Logs `memory-short` at level error, limited as if all came from one client; needs no memory itself.
 * `lost` completes "lost=", as in "a flow". */
void memory_short(const char *lost);

#endif
