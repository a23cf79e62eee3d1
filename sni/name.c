/* Server names: normalised once, then compared as plain strings. */
#include "sni/name.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

enum { LABEL_MOST = 63 };

/* Each byte as it stands in a normalised label, 0 where it may not stand in one. */
/* clang-format off */
static const char in_label[256] = {
	['-'] = '-', ['_'] = '_',
	['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
	['A'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
	'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
	['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm',
	'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
};
/* clang-format on */

static bool
is_label(size_t bytes)
{
	return bytes > 0 && bytes <= LABEL_MOST;
}

/* text, as labels that fill out[at..] up to NAME_SIZE. */
static bool
normalise(char out[NAME_SIZE], size_t at, const char *text, size_t bytes)
{
	size_t label = 0; /* where this one begins */

	if (bytes > 0 && text[bytes - 1] == '.')
		bytes--;
	if (bytes >= NAME_SIZE - at)
		return false;
	out += at;
	for (size_t i = 0; i < bytes; i++) {
		char c = in_label[(uint8_t)text[i]];

		if (c == 0) {
			if (text[i] != '.' || !is_label(i - label))
				return false;
			label = i + 1;
			c = '.';
		}
		out[i] = c;
	}
	out[bytes] = 0;
	return is_label(bytes - label);
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
name_normalise_served(char out[NAME_SIZE], const char *text, size_t bytes)
{
	struct in_addr address;

	if (name_normalise_pattern(out, text, bytes) && inet_pton(AF_INET, out, &address) != 1)
		return true;
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
	pattern++; /* the tail, with its dot */
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

bool
name_is_under(const char *name, const char *domain, bool itself_too)
{
	size_t bytes = strlen(name), under = strlen(domain);

	if (bytes == under)
		return itself_too && strcmp(name, domain) == 0;
	return bytes > under && name[bytes - under - 1] == '.' &&
	    strcmp(name + bytes - under, domain) == 0;
}
