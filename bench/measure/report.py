"""Tables of medians and ratios, as Markdown that can be read as it is."""
from .owed import verdicts
from .peers import OWN, PEERS, SCENES
from .workloads import WORKLOADS

PLACES = {workload.name: place for place, workload in enumerate(WORKLOADS)}
TITLES = {
	"static": "Static routes: by server name to an upstream, TLS passes unopened",
	"tunnel": "Tunnels: relay and agent, or what stands for them; TLS passes unopened",
	"terminate": "TLS ends at the agent (peers without a tunnel: at themselves)",
	"mutual": "The same for clients that show a certificate, judged by CRLs and rules",
}


def short(value):
	if value is None:
		return "–"
	if abs(value) >= 100:
		return f"{value:.0f}"
	return f"{value:.3g}"


def cell(value, own):
	"""A peer's median, and Valise's over it."""
	if value is None or not own or value <= 0:
		return short(value)
	return f"{short(value)} ({own / value:.2f})"


def in_order(names):
	return list(dict.fromkeys(names))


def table(results, scene):
	rows = sorted(results.of(scene=scene), key=lambda row: PLACES.get(row["workload"], 0))
	peers = [peer.name for peer in PEERS if peer.scene == scene and results.of(scene=scene, peer=peer.name)]
	lines = ["| work | unit | " + " | ".join(peers) + " |", "|---|---|" + "---:|" * len(peers)]
	for workload, metric, unit in in_order((row["workload"], row["metric"], row["unit"]) for row in rows):
		median = {peer: results.median(scene=scene, workload=workload, metric=metric, peer=peer) for peer in peers}
		own = median.get(OWN)
		cells = [short(own) if peer == OWN else cell(median[peer], own) for peer in peers]
		lines.append(f"| {workload}, {metric} | {unit} | " + " | ".join(cells) + " |")
	return "\n".join(lines)


def peers(results, scene):
	lines = []
	for peer in results.data["peers"]:
		if peer["scene"] == scene:
			said = [peer["note"]] if peer["note"] else []
			said.append(f"**absent**: {peer['absent']}" if "absent" in peer else peer["version"])
			lines.append(f"- {peer['name']}: " + "; ".join(said))
	return "\n".join(lines)


def owed(results):
	lines = []
	for words, own, most in verdicts(results):
		if own is not None and most is not None:
			held = "yes" if own <= most else f"**no**, {own / most:.2f} of it"
			lines.append(f"| {words} | {short(own)} | {short(most)} | {held} |")
	return ["## What is to hold", "\n".join(["| | Valise | at most | held |", "|---|---:|---:|---|", *lines])] if lines else []


def failures(results):
	return [f"- {f['scene']}, {f['workload']}, {f['peer']}: {f['why']}" for f in results.data.get("failures", [])]


def fewer(results):
	"""Idle rows in which descriptors allowed fewer flows than their names say."""
	found = in_order((row["workload"], row["flows"]) for row in results.rows if "flows" in row)
	return [f"- {workload}: this machine's limit on descriptors allows {flows}" for workload, flows in found
		if workload != f"idle {flows}"]


def markdown(results):
	machine, run = results.data["machine"], results.data["run"]
	text = [f"{machine['date']}, {machine['system']}, {machine['kernel']}, {machine['cores']} cores, "
		f"{machine['memory_gib']} GiB, {machine.get('congestion', 'congestion control not noted')}; medians of {run['rounds']} samples of {run['seconds']} s each, taken in turns. "
		"Each has one worker and writes its line for each connection into a file, unless it is said to have none. "
		"In brackets: Valise's (sealed) figure over the peer's." + (f" {run['note']}" if run.get("note") else "")]
	text += owed(results)
	for scene in SCENES:
		if results.of(scene=scene):
			text += [f"## {TITLES[scene]}", table(results, scene), peers(results, scene)]
	odd = failures(results) + fewer(results)
	if odd:
		text += ["## What is missing", "\n".join(odd)]
	return "\n\n".join(text) + "\n"
