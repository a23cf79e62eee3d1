/* A PostgreSQL client's first message: a verdict never changes with more bytes. */
#include <stdlib.h>
#include "base/postgres.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum postgres_request whole = postgres_request_read(data, size);

	for (size_t n = 0; n < size; n++) {
		enum postgres_request part = postgres_request_read(data, n);

		if (part != POSTGRES_INCOMPLETE && part != whole)
			abort();
	}
	if (size >= POSTGRES_REQUEST_BYTES && whole == POSTGRES_INCOMPLETE)
		abort();
	return 0;
}
