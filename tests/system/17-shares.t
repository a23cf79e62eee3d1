#!/usr/bin/env -S python3 -B
"""Fair shares under pressure: whoever is alone may have everything, and who comes from elsewhere gets in."""
import time

from lib import *

NAME = "app.example.com"
HEAVY, NEIGHBOUR, OTHER = "127.1.2.3", "127.1.2.4", "127.9.8.7"
WIRE = hello(NAME)


def relay_with_echo(scene, limits, workers=2, **settings):
	"""With two workers, so that who must leave is often another's."""
	return scene.relay(routes=[route(NAME, scene.upstream(echo))], limits=limits, workers=workers, **settings)


def flow(scene, relay, source=None, header=b""):
	"""A joined one."""
	client = scene.keep(dial(relay.port, header + WIRE, source=source))
	equal(read_exactly(client, len(WIRE)), WIRE, f"a flow from {source or header}")
	return client


def lives(client):
	client.sendall(b"ping")
	return read_exactly(client, 4) == b"ping"


def refused(relay, source=None, header=b""):
	with dial(relay.port, header + WIRE, source=source) as client:
		equal(alert_of(client), 80, f"the alert for {source or header}")


@test
def one_address_may_have_all_flows_until_another_comes(scene):
	upstream = scene.tls_upstream(http, NAME)
	relay = scene.relay(routes=[route(NAME, upstream), route("echo.example.com", scene.upstream(echo))],
		limits={"flows": 20})
	wire = hello("echo.example.com")
	heavy = []
	for _ in range(20):
		heavy.append(scene.keep(dial(relay.port, wire, source=HEAVY)))
		equal(read_exactly(heavy[-1], len(wire)), wire)
	with dial(relay.port, wire, source=HEAVY) as client:
		equal(alert_of(client), 80)
	relay.wait_event("flow-refused")
	status, out, err = curl(relay.port, NAME, authority().root, "--interface", OTHER)
	equal((status, out), (0, b"hello"), f"curl from elsewhere: {err}")
	equal(closed_how(heavy[-1]), "reset", "the newest flow of the heaviest")
	check(all(map(lives, heavy[:-1])), "its other flows live")
	closed = relay.wait_event("flow-closed", reason="displaced")
	equal(len(closed), 1, "lines of a displaced flow")
	check("most flows" in closed[0]["message"] and closed[0]["client"].startswith(HEAVY), f"{closed[0]}")
	refusals = relay.events("flow-refused", code="over-limit")
	check(len(refusals) == 1 and "limits.flows is reached" in refusals[0]["error"], f"{refusals}")


@test
def a_network_counts_as_one(scene):
	relay = relay_with_echo(scene, {"flows": 20})
	for i in range(1, 21):
		flow(scene, relay, f"127.1.2.{i}")
	refused(relay, "127.1.2.99")
	others = [flow(scene, relay, OTHER) for _ in range(10)]
	refused(relay, OTHER)
	check(all(map(lives, others)), "the others live")
	relay.wait_event("flow-closed", count=10, reason="displaced")


@test
def twenty_64_of_one_48_count_as_one(scene):
	relay = relay_with_echo(scene, {"flows": 40}, listener={"trusted_proxies": ["127.0.0.0/8"]})
	header = "PROXY TCP6 2001:db8:{}::1 2001:db8::2 1000 443\r\n".format
	for i in range(40):
		flow(scene, relay, header=header(f"1:{i % 20:x}").encode())
	honest = [flow(scene, relay, header=header("2:0").encode()) for _ in range(20)]
	refused(relay, header=header("2:0").encode())
	refused(relay, header=header("1:77").encode())
	check(all(map(lives, honest)), "the honest live")
	relay.wait_event("flow-closed", count=20, reason="displaced")


@test
def the_neighbour_of_who_floods_is_served(scene):
	relay = relay_with_echo(scene, {"flows": 20})
	heavy = [flow(scene, relay, HEAVY) for _ in range(20)]
	neighbour = flow(scene, relay, NEIGHBOUR)
	equal(closed_how(heavy[-1]), "reset")
	other = flow(scene, relay, OTHER)
	equal(closed_how(heavy[-2]), "reset")
	refused(relay, HEAVY)
	check(lives(neighbour) and lives(other) and all(map(lives, heavy[:-2])), "all others live")


