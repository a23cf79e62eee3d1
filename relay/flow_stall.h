/*
 * Flows whose peers take nothing, when memory is short: who shares it, its bound and who leaves are
 * told in tunnel/standstill.h.  All flows have one owner here.
 */
#ifndef RELAY_FLOW_STALL_H
#define RELAY_FLOW_STALL_H

#include <stdint.h>

/* Of pump_stalls_init(): what a flow holds while it stands still. */
void flow_on_held(void *flow, uint64_t own_bytes, uint64_t kernel_bytes);

#endif
