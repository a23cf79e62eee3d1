#!/usr/bin/env -S python3 -B
"""An agent in a network that lets nothing out but by a proxy: agent.proxy, and what a relay is called."""
import json
import os

from lib import *
from lib.authority import CONNECT_NAME
from lib.proxies import OwnProxy, microsocks, start_proxy, tinyproxy
from lib.scene import free_port
from lib.upstream import server_context

NAME = "app.example.com"
FAR = "connect.far.invalid"	# only the proxy knows it
USER = "joe:let me out"


def password_of(scene):
	path = f"{scene.dir}/word"
	with open(path, "w") as file:
		file.write(USER.partition(":")[2] + "\n")
	os.chmod(path, 0o600)
	return {"username": USER.partition(":")[0], "password_file": path}


def far(relay):
	return [{"dial": f"{FAR}:{relay.port}", "name": CONNECT_NAME}]


def serve(scene, relay, **keys):
	start = keys.pop("start", True)
	return scene.agent(relay, [passthrough(NAME, scene.tls_upstream(http, NAME), **keys.pop("endpoint", {}))],
		authority().agent("one", NAME), start=start, **keys)


def answers(relay):
	status, out, err = curl(relay.port, NAME, authority().root)
	equal((status, out), (0, b"hello"), err)


def status_of(daemon):
	code, out, err = run(daemon.program, "status", "-c", daemon.config_path)
	equal(code, 0, f"status: {err}")
	return json.loads(out)


def proxies(scene):
	certificate = authority().server("localhost")
	yield "http", scene.keep(OwnProxy(USER)), "127.0.0.1", {}
	yield "socks5", scene.keep(OwnProxy(USER)), "127.0.0.1", {}
	yield "https", scene.keep(OwnProxy(USER, tls=server_context(*certificate))), "localhost", {"cas": authority().cas("server")}


@test_over("http", "socks5", "https")
def sessions_and_channels_go_by_a_proxy(scene, way):
	scheme, proxy, host, keys = next(one for one in proxies(scene) if one[0] == way)
	relay = scene.relay()
	url = f"{scheme}://{host}:{proxy.port}"
	agent = serve(scene, relay, endpoint={"carrier": "handoff"},
		agent={"connect_url": far(relay), "proxy": {"url": url, **password_of(scene), **keys}})
	relay.wait_parked()
	answers(relay)
	check(len(proxy.asked) >= 5, f"a session and its channels: {proxy.asked}")
	equal(set(proxy.asked), {(f"{FAR}:{relay.port}", USER)}, "what the proxy was asked for")
	carrier = relay.wait_event("flow-closed", server_name=NAME)[0]["carrier"]
	equal(carrier, "sealed" if way == "https" else "handoff", "carrier")
	equal([one["proxy"] for one in status_of(agent)["relays"]], [url], "status")
	equal(agent.events("proxy", proxy=url)[0]["relay"], f"{CONNECT_NAME}@{FAR}:{relay.port}", "relay")
	equal(len(agent.events("proxy-password")), 0 if way == "https" else 1, "warnings of a password in clear")
	secret = USER.partition(":")[2]
	check(secret not in agent.log_text() and secret not in json.dumps(status_of(agent)), "the password was told")


@test_over("http", "socks5", "https")
def many_bytes_go_by_a_proxy_both_ways(scene, way):
	scheme, proxy, host, keys = next(one for one in proxies(scene) if one[0] == way)
	relay, data = scene.relay(), os.urandom(4 << 20)
	scene.agent(relay, [passthrough(NAME, scene.tls_upstream(echo, NAME))], authority().agent("one", NAME), agent={
		"connect_url": far(relay), "proxy": {"url": f"{scheme}://{host}:{proxy.port}", **password_of(scene), **keys}})
	with TlsClient(relay.port, NAME, authority().root) as client:
		for at in range(0, len(data), 128 << 10):
			part = data[at:at + (128 << 10)]
			client.sendall(part)
			check(read_exactly(client, len(part)) == part, "what came back differs")


