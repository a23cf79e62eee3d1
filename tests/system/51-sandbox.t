#!/usr/bin/env python3
"""What relay and agent can still do when somebody has taken them over: tests/hijack/hijack.c obeys him."""
import glob
import json
import os
import shutil
import socket
import subprocess

from lib import *
from lib.process import BUILD, SANITIZED
from lib.scene import free_port

AT_CWD, AF_INET, AF_UNIX, AF_PACKET, STREAM = -100, 2, 1, 17, 1
O_DIRECTORY, O_CREAT, O_WRONLY = 0o200000, 0o100, 1
SIGCHLD, PTRACE_ATTACH, PROT_RWX, MAP_PRIVATE_ANONYMOUS = 17, 16, 7, 0x22


def hijacked(daemon):
	"""The same with a word for who has taken it over."""
	daemon.argv[0] = daemon.argv[0].replace(BUILD, f"{BUILD}/hijack")
	return daemon


def own(scene, *files):
	"""Copies in a folder of this scene, so that no folder of the authority is in reach."""
	os.makedirs(f"{scene.dir}/etc", exist_ok=True)
	return [shutil.copy(file, f"{scene.dir}/etc") for file in files]


def relay(scene, start=True, **keys):
	certificate, key, cas, crls = own(scene, *authority().relay(), authority().cas("agent"), authority().crls("agent"))
	os.makedirs(f"{scene.dir}/run", exist_ok=True)	# where sockets may be removed
	daemon = hijacked(scene.relay(start=False, admin={"socket": f"{scene.dir}/run/relay.sock"}, connect={"certificate": certificate, "private_key": key,
		"agent_cas": [cas], "agent_crls": [crls]}, **keys))
	return daemon.start() if start else daemon


def agent(scene, relay, start=True):
	certificate, key, cas, crls = own(scene, *authority().agent("app", "app.example", "open.example"),
		authority().cas("relay"), authority().crls("relay"))
	endpoint = passthrough("app.example", scene.upstream(echo))
	daemon = hijacked(scene.agent(relay, [endpoint], (certificate, key), start=False,
		agent={"connect_cas": cas, "connect_crls": crls}))
	if start:
		daemon.start()
		scene.wait_serving(daemon)
	return daemon


def admin_socket(daemon):
	return daemon.settings.get("admin", {}).get("socket") or f"{daemon.settings['agent']['state_dir']}/admin.sock"


def call(daemon, name, *arguments, in_thread=False):
	"""(result, error) of the system call."""
	with socket.socket(socket.AF_UNIX) as stream:
		stream.settimeout(20)
		stream.connect(admin_socket(daemon))
		stream.sendall(json.dumps({"command": "hijack", "call": name, "arguments": list(arguments),
			"in_thread": in_thread}).encode() + b"\n")
		answer = b""
		while got := stream.recv(65536):
			answer += got
	document = json.loads(answer)
	return document["result"], document["error"]


def inet(port):
	return {"hex": (AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)).hex()}


def local(path):
	return {"hex": (AF_UNIX.to_bytes(2, "little") + path.encode() + b"\0").hex()}


def own_key(daemon):
	settings = daemon.settings
	return settings.get("connect", settings.get("agent"))["private_key"]


def forbidden_files(scene, daemon):
	"""By Landlock: what, call, arguments."""
	keys = glob.glob(f"{authority().dir}/**/*.key", recursive=True)
	check(keys, "the authority has keys")
	socket_of_another = local(f"{scene.dir}/another.sock")
	own = own_key(daemon)
	check(os.path.exists(own), own)
	return [(f"reads {key}", "openat", (AT_CWD, key, 0)) for key in [own, *keys[:3]]] + [
		("lists the authority", "openat", (AT_CWD, authority().dir, O_DIRECTORY)),
		("reads the passwords", "openat", (AT_CWD, "/etc/shadow", 0)),
		("reads what the system has", "openat", (AT_CWD, "/var/lib/dpkg/status", 0)),
		("reads the home of root", "openat", (AT_CWD, "/root", O_DIRECTORY)),
		("writes its own configuration", "openat", (AT_CWD, daemon.config_path, O_WRONLY)),
		("leaves a file elsewhere", "openat", (AT_CWD, "/tmp/valise-left-by-a-hijacker", O_CREAT | O_WRONLY, 0o600)),
		("moves its own configuration", "rename", (daemon.config_path, daemon.config_path + ".away")),
		("removes its own configuration", "unlink", (daemon.config_path,)),
		("reads the memory of its parent", "openat", (AT_CWD, f"/proc/{os.getpid()}/mem", 0)),
	]


