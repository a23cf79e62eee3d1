/* Opens the authority that a command works on, and closes it again. */
#include "pki/tool/authority.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/units.h"
#include "pki/tool/output.h"
#include "pki/tool/message.h"

const char *
authority_directory(const struct common *common)
{
	const char *dir = common->ca ? common->ca : getenv("VALISE_CA");

	if (!dir || !*dir) {
		message_fail(EX_USAGE, "which authority? give --ca DIR or set VALISE_CA");
		return NULL;
	}
	return dir;
}

bool
authority_crl_is_due(const struct ca *ca, int64_t now)
{
	return now >= ca->crl_next - ca->crl_seconds / 3;
}

const char *
authority_crl_cure(const struct ca *ca)
{
	return *ca->key ? "run `valise-pki crl --all` and hand the files out"
			: "get a new one from its owner, and `valise-pki crl --import` it";
}

static int
warn_if_due(void *arg, const struct ca *ca)
{
	const struct authority *authority = arg;
	char text[TIME_TEXT];

	if (authority_crl_is_due(ca, authority->now) && ca->crl_next)
		message_warning("the CRL of '%s' %s %s; %s", ca->name,
		    authority->now >= ca->crl_next ? "ended" : "ends",
		    time_text(ca->crl_next, text), authority_crl_cure(ca));
	return 0;
}

int
authority_open(struct authority *authority, const struct common *common)
{
	const char *dir = authority_directory(common);
	int code;

	authority->common = common;
	authority->passphrase = (struct passphrase){ .common = common, PASSPHRASE_OF_CA_KEYS };
	authority->now = clock_wall_s();
	if (!dir)
		return EX_USAGE;
	code = authority->reads ? store_open_to_read(&authority->store, dir)
				: store_open(&authority->store, dir);
	return code || authority->silent ? code
					 : ca_each(&authority->store, warn_if_due, authority);
}

void
authority_close(struct authority *authority)
{
	passphrase_wipe(&authority->passphrase);
	store_close(&authority->store);
}
