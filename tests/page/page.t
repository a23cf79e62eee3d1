#!/usr/bin/env -S python3 -B
"""The page in a browser: what it looks like, whether it lives, and what it bears.  `make page-check` runs it."""
import os
import resource
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))

from playwright.sync_api import sync_playwright

from lib import *
from lib.scene import free_port
from lib.session import Session
from lib.tap import Failed
from lib.upstream import server_context

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath("build/page")
LOOK = open(f"{HERE}/look.js").read()
PHONE, TABLET, DESK = (360, 780), (768, 1000), (1440, 900)
WATCH = """window.shifts = []; new PerformanceObserver(list => { for (const entry of list.getEntries())
	/* A number that grows in its place is not a part that moves. */
	if (!entry.hadRecentInput && entry.sources.some(s => s.node && s.node.nodeType === Node.ELEMENT_NODE))
		window.shifts.push(entry.value.toFixed(4) + " " +
			entry.sources.map(s => s.node && (s.node.id || s.node.className || s.node.nodeName)).join(", "));
	}).observe({ type: "layout-shift", buffered: true });"""
MARKUP = "<img src=x onerror=alert(1)>"

driver = browser = None


def the_browser():
	global driver, browser
	if not browser:
		driver = sync_playwright().start()
		browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
	return browser


class Page:
	"""One page in a window of its own; complaints of the browser are failures."""

	def __init__(self, scene, port, size=DESK, scheme="light"):
		self.complaints = []
		self.context = the_browser().new_context(viewport=dict(zip(("width", "height"), size)), color_scheme=scheme)
		self.page = self.context.new_page()
		self.page.add_init_script(WATCH)
		self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
		self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
		self.page.on("dialog", lambda dialog: (self.complaints.append("a dialog"), dialog.dismiss()))
		scene.keep(self)
		self.page.goto(f"http://127.0.0.1:{port}/", wait_until="domcontentloaded")
		self.page.wait_for_selector("#main:not([hidden])", timeout=20000)

	def close(self):
		self.context.close()

	def text(self, selector):
		return self.page.inner_text(selector)

	def wait(self, claim, what):
		"""Until this is true in the page, whose policy lets it not be asked from inside."""
		try:
			until(lambda: self.page.evaluate(claim))
		except Failed as error:
			raise Failed(f"{what}: {error}; the page says: {self.text('body')[:2000]}") from error

	def looks_right(self):
		equal(self.page.evaluate(LOOK), [], "what is wrong with the page")
		equal(self.complaints, [], "what the browser complains about")

	def picture(self, name):
		os.makedirs(OUT, exist_ok=True)
		self.page.screenshot(path=f"{OUT}/{name}.png", full_page=True)


def served(program, **keys):
	"""Settings under which the daemon has a page, and its port."""
	port = free_port()
	return port, {"admin": {"http": f"127.0.0.1:{port}"}, **keys}


def busy(scene):
	"""A relay and an agent with all that a page can show: (relay, its page, the agent's page)."""
	echoing = scene.upstream(echo)
	gone = free_port()
	relay_port, settings = served("relay")
	relay = scene.relay(**settings, routes=[
		route("static.example", echoing, health={"check": "tcp", "interval": "1s"}),
		route("*.legacy.example", f"tcp://127.0.0.1:{gone}", health={"check": "tcp", "interval": "1s"})])
	agent_port, settings = served("agent")
	agent = scene.agent(relay, [
		terminate("api.example", echoing),
		passthrough("shop.example", scene.tls_upstream(echo, "shop.example")),
		terminate("*.apps.example", {"url": [f"tcp://127.0.0.1:{echoing.port}", f"tcp://127.0.0.1:{gone}"],
			"health": {"check": "tcp", "interval": "1s"}}),
	], authority().agent("warehouse-berlin", "api.example", "shop.example", "*.apps.example"), **settings,
		probe={"interval": "1s", "address": f"127.0.0.1:{relay.port}"})
	for name in ("nobody.example", "old.example"):
		alert_of(scene.keep(dial(relay.port, hello(name))))
	return relay, relay_port, agent_port


