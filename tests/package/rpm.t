#!/usr/bin/env -S python3 -B
"""The RPM packages, as far as Debian's rpmbuild can tell: they build from the tarball, have what they should, and rpmlint is content."""
import glob

from trees import *

private("rpmbuild", "rpmlint", "rpm2cpio", "cpio")
BINARIES = ["valise-agent", "valise-common", "valise-doc", "valise-pki", "valise-relay", "valise-sni"]


@test
def they_build_and_rpmlint_finds_nothing(scene):
	top = f"{scene.dir}/rpm"
	os.makedirs(f"{top}/SOURCES")
	tarball(f"{top}/SOURCES")
	# Debian's database of RPMs is empty, so nothing that is required is found there.
	do("rpmbuild", "-ba", "--nodeps", "--load", "tests/package/rpm.macros", "--define", f"_topdir {top}", "--without", "check",
		"packaging/rpm/valise.spec")
	rpms = sorted(glob.glob(f"{top}/RPMS/*/*.rpm"))
	equal(sorted(os.path.basename(path).rsplit("-", 2)[0] for path in rpms), BINARIES)
	out = do("rpmlint", "-r", "packaging/rpm/rpmlintrc", *rpms, "packaging/rpm/valise.spec", may_fail=True)
	equal(out[0], 0, out[1])
	check(" 0 errors, 0 warnings" in out[1], out[1])

	os.mkdir(f"{scene.dir}/root")
	for path in rpms:
		do("sh", "-c", 'rpm2cpio "$0" | cpio -idm --quiet', path, cwd=f"{scene.dir}/root")
	for program in ("sbin/valise-relay", "sbin/valise-agent", "bin/valise-pki", "bin/valise-sni"):
		equal(do(f"{scene.dir}/root/usr/{program}", "--version")[1], f"{os.path.basename(program)} {version()}\n")


main()
