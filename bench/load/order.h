/*
 * What a load generator's client tells bench/load/upstream: one byte, the first one or, where the client
 * is a raw one, the first behind the TLS record that its ClientHello is.
 */
#ifndef ORDER_H
#define ORDER_H

#include <stdint.h>

/*
 * The counter file, which both map: a client that measures begins a new run, and the upstream counts what
 * it throws away of those connections whose order came in the run that is on.  What an earlier client has left in
 * somebody's buffers is not counted.
 */
struct counter {
	uint64_t run, taken;
};

enum {
	ORDER_ECHO = 'e', /* all that follows comes back */
	ORDER_TAKE = 't', /* what follows is thrown away */
	ORDER_POUR = 'p', /* bytes without an end */
	ORDER_BOTH = 'b', /* bytes without an end, and what follows is thrown away */
	ORDER_ONCE = 'o', /* one byte, and the end */
};

#endif
