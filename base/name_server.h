/*
 * Whether the name server of this host answers, told by outage.h: name-server-silent, and
 * name-server-answers when it does again.  All that is dialled by name fails with it, each thing with a
 * line of its own; this one says that they have one cause.
 *
 * That a name does not exist is an answer.  Names that strangers chose are not noted, since their name
 * servers are not ours.  Some names come from files, so it is over when the name that failed last has an
 * answer.
 */
#ifndef BASE_NAME_SERVER_H
#define BASE_NAME_SERVER_H

/* error: why no name server has answered, or NULL where one has.  From any thread. */
void name_server_note(const char *host, const char *error);

#endif
