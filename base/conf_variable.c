/* Values that the environment gives where the file does not. */
#include "base/conf_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char prefix[] = "VALISE_";

const char *
conf_variable(const struct conf_row *row, char name[CONF_KEY])
{
	size_t used = sizeof prefix - 1;
	const char *value;

	if (!row->has_variable)
		return NULL;
	memcpy(name, prefix, used);
	for (const char *at = row->key; *at && used < CONF_KEY - 1; at++)
		name[used++] = *at == '.' ? '_' : (char)toupper((unsigned char)*at);
	name[used] = '\0';
	value = getenv(name);
	return value && value[0] != '\0' ? value : NULL;
}
