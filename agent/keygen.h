/*
 * `valise-agent keygen`: the agent's key, made on the agent's own host, and a
 * certificate request (RFC 2986) for `valise-pki sign`.  Only the request is
 * meant to travel.  It is signed with the new key, which proves that whoever
 * asks holds it, and carries the wanted names, which the CA is free to ignore.
 */
#ifndef AGENT_KEYGEN_H
#define AGENT_KEYGEN_H

#include "base/program.h"

/*
 * arguments[0] is the word itself.  Standard output says what was made.  0, or the exit
 * code after one line on standard error: 64 usage, 65 a name that no certificate could hold,
 * 70 the library fails, 71 memory is short, 73 a file is there already or cannot be made, 74 no
 * standard output.  Two files or none: a key goes again if its request cannot be written.
 */
int keygen_run(int count, char **arguments);

/* Its options, for the table of commands. */
extern const struct program_option keygen_rows[];

#endif
