/*
 * The key process from inside: it takes channels, and serves each with a thread of its own until
 * that ends.  It speaks with nobody but its daemon, on sockets that it was given, and writes no log:
 * what is to be told is in its answers.
 *
 * Who says something that is no question has been taken over: the process ends, and no key with it.
 */
#ifndef KEYS_KEY_SERVER_H
#define KEYS_KEY_SERVER_H

/* Until the other end of `control` is closed; returns an exit code.  No thread may be there but this
 * one. */
int key_server_run(int control);

#endif
