/* Where the admin socket is: what settings and clients need to know, without the server behind it. */
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include "base/admin.h"

const char *
admin_path(const char *socket, const char *state_dir, char path[ADMIN_PATH])
{
	if (socket)
		snprintf(path, ADMIN_PATH, "%s", socket);
	else
		snprintf(path, ADMIN_PATH, "%s/admin.sock", state_dir);
	return path;
}

bool
admin_is_path(const char *text, char error[256])
{
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (text[0] == '/' && strlen(text) <= most)
		return true;
	snprintf(error, 256,
	    "is not a path for a socket; write an absolute one of at most %zu bytes", most);
	return false;
}

bool
admin_is_group_name(const char *text, char error[256])
{
	static const char may[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t length = strlen(text);

	if (length > 0 && length <= 32 && text[0] != '-' && strspn(text, may) == length)
		return true;
	snprintf(error, 256, "cannot be a group; write its name or number");
	return false;
}