@test
def a_wall_for_each_client_is_off_unless_somebody_wants_it(scene):
	relay = relay_with_echo(scene, {"flows_per_client": 3})
	for _ in range(3):
		flow(scene, relay, HEAVY)
	refused(relay, HEAVY)
	refusal = relay.wait_event("flow-refused")[0]
	equal(refusal["error"], "limits.flows_per_client is reached")
	flow(scene, relay, NEIGHBOUR)
	status, out, err = run(relay.program, "check", "-c", relay.config_path)
	for line in ("limits.flows_per_client: 3", "limits.hellos_per_client: off"):
		check(line in out.decode().splitlines(), f"{line}: {out}")
	relay.write(dict(relay.settings, limits={"flows": 7}))
	relay.reload()
	relay.wait_event("reloaded")
	for _ in range(3):
		flow(scene, relay, HEAVY)
	refused(relay, HEAVY)
	equal(relay.wait_event("flow-refused", count=2)[1]["error"][:24], "limits.flows is reached,")


def open_ones(clients):
	"""How many of them have not heard anything."""
	count = 0
	for client in clients:
		client.settimeout(0.01)
		try:
			client.recv(1)
		except TimeoutError:
			count += 1
	return count


@test
def hellos_in_progress_are_shared(scene):
	relay = relay_with_echo(scene, {"hellos": 20, "hello_timeout": "20s"}, workers=1)
	slow = [scene.keep(dial(relay.port, WIRE[:9], source=HEAVY)) for _ in range(20)]
	time.sleep(0.2)
	equal(open_ones(slow), 20, "one address alone")
	honest = [scene.keep(dial(relay.port, WIRE[:9], source=OTHER)) for _ in range(9)]
	until(lambda: open_ones(slow) == 11, what="nine of the flood are refused")
	equal(open_ones(slow[:9]), 0, "the oldest of them")
	for client in honest:
		client.sendall(WIRE[9:])
		client.settimeout(15)
		equal(read_exactly(client, len(WIRE)), WIRE)


@test
def connections_whose_proxy_header_has_not_come_count_as_hellos(scene):
	header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n"
	relay = relay_with_echo(scene, {"hellos": 20, "hello_timeout": "60s"}, workers=1,
		listener={"trusted_proxies": ["127.1.0.0/16"]})
	late = [scene.keep(dial(relay.port, header[:i % 2 * 9], source=HEAVY)) for i in range(30)]
	until(lambda: open_ones(late) <= 20, what="what is more than 20 is refused")
	equal(open_ones(late[-20:]), 20, "the newest of them")
	honest = scene.keep(dial(relay.port, header + WIRE[:9], source=NEIGHBOUR))
	until(lambda: open_ones(late) <= 19, what="one makes room for a hello")
	for client in (late[-2], late[-4]):
		client.sendall(header + WIRE)
	late[-1].sendall(header[9:] + WIRE)
	honest.sendall(WIRE[9:])
	for client in (honest, late[-1], late[-2], late[-4]):
		client.settimeout(15)
		equal(read_exactly(client, len(WIRE)), WIRE)


def large_half_hello(bytes_sent):
	"""What has come of a hello that says it has 16 KB."""
	head = WIRE[:3] + b"\x3f\xff" + WIRE[5:6] + b"\x00\x3f\xf0" + WIRE[9:]
	return head + bytes(bytes_sent - len(head))


@test
def the_memory_of_hellos_in_progress_is_shared(scene):
	"""By who has most of it, and not by who has most hellos."""
	relay = relay_with_echo(scene, {"hello_memory": "1MiB", "hello_timeout": "60s"}, workers=1)
	many = [scene.keep(dial(relay.port, WIRE[:9], source=OTHER)) for _ in range(100)]
	large = large_half_hello(14000)
	few = [scene.keep(dial(relay.port, large, source=HEAVY)) for _ in range(90)]
	until(lambda: open_ones(few) < 80, what="what is more than 1 MiB is refused")
	equal(open_ones(few[-60:]), 60, "the newest of the few that are large")
	equal(open_ones(many), 100, "the many that are small")
	check("limits.hello_memory" in relay.events("hello-refused")[0]["message"], "the line names the limit")
	for client in (many[0], many[-1]):
		client.sendall(WIRE[9:])
		client.settimeout(15)
		equal(read_exactly(client, len(WIRE)), WIRE)


def padded(bytes_more):
	"""The hello with an extension that nobody knows, in records of one octet."""
	message = bytearray(WIRE[5:])
	at = 4 + 2 + 32
	at += 1 + message[at]	# session id
	at += 2 + int.from_bytes(message[at:at + 2], "big")	# cipher suites
	at += 1 + message[at]	# compression methods
	for where, size in ((1, 3), (at, 2)):
		length = int.from_bytes(message[where:where + size], "big") + 4 + bytes_more
		message[where:where + size] = length.to_bytes(size, "big")
	message += b"\xfa\xfa" + bytes_more.to_bytes(2, "big") + bytes(bytes_more)
	return records(WIRE[:5] + message, 1)


