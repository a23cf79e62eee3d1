/* Files of CA certificates to a list, and who stands under which root. */
#include "pki/ca_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/pem.h"
#include "pki/signature.h"
#include "pki/trust_sources.h"

static void
ca_free(struct listed_ca *ca)
{
	if (!ca)
		return;
	if (ca->link.crt)
		gnutls_x509_crt_deinit(ca->link.crt);
	free(ca->der);
	free(ca);
}

void
ca_list_wipe(struct ca_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		ca_free(list->cas[i]);
	free(list->cas);
	free(list->passed_over);
	*list = (struct ca_list){ 0 };
}

static const struct listed_ca *
find(const struct ca_list *list, const uint8_t id[ISSUER_ID], bool is_root)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->cas[i]->is_root == is_root &&
		    memcmp(list->cas[i]->link.issuer.id, id, ISSUER_ID) == 0)
			return list->cas[i];
	return NULL;
}

const struct listed_ca *
ca_list_find_root(const struct ca_list *list, const uint8_t id[ISSUER_ID])
{
	return find(list, id, true);
}

bool
ca_list_has_lowest(const struct ca_list *list, const uint8_t id[ISSUER_ID])
{
	const struct listed_ca *sub = find(list, id, false);
	return sub && !sub->narrowed;
}

const struct passed_over *
ca_list_find_passed_over(const struct ca_list *list, struct der subject)
{
	char text[PASSED_OVER_NAME];
	x509_name_text(subject, text, sizeof text);
	for (size_t i = 0; i < list->passed_over_count; i++)
		if (strcmp(list->passed_over[i].subject, text) == 0)
			return &list->passed_over[i];
	return NULL;
}

bool
ca_list_contains(const struct ca_list *list, struct der whole)
{
	for (size_t i = 0; i < list->count; i++)
		if (der_equal(list->cas[i]->link.facts.whole, whole))
			return true;
	return false;
}

static bool
is_signed_by(const struct x509 *certificate, const struct x509 *issuer)
{
	return signature_verifies(
	    issuer->spki, certificate->algorithm, certificate->signed_part, certificate->signature);
}

static const char no_memory[] = "cannot be read: memory is short", too_many[] = "is one too many";

static const char *
ca_fault(const struct listed_ca *ca)
{
	if (!ca->link.facts.is_ca || !x509_may(&ca->link.facts, USAGE_SIGN_CERTIFICATES))
		return "is not a CA certificate";
	if (ca->link.facts.unknown.bytes > 0)
		return "has a critical extension that is not known here";
	/* An anchor's own signature proves nothing, but shows damage. */
	if (ca->is_root && signature_is_strong(ca->link.facts.algorithm) &&
	    !is_signed_by(&ca->link.facts, &ca->link.facts))
		return "is damaged: its signature is wrong";
	return NULL;
}

/* Memory that is short must not look like an odd root, which would be passed over. */
static const char *
import_fault(gnutls_x509_crt_t *crt, struct der der)
{
	gnutls_datum_t datum = { (unsigned char *)(uintptr_t)der.data, (unsigned)der.bytes };
	int result = gnutls_x509_crt_init(crt);
	if (result >= 0)
		result = gnutls_x509_crt_import(*crt, &datum, GNUTLS_X509_FMT_DER);
	return result == GNUTLS_E_MEMORY_ERROR ? no_memory : result < 0 ? "is malformed" : NULL;
}

static struct listed_ca *
ca_new(struct der der, const char **why)
{
	struct listed_ca *ca = calloc(1, sizeof *ca);
	*why = no_memory;
	if (!ca || !(ca->der = malloc(der.bytes + 1)))
		goto failed;
	memcpy(ca->der, der.data, der.bytes);
	if (!x509_parse(&ca->link.facts, (struct der){ ca->der, der.bytes }, why))
		goto failed;
	*why = import_fault(&ca->link.crt, (struct der){ ca->der, der.bytes });
	if (*why)
		goto failed;
	ca->link.issuer = issuer_of(&ca->link.facts);
	ca->link.ca = ca;
	ca->is_root = x509_names_issuer(&ca->link.facts, &ca->link.facts);
	ca->root = ca->is_root ? ca : NULL;
	*why = ca_fault(ca);
	if (!*why)
		return ca;
failed:
	ca_free(ca);
	return NULL;
}

static const char *
add(struct ca_list *list, struct der der, const char *file)
{
	const char *why;
	if (ca_list_contains(list, der))
		return NULL;
	if (list->count == CA_LIST_MOST)
		return too_many;
	struct listed_ca *ca = ca_new(der, &why);
	if (!ca)
		return why;
	struct listed_ca **more = realloc(list->cas, (list->count + 1) * sizeof *more);
	if (!more) {
		ca_free(ca);
		return no_memory;
	}
	ca->file = file;
	list->cas = more;
	list->cas[list->count++] = ca;
	return NULL;
}

/* Whether it was meant to be a root, and is as it was made. */
static bool
is_whole_root(struct der der)
{
	struct x509 facts;
	const char *ignored;
	x509_parse(&facts, der, &ignored);
	return facts.subject.bytes > 0 && x509_names_issuer(&facts, &facts) &&
	    signature_is_intact(facts.spki, facts.algorithm, facts.signed_part, facts.signature);
}

static const char *
subject_of(struct der der, char *out, size_t out_bytes)
{
	struct x509 facts;
	const char *ignored;
	x509_parse(&facts, der, &ignored);
	if (facts.subject.bytes > 0)
		return x509_name_text(facts.subject, out, out_bytes);
	snprintf(out, out_bytes, "unreadable");
	return out;
}

