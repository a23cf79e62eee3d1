/* The one helper that has keys. */
#include "keys/key_process.h"

#include <grp.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/helper.h"
#include "base/loop.h"
#include "keys/key_channel.h"
#include "keys/key_server.h"
#include "keys/key_url.h"

static bool is_settled;
static struct helper *helper; /* NULL: keys are in this process */
static struct watch news;

struct key_user {
	uid_t user;
	gid_t group;
};

/* For good, unlike what the command does itself. */
static bool
become(const struct key_user *who)
{
	return setgroups(1, &who->group) == 0 &&
	    setresgid(who->group, who->group, who->group) == 0 &&
	    setresuid(who->user, who->user, who->user) == 0;
}

static int
run(void *arg, const int *ways, unsigned count)
{
	(void)count;
	return arg && !become(arg) ? EX_OSERR : key_server_run(ways[0]);
}

static bool
start(struct key_user *who)
{
	helper = helper_start(&(struct helper_plan){
	    .name = "keys", .ways = 1, .is_eager = true, .run = run, .arg = who });
	if (!helper)
		return false;
	is_settled = true;
	key_channel_start(helper_way(helper, 0));
	key_url_register();
	return true;
}

bool
key_process_settle(bool is_wanted)
{
	if (!is_settled && is_wanted)
		return start(NULL);
	is_settled = true;
	return true;
}

bool
key_process_start_as(uid_t user, gid_t group)
{
	return start(&(struct key_user){ user, group });
}

static void
on_news(void *arg, unsigned ready)
{
	(void)arg;
	(void)ready;
	if (helper_hear(helper) == HELPER_LOST)
		watch_want(&news, WATCH_NOTHING);
}

void
key_process_watch(struct loop *loop)
{
	if (!helper)
		return;
	watch_init(&news, loop, helper_news(helper), on_news, NULL);
	watch_want(&news, WATCH_READ);
}

void
key_process_stop(void)
{
	watch_wipe(&news);
	key_channel_stop();
	helper_end(helper);
	helper = NULL;
}
