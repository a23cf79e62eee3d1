"""Pictures of a run: SVG that needs nothing but itself."""
from html import escape

from .peers import OWN, SCENES
from .report import in_order, short

OURS, OTHERS, BOUND, INK, PALE = "#0b6bcb", "#9aa5b1", "#d9a441", "#1f2933", "#e4e7eb"
LINES = ("#0b6bcb", "#c2410c", "#7c3aed", "#15803d", "#be185d", "#d9a441")
FONT = "font-family='system-ui, sans-serif'"
SCENE_TITLES = {"static": "static route", "tunnel": "tunnel, relay + agent", "terminate": "TLS ends at the agent: relay + agent, peers without a tunnel",
	"mutual": "the same, of clients that show a certificate"}
WORKS = (("down 8", "CPU", "seconds of CPU for a gigabyte"), ("connections", "CPU", "µs of CPU for a connection"),
	("idle 2000", "memory", "bytes of memory for an idle flow"))
PANEL_WIDTH, BAR, LABEL = 320, 17, 104


def text(x, y, words, size=11, anchor="start", colour=INK, weight="normal"):
	return (f"<text x='{x:.1f}' y='{y:.1f}' {FONT} font-size='{size}' font-weight='{weight}' text-anchor='{anchor}' "
		f"fill='{colour}'>{escape(words)}</text>")


def document(width, height, parts):
	return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>"
		f"<rect width='{width}' height='{height}' fill='white'/>" + "\n".join(parts) + "</svg>\n")


def colour(peer):
	return OURS if peer.startswith(OWN) else BOUND if peer in ("bound", "minimal pair") else OTHERS


def bars(x, y, title, values):
	"""A panel; the best one is at the top, and a bar that is far too long for the others is cut."""
	parts = [text(x, y + 12, title, 12, weight="600")]
	values = sorted(values, key=lambda value: value[1])
	room, middle = PANEL_WIDTH - LABEL - 66, values[len(values) // 2][1]
	longest = min(values[-1][1], 4 * middle)
	for number, (peer, value) in enumerate(values):
		top = y + 22 + number * BAR
		length = room * min(value, longest) / longest
		cut = " …" if value > longest else ""
		parts += [text(x + LABEL - 6, top + 11, peer, anchor="end", weight="600" if peer.startswith(OWN) else "normal"),
			f"<rect x='{x + LABEL}' y='{top + 1}' width='{length:.1f}' height='{BAR - 4}' rx='2' fill='{colour(peer)}'/>",
			text(x + LABEL + length + 5, top + 11, short(value) + cut)]
	return parts


def overview(results):
	"""Scenes downwards, kinds of work across: all of them are better when shorter."""
	parts, y = [], 14
	for scene in SCENES:
		rows = [[(row["peer"], row["median"]) for row in results.of(scene=scene, workload=workload, metric=metric)]
			for workload, metric, _ in WORKS]
		if not any(rows):
			continue
		parts.append(text(14, y + 10, SCENE_TITLES[scene], 14, weight="700"))
		for column, (values, (_, _, title)) in enumerate(zip(rows, WORKS)):
			if values:
				parts += bars(14 + column * (PANEL_WIDTH + 6), y + 20, title, values)
		y += 60 + BAR * max(map(len, rows))
	return document(3 * (PANEL_WIDTH + 6) + 20, y, parts)


def ticks(most):
	"""Round numbers up to the most, four to eight of them."""
	step = next(unit * 10**power for power in range(9) for unit in (1, 2, 5) if most / (unit * 10**power) <= 8)
	return range(0, int(most) + 1, step)


def growth(results):
	"""Memory of a router against the flows that it holds."""
	rows = [row for row in results.of(scene="static", metric="memory") if "flows" in row]
	if not rows:
		return None
	width, height, left, bottom = 640, 360, 60, 320
	most_flows, most = max(row["flows"] for row in rows), max(row["flows"] * row["median"] for row in rows)
	at = lambda flows, size: (left + flows / most_flows * 460, bottom - size / most * 270)
	parts = [text(left, 22, "memory of a static route's process, MiB, against idle flows", 13, weight="700")]
	for mib in ticks(most / 2**20):
		_, y = at(0, mib * 2**20)
		parts += [f"<line x1='{left}' x2='{left + 460}' y1='{y:.1f}' y2='{y:.1f}' stroke='{PALE}'/>",
			text(left - 8, y + 4, str(mib), anchor="end")]
	parts += [text(at(flows, 0)[0], bottom + 18, str(flows), anchor="middle") for flows in ticks(most_flows)]
	ends = []
	for peer, line in zip(in_order(row["peer"] for row in rows), LINES):
		points = [at(row["flows"], row["flows"] * row["median"])
			for row in sorted((row for row in rows if row["peer"] == peer), key=lambda row: row["flows"])]
		path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
		parts.append(f"<polyline points='{path}' fill='none' stroke='{line}' stroke-width='2'/>")
		parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{line}'/>" for x, y in points]
		ends.append((points[-1], peer, line))
	return document(width, height, parts + labels(ends))


def labels(ends):
	"""Names at the ends of lines, moved apart where they would lie on each other."""
	parts, last = [], 1e9
	for (x, y), peer, line in sorted(ends, key=lambda end: -end[0][1]):
		last = min(y + 4, last - 13)
		parts.append(text(x + 8, last, peer, colour=line, weight="600"))
	return parts


def write(results, directory):
	"""The names of the pictures."""
	names = []
	for name, picture in (("overview.svg", overview(results)), ("growth.svg", growth(results))):
		if picture:
			with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
				file.write(picture)
			names.append(name)
	return names
