/*
 * Latencies in classes of 3 %: any number of them in fixed memory, their percentiles at the end.
 */
#ifndef LATENCY_H
#define LATENCY_H

#include <stdint.h>

void latency_add(uint64_t us);
void latency_clear(void);
uint64_t latency_count(void);
/* In microseconds, of 0 to 1; 0 where there are none. */
double latency_quantile(double part);

#endif
