"""What the kernel holds for connections."""
import os
import re

from .client import run
from .tap import equal


def kernel_bytes(*filters):
	"""(connections, what the kernel holds in their buffers), as ss says; only our side of each is asked for."""
	status, out, err = run("ss", "-tmnHO", "state", "established", "(", *filters, ")")
	equal(status, 0, err)
	found = re.findall(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+)", out.decode())
	return len(found), sum(int(r) + int(f) + int(w) for r, _, f, w in found)


def takes_no_more(daemon, port, count):
	"""In each of its so many sockets to this port something waits for it, and none of its threads has work: it will
	not be read before somebody else moves. True of a daemon that is starved only when it is true of it anyway."""
	# A client's own port may be the same by chance.
	status, out, err = run("ss", "-tnH", "state", "established", "(", "dport", "=", f":{port}", "and", "sport", "!=",
		f":{daemon.port}", ")")
	equal(status, 0, err)
	waiting = [int(line.split()[0]) for line in out.decode().splitlines()]
	return len(waiting) == count and all(waiting) and _is_asleep(daemon.pid)


def _is_asleep(pid):
	def state(task):
		with open(f"/proc/{pid}/task/{task}/stat") as stat:
			return stat.read().rpartition(")")[2].split()[0]
	return all(state(task) == "S" for task in os.listdir(f"/proc/{pid}/task"))