/* NULL, or why there is no room to note it. */
static const char *
pass_over(struct ca_list *list, struct der der, const char *file, size_t index, const char *why)
{
	if (list->passed_over_count == CA_LIST_MOST)
		return too_many;
	struct passed_over *more =
	    realloc(list->passed_over, (list->passed_over_count + 1) * sizeof *more);
	if (!more)
		return no_memory;
	list->passed_over = more;
	struct passed_over *odd = &more[list->passed_over_count++];
	subject_of(der, odd->subject, sizeof odd->subject);
	snprintf(odd->sentence, sizeof odd->sentence, "%.100s: certificate %zu (%.80s) %s", file,
	    index + 1, odd->subject, why);
	return NULL;
}

static bool
load_file(struct ca_list *list, const char *path, const char *label, char error[CA_LIST_ERROR])
{
	struct pem_file file;
	const char *why = NULL;
	char subject[PASSED_OVER_NAME];
	if (!pem_load(&file, path, PEM_CERTIFICATE, error))
		return false;
	if (file.has_trust_settings) {
		snprintf(error, CA_LIST_ERROR,
		    "%.180s: holds a TRUSTED CERTIFICATE with settings of OpenSSL's about what it is "
		    "trusted for; they are not obeyed here, so write it as `openssl x509 -in FILE` "
		    "does, if it is to be in %.60s",
		    path, label);
		pem_wipe(&file);
		return false;
	}
	for (size_t i = 0; i < file.count && !why; i++) {
		struct der der = pem_block(&file, i);
		why = add(list, der, path);
		if (why && why != no_memory && why != too_many && is_whole_root(der))
			why = pass_over(list, der, path, i, why);
		if (why)
			snprintf(error, CA_LIST_ERROR,
			    "%.180s: certificate %zu (%s) %s; list only CA certificates in %.60s",
			    path, i + 1, subject_of(der, subject, sizeof subject), why, label);
	}
	pem_wipe(&file);
	return !why;
}

/* ---- who stands under which root ---- */

static bool
find_root(struct ca_list *list, struct listed_ca *sub)
{
	for (size_t i = 0; i < list->count && !sub->root; i++) {
		const struct listed_ca *above = list->cas[i];
		if (above->root && x509_names_issuer(&sub->link.facts, &above->link.facts) &&
		    is_signed_by(&sub->link.facts, &above->link.facts)) {
			sub->root = above->root;
			sub->issuer = above;
		}
	}
	return sub->root != NULL;
}

/* Marks every certificate of the CA (same name and key). */
static void
mark_narrowed(struct ca_list *list, const struct listed_ca *above)
{
	for (size_t i = 0; i < list->count; i++)
		if (memcmp(list->cas[i]->link.issuer.id, above->link.issuer.id, ISSUER_ID) == 0)
			list->cas[i]->narrowed = true;
}

/* In rounds, as a sub-CA may stand before its issuer in the files. */
static void
find_roots(struct ca_list *list, bool are_narrowed)
{
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < list->count; i++) {
			struct listed_ca *ca = list->cas[i];
			if (ca->root || !find_root(list, ca))
				continue;
			more = true;
			if (!are_narrowed)
				continue;
			mark_narrowed(list, ca->root);
			mark_narrowed(list, ca->issuer);
		}
	}
}

/* Whether a listed CA is named as the issuer, but without a good signature by it. */
static bool
has_doubtful_issuer(const struct ca_list *list, const struct listed_ca *sub)
{
	for (size_t i = 0; i < list->count; i++)
		if (x509_names_issuer(&sub->link.facts, &list->cas[i]->link.facts) &&
		    !is_signed_by(&sub->link.facts, &list->cas[i]->link.facts))
			return true;
	return false;
}

static bool
all_have_roots(const struct ca_list *list, const char *label, char error[CA_LIST_ERROR])
{
	for (size_t i = 0; i < list->count; i++) {
		const struct listed_ca *ca = list->cas[i];
		if (ca->root)
			continue;
		char subject[100], issuer[100];
		x509_name_text(ca->link.facts.subject, subject, sizeof subject);
		x509_name_text(ca->link.facts.issuer, issuer, sizeof issuer);
		const struct passed_over *odd =
		    ca_list_find_passed_over(list, ca->link.facts.issuer);
		if (odd)
			snprintf(error, CA_LIST_ERROR,
			    "%.300s, and is the root of the sub-CA %s; replace it in %.60s",
			    odd->sentence, subject, label);
		else if (has_doubtful_issuer(list, ca))
			snprintf(error, CA_LIST_ERROR,
			    "%.150s: the sub-CA %s is not signed by %s, or with a "
			    "weak algorithm; replace it in %.60s",
			    ca->file, subject, issuer, label);
		else
			snprintf(error, CA_LIST_ERROR,
			    "%.150s: the sub-CA %s stands there without its root; "
			    "add the certificate of its issuer %s to %.60s",
			    ca->file, subject, issuer, label);
		return false;
	}
	return true;
}

bool
ca_list_load(struct ca_list *list, const struct trust_sources *sources, char error[CA_LIST_ERROR])
{
	*list = (struct ca_list){ 0 };
	for (size_t i = 0; i < sources->ca_count; i++)
		if (!load_file(list, sources->ca_files[i], sources->label, error))
			return false;
	if (list->count == 0 && list->passed_over_count > 0) {
		snprintf(error, CA_LIST_ERROR,
		    "%.300s, and no other CA stands there; add one that can be used to %.60s",
		    list->passed_over[0].sentence, sources->label);
		return false;
	}
	if (list->count == 0) {
		snprintf(error, CA_LIST_ERROR,
		    "%.60s lists no CA certificate; add the file of a root", sources->label);
		return false;
	}
	find_roots(list, !sources->roots_alone);
	return all_have_roots(list, sources->label, error);
}
