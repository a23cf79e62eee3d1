/*
 * What the documents of both daemons show alike (base/admin_view.h): the same members stand under the same
 * titles and in the same order.
 */
#ifndef BASE_DAEMON_VIEWS_H
#define BASE_DAEMON_VIEWS_H

#include "base/admin_view.h"

/* Of "reload_faults" (base/reload_faults.h), and of "crl_urls" of `status`. */
extern const struct admin_column daemon_views_faults[], daemon_views_crls[];

/* clang-format 14 takes the braces of these macros for blocks of code, so they are laid out by hand. */
/* clang-format off */

/* The last facts of `status`: what is not in force, and the certificate. */
#define DAEMON_STATUS_FACTS \
	{ "parts not in force", "reload_refused", ADMIN_NUMBER }, \
	{ "next renewal", "renewal.next", ADMIN_TEXT }, \
	{ "certificate ends", "renewal.ends", ADMIN_TEXT }, \
	{ "renewal", "renewal.urgency", ADMIN_TEXT }, \
	{ "renewal fails", "renewal.error", ADMIN_TEXT }

/* The last columns of `flows`, and its view, whose rates come of them. */
#define DAEMON_FLOW_COLUMNS \
	{ "IN", "bytes_in", ADMIN_BYTES }, \
	{ "OUT", "bytes_out", ADMIN_BYTES }, \
	{ "RATE", "rate", ADMIN_RATE }, \
	{ "AGE", "age_ms", ADMIN_MS }, \
	{ "STATE", "state", ADMIN_TEXT }, \
	{ "FLOW", "flow", ADMIN_TEXT }
#define DAEMON_FLOW_VIEW(of_flows) \
	{ .command = "flows", .sections = of_flows, .id = "flow", \
	    .counters = { "bytes_in", "bytes_out" }, .age = "age_ms" }

/* clang-format on */

#endif
