/*
 * Why a text that people have written is no server name (RFC 6066, 3), and what to write instead.
 */
#ifndef PKI_NAME_FAULT_H
#define PKI_NAME_FAULT_H

#include <stdbool.h>

enum { NAME_FAULT = 256 };

/* An address is one that no client asks for by name, whatever sni/name.h thinks of its digits. */
bool name_is_address(const char *text);
/* The A-label of what is not ASCII, that an address cannot be one, else `otherwise`: reads after the text. */
void name_fault(const char *text, const char *otherwise, char error[NAME_FAULT]);

#endif
