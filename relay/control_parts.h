/*
 * Internal to the control thread: what its sources share.
 */
#ifndef RELAY_CONTROL_PARTS_H
#define RELAY_CONTROL_PARTS_H

#include <stdbool.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/loop.h"
#include "relay/relay.h"
#include "relay/station.h"

struct rules;

struct control {
	const char *path;
	struct loop *loop;
	struct relay relay;
	struct rules *rules;			/* held: in force */
	struct file_stamp certificate, private_key;
	struct timer tick, deadline;
	unsigned reports[STATION_EMPTY + 1];
	bool is_draining, is_stopping;
};

/* control_open.c: everything that can fail, told as it fails. Returns the exit code. */
int control_open(struct control *, void (*on_station)(void *control, enum station_event));
/* Joins and frees whatever there is. */
void control_close(struct control *);

/* control_reload.c */
void control_reload(struct control *);
/* Looks at the files once; the second at those of CAs and CRLs only. */
void control_look(struct control *);
void control_look_at_trust(struct control *);
/* Remembers how the certificate's files are now. */
void control_stamp(struct control *);
/* Logs what trust_warning() has to say. */
struct trust;
void control_warn(const struct trust *);

#endif