def forbidden_calls():
	"""By the list of system calls."""
	return [
		("executes", "execve", ("/bin/true", 0, 0)),
		("executes otherwise", "execveat", (AT_CWD, "/bin/true", 0, 0, 0)),
		("makes a process", "clone", (SIGCHLD, 0, 0, 0, 0)),
		("makes a process as of old", "fork", ()),
		("makes a process newly", "clone3", ({"hex": "00" * 32 + f"{SIGCHLD:02x}" + "00" * 31}, 64)),
		("traces its parent", "ptrace", (PTRACE_ATTACH, os.getpid(), 0, 0)),
		("reads its parent", "process_vm_readv", (os.getpid(), {"room": 16}, 0, {"room": 16}, 0, 0)),
		("signals its parent", "kill", (os.getpid(), 0)),
		("opens raw sockets", "socket", (AF_PACKET, 3, 0)),
		("makes memory that is code", "mmap", (0, 4096, PROT_RWX, MAP_PRIVATE_ANONYMOUS, -1, 0)),
		("mounts", "mount", ("none", "/mnt", "tmpfs", 0, 0)),
		("enters name spaces", "unshare", (0x10000000,)),
		("becomes another user", "setuid", (0,)),
		("takes capabilities back", "capset", ({"room": 16}, {"room": 64})),
		("lets itself be traced", "prctl", (4, 1, 0, 0, 0)),
		("changes its root", "chroot", ("/",)),
		("loads a program into the kernel", "bpf", (0, {"room": 64}, 64)),
		("hands work to the kernel", "io_uring_setup", (4, {"room": 256})),
	]


def holds(scene, daemon, in_thread=False):
	wrong = []
	for what, name, arguments in forbidden_files(scene, daemon) + ([] if SANITIZED else forbidden_calls()):
		result, error = call(daemon, name, *arguments, in_thread=in_thread)
		if error not in ("EACCES", "EPERM", "ENOSYS", "EXDEV"):
			wrong.append(f"{daemon.label} {what}: {name} gave {result} {error}")
	check(not wrong, "\n".join(wrong))


def opens_no_listener(daemon):
	port = free_port()
	fd, error = call(daemon, "socket", AF_INET, STREAM, 0)
	equal(error, "", "a socket that could dial")
	equal(call(daemon, "bind", fd, inet(port), 16)[1], "EACCES", "what binding a port gives")
	if not SANITIZED:
		equal(call(daemon, "listen", fd, 1)[1], "ENOSYS", "what listening gives")
	path = f"{daemon.directory}/hijacked.sock"
	fd, error = call(daemon, "socket", AF_UNIX, STREAM, 0)
	call(daemon, "bind", fd, local(path), 2 + len(path) + 1)
	if not SANITIZED:
		equal(call(daemon, "listen", fd, 1)[1], "ENOSYS", "what listening at a path gives")


def threads(daemon):
	"""What the kernel says of each of its threads."""
	for path in glob.glob(f"/proc/{daemon.pid}/task/*/status"):
		with open(path) as status:
			yield dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def is_coverage():
	return "coverage" in BUILD


@test
def who_has_taken_over_a_daemon_reads_no_key_and_makes_no_process(scene):
	if is_coverage():
		skip("the build that measures coverage has no sandbox")
	first = relay(scene)
	second = agent(scene, first)
	for daemon in first, second:
		holds(scene, daemon)
		holds(scene, daemon, in_thread=True)
		opens_no_listener(daemon)
	equal(scene_echoes(scene, first), b"hello", "what comes back through both")


