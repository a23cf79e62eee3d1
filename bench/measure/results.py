"""What a run has found: one JSON of rows, each with all of its samples."""
import json
import statistics


def name_of(row):
	return row["scene"], row["workload"], row["peer"], row["metric"]


class Results:
	def __init__(self, data=None):
		self.data = data or {"machine": {}, "peers": [], "rows": []}

	@classmethod
	def read(cls, path):
		with open(path) as file:
			return cls(json.load(file))

	def write(self, path):
		with open(path, "w") as file:
			json.dump(self.data, file, indent=1)
			file.write("\n")

	def add(self, scene, workload, peer, metric, unit, samples, **facts):
		"""In place of a row of that name, if there is one."""
		row = {"scene": scene, "workload": workload, "peer": peer, "metric": metric, "unit": unit,
			"samples": samples, "median": statistics.median(samples), **facts}
		self.data["rows"] = [old for old in self.rows if name_of(old) != name_of(row)] + [row]

	def peers_but(self, scene, name):
		return [peer for peer in self.data["peers"] if (peer["scene"], peer["name"]) != (scene, name)]

	@property
	def rows(self):
		return self.data["rows"]

	def of(self, **wanted):
		return [row for row in self.rows if all(row.get(key) == value for key, value in wanted.items())]

	def median(self, **wanted):
		"""None where it was not measured."""
		rows = self.of(**wanted)
		return rows[0]["median"] if rows else None
