/*
 * What tests of channels share: both ends' TLS with the key of one session.
 */
#ifndef TESTS_TUNNEL_CHANNEL_TLS_H
#define TESTS_TUNNEL_CHANNEL_TLS_H

#include "tunnel/looped.h"

static const char identity[] = "v1.00112233445566778899aabbccddeeff";
static const char key_text[] = "an example of thirty-two bytes!";
static struct tls_config *relays, *agents;

static bool
find_key(void *arg, const char *wanted, struct secret *key)
{
	(void)arg;
	return strcmp(wanted, identity) == 0 && secret_init(key, key_text, 32);
}

static struct tls *
relays_tls(int fd)
{
	return tls_server(relays, stream_socket(fd), NULL);
}

static struct tls *
agents_tls(int fd)
{
	struct secret key = { 0 };
	struct tls *tls = tls_client(agents, stream_socket(fd), "relay.test", NULL);
	assert_true(secret_init(&key, key_text, 32));
	assert_true(tls_set_key(tls, identity, &key));
	secret_wipe(&key);
	return tls;
}

static int
set_up_channels(void **state)
{
	char error[TLS_ERROR];
	const struct tls_settings settings = { .purpose = TLS_CHANNEL_RELAY, .find_key = find_key };
	if (set_up(state) != 0)
		return -1;
	relays = tls_config_new(&settings, error);
	agents = config_for(TLS_CHANNEL_AGENT);
	return relays ? 0 : -1;
}

static int
tear_down_channels(void **state)
{
	tls_config_release(relays);
	tls_config_release(agents);
	return tear_down(state);
}

#endif
