/*
 * The way of a thread to the keys: a pair of sockets of its own, whose other end a thread of the key
 * process serves, so that no thread waits for another's signature.  It is made by the first question
 * of the thread and closed with it.  With `key_process: off`, or before key_channel_start(), the
 * answer comes from a store within this process.
 *
 * A signature that has not come within KEY_PATIENCE_MS fails its handshake, since the loop of the
 * asking thread stands still as long; time in which this thread itself was kept from the processor
 * does not count, up to KEY_PATIENCE_MOST_MS in all.  Other questions are rare, may wait for a disk
 * or make an RSA key, and have KEY_PATIENCE_FILES_MS.
 *
 * Shared by:  all threads of the daemon that ask.
 * Bound:      KEY_CHANNELS_MOST at a time, one question each.
 * Who leaves: nobody; a further thread gets no signature.
 */
#ifndef KEYS_KEY_CHANNEL_H
#define KEYS_KEY_CHANNEL_H

#include <stdbool.h>

#include "keys/key_message.h"

enum {
	KEY_PATIENCE_MS = 100,
	KEY_PATIENCE_MOST_MS = 1000,
	KEY_PATIENCE_FILES_MS = 10000,
	KEY_CHANNELS_MOST = 1024,
};

/* Where the key process takes the ends of new channels: a SOCK_SEQPACKET socket that never waits,
 * borrowed until key_channel_stop().  Before any other thread asks. */
void key_channel_start(int control);
void key_channel_stop(void);

/* What the answer borrows lasts until the next question of this thread.  KEY_LATE and KEY_GONE:
 * there is none. */
enum key_code key_channel_ask(struct key_question *, struct key_answer *);

/* For another process of ours, which can sign for TLS with the key in this file and do nothing else:
 * the end of a channel; -1 with errno, ENOTCONN where there is no key process. */
int key_channel_new_for(const char *path);
/* In that process: the channel of the calling thread, which asks nowhere else from now on.  It is
 * adopted, and takes the place of one before. */
void key_channel_adopt(int fd);

#endif
