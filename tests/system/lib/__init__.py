"""The kit of the system tests: scenes with daemons, upstreams and clients.

A test file is

	from lib import *

	@test
	def passes_the_bytes_unchanged(scene):
		...

	main()

Each test gets a scene of its own: a directory, free ports on loopback, and an
end at which everything that was started is stopped.
"""
from .authority import authority, Authority
from .client import TlsClient, alert_of, closed_how, curl, dial, run, s_client, stalled_reader
from .hello import hello, records
from .kernel import kernel_bytes, takes_no_more
from .process import Daemon, PROGRAMS
from .scene import route, passthrough, terminate
from .tap import check, equal, fails, main, often, skip, test, test_over, until
from .upstream import drained, echo, http, pour, read_exactly, skip_hello
