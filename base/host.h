/*
 * What this host lets us have: memory, and of it the kernel's for TCP.  Descriptors are in socket.h.
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdint.h>

/* Bytes of memory: what the machine has, or what the control groups (version 2) that we are in
 * leave us, whichever is least.  UINT64_MAX when nobody says. */
uint64_t host_memory(void);
/* The same of control groups alone; `ours` is as /proc/self/cgroup, `root` where they are mounted. */
uint64_t host_cgroup_memory(const char *ours, const char *root);

/* Bytes that all sockets of TCP may hold before the kernel takes from each of them; it refuses them
 * memory soon after.  UINT64_MAX when nobody says, as in a network namespace. */
uint64_t host_tcp_memory(void);
/* The same, of a file like /proc/sys/net/ipv4/tcp_mem, tcp(7). */
uint64_t host_tcp_memory_of(const char *path);

#endif
