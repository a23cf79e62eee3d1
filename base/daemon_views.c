/* The columns that both daemons have. */
#include "base/daemon_views.h"

const struct admin_column daemon_views_faults[] = {
	{ "PART", "part", ADMIN_TEXT },
	{ "SINCE", "since", ADMIN_TEXT },
	{ "ERROR", "error", ADMIN_TEXT },
	{ 0 },
};
const struct admin_column daemon_views_crls[] = {
	{ "URL", "url", ADMIN_TEXT },
	{ "FETCHED", "fetched", ADMIN_TEXT },
	{ "NEXT", "next", ADMIN_TEXT },
	{ "UNTIL", "until", ADMIN_TEXT },
	{ "ERROR", "error", ADMIN_TEXT },
	{ 0 },
};
