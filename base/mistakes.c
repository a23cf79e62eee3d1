/* Turns the sentences of readers into events. */
#include "base/mistakes.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

void
mistakes_open(struct mistakes *mistakes)
{
	*mistakes = (struct mistakes){ 0 };
	mistakes->out = open_memstream(&mistakes->text, &mistakes->bytes);
}

void
mistakes_tell(const char *sentence, const char *kept, const struct reload_asker *asker)
{
	log_audit(LOG_ERROR, "reload-refused", sentence, log_str("kept", kept));
	if (asker)
		asker->on_mistake(asker->arg, sentence);
}

void
mistakes_close(
    struct mistakes *mistakes, bool is_fine, const char *kept, const struct reload_asker *asker)
{
	char *rest;

	if (mistakes->out)
		fclose(mistakes->out);
	if (!is_fine && mistakes->bytes == 0)
		mistakes_tell("memory is short", kept, asker);
	rest = is_fine ? NULL : mistakes->text;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (line[0] != '\0')
			mistakes_tell(line, kept, asker);
	free(mistakes->text);
}
