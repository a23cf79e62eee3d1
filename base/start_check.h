/*
 * What `check` finds out about this host before a start: whether the program could make and
 * take there what it needs.  Nothing is made, taken or left behind.
 *
 * The answers are for the user who asks, and for this moment; but a directory below /run that is missing is
 * made by the service manager at a start (RuntimeDirectory of systemd.exec(5)).
 */
#ifndef BASE_START_CHECK_H
#define BASE_START_CHECK_H

#include <stdbool.h>

struct address;

enum { START_CHECK_ERROR = 512 };

/* A directory that is there and may be written, or whose parent is and may, so that a start makes it.
 * `key` is the configuration's, for the cure.  False with a sentence. */
bool start_check_directory(const char *directory, const char *key, char error[START_CHECK_ERROR]);
/* The same for the one in which this socket is to be, and whether the socket would be safe there and find its
 * place free. */
bool start_check_socket(const char *path, const char *key, char error[START_CHECK_ERROR]);

/* Whether this address could be listened at now, by flags of enum listen_flags; of a local socket as
 * start_check_socket().  False with a sentence, and errno. */
bool start_check_listener(
    const struct address *, unsigned flags, const char *key, char error[START_CHECK_ERROR]);

/* The same of an address as it is written; NULL is none, and fine. */
bool start_check_address(const char *text, const char *key, char error[START_CHECK_ERROR]);

#endif
