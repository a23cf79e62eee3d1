/*
 * Where the line of an invitation comes from: a file, standard input, or the terminal, which does not
 * show it.  It is a secret, so it is never an argument, which every user of the host could read.
 */
#ifndef ENROL_JOIN_INPUT_H
#define ENROL_JOIN_INPUT_H

#include "base/file.h"
#include "pki/join_line.h"

enum { JOIN_INPUT_ERROR = FILE_ERROR + 64 };

/* path NULL: the terminal is asked if standard input is one, else standard input is read to the end of
 * its first line that is not empty.  0, or with a sentence 65 it is not such a line, 66 it cannot be
 * read. */
int join_input_read(struct join_line *, const char *path, char error[JOIN_INPUT_ERROR]);

#endif
