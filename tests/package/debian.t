#!/usr/bin/env -S python3 -B
"""The Debian packages on a fresh Debian: built, judged, installed, upgraded under load, removed and purged.  SUITES says on which."""
import glob

from load import *
from trees import *

private("debootstrap", "dpkg-deb", "autopkgtest", "ip")


def unpack(tree, archive, of):
	"""The source as a packager has it: the tarball, and debian/ beside what it unpacks to."""
	top = f"/build/valise-{of}"
	shutil.rmtree(f"{tree.path}/build/valise-{version()}", ignore_errors=True)
	do("tar", "-xzf", archive, "-C", tree.path + "/build")
	if of != version():
		os.rename(f"{tree.path}/build/valise-{version()}", tree.path + top)
		do("sed", "-i", f"s/^VERSION := .*/VERSION := {of}/", f"{tree.path}{top}/GNUmakefile")
		do("packaging/dist", of, f"{tree.path}/build", cwd=tree.path + top)
		archive = f"{tree.path}/build/valise-{of}.tar.gz"
	shutil.copy(archive, f"{tree.path}/build/valise_{of}.orig.tar.gz")
	shutil.copytree(f"{tree.path}{top}/packaging/debian", f"{tree.path}{top}/debian")
	do("sed", "-i", f"1s/{version()}/{of}/", f"{tree.path}{top}/debian/changelog")
	tree.run("chown", "-R", "builder:", "/build")
	return top


def build(tree, archive, of, options):
	tree.run("dpkg-buildpackage", "-us", "-uc", user="builder", cwd=unpack(tree, archive, of), DEB_BUILD_OPTIONS=options)
	kept = f"{BUILT}/{tree.suite}/debs-{of}"
	shutil.rmtree(kept, ignore_errors=True)
	os.makedirs(kept)
	for path in glob.glob(f"{tree.path}/build/*_{of}-*.*"):
		shutil.copy(path, kept)
	shutil.copy(f"{tree.path}/build/valise_{of}.orig.tar.gz", kept)
	equal(sorted(os.path.basename(p).split("_")[0] for p in debs(tree.suite, of) if "-dbgsym" not in p), BINARIES)


@test_over(*SUITES)
def they_build_and_lintian_finds_nothing(scene, suite):
	tree = Tree(suite, "builder")
	archive = tarball(scene.dir)
	tree.install("build-essential", "lintian")
	tree.run("useradd", "--create-home", "builder")
	os.mkdir(tree.path + "/build")
	build_depends = unpack(tree, archive, version())
	tree.run("apt-get", "-qq", "build-dep", "-y", "--no-install-recommends", "." + build_depends)
	build(tree, archive, version(), os.environ.get("DEB_BUILD_OPTIONS", "parallel=2"))
	changes, = glob.glob(f"{tree.path}/build/*{version()}*_*.changes")
	out = tree.run("lintian", "-EvIL", "+pedantic", "--fail-on", "error,warning", "/build/" + os.path.basename(changes),
		user="builder", cwd="/build", HOME="/home/builder")[1]
	for line in out.splitlines():
		if line[:3] in ("I: ", "P: "):
			print("#", line)
	build(tree, archive, OLD, "nocheck noopt parallel=2")


@test_over(*SUITES)
def their_own_test_passes(scene, suite):
	"""autopkgtest, as a distribution runs it."""
	tree = Tree(suite, "autopkgtest")
	source, = glob.glob(f"{BUILT}/{suite}/debs-{version()}/*.dsc")
	do("autopkgtest", "-o", f"{scene.dir}/autopkgtest", *debs(suite, version()), source, "--", "chroot", tree.path)


def ours(tree):
	"""What is called after us in the file system, but for what dpkg and apt have noted."""
	out = tree.run("find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/debs", "-o", "-path", "/var/cache/apt", "-o",
		"-path", "/var/lib/apt", "-o", "-path", "/tmp", ")", "-prune", "-o", "-name", "*valise*", "-print")[1]
	return sorted(out.split())


@test_over(*SUITES)
def an_upgrade_costs_no_client_anything_and_nothing_is_left_in_the_end(scene, suite):
	tree = Tree(suite, "tester")
	put_debs(tree)
	tree.install("curl", "ca-certificates", "procps", "sysvinit-utils")
	before = ours(tree)
	tree.run("sh", "-c", "apt-get -qq install -y --no-install-recommends /debs/old/*.deb")
	equal(pids(tree, "valise-relay") + pids(tree, "valise-agent") + pids(tree, "valise-pki"), [], "nobody has started what nobody has configured")
	equal([p for p in ours(tree) if ".wants/" in p], [], "and the next boot starts nothing")

	tree.alone()
	world(tree, "begin")
	serve(tree)
	load = Load(tree)
	load.served_more()

	tree.run("sh", "-c", "dpkg -i /debs/new/*.deb")
	load.served_more()
	for text in versions(tree):
		check(OLD in text and version() not in text, f"what ran goes on as it was: {text}")
	old, = pids(tree, "valise-relay")
	world(tree, "start valise-relay@b")
	until(lambda: old not in pids(tree, "valise-relay"), 60, "the older relay has gone")
	load.served_more()
	# What `systemctl restart` does.
	old, = pids(tree, "valise-agent")
	tree.run("kill", str(old))
	until(lambda: old not in pids(tree, "valise-agent"), 60, "the older agent has gone")
	world(tree, "start valise-agent; wait_for as valise-agent valise-agent status")
	load.served_more()
	for text in versions(tree):
		check(version() in text, f"the new ones run: {text}")
	load.end()
	print(f"# {load.served} clients were served meanwhile")

	for program in ("relay", "agent", "pki"):
		tree.run("sh", "-c", f"kill $(pidof valise-{program})")
		until(lambda: not pids(tree, f"valise-{program}"), 60, f"valise-{program} has gone")
	tree.run("sh", "-c", "rm -r /run/valise-*")	# as systemd does with what RuntimeDirectory has made
	tree.run("apt-get", "-qq", "remove", "-y", *BINARIES)
	for path in ("/etc/valise/relay.yml", "/var/lib/valise-relay", "/var/lib/valise-agent", "/var/lib/valise-pki/ca"):
		check(os.path.exists(tree.path + path), f"{path} stays as long as nobody purges")
	out = tree.run("dpkg", "--purge", *BINARIES)[1]
	check("has the keys of an authority and stays" in out, out)
	tree.run("rm", "-r", "/var/lib/valise-pki")
	equal([p for p in ours(tree) if not p.startswith("/var/lib/dpkg/")], before, "what is left")
	equal(tree.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package}\\n", "valise*", may_fail=True)[1].count("rc "), 0)


main()
