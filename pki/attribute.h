/*
 * The attributes of a Name (X.501; RFC 5280, 4.1.2.4), for who must know how many of
 * one kind there are and what bytes they have.  The Name is a peer's, so it may be
 * malformed, and its texts may hold anything.
 */
#ifndef PKI_ATTRIBUTE_H
#define PKI_ATTRIBUTE_H

#include <stdbool.h>

#include "pki/der.h"

#define OID_COMMON_NAME "2.5.4.3"
#define OID_ORGANIZATIONAL_UNIT "2.5.4.11"

/* Goes through all attributes of all relative names. */
struct attributes {
	struct cursor rdns, rdn;
};

struct attributes attributes_of(struct der name);

struct attribute {
	struct der oid;
	unsigned tag; /* of its value's type */
	struct der value;
};

/* False behind the last, and where the Name is malformed: attributes_end() tells which. */
bool attributes_next(struct attributes *, struct attribute *out);
bool attributes_end(const struct attributes *);

/* The value's octets, if they are a text that others read as it is meant: a UTF8String,
 * PrintableString or IA5String of UTF-8 without control characters.  Else empty. */
struct der attribute_text(const struct attribute *);
/* The text of the one common name of a Name; empty if there are several, since readers differ on which
 * is meant, or none. */
struct der attribute_common_name(struct der name);
/* Whether the value is this text, octet by octet: a UTF8String, PrintableString or IA5String.  The
 * other types of DirectoryString have other octets for the same characters, and equal nothing. */
bool attribute_is(const struct attribute *, const char *text);

#endif