@test
def a_proxy_of_https_is_judged(scene):
	relay, proxy = scene.relay(), scene.keep(OwnProxy(USER, tls=server_context(*authority().server("other.test"))))
	agent = serve(scene, relay, start=False, agent={"connect_url": far(relay),
		"proxy": {"url": f"https://localhost:{proxy.port}", "cas": authority().cas("server"), **password_of(scene)}})
	agent.start()
	line = agent.wait_event("relay-unreachable", code="proxy-failed")[0]
	check(f"the proxy https://localhost:{proxy.port} shows a certificate that is refused" in line["message"], line)
	equal(proxy.asked, [], "what it was told")


@test
def what_a_proxy_says_is_told(scene):
	relay, proxy = scene.relay(), scene.keep(OwnProxy(USER))
	settings = {"connect_url": far(relay), "proxy": f"http://127.0.0.1:{proxy.port}"}
	agent = serve(scene, relay, start=False, agent=settings)
	agent.start()
	line = agent.wait_event("relay-unreachable", code="proxy-failed")[0]
	check(f"the proxy http://127.0.0.1:{proxy.port} wants a user and a password" in line["message"], line)
	settings = agent.settings
	settings["agent"]["proxy"] = {"url": f"http://127.0.0.1:{proxy.port}", **password_of(scene)}
	agent.write(settings)
	agent.reload()
	agent.wait_event("endpoint-up")
	answers(relay)


@test
def a_reload_moves_sessions_to_another_proxy(scene):
	relay, one, two = scene.relay(), scene.keep(OwnProxy()), scene.keep(OwnProxy())
	agent = serve(scene, relay, agent={"connect_url": far(relay), "proxy": f"http://127.0.0.1:{one.port}"})
	equal(two.asked, [], "before")
	agent.settings["agent"]["proxy"] = f"socks5://127.0.0.1:{two.port}"
	agent.write(agent.settings)
	agent.reload()
	agent.wait_event("endpoint-up", count=2)
	one.close()
	answers(relay)
	check(two.asked, "the other proxy was not asked")


@test
def a_relay_may_have_a_proxy_of_its_own(scene):
	near, other, proxy = scene.relay("near"), scene.relay("other"), scene.keep(OwnProxy())
	agent = serve(scene, [near, other], agent={"connect_url": [f"{CONNECT_NAME}:{near.port}",
		{"dial": f"{FAR}:{other.port}", "name": CONNECT_NAME, "proxy": f"socks5://127.0.0.1:{proxy.port}"}]})
	answers(near)
	answers(other)
	equal({target for target, _ in proxy.asked}, {f"{FAR}:{other.port}"}, "what the proxy was asked for")
	equal([one.get("proxy") for one in status_of(agent)["relays"]], [None, f"socks5://127.0.0.1:{proxy.port}"], "status")


@test
def relays_and_proxies_are_dialled_from_a_given_address(scene):
	near, other, proxy = scene.relay("near"), scene.relay("other"), scene.keep(OwnProxy())
	serve(scene, [near, other], agent={"source": "127.0.0.9", "connect_url": [f"{CONNECT_NAME}:{near.port}",
		{"dial": f"{FAR}:{other.port}", "name": CONNECT_NAME, "proxy": f"socks5://127.0.0.1:{proxy.port}"}]})
	near.wait_parked()
	equal(near.wait_event("session-up")[0]["client"].rpartition(":")[0], "127.0.0.9", "where the session comes from")
	equal({name for name, _ in proxy.clients}, {"127.0.0.9"}, "where the proxy is asked from")
	answers(near)


@test
def the_environment_may_name_the_proxy(scene):
	relay, proxy = scene.relay(), scene.keep(OwnProxy(USER))
	agent = serve(scene, relay, start=False, agent={"connect_url": far(relay), "proxy": "environment"})
	agent.environment = {"HTTPS_PROXY": f"http://joe:let%20me%20out@127.0.0.1:{proxy.port}", "NO_PROXY": "localhost"}
	agent.start()
	scene.wait_serving(agent)
	answers(relay)
	equal(set(proxy.asked), {(f"{FAR}:{relay.port}", USER)}, "what the proxy was asked for")
	check("let me out" not in agent.log_text() and "let%20me" not in agent.log_text(), "the password was told")


