"""Flows of which both ends are watched: what one has sent the other has, byte by byte, and both have seen the same end."""
import collections
import errno
import heapq
import random
import selectors
import socket
import struct
import time

from .hello import hello

PIECE = 65536
NO_PROGRESS_S = 60


def pattern(number, way):
	"""What is sent over and over; it never begins like an alert, which is what refused clients get."""
	return b"\0" + random.Random(number * 2 + way).randbytes(PIECE - 1)


class End:
	"""One end of a flow, with a plan: what it does, in this order, while it reads what comes."""

	def __init__(self, flows_of, flow, stream, way, plan):
		self.flows_of, self.flow, self.stream, self.plan = flows_of, flow, stream, plan
		self.mine, self.theirs = pattern(flow, way), pattern(flow, 1 - way)
		self.to_send = self.sent = self.got = 0
		self.did = self.saw = None	# "end" or "reset"
		self.wrong = None
		self.reads, self.deaf_until, self.closed = True, 0, False
		self.moved_at = time.monotonic()
		stream.setblocking(False)
		flows_of.selector.register(stream, selectors.EVENT_READ, self)
		self.go_on()

	def is_over(self):
		return self.closed

	def watch(self):
		if self.closed:
			return
		wanted = (selectors.EVENT_READ if self.reads and not self.saw else 0) | (selectors.EVENT_WRITE if self.to_send else 0)
		key = self.flows_of.selector.get_map().get(self.stream.fileno())
		if key and wanted:
			self.flows_of.selector.modify(self.stream, wanted, self)
		elif key:
			self.flows_of.selector.unregister(self.stream)
		elif wanted:
			self.flows_of.selector.register(self.stream, wanted, self)

	def go_on(self):
		"""The next steps of the plan, until one takes time."""
		while self.plan and not self.to_send and not self.closed:
			step, value = self.plan.pop(0)
			if step == "send":
				self.to_send = value
			elif step == "pause":
				self.flows_of.later(value, self.go_on)
				break
			elif step == "deaf":
				self.reads = False
				self.flows_of.later(value, self.hear)
			elif step == "reset":
				self.did = "reset"
				self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
				self.close()
			elif step == "end" and not self.saw == "reset":
				self.did = "end"
				try:
					self.stream.shutdown(socket.SHUT_WR)
				except OSError:
					self.see("reset")
		self.finish()
		self.watch()

	def hear(self):
		self.reads = True
		self.watch()

	def finish(self):
		if not self.closed and self.did == "end" and self.saw == "end":
			self.close()

	def close(self):
		if self.stream.fileno() in self.flows_of.selector.get_map():
			self.flows_of.selector.unregister(self.stream)
		self.stream.close()
		self.closed = True

	def see(self, what):
		self.saw = what
		if what == "reset":
			self.close()

	def on_ready(self, mask):
		self.moved_at = time.monotonic()
		if mask & selectors.EVENT_READ:
			self.read()
		if mask & selectors.EVENT_WRITE and not self.closed:
			self.write()
		self.finish()
		self.watch()

	def read(self):
		try:
			data = self.stream.recv(PIECE)
		except BlockingIOError:
			return
		except OSError as error:
			if error.errno not in (errno.ECONNRESET, errno.EPIPE):
				self.wrong = f"an end of another kind: {error}"
			self.see("reset")
			return
		if not data:
			self.see("end")
			return
		self.check(data)

	def check(self, data):
		at = self.got % PIECE
		if (self.theirs[at:] + self.theirs[:at])[:len(data)] != data:
			self.wrong = f"other bytes than were sent, after {self.got}: {data[:16].hex()}"
		self.got += len(data)

	def write(self):
		at = self.sent % PIECE
		try:
			count = self.stream.send(self.mine[at:at + min(self.to_send, PIECE)])
		except BlockingIOError:
			return
		except OSError:
			self.saw = self.saw or "reset"
			if self.saw == "reset":
				self.close()
			else:	# who has ended takes nothing more: that is a reset to us
				self.see("reset")
			return
		self.sent += count
		self.to_send -= count
		if self.to_send == 0:
			self.go_on()


class Client(End):
	"""Says the hello of its flow first; what is no part of it may be an alert instead."""

	def check(self, data):
		if self.got == 0 and data[:1] == b"\x15":
			self.refused = data
			self.theirs = data + bytes(PIECE)
		super().check(data)

	refused = None


