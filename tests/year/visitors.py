"""Clients of a relay, one after the other, for ever: visitors.py PORT ROOT FILE NAME..."""
import json
import select
import socket
import ssl
import sys
import time

port, root, path, *names = sys.argv[1:]
context = ssl.create_default_context(cafile=root)


def visit(name):
	with socket.create_connection(("127.0.0.1", int(port)), timeout=15) as plain:
		with context.wrap_socket(plain, server_hostname=name) as client:
			client.sendall(b"hello")
			if client.recv(5) != b"hello":
				raise OSError("something else came back")


with open(path, "w", buffering=1) as file:
	while True:
		for name in names:
			line = {"name": name, "at": time.time(), "served": 0}
			try:
				visit(name)
				line["served"] = 1
			except (OSError, ssl.SSLError) as error:
				line["error"] = repr(error)
			file.write(json.dumps(line) + "\n")
			select.select([], [], [], 0.2)	# faketime spoils the usual way to pause
