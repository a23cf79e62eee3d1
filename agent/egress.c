/* A proxy, and the trust in it. */
#include "agent/egress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "pki/trust.h"
#include "pki/trust_rows.h"
#include "pki/verify.h"

struct egress {
	_Atomic unsigned references;
	struct connect_source source;
	struct fetch_proxy *proxy; /* NULL: none */
	struct tls_config *tls;    /* https:// only, as all that follows */
	struct trust *trust;
};

static bool
load_trust(struct egress *egress, const struct fetch_proxy_settings *settings, const char *label,
    char error[EGRESS_ERROR])
{
	static const char *const system_cas[] = { FETCH_SYSTEM_CAS };
	const struct conf_texts none = { 0 };
	const struct tls_settings tls = { .purpose = TLS_UPSTREAM };
	struct trust_sources sources;
	char why[TLS_ERROR];

	trust_rows_fill(&sources, &settings->cas, &none, &none, NULL);
	sources.label = label;
	if (settings->cas.count == 0) {
		sources.ca_files = system_cas;
		sources.ca_count = 1;
	}
	egress->trust = trust_load(&sources, NULL, error, EGRESS_ERROR);
	if (!egress->trust)
		return false;
	egress->tls = tls_config_new(&tls, why);
	if (!egress->tls)
		snprintf(error, EGRESS_ERROR, "%s", why);
	return egress->tls != NULL;
}

static void
take_sources(struct egress *egress, const struct conf_texts *texts)
{
	char error[256];

	for (size_t i = 0; i < texts->count; i++)
		connect_source_add(&egress->source, texts->items[i], error);
}

struct egress *
egress_new(const struct fetch_proxy_settings *settings, const struct conf_texts *sources,
    const char *label, char error[EGRESS_ERROR])
{
	struct egress *egress = calloc(1, sizeof *egress);

	snprintf(error, EGRESS_ERROR, "memory is short");
	if (!egress)
		return NULL;
	egress->references = 1;
	take_sources(egress, sources);
	if (fetch_proxy_load(settings, &egress->proxy, error) &&
	    (!egress->proxy || egress->proxy->kind != FETCH_PROXY_HTTPS ||
		load_trust(egress, settings, label, error)))
		return egress;
	egress_release(egress);
	return NULL;
}

struct egress *
egress_new_direct(const struct egress *from)
{
	struct egress *egress = calloc(1, sizeof *egress);

	if (!egress)
		return NULL;
	egress->references = 1;
	egress->source = from->source;
	return egress;
}

struct egress *
egress_hold(struct egress *egress)
{
	if (egress)
		atomic_fetch_add(&egress->references, 1);
	return egress;
}

void
egress_release(struct egress *egress)
{
	if (!egress || atomic_fetch_sub(&egress->references, 1) != 1)
		return;
	fetch_proxy_free(egress->proxy);
	if (egress->tls)
		tls_config_release(egress->tls);
	if (egress->trust)
		trust_release(egress->trust);
	free(egress);
}

const struct fetch_proxy *
egress_proxy(const struct egress *egress)
{
	return egress ? egress->proxy : NULL;
}

const struct connect_source *
egress_source(const struct egress *egress)
{
	static const struct connect_source none;

	return egress ? &egress->source : &none;
}

bool
egress_equals(const struct egress *a, const struct egress *b)
{
	return fetch_proxy_equals(egress_proxy(a), egress_proxy(b)) &&
	    connect_source_equals(egress_source(a), egress_source(b));
}

/* Whoever carries our bytes sees only what is sealed; but it gets a password. */
static unsigned
judge(void *arg, const char *host, const struct tls_certificate *chain, size_t count,
    char why[PROXY_DIAL_ERROR])
{
	const struct egress *egress = arg;
	struct der ders[VERIFY_CHAIN];
	struct verdict verdict;
	struct identity *identity;

	if (count > VERIFY_CHAIN)
		count = VERIFY_CHAIN;
	for (size_t i = 0; i < count; i++)
		ders[i] = (struct der){ chain[i].data, chain[i].bytes };
	identity =
	    verify_chain(egress->trust, ROLE_SERVER, ders, count, host, clock_wall_s(), &verdict);
	if (!identity) {
		snprintf(why, PROXY_DIAL_ERROR, "%s", verdict.sentence);
		return verdict.alert;
	}
	identity_release(identity);
	return 0;
}

void
egress_fill(struct egress *egress, struct proxy_dial_options *options)
{
	if (!egress)
		return;
	options->source = &egress->source;
	options->proxy = egress->proxy;
	options->tls = egress->tls;
	options->judge = judge;
	options->judge_arg = egress;
}