def scene_echoes(scene, relay):
	first = hello("app.example")
	with dial(relay.port, first) as stream:
		equal(read_exactly(stream, len(first)), first, "the hello that comes back")
		stream.sendall(b"hello")
		return read_exactly(stream, 5)


@test
def every_thread_has_given_up_all(scene):
	if is_coverage():
		skip("the build that measures coverage has no sandbox")
	first = relay(scene, workers=2)
	second = agent(scene, first)
	for daemon in first, second:
		all_threads = list(threads(daemon))
		check(len(all_threads) >= 3, f"{daemon.label} has threads")
		for thread in all_threads:
			equal(int(thread["CapEff"], 16) | int(thread["CapPrm"], 16) | int(thread["CapBnd"], 16) | int(thread["CapAmb"], 16),
				0, f"capabilities of {daemon.label}'s thread {thread['Name']}")
			equal(thread["NoNewPrivs"], "1", "whether it can get none")
			if not SANITIZED:
				equal(thread["Seccomp"], "2", f"the filter of {daemon.label}'s thread {thread['Name']}")


@test
def without_the_sandbox_he_does_all_that_and_that_is_told(scene):
	first = relay(scene, start=False)
	first.argv.append("--no-sandbox")
	first.start()
	first.wait_event("sandbox-off")
	key = glob.glob(f"{authority().dir}/**/*.key", recursive=True)[0]
	check(call(first, "openat", AT_CWD, key, 0)[0] >= 0, "he reads a key")
	child, error = call(first, "getpid")
	equal((child, error), (first.pid, ""), "the process that obeys")
	fd, _ = call(first, "socket", AF_INET, STREAM, 0)
	equal(call(first, "listen", fd, 1), (0, ""), "what listening gives")


@test
def a_reload_says_what_is_out_of_reach(scene):
	if is_coverage():
		skip("the build that measures coverage has no sandbox")
	first = relay(scene)
	away = f"{authority().top}/away"
	os.makedirs(away)
	moved = shutil.copy(first.settings["connect"]["agent_cas"][0], away)
	first.settings["connect"]["agent_cas"] = [moved]
	first.write(first.settings)
	done = subprocess.run([first.program, "reload", "-c", first.config_path], capture_output=True, text=True, timeout=60)
	check(done.returncode != 0 and f"connect.agent_cas: {moved}: the sandbox does not reach the folder {away}" in done.stderr
		and "restart" in done.stderr, f"the answer names key, folder and cure: {done.stderr}")
	first.wait_event("reload-refused")
	first.stop()
	first.start()


@test
def what_is_replaced_or_comes_later_into_a_folder_is_taken_up(scene):
	first = relay(scene)
	etc = f"{scene.dir}/etc"
	before = len(first.events("trust-reloaded"))
	crls = first.settings["connect"]["agent_crls"][0]
	shutil.copy(crls, f"{etc}/next")
	os.replace(f"{etc}/next", crls)
	first.wait_event("trust-reloaded", count=before + 1)
	first.settings["connect"]["agent_cas"] = [shutil.copy(first.settings["connect"]["agent_cas"][0], f"{etc}/more.crt")]
	first.write(first.settings)
	first.reload()
	first.wait_event("reloaded")


@test
def who_has_taken_over_from_another_listens_no_more(scene):
	if is_coverage() or SANITIZED:
		skip("this build has no list of system calls")
	first = relay(scene)
	second = hijacked(scene.relay("second", start=False))
	second.port = first.port
	second.write(first.settings)
	second.argv.append("--takeover")
	second.start()
	second.wait_event("taken-over")
	fd, _ = call(second, "socket", AF_INET, STREAM, 0)
	equal(call(second, "listen", fd, 1)[1], "ENOSYS", "what listening gives")
	equal(first.wait(60), 0, "how the first one ended")


main()