@test
def one_endpoint_goes_by_a_proxy_from_the_command_line(scene):
	relay, proxy = scene.relay(), scene.keep(OwnProxy(USER))
	words, upstream = password_of(scene), scene.tls_upstream(http, NAME)
	certificate = authority().agent("quick", NAME)
	daemon = scene._add(Daemon("oneshot", [PROGRAMS["agent"], "tls", upstream.url, "--url", f"tls://{NAME}",
		"--relay", f"{CONNECT_NAME}:{relay.port}", "--relay-ca", authority().cas("relay"),
		"--agent-crt", certificate[0], "--agent-key", certificate[1], "--proxy", f"socks5://127.0.0.1:{proxy.port}",
		"--proxy-user", words["username"], "--proxy-password-file", words["password_file"]], scene.dir), False)
	daemon.start(wait_ready=False)
	daemon.wait_text("endpoint-up")
	answers(relay)
	equal(set(proxy.asked), {(f"{CONNECT_NAME}:{relay.port}", USER)}, "what the proxy was asked for")


@test
def a_forward_reaches_its_server_by_a_proxy(scene):
	relay, proxy = scene.relay(), scene.keep(OwnProxy())
	serve_open = [terminate(NAME, scene.upstream(echo), {"mutual_tls_certificate_authorities": [authority().cas("client")],
		"mutual_tls_crls": [authority().crls("client")]})]
	scene.agent(relay, serve_open, authority().agent("one", NAME))
	own, port = authority().client("vendor"), free_port()
	forward = scene._add(Daemon("forward", [PROGRAMS["agent"], "forward", f"127.0.0.1:{port}", f"tls://{NAME}",
		"--address", f"server.far.invalid:{relay.port}", "--crt", own[0], "--key", own[1], "--cas", authority().cas("server"),
		"--proxy", f"http://127.0.0.1:{proxy.port}"], scene.dir), False)
	forward.start()
	with dial(port, b"through all of it") as stream:
		equal(read_exactly(stream, 17), b"through all of it", "echo")
	equal(proxy.asked, [(f"server.far.invalid:{relay.port}", None)], "what the proxy was asked for")


@test_over(tinyproxy, microsocks)
def proxies_that_people_run_do(scene, make):
	relay, port = scene.relay(), free_port()
	start_proxy(scene, make, port, user="joe:letmeout")
	with open(f"{scene.dir}/word", "w") as file:
		file.write("letmeout")
	os.chmod(f"{scene.dir}/word", 0o600)
	scheme = "http" if make is tinyproxy else "socks5"
	serve(scene, relay, agent={"connect_url": [f"{CONNECT_NAME}:{relay.port}"], "proxy": {"url": f"{scheme}://127.0.0.1:{port}",
		"username": "joe", "password_file": f"{scene.dir}/word"}})
	answers(relay)


@test
def a_diagnosis_goes_by_the_proxy(scene):
	relay, proxy = scene.relay(), scene.keep(OwnProxy())
	agent = serve(scene, relay, start=False, agent={"connect_url": far(relay), "proxy": f"http://127.0.0.1:{proxy.port}"})

	def found():
		code, out, err = run(agent.program, "diagnose", "--json", "-c", agent.config_path)
		return [(one["step"], one["result"], one["sentence"]) for one in json.loads(out)["findings"] if one["about"] == "relay"]

	steps = [step for step, result, _ in found() if result == "ok"]
	equal(steps[:4], ["proxy", "tls", "crl", "session"], "steps")
	proxy.refuses_with = "403 Not that way"
	step, result, sentence = found()[0]
	equal((step, result), ("proxy", "failed"), sentence)
	check("403 Not that way" in sentence and f"http://127.0.0.1:{proxy.port}" in sentence, sentence)


@test
def check_says_what_a_proxy_lacks(scene):
	relay = scene.relay(start=False)
	agent = serve(scene, relay, start=False, agent={"connect_url": far(relay),
		"proxy": {"url": "http://127.0.0.1:1", **password_of(scene)}})
	code, out, err = run(agent.program, "check", "-c", agent.config_path)
	equal(code, 0, err)
	check("goes to the proxy in clear" in err, err)
	os.remove(f"{scene.dir}/word")
	code, out, err = run(agent.program, "check", "-c", agent.config_path)
	equal(code, 78, err)
	check(f"{agent.config_path}:" in err and f"{scene.dir}/word" in err, err)


main()
