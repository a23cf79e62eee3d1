/*
 * Reads a pcap or pcapng file.
 */
#ifndef SNI_TOOL_CAPTURE_H
#define SNI_TOOL_CAPTURE_H

#include <stdbool.h>
#include <stdio.h>

struct flights;

enum { CAPTURE_ERROR = 512, CAPTURE_MAGIC = 4 };

/* Whether a file that begins with these bytes is a capture; a TLS stream never begins so. */
bool capture_begins(const unsigned char magic[CAPTURE_MAGIC]);

/*
 * Takes the file over, from its first byte, and adds all its segments.  False
 * with a sentence in error: the file is not a capture after all, has a link
 * layer that we do not know, or breaks off. The segments before that stay added.
 */
bool capture_read(struct flights *flights, FILE *file, char error[CAPTURE_ERROR]);

#endif
