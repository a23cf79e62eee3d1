"""What a run has found: one JSON of rows, each with all of its samples."""
import json
import statistics


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
		self.data["rows"].append({"scene": scene, "workload": workload, "peer": peer, "metric": metric, "unit": unit,
			"samples": samples, "median": statistics.median(samples), **facts})

	@property
	def rows(self):
		return self.data["rows"]

	def of(self, **wanted):
		return [row for row in self.rows if all(row.get(key) == value for key, value in wanted.items())]

	def median(self, **wanted):
		"""None where it was not measured."""
		rows = self.of(**wanted)
		return rows[0]["median"] if rows else None
