/*
 * Memory that a command cannot go on without: ends the program, exit status 71,
 * if there is none.
 */
#ifndef SNI_TOOL_NEED_H
#define SNI_TOOL_NEED_H

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static inline void *
need(void *memory)
{
	if (!memory) {
		fputs("valise-sni: out of memory\n", stderr);
		exit(EX_OSERR);
	}
	return memory;
}

#endif
