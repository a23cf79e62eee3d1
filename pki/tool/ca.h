/*
 * The certificate authorities of the inventory, as plain values.
 */
#ifndef PKI_TOOL_CA_H
#define PKI_TOOL_CA_H

#include <stdint.h>

#include "pki/tool/store.h"

enum { CA_NAME = 72, CA_ROLE = 16, KEY_PLACE = 1024 };

struct ca {
	int64_t id, parent;                /* the root is its own parent */
	char name[CA_NAME], role[CA_ROLE]; /* role: "root" or a profile's */
	/* a file in the directory, or a pkcs11: URI; empty: its owner has it (sub --csr) */
	char key[KEY_PLACE];
	int64_t crl_number, crl_this, crl_next, crl_seconds;
};

/* One that must be there; the sentence names those that are. */
int ca_find(struct store *, const char *name, struct ca *);
int ca_by_id(struct store *, int64_t id, struct ca *);
/* Sets id. */
int ca_add(struct store *, struct ca *);
int ca_each(struct store *, int (*each)(void *arg, const struct ca *), void *arg);

#endif
