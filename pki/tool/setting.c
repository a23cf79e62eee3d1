/* A word and its value, a row each. */
#include "pki/tool/setting.h"

#include <string.h>

#include "pki/tool/store.h"

struct setting_call {
	char *out;
	size_t out_size;
};

static int
take_value(void *arg, sqlite3_stmt *row)
{
	const struct setting_call *call = arg;

	store_text(row, 0, call->out, call->out_size);
	return 0;
}

int
setting_read(struct store *store, const char *word, char *out, size_t out_size)
{
	*out = '\0';
	return store_each(store, take_value, &(struct setting_call){ out, out_size },
	    "SELECT value FROM setting WHERE word = ?", "t", word);
}

int
setting_write(struct store *store, const char *word, const char *value)
{
	char old[4096];
	int code = setting_read(store, word, old, sizeof old);

	if (code || strcmp(old, value) == 0)
		return code;
	code = store_begin(store);
	if (!code)
		code = store_do(store, "INSERT OR REPLACE INTO setting(word, value) VALUES(?, ?)",
		    "tt", word, value);
	return code ? code : store_commit(store);
}
