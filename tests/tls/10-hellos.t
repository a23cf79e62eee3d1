#!/usr/bin/env -S python3 -B
"""What unusual hellos are answered with: by a bare GnuTLS server, and by an endpoint with the same priorities behind a relay.

Where the two differ, valise(7) says why.
"""
import ssl

from wire import *

SOME = b"\0" * 32


def cases():
	"""(What, the hello, the bare library's answer, ours): the number of an alert, 0 for a handshake that goes on."""
	tls13, tls12 = Hello(hello(NAME)), Hello(hello(NAME, version=ssl.TLSVersion.TLSv1_2))
	own = names((0, NAME.encode()))
	good = tls13.extensions[KEY_SHARE][2:]
	yield from (
		("TLS 1.3 as it should be", tls13.changed(), 0, 0),
		("TLS 1.2 as it should be", tls12.changed(), 0, 0),
	)
	for both, word in ((tls13, "1.3"), (tls12, "1.2")):
		yield from (
			(f"{word}: another type of name before ours", both.changed(SERVER_NAME, names((9, b"xyz"), (0, NAME.encode()))), 0, 0),
			(f"{word}: another type of name behind ours", both.changed(SERVER_NAME, names((0, NAME.encode()), (9, b"xyz"))), 0, 0),
			(f"{word}: two types of names before ours", both.changed(SERVER_NAME, names((1, b"x"), (255, b"y"), (0, NAME.encode()))), 0, 0),
			(f"{word}: only another type of name", both.changed(SERVER_NAME, names((9, b"xyz"))), 0, 112),
			(f"{word}: a renegotiation, as if it were not the first hello", both.changed(RENEGOTIATION_INFO, b"\1x"), 40, 40),
			(f"{word}: a renegotiation info of a wrong length", both.changed(RENEGOTIATION_INFO, b"\5x"), 50, 50),
			(f"{word}: a renegotiation info without its length", both.changed(RENEGOTIATION_INFO, b""), 50, 50),
			(f"{word}: records of at most 63 bytes", both.changed(RECORD_SIZE_LIMIT, b"\0\x3f"), 47, 47),
			(f"{word}: records of at most 64 bytes", both.changed(RECORD_SIZE_LIMIT, b"\0\x40"), 0, 0),
			(f"{word}: records of at most no bytes", both.changed(RECORD_SIZE_LIMIT, b"\0\0"), 47, 47),
			(f"{word}: a limit of one byte", both.changed(RECORD_SIZE_LIMIT, b"\x40"), 50, 50),
			(f"{word}: version 0.3", both.changed(version=b"\0\3"), 70, 70),
			(f"{word}: version 2.3", both.changed(version=b"\2\3"), 70, 70),
			(f"{word}: version 4.3", both.changed(version=b"\4\3"), 0, 0),
			(f"{word}: version 254.253", both.changed(version=b"\xfe\xfd"), 0, 0),
			(f"{word}: version 3.9", both.changed(version=b"\3\x09"), 0, 0),
		)
	yield from (
		("1.2: bytes behind the renegotiation info", tls12.changed(RENEGOTIATION_INFO, b"\0x"), 0, 50),
		("1.2: version 3.0", tls12.changed(version=b"\3\0"), 70, 70),
		("a share of x25519 without a key", tls13.changed(KEY_SHARE, shares((X25519, b""))), 47, 47),
		("the same before a good one", tls13.changed(KEY_SHARE, vector(u16(X25519) + b"\0\0" + good)), 47, 47),
		("a share of x25519 of three bytes", tls13.changed(KEY_SHARE, shares((X25519, b"abc"))), 47, 47),
		("a share of P-256 without a key", tls13.changed(KEY_SHARE, shares((P256, b""))), 0, 50),
		("a share of an unknown group without a key", tls13.changed(KEY_SHARE, vector(u16(0x0a0a) + b"\0\0" + good)), 0, 50),
		("no shares at all", tls13.changed(KEY_SHARE, vector(b"")), 0, 0),
		("shares that are cut off", tls13.changed(KEY_SHARE, vector(good)[:-1]), 50, 50),
		("the name twice", tls13.changed(SERVER_NAME, vector(own[2:] * 2)), 0, 47),
	)


def answers_are_those(port, which, column, whose):
	wrong = [f"{what}: {got}, wanted {case[column]}" for what, *case in which if (got := answer_to(port, case[0])) != case[column]]
	equal(wrong, [], whose)


@test
def hellos_are_answered_as_the_table_says(scene):
	which = list(cases())
	bare = BareServer(scene)
	relay = scene.relay()
	scene.agent(relay, [terminate(NAME, scene.upstream(http))], authority().agent("agent", NAME))
	answers_are_those(bare.port, which, 1, "GnuTLS alone")
	answers_are_those(relay.port, which, 2, "an endpoint behind a relay")


@test
def a_client_by_hand_is_served(scene):
	relay = scene.relay()
	scene.agent(relay, [terminate(NAME, scene.upstream(http))], authority().agent("agent", NAME))
	with Client(relay.port) as client:
		client.send(APPLICATION, b"GET / HTTP/1.0\r\n\r\n")
		said = b""
		while b"hello" not in said:
			kind, data = client.receive()
			equal(kind, APPLICATION)
			said += data


@test
def after_a_valid_hello_nobody_says_that_it_was_no_tls(scene):
	relay = scene.relay()
	agent = scene.agent(relay, [terminate(NAME, scene.upstream(http))], authority().agent("agent", NAME))
	for number, behind in enumerate((record(APPLICATION, SOME), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", record(99, SOME)), 1):
		with dial(relay.port, hello(NAME, version=ssl.TLSVersion.TLSv1_2)) as client:
			read_exactly(client, 5)
			client.sendall(behind)
			closed = agent.wait_event("flow-closed", count=number)[-1]
		equal(closed["reason"], "client-handshake-failed")
		check("does not speak TLS" not in closed["message"], closed["message"])


main()
