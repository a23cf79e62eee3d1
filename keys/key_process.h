/*
 * The key process of a daemon: it alone reads, makes and writes private keys, and none ever leaves
 * it.  What it holds, a process that speaks with the network does not: who takes the daemon over can
 * have things signed as long as he has it, and takes no key away.
 *
 *	key_process_settle()	when the settings are known, before any thread and before any key is
 * asked for
 *	key_process_watch()	in the main loop, so that the log hears of its end
 *	...			keys/key_ask.h, keys/key_url.h
 *	key_process_stop()	before that loop is freed; keys are not to be had any more
 *
 * With `key_process: off` the same answers are made within the daemon.
 *
 * It is a helper (base/helper.h): one that dies is told, and another one begins a second later,
 * which reads each key anew.  Until then no signature is made, and each handshake that wants one
 * fails; what is established goes on.
 */
#ifndef KEYS_KEY_PROCESS_H
#define KEYS_KEY_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct loop;

/* The first call decides for the life of the daemon.  False with errno: there is none, and it is
 * wanted. */
bool key_process_settle(bool is_wanted);
/* For a command that root calls for another user, who owns the keys: the process has the rights of
 * that user alone. */
bool key_process_start_as(uid_t, gid_t);
/* Where there is none these two do nothing. */
void key_process_watch(struct loop *);
void key_process_stop(void);

#endif
