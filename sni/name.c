/* Server names: normalised once, then compared as plain strings. */
#include "sni/name.h"

#include <string.h>

enum { LABEL_MOST = 63 };

/* The byte as it stands in a normalised label, 0 if it may not stand in one. */
static char
fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')
		return c;
	return 0;
}

/* text, as labels that fill out[at..] up to NAME_SIZE. */
static bool
normalise(char out[NAME_SIZE], size_t at, const char *text, size_t bytes)
{
	size_t label = 0;

	if (bytes > 0 && text[bytes - 1] == '.')
		bytes--;
	if (bytes >= NAME_SIZE - at)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '.' && label > 0) {
			label = 0;
			out[at + i] = '.';
		} else if (label < LABEL_MOST && (out[at + i] = fold(text[i])) != 0) {
			label++;
		} else {
			return false;
		}
	}
	out[at + bytes] = 0;
	return label > 0;
}

bool
name_normalise(char out[NAME_SIZE], const char *text, size_t bytes)
{
	if (normalise(out, 0, text, bytes))
		return true;
	out[0] = 0;
	return false;
}

bool
name_normalise_pattern(char out[NAME_SIZE], const char *text, size_t bytes)
{
	if (bytes < 2 || text[0] != '*' || text[1] != '.')
		return name_normalise(out, text, bytes);
	if (normalise(out, 2, text + 2, bytes - 2)) {
		out[0] = '*';
		out[1] = '.';
		return true;
	}
	out[0] = 0;
	return false;
}

bool
name_is_wildcard(const char *pattern)
{
	return pattern[0] == '*';
}

bool
name_matches(const char *pattern, const char *name, bool any_depth)
{
	size_t tail, whole;

	if (!name_is_wildcard(pattern) || strcmp(pattern, name) == 0)
		return strcmp(pattern, name) == 0;
	pattern++;	/* the tail, with its dot */
	tail = strlen(pattern);
	whole = strlen(name);
	if (whole <= tail || strcmp(name + whole - tail, pattern) != 0)
		return false;
	return any_depth || strchr(name, '.') == name + whole - tail;
}

const char *
name_parent(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot ? dot + 1 : NULL;
}
