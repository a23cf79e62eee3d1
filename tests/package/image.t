#!/usr/bin/env -S python3 -B
"""The container images: small, with nothing to call beside the program, and serving a client from a root that nobody can write."""
import glob
import json
import shutil
import tempfile

from trees import *
from lib import *

private("buildah", "debootstrap", "ip")
NAME = "app.example.com"
MOST_BYTES = 25 << 20
USER = 65532
STORE = tempfile.mkdtemp(prefix="valise-images.", dir="/var/tmp")
BUILDAH = ("buildah", "--storage-driver", "vfs", "--root", f"{STORE}/root", "--runroot", f"{STORE}/run")


def buildah(*words):
	return do(*BUILDAH, *words)[1].strip()


def debian():
	"""An image of a fresh one, since none can be fetched."""
	container = buildah("from", "scratch").splitlines()[-1]
	tree = Tree(SUITES[-1], "image")
	do("tar", "--one-file-system", "-C", tree.path, "-cf", f"{STORE}/debian.tar", ".")
	buildah("add", "-q", container, f"{STORE}/debian.tar", "/")
	os.unlink(f"{STORE}/debian.tar")
	buildah("commit", "-q", "--rm", container, "localhost/debian")
	return "localhost/debian"


def size_of(path):
	return sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk(path) for name in names)


@test
def images_are_small_and_say_how_to_be_run(scene):
	base = debian()
	archive = tarball(scene.dir)
	do("tar", "-xzf", archive, "-C", scene.dir)
	context = f"{scene.dir}/valise-{version()}"
	for target in ("relay", "agent"):
		buildah("build", "--isolation", "chroot", "--format", "docker", "--layers", "--build-arg", f"DEBIAN={base}",
			"--target", target, "-t", f"valise-{target}", "-f", "packaging/Containerfile", context)
		config = json.loads(buildah("inspect", "--type", "image", f"valise-{target}"))["Docker"]["config"]
		equal(config["User"], f"{USER}:{USER}")
		equal(config["Healthcheck"]["Test"], ["CMD", f"/usr/sbin/valise-{target}", "status"])
		equal(list(config["Volumes"]), [f"/var/lib/valise-{target}"])
		root = image(target)
		size = size_of(root)
		print(f"# valise-{target}: {size / 2**20:.1f} MiB")
		check(size <= MOST_BYTES, f"the image of the {target} has {size} bytes")
		programs = [path[len(root):] for path in glob.glob(f"{root}/**", recursive=True, include_hidden=True)
			if os.path.isfile(path) and os.access(path, os.X_OK) and ".so" not in path]
		check(all("/valise" in path for path in programs), f"there is more to call than us: {programs}")


def image(target):
	"""The directory in which its root is."""
	return buildah("mount", buildah("from", f"localhost/valise-{target}").splitlines()[-1])


def contained(scene, target):
	"""A program that runs the image's one as its user, with a root that cannot be written and /tmp as a volume."""
	root, path = image(target), f"{scene.dir}/contained-{target}"
	with open(f"{root}/etc/hosts", "w") as file:	# as whoever runs containers does
		file.write("127.0.0.1 localhost\n")
	with open(path, "w") as file:
		file.write(f"""#!/bin/sh
exec unshare --mount sh -c '
	mount --bind {root} {root} && mount -o remount,bind,ro {root} && mount --bind /tmp {root}/tmp &&
	exec chroot --userspec={USER}:{USER} {root} /usr/sbin/valise-{target} "$@"' valise-{target} "$@"
""")
	os.chmod(path, 0o755)
	return path


@test
def a_client_is_served_from_images_whose_root_is_read_only(scene):
	certificate = authority().agent("site1", NAME)
	for target in ("relay", "agent"):
		PROGRAMS[target] = contained(scene, target)
	relay = scene.relay(start=False)
	agent = scene.agent(relay, [passthrough(NAME, scene.tls_upstream(http, NAME))], certificate, start=False)
	do("chown", "-R", str(USER), scene.dir, authority().top)
	for daemon in (relay, agent):
		daemon.start(wait_ready=False)	# its user may not write to root's socket
		daemon.wait_event("listening" if daemon is relay else "endpoint-up")
	scene.wait_serving(agent)
	equal(curl(relay.port, NAME, authority().root)[:2], (0, b"hello"))
	status, out = do(PROGRAMS["relay"], "status", "-c", relay.config_path, may_fail=True)
	equal(status, 0, f"the health check: {out}")


@test
def nothing_is_left_of_the_images(scene):
	buildah("rm", "--all")
	buildah("rmi", "--all", "--force")
	shutil.rmtree(STORE)


main()
