"""What the peers do, and what of it is measured. A workload is a row: the arguments of bench/load/load, and
the metrics. Seconds of the processor are those of the measured processes, user and system."""
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Metric:
	name: str
	unit: str
	of: object		# of a sample, see runner.py
	cpu: bool = True	# else it goes by the clock on the wall, and is worth something on a quiet machine only
	more_is_better: bool = False
	each_role: bool = False	# told of each half of a tunnel, too


def per(what, scale):
	return lambda sample, cpu: cpu / sample[what] * scale


PER_GB = Metric("CPU", "s/GB", per("bytes", 1e9), each_role=True)
PER_VISIT = Metric("CPU", "us/connection", per("answers", 1e6), each_role=True)
PER_ROUND = Metric("CPU", "us/round trip", per("answers", 1e6), each_role=True)
RATE = Metric("rate", "GB/s", lambda sample, cpu: sample["bytes"] / sample["seconds"] / 1e9, False, True)
VISITS = Metric("rate", "connections/s", lambda sample, cpu: sample["answers"] / sample["seconds"], False, True)
RESUMED = Metric("resumed", "of all", lambda sample, cpu: min(1.0, sample["resumed"] / sample["answers"]), False, True)
P50 = Metric("p50", "us", lambda sample, cpu: sample["p50_us"], False)
P99 = Metric("p99", "us", lambda sample, cpu: sample["p99_us"], False)
MEMORY = Metric("memory", "bytes/flow", lambda sample, cpu: cpu, each_role=True)
WAKES = Metric("wake-ups while idle", "1/s", lambda sample, cpu: sample["wakes"])
TO_SERVE = Metric("time to serve", "ms", lambda sample, cpu: cpu, False, each_role=True)
RESIDENT = Metric("resident", "MiB", lambda sample, cpu: cpu, each_role=True)
PROPORTIONAL = Metric("all processes, with their part of what is shared", "MiB", lambda sample, cpu: sample["proportional"])
HELD = Metric("memory held afterwards", "bytes/flow", lambda sample, cpu: sample["held"])


@dataclass(frozen=True, eq=False)
class Workload:
	name: str
	load: tuple		# the arguments of the one that is measured
	metrics: tuple
	scenes: tuple = ("static", "tunnel", "terminate")
	warm: float = 0.05	# seconds before each sample
	beside: tuple = ()	# load generators that run during each sample
	standing: tuple = ()	# those that run during all samples of a peer, which are taken one after the other
	idle: int = 0		# so many flows are held; memory is measured, of a peer that was started for it
	begins: str = ""	# a peer is started for each sample: "time" until it serves is measured, or "memory" when it rests


def bulk(direction, flows, scenes=("static", "tunnel", "terminate")):
	return Workload(f"{direction} {flows}", (direction, "--flows", str(flows)), (PER_GB, RATE), scenes, warm=0.2 + flows * 0.003)


def idle(flows, scenes=("static", "tunnel", "terminate")):
	return Workload(f"idle {flows}", (), (MEMORY, HELD, WAKES), scenes, idle=flows)


ROUTERS, ALL = ("static", "tunnel"), ("static", "tunnel", "terminate", "mutual")
ECHO = ("echo", "--bytes", "64", "--flows")
WORKLOADS = (
	*(bulk(direction, flows, ROUTERS if direction == "both" or flows == 100 else ("static", "tunnel", "terminate"))
		for direction in ("down", "up", "both") for flows in (1, 8, 100)),
	Workload("connections", ("visit", "--flows", "16"), (PER_VISIT, VISITS, P99), ALL),
	Workload("one at a time", ("visit",), (PER_VISIT, P50), ALL),
	Workload("resumed", ("visit", "--flows", "16", "--resume"), (PER_VISIT, VISITS, RESUMED), ("terminate",)),
	Workload("ping-pong 1", (*ECHO, "1"), (PER_ROUND, P50, P99)),
	Workload("ping-pong 32", (*ECHO, "32"), (PER_ROUND, P50, P99)),
	Workload("ping-pong in a crowd", (*ECHO, "4"), (P50, P99), ROUTERS,
		beside=(("idle", "--flows", "200"), ("down", "--flows", "4"), ("visit", "--flows", "4"))),
	Workload("down 8 beside 100 stalled readers", ("down", "--flows", "8"), (PER_GB, RATE), ROUTERS, warm=0.2,
		standing=(("stall", "--flows", "100"),)),
	Workload("connections beside 2000 idle flows", ("visit", "--flows", "16"), (PER_VISIT, VISITS), ("static",),
		standing=(("idle", "--flows", "2000"),)),
	idle(2000),
	*(idle(flows, ("static",)) for flows in (500, 1000, 4000, 50000)),
	Workload("start", (), (TO_SERVE,), begins="time"),
	Workload("idle process", (), (RESIDENT, PROPORTIONAL), begins="memory"),
)
