/*
 * Something of a daemon that ends by the calendar: a certificate or the CRLs of a trust set.
 */
#ifndef BASE_ENDING_H
#define BASE_ENDING_H

#include <stdbool.h>
#include <stdint.h>

enum { ENDING_NAME = 256 };

struct ending {
	const char *what; /* the configuration's key, borrowed for ever: "connect.certificate" */
	char name[ENDING_NAME]; /* which of several, cut: its file, or the endpoint's server name */
	int64_t begins_s;       /* by the wall clock; 0: not known */
	int64_t ends_s;
	bool is_crl; /* the earliest nextUpdate of all CRLs of the key */
};

#endif
