/* A first configuration without an authority. */
#include "enrol/init.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int
fail(const struct join_program *program, const char *path, const char *todo)
{
	fprintf(stderr, "%s: init: %s: %s%s\n", program->program, path, strerror(errno), todo);
	return EX_CANTCREAT;
}

static void
set_path(struct join_files *files, enum join_file file, const char *name, const char *end)
{
	snprintf(files->paths[file], PATH_MAX, "%.2000s/%s%s", files->config_dir, name, end);
}

static void
set_files(struct join_files *files, const struct join_program *program, const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof copy, "%s", path);
	snprintf(files->config_dir, sizeof files->config_dir, "%s", dirname(copy));
	set_path(files, JOIN_KEY, program->kind, ".key");
	set_path(files, JOIN_CERTIFICATE, program->kind, ".crt");
	set_path(files, JOIN_PEER_CAS, program->peers, "-ca.crt");
	set_path(files, JOIN_PEER_CRLS, program->peers, ".crl");
}

/* Only the last directory of the path may be missing. */
static int
create(
    const struct join_program *program, const struct join_files *files, const char *path, int *fd)
{
	if (mkdir(files->config_dir, 0755) < 0 && errno != EEXIST)
		return fail(program, files->config_dir, "");
	*fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (*fd < 0)
		return fail(program, path,
		    errno == EEXIST ? "; nothing is overwritten, give another one with --config"
				    : "");
	return 0;
}

static void
tell(const struct join_program *program, const struct join_files *files,
    const struct init_facts *facts)
{
	char config[PATH_MAX + 4] = "";

	if (strcmp(facts->path, program->config) != 0)
		snprintf(config, sizeof config, " -c %.4000s", facts->path);
	printf("configuration: %s\n"
	       "Put there what it names, from `valise-pki bundle %s NAME`:\n"
	       "  %s\n  %s\n  %s\n  %s\n"
	       "%s%sthen: %s check%s\n"
	       "Where `valise-pki serve` runs, `%s join` does all of that instead.\n",
	    facts->path, program->kind, files->paths[JOIN_CERTIFICATE], files->paths[JOIN_KEY],
	    files->paths[JOIN_PEER_CAS], files->paths[JOIN_PEER_CRLS],
	    program->todo ? program->todo : "", program->todo ? ", " : "", program->program, config,
	    program->program);
}

int
init_write(const struct join_program *program, const struct init_facts *facts)
{
	struct join_files *files = calloc(1, sizeof *files);
	struct cert_facts *certificate = calloc(1, sizeof *certificate);
	char *names[] = { (char *)(uintptr_t)facts->name };
	int fd = -1, code = EX_OSERR;
	FILE *out;

	if (files && certificate) {
		set_files(files, program, facts->path);
		code = create(program, files, facts->path, &fd);
	}
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (out) {
		certificate->sans = names;
		certificate->san_count = 1;
		program->write_config(out,
		    &(struct join_facts){
			.relay = facts->relay, .certificate = certificate, .files = files });
		code = fclose(out) == 0 ? 0 : fail(program, facts->path, "");
	}
	if (code == 0)
		tell(program, files, facts);
	free(certificate);
	free(files);
	return code;
}
