/*
 * Feeds files, and the files of directories, to a fuzz target: how `make check`
 * replays the seeds without a fuzzing engine.  TAP, one test a directory or file
 * named; a finding ends the program, which prove reports.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

/* The input gets a block of its own size, so that a sanitizer sees its end. */
static void
replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat about;
	uint8_t *data;
	size_t size;

	if (!file || fstat(fileno(file), &about) != 0) {
		printf("Bail out! %s cannot be read\n", path);
		exit(1);
	}
	data = malloc(about.st_size > 0 ? (size_t)about.st_size : 1);
	size = data ? fread(data, 1, (size_t)about.st_size, file) : 0;
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
}

static int
visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void
replay(const char *path)
{
	struct stat about;
	struct dirent **entries;
	char inner[4096];
	int count;

	if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode)) {
		replay_file(path);
		return;
	}
	count = scandir(path, &entries, visible, alphasort);
	for (int i = 0; i < count; i++) {
		snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
		replay(inner);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		replayed = 0;
		replay(argv[i]);
		printf("ok %d - replays %s (%zu inputs)\n", i, argv[i], replayed);
	}
	return 0;
}