def relay_whose_agent_sleeps(scene):
	relay = scene.relay(limits={"hello_memory": "1MiB"})
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME))
	flow(scene, relay, OTHER)
	agent.freeze()
	return relay, agent


def only_the_newest_are_left(relay, heavy, most):
	"""Of those who hold most of what is shared."""
	until(lambda: open_ones(heavy) <= most, 4, "what is more than 1 MiB is refused")
	equal(open_ones(heavy[-most + 2:]), most - 2, "the newest of them")
	check("limits.hello_memory" in relay.wait_event("flow-refused", code="over-limit")[0]["error"], "the line names the limit")
	heavy[-1].settimeout(15)


@test
def the_memory_of_hellos_on_their_way_is_shared(scene):
	relay, agent = relay_whose_agent_sleeps(scene)
	wire = padded(14000)
	few = [scene.keep(dial(relay.port, WIRE, source=OTHER)) for _ in range(20)]
	heavy = [scene.keep(dial(relay.port, wire, source=HEAVY)) for _ in range(30)]
	only_the_newest_are_left(relay, heavy, (1 << 20) // len(wire))
	agent.thaw()
	for client in few:
		equal(read_exactly(client, len(WIRE)), WIRE)
	heavy[-1].settimeout(15)
	equal(read_exactly(heavy[-1], len(wire)), wire)


@test
def what_the_kernel_takes_behind_a_hello_counts(scene):
	relay, agent = relay_whose_agent_sleeps(scene)
	behind = WIRE + bytes(16385)
	heavy = []
	for _ in range(30):
		heavy.append(scene.keep(relay.wait_hello(lambda: dial(relay.port, behind[:9], source=HEAVY))))
		heavy[-1].sendall(behind[9:])
	only_the_newest_are_left(relay, heavy, 1 + (1 << 20) // (16384 + int(open("/proc/sys/net/ipv4/tcp_rmem").read().split()[1])))
	agent.thaw()
	heavy[-1].settimeout(15)
	equal(read_exactly(heavy[-1], len(behind)), behind)


def may_talk_on(client):
	"""Whether what it sends is still taken, so that no reset destroys its alert."""
	try:
		for _ in range(3):
			client.sendall(b"more")
			time.sleep(0.05)
	except OSError:
		return False
	return True


@test
def refusals_that_linger_are_bounded_and_shared(scene):
	relay = relay_with_echo(scene, {"hellos": 64})
	flow(scene, relay, OTHER)
	before = relay.descriptors()
	unknown = hello("unknown.example.com")
	flood = [scene.keep(dial(relay.port, unknown, source=HEAVY)) for _ in range(300)]
	until(lambda: relay.descriptors() - before <= 64 // 4 + 1 + 3, 0.5, "300 refused clients do not close")
	with dial(relay.port, unknown, source=OTHER) as client:
		equal(alert_of(client), 112)
		check(may_talk_on(client), "who comes from elsewhere has its time")
	check(not may_talk_on(flood[0]), "the oldest of the flood was closed")
	flow(scene, relay, OTHER)


@test
def who_waits_for_a_channel_has_its_turn(scene):
	relay = scene.relay(pool={"least": 4, "most": 16})
	agent = scene.agent(relay, [passthrough(NAME, scene.upstream(echo))], authority().agent("agent", NAME))
	flow(scene, relay, OTHER)
	agent.freeze()
	heavy = [scene.keep(dial(relay.port, WIRE, source=HEAVY)) for _ in range(100)]
	taking = lambda: len(relay.events("move", machine="flow", to="taking"))
	until(lambda: taking() == 101, what="all of them wait")
	honest = scene.keep(dial(relay.port, WIRE, source=OTHER))
	until(lambda: taking() == 102, what="so does the honest one")
	agent.thaw()
	equal(read_exactly(honest, len(WIRE)), WIRE, "the honest one")
	for client in heavy:
		equal(read_exactly(client, len(WIRE)), WIRE, "one of the hundred")
	for client in heavy + [honest]:
		client.close()
	relay.wait_event("flow-closed", count=101)
	order = [event["flow"] for event in relay.events("move", machine="flow", to="joined")]
	mine = [event["flow"] for event in relay.events("flow-closed") if event["client"].startswith(OTHER)]
	place = order.index(mine[0]) - 1
	check(place <= 16 + 2, f"{place} of the hundred were joined before the honest one")


main()