def flow(scene, relay, name="static.example"):
	client = TlsClient(relay.port, name, authority().root) if name != "static.example" else dial(relay.port, hello(name))
	scene.keep(client)
	client.sendall(b"x" * 1000)
	return client


@test_over(*[(size, scheme) for size in (PHONE, DESK) for scheme in ("light", "dark")], (TABLET, "light"))
def fits_and_can_be_read(scene, way):
	size, scheme = way
	relay, relay_port, agent_port = busy(scene)
	pages = Page(scene, relay_port, size, scheme), Page(scene, agent_port, size, scheme)
	pages[1].wait("document.body.innerText.includes('Our key answered')", "the probe's result")
	for _ in range(20):
		flow(scene, relay)
		flow(scene, relay, "api.example")
	pages[0].wait("document.querySelector('.tile .value').innerText === '40'", "forty flows")
	for page, label in zip(pages, ("relay", "agent")):
		page.page.wait_for_timeout(2500)	# two more views, in which nothing may move
		page.picture(f"{label}-{size[0]}-{scheme}")
		page.looks_right()


@test
def says_of_each_endpoint_that_the_relay_has_no_key_and_how_that_is_known(scene):
	relay, relay_port, agent_port = busy(scene)
	page, of_relay = Page(scene, agent_port), Page(scene, relay_port)
	page.wait("document.body.innerText.includes('Our key answered')", "the probe's result")
	text = page.text("#left")
	check(text.count("The relay holds no key of this endpoint") == 3, text)
	check(f"from 127.0.0.1:{relay.port}" in text, f"the address that answered: {text}")
	check("This relay holds no key of these names" in of_relay.text("#left"), of_relay.text("#left"))


@test
def names_another_key_loudly(scene):
	stranger = Authority()
	other = scene.upstream(http, tls=server_context(*stranger.server("api.example")))
	port, settings = served("agent")
	agent = scene.agent(scene.relay(), [terminate("api.example", scene.upstream(http))], authority().agent("api", "api.example"),
		**settings, probe={"interval": "1s", "address": f"127.0.0.1:{other.port}"})
	agent.wait_event("probe-mismatch")
	page = Page(scene, port)
	page.wait("document.querySelector('#verdict').className === 'error'", "an error")
	check("another key than ours answers for api.example" in page.text("#attention"), page.text("#attention"))
	check("The relay holds no key" not in page.text("#left"), page.text("#left"))
	page.looks_right()


@test
def lives_pauses_and_comes_back(scene):
	relay, relay_port, _ = busy(scene)
	page = Page(scene, relay_port)
	number = "document.querySelector('.tile .value').innerText"
	flow(scene, relay)
	page.wait(f"{number} === '1'", "one flow")
	page.page.keyboard.press("p")
	equal(page.text("#live-text"), "Paused", "what is said")
	flow(scene, relay)
	page.page.wait_for_timeout(2500)
	equal(page.page.evaluate(number), "1", "flows while it is paused")
	page.page.keyboard.press("p")
	page.wait(f"{number} === '2'", "two flows")
	relay.freeze()
	page.wait("document.body.className === 'lost'", "that the relay is silent")
	relay.thaw()
	page.wait("document.body.className === 'live'", "that it is back")
	equal(page.complaints, [], "what the browser complains about")


