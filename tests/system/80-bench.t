#!/usr/bin/env -S python3 -B
"""The harness of `make bench` itself, at its smallest: what it measures is no matter here."""
import json
import os
import xml.etree.ElementTree

from lib import *

TREE = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))


def bench(scene, *words, peers="valise,bound"):
	"""(its JSON, what it printed)"""
	path = f"{scene.dir}/results.json"
	environment = {**os.environ, "BENCH_SECONDS": "0.05", "BENCH_ROUNDS": "2"}
	status, out, err = run(f"{TREE}/bench/run", "--json", path, "--peers", peers, *words, environment=environment)
	equal(status, 0, err)
	with open(path) as file:
		return json.load(file), out.decode()


def compare(scene, old, new):
	paths = []
	for name, results in (("old", old), ("new", new)):
		paths.append(f"{scene.dir}/{name}.json")
		with open(paths[-1], "w") as file:
			json.dump(results, file)
	status, out, _ = run(f"{TREE}/bench/compare", *paths)
	return status, out.decode()


def by_metric(results, **wanted):
	rows = [row for row in results["rows"] if all(row[key] == value for key, value in wanted.items())]
	return {row["metric"]: row for row in rows}


@test
def a_static_route_is_measured_beside_its_bound(scene):
	results, printed = bench(scene, "static/down 8", "static/one at a time", "static/idle 500")
	check("failures" not in results, results.get("failures"))
	for peer in ("valise", "bound"):
		bulk = by_metric(results, workload="down 8", peer=peer)
		visits = by_metric(results, workload="one at a time", peer=peer)
		check("CPU" in bulk, bulk)
		for row in (bulk["rate"], visits["CPU"], visits["p50"]):
			check(len(row["samples"]) == 2 and all(value > 0 for value in row["samples"]), row)
			check(row["median"] == sum(row["samples"]) / 2, row)
	idle = by_metric(results, workload="idle 500", peer="valise")["memory"]
	check(idle["flows"] == 500 and idle["median"] > 0, idle)
	check("| down 8, CPU | s/GB |" in printed and "own minimal C" in printed, printed)
	check("to hold" in printed and "static route, down, s/GB" in printed, printed)
	words = "".join(xml.etree.ElementTree.parse(f"{scene.dir}/overview.svg").getroot().itertext())
	check("seconds of CPU for a gigabyte" in words and "bound" in words, words)


@test
def a_tunnel_that_ends_tls_is_measured_by_its_halves(scene):
	results, _ = bench(scene, "terminate/connections")
	ours = by_metric(results, peer="valise")
	check(ours, results)
	halves = [sum(both) for both in zip(ours["CPU of the relay"]["samples"], ours["CPU of the agent"]["samples"])]
	check(all(abs(sum_ - whole) < 1e-6 * whole for sum_, whole in zip(halves, ours["CPU"]["samples"])), ours)
	check(by_metric(results, peer="bound")["CPU of the agent"]["median"] > 0, "the bound is an agent here")


@test
def a_peer_that_is_not_there_is_told_and_left_out(scene):
	os.environ["CHISEL"] = "/nowhere/chisel"
	try:
		results, printed = bench(scene, "tunnel/one at a time", peers="chisel")
	finally:
		del os.environ["CHISEL"]
	equal(results["rows"], [], "rows")
	check("no chisel" in results["peers"][0]["absent"], results["peers"])


def result(**medians):
	return {"rows": [{"scene": "static", "workload": "down 8", "peer": peer, "metric": "CPU", "unit": "s/GB",
		"samples": [median] * 3, "median": median, "more_is_better": False} for peer, median in medians.items()]}


@test
def what_gets_worse_by_more_than_three_percent_is_told(scene):
	old = result(valise=1.0, bound=0.5)
	equal(compare(scene, old, old)[0], 0, "the same")
	equal(compare(scene, old, result(valise=1.02, bound=0.5))[0], 0, "2 %")
	status, out = compare(scene, old, result(valise=1.04, bound=0.5))
	check(status == 1 and "down 8, CPU (valise): +4.0 %" in out, out)
	equal(compare(scene, old, result(valise=2.0, bound=1.0))[0], 0, "all of the machine at half its speed")
	equal(compare(scene, old, result(valise=1.0, bound=0.4))[0], 1, "as before, on a machine that is faster now")
	equal(compare(scene, old, result(bound=0.5))[0], 1, "a row that is gone")


main()
