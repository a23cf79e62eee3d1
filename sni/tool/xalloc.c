/* Allocates, or ends the program when there is no more memory. */
#include "sni/tool/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static void *
exit_if_null(void *memory)
{
	if (!memory) {
		fputs("valise-sni: memory is short\n", stderr);
		exit(EX_OSERR);
	}
	return memory;
}

void *
xalloc(size_t bytes)
{
	return exit_if_null(calloc(1, bytes));
}

void *
xalloc_more(void *memory, size_t bytes)
{
	return exit_if_null(realloc(memory, bytes));
}
