#!/usr/bin/env -S python3 -B
"""Commands that only look need no directory that can be written."""
import os
import re
import sqlite3
import stat
import sys

sys.path.insert(0, "tests/pki_tool")
from lib import *
from kit import *

READERS = {
	"list": ("list", "--json", "--all"),
	"invite": ("invite", "--list"),
	"show": ("show", "--json", "shop"),
	"check": ("check",),
	"verify": ("verify", "--json", "{ca}/issued/shop.crt", "--as", "agent"),
	"lint": ("lint", "--all"),
	"export": ("export", "shop", "--pem-bundle", "--out", "{out}"),
	"bundle": ("bundle", "agent", "shop", "--out", "{out}"),
	"backup": ("backup", "{out}"),
}
WRITERS = (("issue", "client", "x"), ("revoke", "shop"), ("crl", "--all"), ("renew", "shop"))


def as_others(*argv):
	"""Root may write everywhere unless it gives that up."""
	give_up = ("setpriv", "--inh-caps=-all", "--bounding-set=-dac_override,-dac_read_search")
	return tool(*(give_up if os.geteuid() == 0 else ()), PROGRAMS["pki"], *argv)


class ReadOnly:
	def __init__(self, scene):
		self.scene, self.ca = scene, Ca(f"{scene.dir}/ca")
		self.ca("issue", "agent", "shop", "--host", "app.example.com")
		self.ca("issue", "relay", "connect.example.net")
		self.ca("invite", "agent", "later", "--host", "later.example.com", "--url", "https://pki.example.net")

	def __enter__(self):
		for top, folders, names in os.walk(self.ca.dir):
			for path in (top, *(os.path.join(top, name) for name in names)):
				os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) & ~0o222)
		status, _, err = as_others("crl", "--all", "--ca", self.ca.dir)
		check(status == 73, f"it can be written: {status} {err}")
		return self

	def __exit__(self, *_):
		succeeds("chmod", "-R", "u+w", self.ca.dir)

	def run(self, word):
		out = f"{self.scene.dir}/out"
		argv = [arg.format(ca=self.ca.dir, out=out) for arg in READERS[word]]
		status, said, err = as_others(argv[0], "--ca", self.ca.dir, *argv[1:])
		check((status, err) == (0, ""), f"{argv}: {status} {said}{err}")
		if os.path.exists(out):
			os.rename(out, f"{out}.{word}")
		return re.sub("^sha256: .*\n", "", said, flags=re.M)	# of the archive, in which is the time


@test
def readers_say_the_same_where_nothing_can_be_written(scene):
	place = ReadOnly(scene)
	before = {word: place.run(word) for word in READERS}
	with place:
		listed = sorted(os.listdir(place.ca.dir))
		equal({word: place.run(word) for word in READERS}, before)
		equal(sorted(os.listdir(place.ca.dir)), listed, "files")
		for argv in WRITERS:
			status, out, err = as_others(*argv, "--ca", place.ca.dir)
			check(status == 73 and "readonly" in err and out == "", f"{argv}: {status} {out}{err}")
	equal(pki("restore", f"{scene.dir}/out.backup", "--ca", f"{scene.dir}/again")[0], 0)
	equal(pki("check", "--ca", f"{scene.dir}/again")[:2], (0, "fine\n"))
	equal(pki("issue", "client", "x", "--ca", f"{scene.dir}/again")[0], 0)


@test
def readers_see_what_another_process_has_just_written(scene):
	"""It has the inventory open, so that what is new is in the WAL."""
	place = ReadOnly(scene)
	writer = sqlite3.connect(place.ca.path("inventory.db"))
	writer.execute("UPDATE certificate SET hosts = 'new.example.com' WHERE name = 'shop'")
	writer.commit()
	check(os.path.getsize(place.ca.path("inventory.db-wal")) > 0, "no WAL")
	with place:
		for word in ("list", "show", "check", "backup"):
			said = place.run(word)
			check(word != "list" or "new.example.com" in said, said)
	writer.close()


@test
def an_inventory_of_another_schema_is_not_changed(scene):
	place = ReadOnly(scene)
	succeeds("sqlite3", place.ca.path("inventory.db"), "PRAGMA user_version = 1")
	with place:
		status, _, err = as_others("list", "--ca", place.ca.dir)
		check(status == 65 and "has schema 1" in err, err)


main()
