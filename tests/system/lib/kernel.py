"""What the kernel holds for connections."""
import re

from .client import run
from .tap import equal


def kernel_bytes(*filters):
	"""(connections, what the kernel holds in their buffers), as ss says; only our side of each is asked for."""
	status, out, err = run("ss", "-tmnHO", "state", "established", "(", *filters, ")")
	equal(status, 0, err)
	found = re.findall(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+)", out.decode())
	return len(found), sum(int(r) + int(f) + int(w) for r, _, f, w in found)