class BothEnds:
	"""Flows through a relay, by name; plan_of(number, way) says what an end does: way 0 the client, 1 the upstream."""

	def __init__(self, scene, plan_of):
		self.scene, self.plan_of, self.address = scene, plan_of, None
		self.selector = selectors.DefaultSelector()
		self.timers, self.order = [], 0
		self.flows, self.next = {}, 0
		self.alone = {}		# flows whose clients have gone; their upstreams may hear of them yet
		self.listeners, self.half_open = {}, {}
		self.counts, self.faults = collections.Counter(), []

	def later(self, seconds, function):
		self.order += 1
		heapq.heappush(self.timers, (time.monotonic() + seconds, self.order, function))

	def listen(self):
		"""An upstream of ours; its flows say first which they are."""
		listener = self.scene.keep(socket.create_server(("127.0.0.1", 0), backlog=1024))
		listener.setblocking(False)
		self.selector.register(listener, selectors.EVENT_READ, listener)
		return f"tcp://127.0.0.1:{listener.getsockname()[1]}"

	def accept(self, listener):
		try:
			stream, _ = listener.accept()
		except BlockingIOError:
			return
		stream.setblocking(False)
		self.half_open[stream] = b""
		self.selector.register(stream, selectors.EVENT_READ, stream)

	def introduce(self, stream):
		"""Reads the hello of a flow and behind it the flow's number, and no more."""
		head = self.half_open[stream]
		wanted = 5 + int.from_bytes(head[3:5], "big") + 8 if len(head) >= 5 else 5
		try:
			head += stream.recv(wanted - len(head))
		except BlockingIOError:
			return
		except OSError:
			head = b""
		if len(head) == len(self.half_open[stream]) or not head:
			self.forget(stream)	# gone before it has said who it is: its client knows nothing of it either
			return
		self.half_open[stream] = head
		if len(head) >= 5 and len(head) == 5 + int.from_bytes(head[3:5], "big") + 8:
			self.selector.unregister(stream)
			del self.half_open[stream]
			number = int.from_bytes(head[-8:], "big")
			self.flows.setdefault(number, self.alone.pop(number, None))
			self.flows[number]["upstream"] = End(self, number, stream, 1, self.plan_of(number, 1))

	def forget(self, stream):
		self.selector.unregister(stream)
		del self.half_open[stream]
		stream.close()

	def begin(self, name):
		number, self.next = self.next, self.next + 1
		stream = socket.create_connection(self.address, 10)
		stream.sendall(hello(name) + number.to_bytes(8, "big"))
		self.flows[number] = {"name": name, "client": None, "upstream": None}
		self.flows[number]["client"] = Client(self, number, stream, 0, self.plan_of(number, 0))

	def turn(self):
		now = time.monotonic()
		while self.timers and self.timers[0][0] <= now:
			heapq.heappop(self.timers)[2]()
		for key, mask in self.selector.select(0.02):
			if isinstance(key.data, End):
				key.data.on_ready(mask)
			elif key.data in self.half_open:
				self.introduce(key.data)
			else:
				self.accept(key.data)
		self.settle()

	def settle(self):
		"""Judges the flows of which both ends are over."""
		now = time.monotonic()
		for number, flow in list(self.flows.items()):
			client, upstream = flow["client"], flow["upstream"]
			if client.is_over() and (upstream.is_over() if upstream else client.refused or client.saw == "reset" or client.did == "reset"):
				self.judge(number, flow)
				del self.flows[number]
				if not upstream:
					self.alone[number] = flow
			elif max(end.moved_at for end in (client, upstream) if end) < now - NO_PROGRESS_S:
				self.faults.append(f"flow {number} of {flow['name']} stands still: {self.view(client)} | {self.view(upstream)}")
				del self.flows[number]

	def view(self, end):
		return "none" if not end else f"sent {end.sent}, got {end.got}, did {end.did}, saw {end.saw}, plans {end.plan}"

	def judge(self, number, flow):
		client, upstream = flow["client"], flow["upstream"]
		self.counts[flow["name"]] += 1
		faults = [end.wrong for end in (client, upstream) if end and end.wrong]
		if client.refused:
			self.counts["refused"] += 1
			faults.append(f"a client was refused: {client.refused[:7].hex()}")
		elif upstream:
			faults += [f"{who}: {fault}" for who, one, other in (("client", client, upstream), ("upstream", upstream, client))
				for fault in self.faults_of(one, other)]
			self.counts["reset" if "reset" in (client.did, upstream.did) else "ended"] += 1
			self.counts["bytes"] += client.got + upstream.got
		if faults:
			self.faults.append(f"flow {number} of {flow['name']}: {faults}; client {self.view(client)}; upstream {self.view(upstream)}")

	def faults_of(self, one, other):
		"""What `one` has seen of what `other` did."""
		if one.saw == "end" and other.did != "end":
			yield "saw an end that nobody made"
		if one.saw == "end" and one.got != other.sent:
			yield f"has {one.got} of {other.sent} bytes although it saw their end"
		if one.saw == "reset" and "reset" not in (other.did, one.did):
			yield "saw a reset that nobody made"
		if one.got > other.sent:
			yield "has more than was sent"
