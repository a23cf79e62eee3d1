/*
 * Reads a pcap or pcapng file.
 */
#ifndef SNI_TOOL_CAPTURE_H
#define SNI_TOOL_CAPTURE_H

#include <stdbool.h>
#include <stdio.h>

struct flights;

enum { CAPTURE_ERROR = 512, CAPTURE_MAGIC = 4 };

/* Whether a file that begins with these bytes is a capture; no TLS stream does. */
bool capture_begins(const unsigned char magic[CAPTURE_MAGIC]);

/*
 * Takes the file over, from its first byte, and adds all its segments.  False
 * with a sentence in error: no capture after all, a link layer that we do not
 * know, a file that breaks off.  What came before stays added.
 */
bool capture_read(struct flights *flights, FILE *file, char error[CAPTURE_ERROR]);

#endif
