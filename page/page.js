/*
 * Draws what the daemon tells in its event stream: `view` each second, the tables when they have changed.  Whatever
 * comes is text to be shown and never markup: textContent, no sink that parses.  Rows and paths are reused in
 * their places, so that an update touches only what is different, and the height of a part is set once: what
 * grows scrolls inside, so nothing moves under a reader's eyes.
 */
"use strict";
(() => {
const $ = id => document.getElementById(id);
const ROWS_AT_FIRST = 100, SILENT_MS = 5000, AGAIN_MS = 5000;
/* Of a table's part, in units of the root's letters. */
const LEAST_REM = 6, SPARE_REM = 2, MOST_REM = 32;
const DAY_S = 86400;

/* ---- how things are written ---- */

const grouped = n => Math.round(n).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");

function scaled(n, steps, base) {
	let i = 0;
	while (n >= base && i < steps.length - 1) { n /= base; i++; }
	return [n < 10 && i > 0 ? n.toFixed(1) : Math.round(n).toString(), steps[i]];
}
const bytes = n => scaled(n, ["B", "kB", "MB", "GB", "TB", "PB"], 1000);
const rate = n => [n > 0 && n < 10 ? n.toFixed(1) : grouped(n), "/s"];
const byteRate = n => { const [value, unit] = bytes(n); return [value, unit + "/s"]; };
const micros = us => us === null || us === undefined ? ["–", ""] :
	us < 10000 ? [(us / 1000).toFixed(us < 1000 ? 2 : 1), "ms"] : [grouped(us / 1000), "ms"];
const whole = n => [grouped(n), ""];
const joined = ([value, unit]) => unit && !unit.startsWith("/") ? value + "\u00a0" + unit : value + unit;

/* The two largest units of a time: "3 d 4 h". */
function span(seconds) {
	const units = [["d", DAY_S], ["h", 3600], ["min", 60], ["s", 1]];
	let i = units.findIndex(([, size]) => seconds >= size);
	if (i < 0)
		return "0 s";
	const [name, size] = units[i], text = Math.floor(seconds / size) + "\u00a0" + name;
	const next = units[i + 1];
	const rest = next && seconds < 10 * size ? Math.floor(seconds % size / next[1]) : 0;
	return rest > 0 ? text + " " + rest + "\u00a0" + next[0] : text;
}
const iso = at => new Date(at * 1000).toISOString().replace(".000", "");
const stamp = at => iso(at).slice(0, 16).replace("T", "\u00a0") + "Z";
const day = at => iso(at).slice(0, 10);
const ago = at => span(Math.max(0, now() - at)) + " ago";
const plural = (n, one, many) => grouped(n) + " " + (n === 1 ? one : many || one + "s");

/* By the daemon's clock, which the reader's need not agree with. */
let clockAhead = 0;
const now = () => Math.floor(Date.now() / 1000 + clockAhead);

/* ---- the document ---- */

function make(tag, className, text) {
	const made = document.createElement(tag);
	if (className)
		made.className = className;
	if (text !== undefined)
		made.textContent = text;
	return made;
}
/* These two write only what is different, so that a reader's selection and the reader of a screen are left alone. */
function say(element, text) {
	if (element.textContent !== text)
		element.textContent = text;
}
function dress(element, className) {
	if (element.className !== className)
		element.className = className;
}
const SVG = "http://www.w3.org/2000/svg";
function draw(tag, attributes) {
	const made = document.createElementNS(SVG, tag);
	for (const [key, value] of Object.entries(attributes))
		made.setAttribute(key, value);
	return made;
}

/* ---- sparklines ---- */

const WIDTH = 149, HEIGHT = 32;

/* A gap where nothing is known. Returns the line, and the area below it. */
function path(values, most) {
	const x0 = WIDTH + 1 - values.length;
	let line = "", area = "", from = -1, x = x0;
	const close = to => { if (from >= 0) area += `L${to},${HEIGHT}L${from},${HEIGHT}Z`; from = -1; };
	for (const value of values) {
		if (value === null)
			close(x - 1);
		else {
			const point = `${x},${(HEIGHT - value / most * HEIGHT).toFixed(2)}`;
			line += (from < 0 ? "M" : "L") + point;
			area += (from < 0 ? "M" : "L") + point;
			if (from < 0)
				from = x;
		}
		x++;
	}
	close(x - 1);
	return { line, area };
}

class Tile {
	constructor(into, spec) {
		this.spec = spec;
		this.root = make("div", "tile");
		this.label = make("h3", "", spec.label);
		this.unit = make("span", "unit");
		this.value = make("p", "value");
		this.note = make("p", "note");
		this.svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
		this.area = draw("path", { class: "area" });
		this.paths = spec.series.map((_, i) => draw("path", { class: i > 0 ? "second" : "first" }));
		this.svg.append(draw("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }), this.area, ...this.paths);
		this.label.append(this.unit);
		this.root.append(this.label, this.value, this.svg, this.note);
		into.append(this.root);
	}
	/* The value is the newest sample. */
	show(view) {
		const series = this.spec.series.map(key => view.history[key] || []);
		const known = series.flat().filter(value => value !== null), peak = Math.max(0, ...known);
		const [number, unit] = this.spec.write(series[0].length ? series[0].at(-1) : 0);
		const drawn = series.map(values => path(values, peak || 1));
		say(this.value, number);
		say(this.unit, unit === "/s" ? " a second" : unit ? ", " + unit : "");
		drawn.forEach(({ line }, i) => this.paths[i].setAttribute("d", line));
		this.area.setAttribute("d", drawn[0] ? drawn[0].area : "");
		this.svg.setAttribute("aria-label", `${this.spec.label}: peak ${joined(this.spec.write(peak))} in five minutes`);
		this.tell(known.length > 0 ? peak : null, series[1]);
	}
	tell(peak, second) {
		if (second)
			dress(this.note, "note second");
		say(this.note, second ? this.spec.second + " " + joined(this.spec.write(second.length ? second.at(-1) : 0))
			: peak === null ? "not known yet" : "peak " + joined(this.spec.write(peak)));
	}
}

/* ---- tables ---- */

/* The head is said again beside the cell where there is no room for columns. */
function addCell(tr, column) {
	const td = tr.insertCell();
	dress(td, column.className || "");
	if (column.head)
		td.dataset.head = column.head;
}

/* What a column's `cell` gives: a text, or a list of parts [class, text], each on a line of its own. */
function fill(td, content) {
	if (typeof content === "string") {
		say(td, content);
		return;
	}
	while (td.childNodes.length > content.length)
		td.lastChild.remove();
	content.forEach(([className, text], i) => {
		let part = td.childNodes[i];
		if (!part || part.nodeType !== Node.ELEMENT_NODE) {
			part = make("bdi");
			td.replaceChildren(...[...td.children].slice(0, i), part);
		}
		dress(part, className);
		say(part, text);
	});
}

class Panel {
	/* spec: title, columns, empty (a sentence), and as wanted: said (a sentence), filter (the text of a row that is
	 * searched), ages (it tells how old things are), fits (it is as high as its rows), stacks (a row is a paragraph where there is no room) */
	constructor(into, spec) {
		this.spec = spec;
		this.rows = [];
		this.total = 0;
		this.most = ROWS_AT_FIRST;
		this.sort = null;
		this.section = make("section", "panel");
		this.head = make("div", "head");
		this.title = make("h2", "", spec.title);
		this.count = make("span", "count");
		this.scroll = make("div", "scroll");
		this.table = make("table", spec.stacks ? "stacks" : "");
		this.body = make("tbody");
		this.empty = make("p", "empty", spec.empty);
		this.more = make("button", "more");
		this.title.id = "panel-" + spec.title.toLowerCase().replace(/\W+/g, "-");
		this.section.setAttribute("aria-labelledby", this.title.id);
		this.scroll.setAttribute("role", "region");
		this.scroll.setAttribute("aria-labelledby", this.title.id);
		this.scroll.tabIndex = 0;
		this.more.type = "button";
		this.more.onclick = () => { this.most = Infinity; this.draw(); };
		this.head.append(this.title, this.count);
		if (spec.filter)
			this.addFilter();
		this.addHeads();
		this.scroll.append(this.table, this.empty, this.more);
		this.section.append(this.head);
		if (spec.said)
			this.section.append(this.said = make("p", "said"));
		this.section.append(this.scroll);
		into.append(this.section);
	}
	addFilter() {
		this.filter = make("input");
		this.filter.type = "search";
		this.filter.placeholder = "Filter";
		this.filter.setAttribute("aria-label", "Filter " + this.spec.title.toLowerCase());
		this.filter.oninput = () => this.draw();
		this.head.append(this.filter);
	}
	addHeads() {
		const row = make("tr");
		this.heads = this.spec.columns.map(column => {
			const th = make("th", column.className || "");
			th.scope = "col";
			if (column.sort) {
				const button = make("button", "", column.head);
				button.type = "button";
				button.onclick = () => this.sortBy(column, th);
				th.append(button);
			} else
				th.textContent = column.head;
			row.append(th);
			return th;
		});
		const head = make("thead");
		head.append(row);
		this.table.append(head, this.body);
	}
	/* As the column wants to be read first, then the other way round, then as the daemon had them. */
	sortBy(column, th) {
		const first = column.descends ? "descending" : "ascending", before = th.getAttribute("aria-sort");
		const order = before === null ? first : before !== first ? null :
			first === "descending" ? "ascending" : "descending";
		this.heads.forEach(head => head.removeAttribute("aria-sort"));
		if (order)
			th.setAttribute("aria-sort", order);
		this.sort = order ? { key: column.sort, sign: order === "descending" ? -1 : 1 } : null;
		this.draw();
	}
	wanted() {
		const word = this.filter ? this.filter.value.trim().toLowerCase() : "";
		let rows = word ? this.rows.filter(row => this.spec.filter(row).toLowerCase().includes(word)) : this.rows;
		if (this.sort) {
			const { key, sign } = this.sort;
			rows = [...rows].sort((a, b) => {
				const x = key(a), y = key(b);
				return sign * (x < y ? -1 : x > y ? 1 : 0);
			});
		}
		return rows;
	}
	/* total null: nobody has counted those that were left out. */
	show(rows, total) {
		this.rows = rows;
		this.total = total === undefined ? rows.length : total;
		this.draw();
	}
	draw() {
		const rows = this.wanted(), shown = Math.min(rows.length, this.most);
		for (let i = 0; i < shown; i++)
			this.drawRow(i, rows[i]);
		while (this.body.rows.length > shown)
			this.body.lastChild.remove();
		this.table.hidden = shown === 0;
		this.empty.hidden = shown > 0;
		say(this.empty, this.rows.length > 0 ? "Nothing here has that in it." : this.spec.empty);
		this.more.hidden = shown === rows.length;
		say(this.more, `Show all ${grouped(rows.length)}`);
		say(this.count, this.countText(rows.length));
		if (this.said)
			say(this.said, this.spec.said());
	}
	countText(found) {
		if (this.total === null)
			return (found < this.rows.length ? grouped(found) + " of " : "") + `the first ${grouped(this.rows.length)}`;
		if (found < this.total)
			return `${grouped(found)} of ${grouped(this.total)}`;
		return this.total > 0 ? grouped(this.total) : "";
	}
	drawRow(i, row) {
		const tr = this.body.rows[i] || this.addRow();
		this.spec.columns.forEach((column, j) => {
			const td = tr.cells[j];
			if (column.paint)
				column.paint(td, row);
			else
				fill(td, column.cell(row));
			if (column.title)
				td.title = column.title(row);
		});
	}
	addRow() {
		const tr = this.body.insertRow();
		for (const column of this.spec.columns)
			addCell(tr, column);
		return tr;
	}
	/* By what there is when the page appears or gets another width, with room for one more; then it stays. */
	keepHeight() {
		const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
		this.scroll.style.height = "";
		const wanted = this.scroll.scrollHeight / rem;
		const height = this.spec.fits ? wanted : Math.min(MOST_REM, Math.max(LEAST_REM, wanted + SPARE_REM));
		this.scroll.style.height = height.toFixed(2) + "rem";
	}
}

function paintBar(td, share, level) {
	let bar = td.firstChild;
	if (!bar) {
		bar = make("span", "bar");
		bar.append(make("span"));
		td.append(bar);
	}
	dress(bar, "bar " + level);
	bar.firstChild.style.width = (100 * Math.min(1, Math.max(0, share))).toFixed(1) + "%";
}

/* ---- what both daemons have ---- */

const number = "number", short = "short", aside = "aside ";
const TILES = {
	flows: { label: "Flows open", series: ["flows"], write: whole },
	opened: { label: "New flows", series: ["opened"], write: rate },
	traffic: { label: "To clients", series: ["to_clients", "from_clients"], write: byteRate, second: "from clients" },
	refused: { label: "Refused", series: ["refused"], write: rate },
	failed: { label: "Failed flows", series: ["failed"], write: rate },
	rtt: { label: "Heartbeat round trip", series: ["rtt_us"], write: micros },
};

function leftText(ends) {
	const left = ends - now();
	return left <= 0 ? "ended " + ago(ends) : left < 2 * DAY_S ? span(left) : grouped(left / DAY_S) + "\u00a0days";
}
const CERTIFICATES = {
	title: "Certificates and CRLs", empty: "None is in use.",
	columns: [
		{ head: "What", className: "two", cell: row => [["", row.what], ["sub", row.name]] },
		{ head: "Ends", className: aside + short, cell: row => day(row.ends), title: row => iso(row.ends) },
		{ head: "Left", className: number, sort: row => row.ends,
			cell: row => [[row.level, leftText(row.ends)]] },
	],
};
const used = row => row.bound > 0 ? row.used / row.bound : 0;
const amount = (row, n) => row.is_bytes ? joined(bytes(n)) : grouped(n);
const LIMITS = {
	title: "Limits", empty: "No limit is set.", fits: true,
	columns: [
		{ head: "Shared by all", className: "two", cell: row => row.what },
		{ head: "", className: "meter", paint: (td, row) =>
			paintBar(td, used(row), used(row) >= 0.9 ? "error" : used(row) >= 0.7 ? "warning" : "") },
		{ head: "Used", className: number + " two", sort: used, descends: true, cell: row => [["", amount(row, row.used)],
			["sub", row.bound > 0 ? "of " + amount(row, row.bound) : "no bound"]] },
	],
};
const EVENTS = {
	title: "Last events", stacks: true, empty: "Nothing was worth a warning since the start.",
	filter: row => row.event + " " + row.level + " " + row.text + " " + row.fields,
	columns: [
		{ head: "Time", className: short + " time", cell: row => stamp(row.at), title: row => iso(row.at) },
		{ head: "Event", className: "event", sort: row => row.event, cell: row => [[row.level, row.event]] },
		{ head: "", className: "two", cell: row => [["", row.text], ["sub mono", row.fields]].filter(([, text]) => text) },
	],
};

/* ---- the relay ---- */

let view = null;

const RELAY = {
	role: "relay",
	tiles: ["flows", "opened", "traffic", "refused", "rtt"],
	left: {
		agents: { title: "Agents", ages: true,
			empty: "No agent is connected.",
			filter: row => row.agent + " " + row.address + " " + (row.region || ""),
			columns: [
				{ head: "Agent", className: "name", sort: row => row.agent,
					cell: row => row.state === "up" ? [["", row.agent]] : [["", row.agent], ["sub warning", row.state]] },
				{ head: "From", className: aside + "from", cell: row => row.address },
				{ head: "Region", className: aside + "far " + short, cell: row => row.region || "" },
				{ head: "Up", className: aside + short + " span", sort: row => row.since, cell: row => span(now() - row.since),
					title: row => "since " + iso(row.since) },
				{ head: "Names", className: number, sort: row => row.endpoints, descends: true, cell: row => grouped(row.endpoints) },
				{ head: "Flows", className: number, sort: row => row.flows, descends: true, cell: row => grouped(row.flows) },
				{ head: "Parked", className: aside + "far " + number, sort: row => row.parked, descends: true, cell: row => grouped(row.parked) },
				{ head: "RTT", className: number, sort: row => row.rtt_us || 0, descends: true, cell: row => joined(micros(row.rtt_us)) },
			] },
		names: { title: "Names",
			empty: "No name is served.",
			said: () => "This relay holds no key of these names: their TLS ends at the agent or the upstream. " +
				(view.name ? `The one key that it has is for ${view.name}.` : "It has no key at all."),
			filter: row => row.name + " " + row.by,
			columns: [
				{ head: "Name", className: "name", sort: row => row.name, cell: row => row.name },
				{ head: "Served by", className: aside, sort: row => row.by, cell: row => row.by },
				{ head: "Agents", className: aside + number, sort: row => row.agents, descends: true, cell: row => row.agents > 0 ? grouped(row.agents) : "" },
				{ head: "Flows", className: number, sort: row => row.flows, descends: true, cell: row => grouped(row.flows) },
				{ head: "State", className: short, sort: row => row.state, cell: row => [[row.level || "", row.state]] },
			] },
	},
	facts: v => [`running ${span(now() - v.since)}`, plural(v.workers, "worker"), `version ${v.version}`],
	well: v => v.counts.sessions > 0 || v.counts.static > 0
		? `${plural(v.counts.sessions, "agent")} and ${plural(v.counts.static, "static route")} serve ${plural(panels.names.total ?? panels.names.rows.length, "name")}.`
		: "Ready; no agent is connected and no static route is configured.",
};

/* ---- the agent ---- */

const seen = probe => ago(Date.parse(probe.at) / 1000) + (probe.from ? ", from " + probe.from : "");
const PROBES = {
	"match": probe => ["good", `Our key answered ${seen(probe)}`],
	"mismatch": probe => ["error", `Seen ${seen(probe)}: ${probe.spki}`],
	"unknown": probe => ["warning", `Nobody has proven a key ${seen(probe)}: ${probe.error}`],
	"not-yet": () => ["", "Not looked at yet from outside"],
};
const PINS = {
	pinned: ["good", "CAA pins it to our account"],
	open: ["warning", "CAA does not pin it: others can have certificates"],
	foreign: ["error", "CAA pins it to other accounts, not ours"],
	unknown: ["", "CAA not known yet"],
};
/* The sentence that matters, and how it is known. */
function keyParts(row) {
	const parts = [row.probe && row.probe.result === "mismatch"
		? ["error", "Another key answers for this name: somebody else has a certificate for it"]
		: ["", "The relay holds no key of this endpoint"]];
	const [level, text] = row.probe ? PROBES[row.probe.result](row.probe) : ["", "Never looked at from outside (probe is off)"];
	parts.push(["sub " + level, text]);
	if (row.caa)
		parts.push(["sub " + PINS[row.caa][0], PINS[row.caa][1]]);
	return parts;
}
const upstreamParts = row => row.upstreams.map(up =>
	[up.health === "down" ? "sub error" : "sub", up.upstream + (up.health === "down" ? " is down" + (up.error ? ": " + up.error : "") : "")]);

const AGENT = {
	role: "agent",
	tiles: ["flows", "opened", "traffic", "failed", "rtt"],
	left: {
		relays: { title: "Relays", empty: "No relay is configured.", stacks: true,
			columns: [
				{ head: "Relay", className: "two name", cell: row => row.error
					? [["", row.relay], ["sub error", (row.code ? row.code + ": " : "") + row.error]]
					: [["", row.relay], ["sub", row.name ? "calls itself " + row.name : ""]] },
				{ head: "State", className: short, cell: row => [[row.state === "up" ? "good" : "warning", row.state]] },
				{ head: "For", className: short + " span", cell: row => span(now() - row.since), title: row => "since " + iso(row.since) },
				{ head: "Names", className: number, cell: row => grouped(row.endpoints) },
				{ head: "RTT", className: number, cell: row => joined(micros(row.rtt_us)) },
			] },
		endpoints: { title: "Endpoints", ages: true, stacks: true, empty: "No endpoint is configured.",
			filter: row => row.name + " " + row.server_name + " " + row.mode,
			columns: [
				{ head: "Name", className: "two name", sort: row => row.server_name,
					cell: row => [["", row.server_name], ["sub", row.name + ", " + (row.mode === "terminate" ? "TLS ends here" : "sealed to its upstream")]] },
				{ head: "Who holds the key", className: "two key", cell: keyParts },
				{ head: "Upstream", className: "two", cell: upstreamParts },
				{ head: "Flows", className: number, sort: row => row.flows, descends: true, cell: row => grouped(row.flows) },
			] },
	},
	facts: v => [`running ${span(now() - v.since)}`, plural(v.workers, "worker"), `version ${v.version}`],
	well: v => `${plural(v.counts.endpoints, "endpoint")} served through ${plural(v.counts.relays, "relay")}.`,
};

/* ---- the whole ---- */

const REFUSALS = {
	title: "Refused clients", empty: "Nobody was refused since the start.",
	columns: [
		{ head: "Why", cell: row => row.what },
		{ head: "5 min", className: number, sort: row => row.recent, descends: true, cell: row => grouped(row.recent) },
		{ head: "In all", className: number, sort: row => row.total, descends: true, cell: row => grouped(row.total) },
	],
};
const ENDS = {
	title: "How flows ended", empty: "No flow has ended since the start.",
	columns: REFUSALS.columns,
};

let shape = null, tiles = [], panels = {};

function build(v) {
	shape = v.program === "valise-agent" ? AGENT : RELAY;
	say($("role"), shape.role);
	$("tiles").replaceChildren();
	$("left").replaceChildren();
	$("right").replaceChildren();
	$("below").replaceChildren();
	panels = {};
	tiles = shape.tiles.map(key => new Tile($("tiles"), TILES[key]));
	for (const [key, spec] of Object.entries(shape.left))
		if (v[key] || v.parts.includes(key))
			panels[key] = new Panel($("left"), spec);
	panels.events = new Panel($("below"), EVENTS);
	panels.certificates = new Panel($("right"), CERTIFICATES);
	panels.limits = new Panel($("right"), LIMITS);
	panels.refusals = new Panel($("right"), shape === AGENT ? ENDS : REFUSALS);
	dress($("pause"), "");
}

function showVerdict(v) {
	const errors = v.attention.filter(one => one.level === "error").length, all = v.attention.length;
	const list = $("attention");
	dress($("verdict"), errors ? "error" : all ? "warning" : "");
	say($("verdict-text"), v.state !== "running" ? `${v.state[0].toUpperCase()}${v.state.slice(1)}: ${plural(v.counts.flows, "flow")} still open.`
		: all === 0 ? shape.well(v)
		: all === 1 ? "One thing needs attention." : `${grouped(all)} things need attention.`);
	v.attention.forEach((one, i) => {
		const li = list.children[i] || list.appendChild(make("li"));
		dress(li, one.level);
		say(li, one.text);
	});
	while (list.children.length > all)
		list.lastChild.remove();
	return errors ? "error" : all ? "warning" : "good";
}

const DOTS = { good: "%2319693a", warning: "%23c98a1b", error: "%23c2321f", lost: "%23888888" };
function mark(state, title) {
	const href = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'>" +
		`<circle cx='4' cy='4' r='3.5' fill='${DOTS[state]}'/></svg>`;
	if ($("icon").getAttribute("href") !== href)
		$("icon").setAttribute("href", href);
	if (title && document.title !== title)
		document.title = title;
}

function showView(v) {
	view = v;
	clockAhead = v.now - Date.now() / 1000;
	if (!shape)
		build(v);
	say($("name"), v.name || "");
	say($("facts"), shape.facts(v).join(" · "));
	for (const tile of tiles)
		tile.show(v);
	panels.certificates.show(v.certificates);
	panels.limits.show(v.limits);
	panels.refusals.show(v.refusals);
	if (v.relays)
		panels.relays.show(v.relays);
	for (const panel of Object.values(panels))
		if (panel.spec.ages)
			panel.draw();
	const state = showVerdict(v), count = v.attention.length;
	mark(state, (count ? `(${count}) ` : "") + `${shape.role} ${v.name || ""} – Valise`);
}

/* Rows of many columns come as lists, which are shorter. */
const named = d => d.rows.map(row => Object.fromEntries(d.columns.map((key, i) => [key, row[i]])));

const HANDLERS = {
	view: showView,
	agents: d => panels.agents.show(named(d), d.total),
	names: d => panels.names.show(named(d), d.total),
	endpoints: d => panels.endpoints.show(d.rows, d.total),
	events: d => panels.events.show(d.rows, d.rows.length),
};

/* ---- the stream ---- */

let stream = null, heardMs = 0, isPaused = false;
const kept = {}, have = new Set();

function keepHeights() {
	Object.values(panels).forEach(panel => panel.keepHeight());
}
function appear() {
	$("main").hidden = $("footer").hidden = false;
	showVerdict(view);
	keepHeights();
	let width = innerWidth;
	addEventListener("resize", () => {
		if (innerWidth !== width)
			keepHeights();
		width = innerWidth;
	});
}

/* What came before it could be shown. */
function hearKept() {
	for (const [kind, data] of Object.entries(kept)) {
		delete kept[kind];
		hear(kind, data);
	}
}

function hear(kind, data) {
	if (kind !== "view" && !shape) {
		kept[kind] = data;
		return;
	}
	const isFirst = !shape;
	HANDLERS[kind](data);
	have.add(kind);
	if (isFirst)
		hearKept();
	/* Once all parts have come, so that none of them moves another. */
	if ($("main").hidden && view.parts.every(part => have.has(part)))
		appear();
}

function on(kind) {
	stream.addEventListener(kind, event => {
		heardMs = Date.now();
		if (isPaused)
			kept[kind] = JSON.parse(event.data);
		else
			hear(kind, JSON.parse(event.data));
		tellLive();
	});
}

/* A browser comes back by itself from a lost connection, but not from a refusal (16 readers are there already). */
function connect() {
	stream = new EventSource("events");
	Object.keys(HANDLERS).forEach(on);
	stream.onerror = () => {
		if (stream.readyState === EventSource.CLOSED)
			setTimeout(connect, AGAIN_MS);
		tellLive();
	};
}

function tellLive() {
	const silent = Date.now() - heardMs, isLive = heardMs > 0 && silent < SILENT_MS;
	document.body.className = isPaused ? "" : isLive ? "live" : "lost";
	if (!isLive)
		mark("lost");
	say($("live-text"), isPaused ? "Paused" : isLive ? "Live" :
		heardMs ? "Not heard since " + new Date(heardMs).toISOString().slice(11, 19) + "Z" : "The daemon does not answer");
}

function pause() {
	isPaused = !isPaused;
	$("pause").setAttribute("aria-pressed", isPaused);
	if (!isPaused)
		hearKept();
	tellLive();
}

$("pause").onclick = pause;
document.addEventListener("keydown", event => {
	const isTyping = event.target instanceof HTMLInputElement;
	if (event.ctrlKey || event.metaKey || event.altKey)
		return;
	if (event.key === "Escape" && isTyping) {
		event.target.value = "";
		event.target.dispatchEvent(new Event("input"));
		event.target.blur();
	} else if (event.key === "/" && !isTyping) {
		const first = document.querySelector(".panel input");
		if (first)
			first.focus();
		event.preventDefault();
	} else if (event.key === "p" && !isTyping && shape)
		pause();
});
connect();
setTimeout(() => { setInterval(tellLive, 1000); }, 2000);
})();