@test
def is_used_by_keyboard_alone(scene):
	relay, relay_port, _ = busy(scene)
	page = Page(scene, relay_port, PHONE)
	page.wait("document.querySelectorAll('#left tbody tr').length >= 5", "five names")
	page.page.keyboard.press("/")
	equal(page.page.evaluate("document.activeElement.getAttribute('aria-label')"), "Filter agents", "who has the focus")
	page.page.keyboard.type("nobody at all")
	check("Nothing here has that in it" in page.text("#left"), page.text("#left"))
	page.page.keyboard.press("Escape")
	check("warehouse-berlin" in page.text("#left"), page.text("#left"))
	reached = set()
	for _ in range(60):
		page.page.keyboard.press("Tab")
		reached.add(page.page.evaluate("(at => at.id || at.getAttribute('aria-labelledby') || at.textContent)(document.activeElement)"))
	for part in ("pause", "attention", "panel-agents", "panel-names", "panel-last-events", "panel-limits", "Agent", "Flows"):
		check(part in reached, f"{part} is not reached by Tab: {reached}")
	names = page.page.locator("[aria-labelledby=panel-names] thead button", has_text="Name")
	names.focus()
	page.page.keyboard.press("Enter")
	equal(names.locator("..").get_attribute("aria-sort"), "ascending", "the order")
	page.looks_right()


@test
def shows_hostile_names_as_what_they_are(scene):
	port, settings = served("relay")
	relay = scene.relay(**settings)
	session = scene.keep(Session(relay, authority().agent("evil", "evil.example")))
	session.up(software=MARKUP)
	equal(session.announce(1, "evil.example"), 0, "the announcement")
	page = Page(scene, port)
	page.wait(f"document.querySelector('#below').innerText.includes({MARKUP!r})", "its software as text")
	equal(page.page.evaluate("document.images.length"), 0, "images")
	page.looks_right()


def hold_sessions(scene, relay, count):
	"""So many agents, each with a name of its own; they answer pings to the end."""
	certificate = authority().agent("many", "*.many.example")

	def answer(session):
		try:
			while session.next():
				pass
		except OSError:
			pass
	for i in range(count):
		session = scene.keep(Session(relay, certificate))
		session.up()
		equal(session.announce(1, f"n{i}.many.example"), 0, f"announcement {i}")
		session.stream.settimeout(None)	# pings are far apart
		threading.Thread(target=answer, args=(session,), daemon=True).start()


def raise_limit():
	"""For twenty thousand connections; who may not has as many as he may. The new hard limit."""
	try:
		resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
	except ValueError:
		hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
		resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
	return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def hold_flows(scene, relay, name, count):
	wire = hello(name)
	for i in range(count):
		scene.keep(dial(relay.port, wire, source=f"127.0.{1 + i % 50}.1"))


@test_over(PHONE, DESK)
def bears_ten_thousand_flows_and_a_thousand_sessions(scene, size):
	most_files = raise_limit()
	accepted = []
	listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
	scene.keep(listener)

	def accept():
		try:
			while True:
				accepted.append(listener.accept()[0])
		except OSError:
			pass
	threading.Thread(target=accept, daemon=True).start()
	port, settings = served("relay", workers=2, log={"level": "info"})
	relay = scene.relay(start=False, **settings, routes=[route("static.example", f"tcp://127.0.0.1:{listener.getsockname()[1]}")],
		limits={"sessions_per_identity": 2000})
	relay.most_files = most_files
	relay.start()
	hold_sessions(scene, relay, 1000)
	count = min(10000, relay.events("relay-up")[0]["flows"])
	hold_flows(scene, relay, "static.example", count)
	print(f"# {count} flows, as this machine's descriptors allow")
	until(lambda: len(accepted) == count, 60, "all flows at the upstream")
	page = Page(scene, port, size)
	page.wait(f"document.querySelector('.tile .value').innerText.replace(/\\D/g, '') === '{count}'", "all flows")
	page.wait("document.querySelector('[aria-labelledby=panel-agents] .count').innerText.replace(/\\D/g, '') === '1000'", "a thousand agents")
	page.page.wait_for_timeout(3000)
	page.looks_right()
	page.page.locator(".panel .more").first.click()
	page.wait("document.querySelectorAll('[aria-labelledby=panel-agents] tbody tr').length === 1000", "all of them as rows")
	page.picture(f"many-{size[0]}")
	page.looks_right()
	for stream in accepted:
		stream.close()


try:
	main()
finally:
	if driver:
		driver.stop()
