"""Two runs beside each other: which of Valise's rows got worse. The machine may have been faster in one of them,
so a row is judged by its ratio to a yardstick, a peer that did not change, where both runs have it."""
from .peers import OWN
from .results import name_of

YARDSTICKS = {"static": "bound", "tunnel": "minimal pair", "terminate": "bound", "mutual": "bound"}
MOST = 1.03


def yardstick(results, row):
	"""Of the same work, in the same run; None where there is none."""
	return results.median(scene=row["scene"], workload=row["workload"], peer=YARDSTICKS[row["scene"]], metric=row["metric"])


def overlap(old, new):
	return min(old["samples"]) <= max(new["samples"]) and min(new["samples"]) <= max(old["samples"])


def worse(old_results, old, new_results, new):
	"""By which factor; below 1: better."""
	before, after = old["median"], new["median"]
	sticks = yardstick(old_results, old), yardstick(new_results, new)
	if all(sticks):
		before, after = before / sticks[0], after / sticks[1]
	if before <= 0 or after <= 0:
		return 1.0 if before == after else float("inf")
	return before / after if old["more_is_better"] else after / before


def verdicts(old_results, new_results):
	"""(row of the old run, factor, what is to be said) of each row of Valise."""
	found = {name_of(row): row for row in new_results.rows}
	for old in old_results.rows:
		if not old["peer"].startswith(OWN):
			continue
		new = found.get(name_of(old))
		if new is None:
			yield old, float("inf"), "is not in the new run"
			continue
		factor = worse(old_results, old, new_results, new)
		sure = "" if not overlap(old, new) else ", but the samples overlap"
		yield old, factor, f"{old['median']:.4g} -> {new['median']:.4g} {old['unit']}{sure}"
