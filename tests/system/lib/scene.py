"""What one test plays with: relays, agents and upstreams in a directory of its own."""
import json
import os
import random
import shutil
import socket
import tempfile

from .authority import CONNECT_NAME, authority
from .process import PROGRAMS, Daemon

from .upstream import Upstream, server_context

STORY_LINES = int(os.environ.get("STORY_LINES", "40"))


def free_port():
	"""Below the range that the kernel gives to clients, so that nobody takes it meanwhile."""
	while True:
		port = random.randrange(10000, 32000)
		with socket.socket() as probe:
			try:
				probe.bind(("0.0.0.0", port))
				return port
			except OSError:
				pass


def merged(base, more):
	"""Like base, with the keys of more added or, in mappings, merged."""
	result = dict(base)
	for key, value in more.items():
		both = isinstance(value, dict) and isinstance(result.get(key), dict)
		result[key] = merged(result[key], value) if both else value
	return result


def _url(upstream):
	return upstream.url if isinstance(upstream, Upstream) else upstream


def route(name, upstream, **keys):
	return {"server_name": name, "upstream": merged({"url": _url(upstream)}, keys)}


def passthrough(name, upstream, **keys):
	upstream = upstream if isinstance(upstream, dict) else {"url": _url(upstream)}
	return merged({"name": "sealed-" + name.replace("*", "any"), "url": f"tls://{name}",
		"upstream": upstream}, keys)


def terminate(name, upstream, tls=None, **keys):
	certificate, key = authority().server(name)
	upstream = upstream if isinstance(upstream, dict) else {"url": _url(upstream)}
	return merged({"name": "open-" + name.replace("*", "any"), "url": f"tls://{name}",
		"agent_tls_termination": merged(
			{"server_certificate": certificate, "server_private_key": key}, tls or {}),
		"upstream": upstream}, keys)


class Configured(Daemon):
	"""A daemon with a configuration file, which is written as JSON: YAML reads that."""

	def __init__(self, program, label, directory, settings):
		self.config_path = f"{directory}/{label}.yml"
		self.program = PROGRAMS[program]
		super().__init__(label, [self.program, "run", "-c", self.config_path], directory)
		self.write(settings)

	def write(self, settings):
		self.settings = settings
		self.write_text(json.dumps(settings, indent=1))

	def write_text(self, text):
		"""Replaced as a whole, as an editor or a package manager does."""
		with open(self.config_path + ".new", "w") as file:
			file.write(text)
		os.replace(self.config_path + ".new", self.config_path)


class Scene:
	def __init__(self):
		self.dir = tempfile.mkdtemp(prefix="valise-test.")
		self.daemons, self.upstreams, self.streams, self.last = [], [], [], []

	def upstream(self, serve, **keys):
		upstream = Upstream(serve, **keys)
		self.upstreams.append(upstream)
		return upstream

	def tls_upstream(self, serve, host, **keys):
		return self.upstream(serve, tls=server_context(*authority().server(host), **keys))

	def unix_upstream(self, serve):
		return self.upstream(serve, path=f"{self.dir}/upstream{len(self.upstreams)}.sock")

	def keep(self, stream):
		"""Closed at the end of the test."""
		self.streams.append(stream)
		return stream

	def keep_to_the_end(self, thing):
		"""Closed when everything else has been."""
		self.last.append(thing)

	def _add(self, daemon, start, place=None):
		"""place: of a laboratory (lab.py), where it runs."""
		if place:
			daemon.argv = place.argv(daemon.argv)
		self.daemons.append(daemon)
		return daemon.start() if start else daemon

	def relay(self, label="relay", start=True, port=None, listener=None, place=None, **settings):
		port = port or free_port()
		certificate, key = authority().relay()
		base = {
			"version": 1, "workers": 1,
			"listeners": [merged({"address": f"{place.address if place else '127.0.0.1'}:{port}"}, listener or {})],
			"connect": {
				"server_name": CONNECT_NAME, "certificate": certificate, "private_key": key,
				"agent_cas": [authority().cas("agent")], "agent_crls": [authority().crls("agent")],
			},
			"state_dir": self.state(label),
			"admin": {"socket": f"{self.dir}/{label}.sock"},
			"log": {"level": "debug", "format": "json"},
		}
		daemon = Configured("relay", label, self.dir, merged(base, settings))
		daemon.port = port
		return self._add(daemon, start, place)

	def agent(self, relays, endpoints, certificate, label="agent", start=True, place=None, **settings):
		relays = relays if isinstance(relays, list) else [relays]
		base = {
			"version": 1, "workers": 1,
			"agent": {
				"connect_url": [f"{CONNECT_NAME}:{relay.port}" for relay in relays],
				"connect_cas": authority().cas("relay"), "connect_crls": authority().crls("relay"),
				"certificate": certificate[0], "private_key": certificate[1],
				"state_dir": self.state(label),
			},
			"endpoints": endpoints,
			"log": {"level": "debug", "format": "json"},
		}
		daemon = Configured("agent", label, self.dir, merged(base, settings))
		self._add(daemon, start, place)
		if start:
			self.wait_serving(daemon, len(endpoints) * len(relays))
		return daemon

	def serve(self, ca, name="localhost", label="pki", start=True, **settings):
		"""`valise-pki serve` for the authority in the directory `ca`; .url and .port tell where."""
		port = free_port()
		daemon = Configured("pki", label, self.dir, merged({"version": 1, "authority": str(ca),
			"server_name": [name], "listen": [f"127.0.0.1:{port}"], "url": f"https://{name}:{port}",
			"limits": {"requests_per_identity": 0}, "log": {"level": "debug", "format": "json"}}, settings))
		daemon.argv = [PROGRAMS["pki"], "serve", "--config", daemon.config_path]
		daemon.port, daemon.url = port, f"https://{name}:{port}"
		return self._add(daemon, start)

	def wait_serving(self, agent, count=1, seconds=15):
		agent.wait_event("endpoint-up", seconds, count)

	def state(self, label):
		path = f"{self.dir}/{label}.state"
		os.makedirs(path, mode=0o700, exist_ok=True)
		return path

	def copy_state(self, of, to):
		"""As somebody copies a host: all but sockets, which are nothing without their owners."""
		shutil.copytree(self.state(of), self.state(to), dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))

	def close(self):
		"""Stops everything; what went wrong with it, "" if nothing."""
		for stream in self.streams:
			stream.close()
		trouble = "".join([daemon.stop() for daemon in reversed(self.daemons)])
		for thing in self.upstreams + self.last:
			thing.close()
		return trouble

	def story(self):
		"""The ends of the logs."""
		text = ""
		for daemon in self.daemons:
			if not os.path.exists(daemon.log_path):
				continue
			lines = daemon.log_text().splitlines()
			text += f"-- the last lines of {daemon.label}.log, of {len(lines)}\n"
			text += "\n".join(lines[-STORY_LINES:]) + "\n"
		return text

	def remove(self):
		shutil.rmtree(self.dir, ignore_errors=True)
