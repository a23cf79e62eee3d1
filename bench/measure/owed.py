"""What Valise promises of these figures, each against the others of the same run."""
from .peers import OWN

HANDOFF, ADORNED, BOUND, PAIR = "valise handoff", "valise adorned", "bound", "minimal pair"
KIB = 1024


class Figures:
	"""The medians of a run by name; None runs through: what was not measured is not judged."""

	def __init__(self, results):
		self.results = results

	def of(self, peer, scene, workload, metric):
		return self.results.median(scene=scene, workload=workload, metric=metric, peer=peer)

	def best(self, scene, workload, metric, peers=None):
		"""Of the peers; bounds are none."""
		values = [row["median"] for row in self.results.of(scene=scene, workload=workload, metric=metric)
			if not row["peer"].startswith((OWN, BOUND, PAIR)) and (peers is None or row["peer"] in peers)]
		return min(values, default=None)


def times(factor, *values):
	known = [value for value in values if value is not None]
	return factor * min(known) if known else None


def bulk(direction):
	what = ("static", f"{direction} 8", "CPU")
	return (f"static route, {direction}, s/GB: at most 1.10 times the lower of HAProxy at its best and the bound",
		lambda f: f.of(OWN, *what), lambda f: times(1.1, f.of("haproxy best", *what), f.of(BOUND, *what)))


def at_most(words, peer, what, most):
	return words, lambda f: f.of(peer, *what), lambda f: most


def beside(words, what, factor, peers=None):
	return words, lambda f: f.of(OWN, *what), lambda f: times(factor, f.best(*what, peers))


def handshake(f, scene="terminate"):
	parts = f.of(BOUND, scene, "connections", "CPU"), f.of(OWN, "tunnel", "connections", "CPU of the agent")
	return 1.1 * sum(parts) if None not in parts else None


def strangers(f):
	resumed = f.of(ADORNED, "terminate", "resumed", "resumed")
	return None if resumed is None else 1 - resumed


def lost(f):
	alone, beside_them = (f.of(OWN, "static", work, "rate") for work in ("down 8", "down 8 beside 100 stalled readers"))
	return max(0.0, 1 - beside_them / alone) if alone and beside_them else None


# (what is to hold, Valise's figure, what it may be at most)
OWED = (
	*(bulk(direction) for direction in ("down", "up", "both")),
	*(beside(f"static route, {work}, us: at most the best peer", ("static", work, "CPU"), 1.0)
		for work in ("connections", "one at a time")),
	at_most("static route, idle flow, bytes: at most 1024", OWN, ("static", "idle 50000", "memory"), KIB),
	*(beside(f"static route, {work}, p99, us: at most the best peer", ("static", work, "p99"), 1.0)
		for work in ("ping-pong 1", "ping-pong 32")),
	("static route, part of the rate that 100 stalled readers take from 8 others: at most 0.1", lost, lambda f: 0.1),
	at_most("static route, start, ms until it accepts: at most 50", OWN, ("static", "start", "time to serve"), 50),
	*(at_most(f"tunnel, one session and no flow, resident MiB of the {role}: at most 6", OWN,
		("tunnel", "idle process", f"resident of the {role}"), 6) for role in ("relay", "agent")),
	*(at_most(f"tunnel, start of the {role}, ms: at most 50", OWN,
		("tunnel", "start", f"time to serve of the {role}"), 50) for role in ("relay", "agent")),
	*(beside(f"tunnel, sealed, {work}, s/GB: at most 0.9 times the best peer", ("tunnel", work, "CPU"), 0.9)
		for work in ("down 8", "up 8")),
	*(at_most(f"tunnel, handoff, {work}, s/GB: at most 0.35", HANDOFF, ("tunnel", work, "CPU"), 0.35)
		for work in ("down 8", "up 8")),
	beside("tunnel, sealed, connections, us: at most 0.75 times chisel", ("tunnel", "connections", "CPU"), 0.75, ("chisel",)),
	beside("tunnel, sealed, set-up one at a time, p50, us: at most 0.6 times the best peer",
		("tunnel", "one at a time", "p50"), 0.6),
	*(beside(f"tunnel, sealed, {work}, p99, us: at most the best peer", ("tunnel", work, "p99"), 1.0)
		for work in ("ping-pong 1", "ping-pong 32")),
	*(at_most(f"tunnel, handoff, idle flow, bytes of the {role}: at most 1024", HANDOFF,
		("tunnel", "idle 2000", f"memory of the {role}"), KIB) for role in ("relay", "agent")),
	("terminate, handoff, down, s/GB of the agent: at most 1.1 times the bound",
		lambda f: f.of(HANDOFF, "terminate", "down 8", "CPU of the agent"),
		lambda f: times(1.1, f.of(BOUND, "terminate", "down 8", "CPU"))),
	("terminate, sealed, down, s/GB: at most 1.1 times the minimal pair", lambda f: f.of(OWN, "terminate", "down 8", "CPU"),
		lambda f: times(1.1, f.of(PAIR, "terminate", "down 8", "CPU"))),
	at_most("terminate, handoff, down, s/GB of the relay: at most 0.2", HANDOFF, ("terminate", "down 8", "CPU of the relay"), 0.2),
	("terminate, full handshake, us of the agent: at most 1.1 times (bound + a passthrough flow's agent)",
		lambda f: f.of(OWN, "terminate", "connections", "CPU of the agent"), handshake),
	("terminate, two certificates and a stapled response, full handshake, us of the agent: as above",
		lambda f: f.of(ADORNED, "terminate", "connections", "CPU of the agent"), handshake),
	("mutual, CRLs and eight rules, full handshake, us of the agent: as above",
		lambda f: f.of(OWN, "mutual", "connections", "CPU of the agent"), lambda f: handshake(f, "mutual")),
	("terminate, part of the returning clients that do not resume: at most 0.05", strangers, lambda f: 0.05),
	("terminate, resumed handshake, us of the agent: at most 0.85 times a full one",
		lambda f: f.of(ADORNED, "terminate", "resumed", "CPU of the agent"),
		lambda f: times(0.85, f.of(ADORNED, "terminate", "connections", "CPU of the agent"))),
	at_most("terminate, handoff, idle flow, bytes of the agent: at most 13 KiB", HANDOFF,
		("terminate", "idle 2000", "memory of the agent"), 13 * KIB),
	at_most("terminate, sealed, idle flow, bytes of both: at most 24 KiB", OWN, ("terminate", "idle 2000", "memory"), 24 * KIB),
)


def verdicts(results):
	"""(what is to hold, Valise's figure, the most that it may be); either may be None."""
	figures = Figures(results)
	return [(words, own(figures), most(figures)) for words, own, most in OWED]
