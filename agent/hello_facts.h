/*
 * What TLS wants to know of a client's hello (tunnel/tls.h), from the reader by which relays route it
 * and the agent judges an `open`: so no second reader can find something else in it.
 */
#ifndef AGENT_HELLO_FACTS_H
#define AGENT_HELLO_FACTS_H

struct clienthello;
struct tls_hello;

/* All but the name, of a complete hello that was read from out->message. */
void hello_facts_fill(struct tls_hello *out, const struct clienthello *);

#endif
