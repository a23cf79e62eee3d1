/*
 * The private arcs of Valise, in this one place.  2.25.N needs no registration
 * (X.667, clause 6.4); N is a fixed random number of 62 bits rather than a UUID of
 * 128, because libtasn1 and GnuTLS saturate arcs of 2^63 and above silently.
 */
#ifndef PKI_OID_H
#define PKI_OID_H

#define OID_BASE "2.25.3095706525491951389"
#define OID_AGENT_PURPOSE OID_BASE ".1" /* extended key usage: an agent of a relay */
#define OID_GRANT OID_BASE ".2"         /* extension: what the agent may do, pki/grant.asn */

#define OID_SERVER_AUTH "1.3.6.1.5.5.7.3.1"
#define OID_CLIENT_AUTH "1.3.6.1.5.5.7.3.2"

#endif
