#!/usr/bin/env -S python3 -B
"""valise-pki when things go wrong: killed at any moment, sixteen at once, a full disk."""
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, "tests/pki_tool")
from lib import *
from lib.process import SANITIZED
from kit import *

KILLS_EACH = 50
AUTHORITIES = 2 if SANITIZED else often(10, 2)
STEP = 3 if SANITIZED else often(1, 3)	# from one call to die at to the next


def start(ca, *argv):
	return subprocess.Popen([PROGRAMS["pki"], argv[0], "--ca", ca.dir, "--json", *argv[1:]], stdin=subprocess.DEVNULL,
		stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def whole(path):
	"""A file that others read: every block that begins in it ends in it."""
	text = open(path).read()
	check(text.startswith("-----BEGIN") and text.endswith("-----\n") and
		text.count("-----BEGIN") == text.count("-----END"), f"{path} is half written: {text!r}")


def public_files(ca):
	for top, _, names in os.walk(ca.dir):
		for name in names:
			if name.endswith((".crt", ".crl", ".key")):
				yield os.path.join(top, name)


def check_authority(ca, acknowledged):
	listed = {one["name"]: one["serial"] for one in ca.json("list")}
	for name, serial in acknowledged.items():
		equal(listed.get(name), serial, name)
	equal(os.listdir(ca.path("tmp")), [], "left-overs in tmp")
	check(ca.believed("steady", "agent"), "the agent")


def kill_often(ca, dice, durations, seed):
	"""How many of KILLS_EACH it was killed at; durations are what the words take on this machine now."""
	acknowledged, names, killed = {}, [], 0
	ca("issue", "agent", "steady", "--host", "a.example")
	for turn in range(KILLS_EACH):
		word = dice.choice(("issue", "issue", "revoke", "crl", "rekey"))
		name = f"c{turn}"
		argv = {"issue": ("issue", "client", name), "crl": ("crl", "--all"), "rekey": ("rekey", "steady"),
			"revoke": ("revoke", dice.choice(names)) if names else ("crl", "agents")}[word]
		began = time.monotonic()
		process = start(ca, *argv)
		if word in durations:
			time.sleep(dice.random() * durations[word])
			process.send_signal(signal.SIGKILL)
		out, err = process.communicate(timeout=60)
		was_killed = process.returncode == -signal.SIGKILL
		if word not in durations:
			durations[word] = time.monotonic() - began
		else:	# as others load the machine: later when it came too soon, sooner when it came too late
			durations[word] *= 1.2 if was_killed else 0.9
		killed += was_killed
		check(process.returncode in (0, 65, -signal.SIGKILL), f"{argv}: {process.returncode} {err} (seed {seed})")
		for path in public_files(ca):
			if os.path.getmtime(path) >= time.time() - 5:
				whole(path)
		status, said, err = ca.any("check")
		check((status, said) == (0, "fine\n"), f"turn {turn}, after {argv}: {status} {said}{err} (seed {seed})")
		if word == "issue" and process.returncode == 0:
			acknowledged[name] = json.loads(out)["serial"]
			names.append(name)
	check_authority(ca, acknowledged)
	return killed


@test
def survives_kill_at_any_moment(scene):
	"""Each time: nothing half written lies there, and check finds inventory, files and keys agreeing."""
	durations, killed, seed = {}, 0, random.randrange(1 << 30)
	dice = random.Random(seed)
	# Several authorities: one that grows takes ever longer to check.
	for number in range(AUTHORITIES):
		killed += kill_often(Ca(f"{scene.dir}/ca{number}"), dice, durations, seed)
	kills = AUTHORITIES * KILLS_EACH
	check(killed > kills // 4, f"only {killed} of {kills} were killed in time")
	print(f"# {killed} of {kills} killed")


@test
def survives_death_before_each_call_that_changes_a_file(scene):
	"""Not at random: before the first write, rename, fsync ..., before the second, until it lives."""
	succeeds("gcc", "-shared", "-fPIC", "-O1", "-o", f"{scene.dir}/die.so", "tests/pki_tool/die.c", "-ldl")
	deaths = 0
	for word in (("issue", "client", "c1"), ("rekey", "c1"), ("revoke", "c1", "--reason", "superseded"), ("crl", "--all"),
			("sub", "acme", "--permit", "dns:acme.example", "--no-password"), ("renew", "agents")):
		for at in range(1, 1000, STEP):
			status, out, err = ca_of(scene).any(*word, env=dict(os.environ, DIE_AT=str(at), LD_PRELOAD=f"{scene.dir}/die.so",
				ASAN_OPTIONS="verify_asan_link_order=0"))
			deaths += status == -signal.SIGKILL
			for path in public_files(ca_of(scene)):
				whole(path)
			equal(ca_of(scene).any("check")[:2], (0, "fine\n"), f"{word}, killed at {at}")
			if status != -signal.SIGKILL:
				check(status in (0, 64, 65, 73), f"{word}: {status} {err}")
				if status == 0:
					break
				# What died had been committed: what is asked for is there.
				check(any(w in err for w in ("exists already", "revoked already")), f"{word} at {at}: {err}")
				break
		else:
			check(False, f"{word} never lived")
	check(deaths > 100 // STEP, f"only {deaths} deaths")
	print(f"# {deaths} deaths")


def ca_of(scene, made={}):
	if scene.dir not in made:
		made[scene.dir] = Ca(f"{scene.dir}/ca")
	return made[scene.dir]


@test
def init_can_be_repeated_until_it_lives(scene):
	succeeds("gcc", "-shared", "-fPIC", "-O1", "-o", f"{scene.dir}/die.so", "tests/pki_tool/die.c", "-ldl")
	for at in range(1, 1000, STEP):
		status, out, err = pki("init", "--no-password", "--ca", f"{scene.dir}/ca", env=dict(os.environ, DIE_AT=str(at),
			LD_PRELOAD=f"{scene.dir}/die.so", ASAN_OPTIONS="verify_asan_link_order=0"))
		if status != -signal.SIGKILL:
			break
	check(status == 0 or (status == 73 and "holds an authority already" in err), err)
	equal(pki("check", "--ca", f"{scene.dir}/ca")[:2], (0, "fine\n"))


@test
def what_was_revoked_stays_revoked_whoever_dies(scene):
	ca = Ca(f"{scene.dir}/ca")
	dice, revoked = random.Random(7), set()
	for turn in range(20):
		serial = ca.json("issue", "client", f"c{turn}")["serial"]
		process = start(ca, "revoke", f"c{turn}")
		time.sleep(dice.random() * 0.03)
		process.send_signal(signal.SIGKILL)
		if process.wait() == 0:
			revoked.add(serial)
		process.communicate()
		ca("check")
		listed = {one["serial"] for one in ca.json("list", "--revoked")}
		equal(set(serials(ca.path("crls/clients.crl"))), listed, "the CRL and the inventory")
		check(revoked <= listed, "one that was acknowledged is lost")


@test
def sixteen_at_once_get_sixteen_serials(scene):
	ca = Ca(f"{scene.dir}/ca")
	for turn in range(1 if SANITIZED else 4):
		processes = [start(ca, "issue", "client", f"c{turn}-{i}") for i in range(16)]
		made = []
		for process in processes:
			out, err = process.communicate(timeout=100)
			check(process.returncode == 0, err)
			made.append(json.loads(out)["serial"])
		equal(len(set(made)), 16, "distinct serials")
		listed = {one["serial"] for one in ca.json("list")}
		check(set(made) <= listed, "lost")
	equal(ca("check"), "fine\n")


@test
def sixteen_revocations_at_once_are_all_on_the_crl(scene):
	ca = Ca(f"{scene.dir}/ca")
	wanted = {ca.json("issue", "client", f"c{i}")["serial"] for i in range(16)}
	processes = [start(ca, "revoke", f"c{i}") for i in range(16)]
	numbers = []
	for process in processes:
		out, err = process.communicate(timeout=100)
		check(process.returncode == 0, err)
		numbers.append(json.loads(out)["crl_number"])
	equal(sorted(numbers), list(range(2, 18)), "CRL numbers")
	equal(set(serials(ca.path("crls/clients.crl"))), wanted)
	equal(ca("check"), "fine\n")


@test
def one_of_many_gets_a_name_that_all_want(scene):
	ca = Ca(f"{scene.dir}/ca")
	processes = [start(ca, "issue", "client", "one") for _ in range(8)]
	ends = []
	for process in processes:
		_, err = process.communicate(timeout=100)
		ends.append(process.returncode)
		check(process.returncode == 0 or "exists already" in err, err)
	equal(sorted(ends), [0] + 7 * [73])
	equal(ca("check"), "fine\n")


# A name space of its own lets a user who is not root mount a small disk too.
ON_A_SMALL_DISK = """
mount -t tmpfs -o size=1m none "$1" && cp -r "$2" "$1/ca" || exit 99
head -c 400k /dev/zero > "$1/ballast"
pki=$3
refused=0 issued=0
for i in $(seq 2000); do
	if "$pki" issue client "c$i" --ca "$1/ca" > /dev/null 2> "$1/../said"; then
		issued=$((issued + 1))
	else
		status=$?
		refused=$((refused + 1))
		echo "refused $status $(tail -n 1 "$1/../said")"
		[ $refused -eq 5 ] && break
	fi
done
"$pki" revoke c1 --ca "$1/ca" > "$1/../said" 2>&1; echo "revoke $? $(tail -n 1 "$1/../said")"
"$pki" backup "$1/b.tar" --ca "$1/ca" > "$1/../said" 2>&1; echo "backup $? $(tail -n 1 "$1/../said")"
ls "$1" | grep -v -e '^ca$' -e '^ballast$'
cp -r "$1/ca" "$4"
echo "issued $issued"
rm "$1/ballast"
"$pki" issue client later --ca "$1/ca" > /dev/null && "$pki" check --ca "$1/ca"
echo "listed $("$pki" list --ca "$1/ca" | grep -c ' client c')"
"""


def unshare_mounts(scene):
	"""The start of a command that may mount on scene.dir/disk, unseen by others."""
	as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
	into = ("unshare", *as_root, "--mount")
	os.makedirs(f"{scene.dir}/disk")
	status, _, err = tool(*into, "mount", "-t", "tmpfs", "-o", "size=1m", "none", f"{scene.dir}/disk")
	if status != 0:
		skip(f"no disk can be mounted under unshare --mount here: {err.strip()}")
	return into


@test
def a_full_disk_is_told_of_and_loses_nothing(scene):
	into = unshare_mounts(scene)
	ca = Ca(f"{scene.dir}/ca")
	out = succeeds(*into, "sh", "-c", ON_A_SMALL_DISK, "sh", f"{scene.dir}/disk", ca.dir, PROGRAMS["pki"],
		f"{scene.dir}/copy", timeout=250)
	lines = out.splitlines()
	refused = [line for line in lines if line.startswith("refused")]
	equal(len(refused), 5, out)
	for line in refused:
		check(line.startswith("refused 73 ") and "nothing was changed" in line, line)
	check(any(line.startswith(("revoke 73 ", "revoke 0 ")) for line in lines), out)
	check(any(line.startswith("backup 73 ") for line in lines) and "b.tar" not in lines, out)
	check("fine" in lines, out)
	numbers = {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith(("issued", "listed"))}
	equal(numbers["listed"], numbers["issued"], "certificates")
	check(numbers["issued"] > 20, out)


main()
