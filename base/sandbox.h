/*
 * What a process gives up for good once it has all that it will ever need, so that who takes it over by its
 * parsers has no more than that.
 *
 *	sandbox_new --> sandbox_folder, sandbox_file ... --> (helpers are forked, sockets bound)
 *	--> sandbox_enter --> (threads start) --> sandbox_seal --> (serving)
 *
 * sandbox_enter() takes capabilities, the right to new ones, and by Landlock (landlock(7)) all files but
 * those in the folders that were allowed; a folder is allowed with all that is beneath it, and with what
 * comes into it later.  No TCP port can be bound any more, and no process outside be signalled or traced.
 * Landlock holds for the calling thread and those that it starts, so there must be no other thread yet.
 *
 * sandbox_seal() leaves to all threads, running and to come, only the system calls of a list (seccomp(2));
 * all others answer ENOSYS, as a kernel that does not know them.  Programs cannot be executed, processes
 * not be made or traced, and nothing can listen that did not before.  Threads may still be started.
 *
 * Nothing of it can be taken back or widened: what a reload needs beyond it needs a restart, and
 * sandbox_misses() says so.
 *
 * Where the kernel lacks a part, the others hold, and that is told once (sandbox-partial).  In builds for
 * sanitizers, which open files and call what they like, Landlock leaves /proc to be read and the list of
 * calls is left out; in those that measure coverage, which write files at the end, both are.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct sandbox;
struct conf_texts;

enum { SANDBOX_ERROR = 512 };

/*
 * What may be done beneath a folder; a set:
 *
 *	SANDBOX_READ	read files, and lists of them
 *	SANDBOX_CHANGE	the same; and write, make, replace and remove files and folders
 *	SANDBOX_MOVE	with it: move files between folders beneath it (Linux 5.19; on older ones all
 *			files stay)
 *	SANDBOX_SOCKET	make and remove local sockets, which cannot listen if it is sealed
 */
enum sandbox_right {
	SANDBOX_READ = 1,
	SANDBOX_CHANGE = 2,
	SANDBOX_MOVE = 4,
	SANDBOX_SOCKET = 8,
};

/* NULL when memory is short. */
struct sandbox *sandbox_new(void);
void sandbox_free(struct sandbox *);

/*
 * All of these remember it when memory is short, and sandbox_enter() fails.  NULL is fine for each path.
 * What is not there is passed over.
 *
 * `key` says where the configuration asks for it, and is borrowed for ever; a file is until the sandbox is
 * entered or freed.
 */
void sandbox_folder(struct sandbox *, const char *key, const char *folder, unsigned rights);
/* The folder that the file is in, and that of what it leads to if it is a link.  Folders, because a rule for
 * a file dies when the file is replaced. */
void sandbox_file(struct sandbox *, const char *key, const char *file, unsigned rights);
void sandbox_files(
    struct sandbox *, const char *key, const struct conf_texts *files, unsigned rights);
/* What must never be read, a file or a folder, although it lies in a folder that is allowed: that folder
 * is not allowed then, or only to be changed, and what is directly in it is read by an opener
 * (base/opener.h), which must be there. */
void sandbox_forbid(struct sandbox *, const char *path);
/* A private key that a process of its own reads (keys/key_process.h): NULL is fine, and a file that holds the
 * certificate as well is needed. */
void sandbox_forbid_key(struct sandbox *, const char *key, const char *certificate);
/* The folder of a daemon's state, to be changed; after all that is forbidden.  True: a key lies in it.  Then
 * its `keys` is forbidden as a whole, with accounts and what waits for a certificate, and what else is
 * beneath it needs rules of its own. */
bool sandbox_state(struct sandbox *, const char *key, const char *folder);
/* What a daemon asks the kernel by /proc and /sys: of memory, ports and control groups.  Of other
 * processes nothing but their names: what is in them Landlock does not let it read, as it does not let
 * it trace them. */
void sandbox_host(struct sandbox *);
/* Nothing is dialled, either: the network is what was accepted or passed, and local sockets to tell the
 * service manager. */
void sandbox_isolate(struct sandbox *);
/* Sockets may be made to listen, and ports be bound, also when all is sealed: for who does so at a reload. */
void sandbox_listening(struct sandbox *, const char *key);

/*
 * False with a sentence: it was to hold, and does not.  What the kernel lacks is no failure; it is told by
 * the log (sandbox-partial), and what holds at level debug.  A folder that holds far more than this
 * program's files, as /etc, is told as well (sandbox-wide): all of them are in reach.
 */
bool sandbox_enter(struct sandbox *, char error[SANDBOX_ERROR]);
/* Likewise, from any thread. */
bool sandbox_seal(struct sandbox *, char error[SANDBOX_ERROR]);
/* From now on nothing can be made to listen, also where sandbox_listening() was said. */
bool sandbox_stop_listening(const struct sandbox *, char error[SANDBOX_ERROR]);

/* Whether `wanted`, which nobody has entered, needs a folder, or to listen, as `entered` may not; then
 * with a sentence that names the first and what to do.  entered NULL: there is no sandbox, and nothing
 * is missing. */
bool sandbox_misses(
    const struct sandbox *entered, const struct sandbox *wanted, char sentence[SANDBOX_ERROR]);

/* The same for who is not in it: what a running process says of the sandbox that it has entered, as a
 * document {"landlock": 7, "seccomp": true, "listens": false, "folders": [{"path": "/etc/valise",
 * "rights": ["read"]}, ...]}, and that sandbox again, to ask what it misses.  NULL when memory is short,
 * or the document is not one. */
json_t *sandbox_document(const struct sandbox *);
struct sandbox *sandbox_of_document(const json_t *);

/* Instead of the first: tells loudly that there is none. */
void sandbox_tell_off(void);

#endif
