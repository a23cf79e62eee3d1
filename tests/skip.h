/* cmocka's own skip() says "not ok # SKIP" (1.1.5), which prove counts as a failure. */
#ifndef TESTS_SKIP_H
#define TESTS_SKIP_H

#include <stdio.h>

/* Ends the test, and says where prove shows it that it has shown nothing, and why. */
#define SKIP(reason) \
	do { \
		fprintf(stderr, "# skipped: %s: %s\n", __func__, reason); \
		return; \
	} while (0)

#endif
