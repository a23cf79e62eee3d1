/*
 * Allocations that fail.  The program is linked with --wrap for the allocator, so
 * that every allocation of our own objects passes here; the kernel, loops and TLS
 * of the simulation go to the arena directly, or hold faults off for a while.
 */
#ifndef TESTS_SIM_MEMORY_H
#define TESTS_SIM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Counts from 0; then the n-th allocation fails, and `burst` - 1 behind it. 0: none. */
void memory_plan(uint64_t n, unsigned burst);
uint64_t memory_made(void);
/* What was planned, as it is given on the command line; empty when nothing was. */
const char *memory_plan_text(void);
/* How many have failed. */
unsigned memory_failed(void);
/* Between these nothing fails and nothing is counted. They nest. */
void memory_hold(void);
void memory_let_go(void);
/* A process said in its log that memory was short. */
void memory_told(void);
bool memory_was_told(void);
/* Which allocation has failed, of what process. */
void memory_describe(char text[1024]);

#endif
