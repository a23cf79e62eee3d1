#!/usr/bin/env python3
"""The metrics in the sources are those of valise-metrics(7); alerts and dashboard use no others, and the
alerts do what their tests say."""
import glob
import json
import os
import re
import subprocess
import sys

count = failed = 0
SUFFIX = {"METRICS_COUNTER": "_total", "METRICS_GAUGE": ""}
BEGINS = re.compile(r'\b(?:metrics_family|put_one|put_histogram|put_relay)\(\s*&?text,\s*(?:snapshot,\s*)?"([a-z_]+)",\s*"?(\w+)')


def ok(wrong, sentence):
	global count, failed
	count += 1
	failed += bool(wrong)
	print(f"{'not ' if wrong else ''}ok {count} - {sentence}")
	for line in wrong:
		print(f"# {line}")


def in_sources():
	"""{name of a sample's family as people write it: its kind}"""
	found = {}
	for path in glob.glob("*/*metrics*.c"):
		for name, kind in BEGINS.findall(open(path).read()):
			found[name + SUFFIX.get(kind, "")] = kind
	return found


def in_page(text):
	names = set()
	for line in re.findall(r"^\.It Cm (.*)$", text, re.M):
		names |= {word for word in re.split(r"[ ,]+", line) if "_" in word}
	return names


def used(text):
	"""Names in expressions, with what belongs to a histogram taken off."""
	return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(?:valise|process)_[a-z_]+\b", text)}


def expressions(value):
	if isinstance(value, dict):
		for key, inner in value.items():
			if key in ("expr", "query") and isinstance(inner, str):
				yield inner
			else:
				yield from expressions(inner)
	elif isinstance(value, list):
		for inner in value:
			yield from expressions(inner)


def promtool(*words):
	done = subprocess.run(["promtool", *words], cwd="packaging/monitoring", capture_output=True, text=True, timeout=120)
	return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()


os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sources, page = in_sources(), in_page(open("man/valise-metrics.7").read())
alerts = open("packaging/monitoring/alerts.yml").read()
dashboard = json.load(open("packaging/monitoring/dashboard.json"))
ok([] if len(sources) > 60 else [str(sources)], "the search finds the metrics of the sources")
ok(sorted(sources.keys() - page), "each metric of the sources is in valise-metrics(7)")
ok(sorted(page - sources.keys()), "each metric of valise-metrics(7) is in the sources")
ok([name for name in sources if not re.match(r"(valise|process)_[a-z_]+$", name)], "each has a name of ours")
rules = " ".join(re.findall(r"expr: (?:>-\n)?((?:.*\n)(?:\s{10,}.*\n)*)", alerts))
ok(sorted(used(rules) - sources.keys()), "alerts use no other metrics")
ok([] if len(used(rules)) > 10 else ["too few"], "the search finds those of the alerts")
ok(sorted(used(" ".join(expressions(dashboard))) - sources.keys()), "the dashboard uses no other metrics")
ok(promtool("check", "rules", "alerts.yml"), "promtool reads the alerts")
ok(promtool("test", "rules", "alerts_test.yml"), "the alerts do what their tests say")
tested = set(re.findall(r"alertname: (\w+)", open("packaging/monitoring/alerts_test.yml").read()))
ok(sorted(set(re.findall(r"alert: (\w+)", alerts)) - tested), "each alert has a test")
print(f"1..{count}")
sys.exit(failed > 0)
