/*
 * What this host lets us have: memory.  Descriptors are in socket.h.
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdint.h>

/* Bytes of memory: what the machine has, or what the control groups (version 2) that we are in
 * leave us, whichever is least.  UINT64_MAX when nobody says. */
uint64_t host_memory(void);
/* The same of control groups alone; `ours` is as /proc/self/cgroup, `root` where they are mounted. */
uint64_t host_cgroup_memory(const char *ours, const char *root);

#endif
