/*
 * One attempt of a TLS client: a handshake that verifies the server, an order, one byte in answer; and in a word what
 * became of it.
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>

struct attempt_session;
struct attempt_key;

enum { ATTEMPT_RESULT = 160 };
enum attempt_wants { ATTEMPT_READ, ATTEMPT_WRITE, ATTEMPT_OVER };

/* The CAs that it believes, and what it shows (both NULL: nothing).  Whatever fails ends the program. */
struct attempt_key *attempt_key_load(const char *cas, const char *certificate, const char *key);

/* Of a socket, which stays the caller's. */
struct attempt_session *attempt_new(const struct attempt_key *, const char *server_name, int fd);
void attempt_free(struct attempt_session *);
/*
 * Goes on as far as it can.  When it is over, *result is `ok` and the serial number of the server's certificate, when a
 * byte came; `alert-N`, `reset`, `closed`, or the name of what GnuTLS says.
 */
enum attempt_wants attempt_step(struct attempt_session *, char result[ATTEMPT_RESULT]);

#endif
