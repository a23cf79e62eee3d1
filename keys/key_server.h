/*
 * The key process from inside: it takes channels, and serves each with a thread of its own until
 * that ends.  It speaks with nobody but its daemon, on sockets that it was given, and writes no log:
 * what is to be told is in its answers.
 *
 * Who says something that is no question has been taken over: the process ends, and no key with it.  On a
 * channel that is for one key only that channel ends.  What was opened by it is closed with it.
 */
#ifndef KEYS_KEY_SERVER_H
#define KEYS_KEY_SERVER_H

struct key_store;

/* Until the other end of `control`, which never waits, is closed; returns an exit code. */
int key_server_run(int control);
/* The same with a store of the caller's, which threads go on using afterwards. */
void key_server_serve(int control, struct key_store *);

#endif
