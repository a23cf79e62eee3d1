#!/usr/bin/env python3
"""valise-events(7) has every event that the sources write, in the section of who writes it, with its levels and its
fields; and none that they do not.  What is missing is printed as it would stand there."""
import glob
import re
import sys

PAGE = "man/valise-events.7"
# Who is meant by a folder; what all link is said once.
SECTIONS = {"relay": "EVENTS OF THE RELAY", "agent": "EVENTS OF THE AGENT", "pki/tool": "EVENTS OF THE AUTHORITY"}
SHARED = "EVENTS OF MORE THAN ONE PROGRAM"
LEVELS = ("error", "warning", "info", "debug")
CALL = re.compile(r"\b(log_event|log_audit|log_limited|log_write|log_write_audit|log_write_limited|log_write_judged|log_build)\(")
FIELD = re.compile(r'\blog_(?:str|u64|i64|bool|hex|object)\(\s*"([a-z0-9_.]+)"')
failed = 0
count = 0


def ok(wrong, sentence):
	global count, failed
	count += 1
	failed += bool(wrong)
	print(f"{'not ' if wrong else ''}ok {count} - {sentence}")
	for line in wrong:
		print(f"# {line}", file=sys.stderr)


def sources():
	return sorted(path for path in glob.glob("*/*.[ch]") + glob.glob("*/tool/*.[ch]")
		if not path.startswith(("tests/", "bench/", "build/")))


def without_comments(text):
	return re.sub(r'("(?:\\.|[^"\\\n])*")|/\*.*?\*/|//[^\n]*', lambda m: m.group(1) or " ", text, flags=re.S)


def balanced(text, at):
	"""From behind an opening bracket to its closing one."""
	depth, start, quoted = 1, at, False
	while depth:
		char = text[at]
		if quoted:
			at += char == "\\"
			quoted = char != '"'
		elif char == '"':
			quoted = True
		else:
			depth += (char in "({[") - (char in ")}]")
		at += 1
	return text[start:at - 1]


def split(arguments):
	parts, depth, quoted, last = [], 0, False, 0
	for at, char in enumerate(arguments):
		if quoted:
			quoted = char != '"' or arguments[at - 1] == "\\"
		elif char == '"':
			quoted = True
		elif char == "," and depth == 0:
			parts.append(arguments[last:at])
			last = at + 1
		else:
			depth += (char in "({[") - (char in ")}]")
	return parts + [arguments[last:]]


text_of = {path: without_comments(open(path).read()) for path in sources()}
everything = "\n".join(text_of.values())


def body_of(function):
	found = re.search(rf"^{function}\([^;{{]*\)\s*\{{(.*?)^\}}", everything, re.M | re.S)
	return found.group(1) if found else ""


# Macros for fields that go together: log_agent(), log_outage() ...
macros = {}
for name, body in re.findall(r"#define (log_\w+)\([^)]*\)((?:[^\n]*\\\n)*[^\n]*)", everything):
	fields = set(FIELD.findall(body))
	for function in re.findall(r"\b(\w+_field_\w+)\(", body):
		fields |= set(FIELD.findall(body_of(function)))
	if fields:
		macros[name] = fields


def fields_in(text):
	found = set(FIELD.findall(text))
	for name in re.findall(r"\b(log_\w+)\(", text):
		found |= macros.get(name, set())
	return found


def function_around(text, at):
	start = max(text.rfind("\n}\n", 0, at), 0)
	end = text.find("\n}\n", at)
	return text[start:end]


def levels_of(argument, around):
	found = re.findall(r"\bLOG_(ERROR|WARNING|INFO|DEBUG)\b", argument)
	for name in [] if found else re.findall(r"\b[a-z_]+\b", argument):
		for value in re.findall(rf"enum log_level\s+{name}\s*=\s*([^;]+);", around):
			found += re.findall(r"\bLOG_(ERROR|WARNING|INFO|DEBUG)\b", value)
			for function in [] if found else re.findall(r"\b(\w+)\(", value):
				found += re.findall(r"\bLOG_(ERROR|WARNING|INFO|DEBUG)\b", body_of(function))
	return {level.lower() for level in found} or {"error", "warning", "info"}		# that of another event


def section_of(path):
	return next((title for folder, title in SECTIONS.items() if path.startswith(f"{folder}/")), SHARED)


events = {}		# (section, event) -> [levels, fields]
nameless = []
for path, text in text_of.items():
	if path in ("base/log.c", "base/log_private.h") or path.endswith(".h"):
		continue
	for call in CALL.finditer(text):
		if text[:call.start()].endswith(("#define ", "void\n")):
			continue
		arguments = split(balanced(text, call.end()))
		if call.group(1) == "log_build":
			arguments = arguments[1:]
		around = function_around(text, call.start())
		names = re.findall(r'"([a-z0-9-]+)"', arguments[1])
		if not names:
			nameless.append(f"{path}: {arguments[1].strip()}")
		fields = fields_in(", ".join(arguments[2:]))
		for array in re.findall(r"\b(\w+)\b", arguments[-1]) if len(arguments) > 2 else []:
			for found in re.finditer(rf"\b{array}\[\]\s*=\s*\{{", around):
				fields |= fields_in(balanced(around, found.end()))
		if len(arguments) > 2 and arguments[-1].strip().endswith(".fields"):
			fields |= fields_in(" ".join(re.findall(r"->fields\[\d\]\s*=\s*([^;]+);", text)))
		for name in names:
			one = events.setdefault((section_of(path), name), [set(), set()])
			one[0] |= levels_of(arguments[0], around)
			one[1] |= fields

told = {}		# the same of the page
section = event = None
for line in open(PAGE):
	heading = re.match(r"\.Sh (.*)", line)
	item = re.match(r"\.It Sy ([a-z0-9-]+) Pq Li ([a-z , ]+)", line)
	if heading:
		section, event = heading.group(1).strip(), None
	elif item and section in (SHARED, *SECTIONS.values()):
		event = (section, item.group(1))
		told[event] = [set(item.group(2).replace(",", " ").split()), set()]
	elif event and line.startswith(".Va "):
		told[event][1] |= set(re.findall(r"[a-z0-9_.]+", line[4:]))
	else:
		event = None		# a sentence follows


def entry(key, levels, fields):
	lines = [f".It Sy {key[1]} Pq Li {' , '.join(level for level in LEVELS if level in levels)}"]
	if fields:
		lines.append(f".Va {' , '.join(sorted(fields))}")
	return lines


wrong = []
for key in sorted(set(events) - set(told)):
	wrong += [f"{PAGE} lacks under {key[0]}:"] + entry(key, *events[key]) + ["and a sentence"]
ok(wrong, "every event of the sources is in the page")
ok([f"{key[0]}: {key[1]}" for key in sorted(set(told) - set(events))], "every event in the page is in the sources")
wrong = []
for key in sorted(set(events) & set(told)):
	if [set(part) for part in events[key]] != told[key]:
		wrong += [f"{PAGE}, under {key[0]}, must say:"] + entry(key, *events[key])
ok(wrong, "levels and fields are those of the sources")
ok(nameless, "an event stands in words where its line is written")
ok([] if len(events) > 100 and len(macros) > 1 else [f"{len(events)} events, {len(macros)} macros"], "events are found at all")
print(f"1..{count}")
sys.exit(failed > 0)
