#!/usr/bin/env bash
# make install puts everything where the GNU conventions say, under DESTDIR, and
# make uninstall takes it all away again.
. tests/lint/tap.sh
unset MAKEFLAGS MAKELEVEL MFLAGS
root=$scratch/root

quietly()	# GOAL: -o all, because the build under test must not be remade
{
	make --no-print-directory -o all B="$build" prefix=/usr DESTDIR="$root" "$1" > "$scratch/wrong" 2>&1
	local status=$?
	[ $status -ne 0 ] || : > "$scratch/wrong"
	return $status
}

quietly install
ok $? "make install succeeds"
expected="usr/sbin/valise-relay usr/sbin/valise-agent usr/bin/valise-pki usr/bin/valise-sni
	etc/valise/relay.yml.example etc/valise/agent.yml.example etc/valise/pki.yml.example
	usr/lib/systemd/system/valise-relay.service usr/lib/systemd/system/valise-agent.service
	usr/lib/systemd/system/valise-pki-crl.service usr/lib/systemd/system/valise-pki-crl.timer
	usr/libexec/valise/valise-fetch usr/libexec/valise/publish usr/libexec/valise/ended etc/valise/publish.d/rsync.example
	usr/lib/systemd/system/valise-pki.service usr/lib/systemd/system/valise-relay@.service
	etc/apparmor.d/valise-relay etc/apparmor.d/valise-agent etc/apparmor.d/valise-pki
	usr/lib/sysusers.d/valise-relay.conf usr/lib/sysusers.d/valise-agent.conf
	usr/lib/sysusers.d/valise-pki.conf usr/share/doc/valise/README.md usr/share/doc/valise/LICENSE"
for program in valise-relay valise-agent valise-pki valise-sni; do
	expected="$expected usr/share/bash-completion/completions/$program usr/share/zsh/site-functions/_$program
		usr/share/fish/vendor_completions.d/$program.fish"
done
for page in man/*.[1578]; do
	expected="$expected usr/share/man/man${page##*.}/${page##*/}"
done
for schema in schema/*.json; do
	expected="$expected usr/share/valise/$schema"
done
for file in $expected; do
	[ -s "$root/$file" ] || echo "$file" >> "$scratch/wrong"
done
nothing "every file is where it belongs"
(cd "$root" && find . -type f | sed 's|^\./||' | sort) > "$scratch/there"
tr -s ' \t\n' '\n' <<< "$expected" | sort > "$scratch/wanted"
comm -23 "$scratch/there" "$scratch/wanted" | grep -v ^usr/share/doc/valise/ > "$scratch/wrong"
nothing "nothing else was installed"
grep -rnI '@[a-z]*@' "$root/usr/lib" "$root/usr/libexec" "$root/etc" > "$scratch/wrong"
nothing "no placeholder is left in what was installed"
grep -q "ExecStart=/usr/sbin/valise-relay run" "$root/usr/lib/systemd/system/valise-relay.service"
ok $? "the unit starts the installed program"
diff "$root/usr/lib/systemd/system/valise-relay.service" "$root/usr/lib/systemd/system/valise-relay@.service" |
	sed -n 's/^> //p' > "$scratch/there"
cat > "$scratch/wanted" <<'END'
Description=Valise relay %i: routes TLS connections by name, without opening them
ExecStart=/usr/sbin/valise-relay run --takeover -c /etc/valise/relay.yml
RuntimeDirectoryPreserve=yes
END
diff "$scratch/wanted" "$scratch/there" > "$scratch/wrong"
nothing "the unit of instances differs in what a takeover needs, and in nothing else"

for program in relay agent pki; do
	unit=$root/usr/lib/systemd/system/valise-$program.service
	for line in MemoryMax= OOMPolicy=kill Restart=on-failure; do
		grep -q "^$line" "$unit" || echo "$unit has no $line"
	done
	ended=$(sed -n "s|^ExecStopPost=-|$root|p" "$unit")
	SERVICE_RESULT=success $ended
	SERVICE_RESULT=oom-kill $ended > "$scratch/said"
	python3 - "$scratch/said" "valise-$program" <<'END'
import json, sys
line, = open(sys.argv[1])
event = json.loads(line.removeprefix("<3>"))
if not line.startswith("<3>") or (event["program"], event["event"]) != (sys.argv[2], "memory-killed"):
	print(line)
END
done > "$scratch/wrong" 2>&1
nothing "what is killed for its memory is started again, and an event tells it"

for program in relay agent; do
	"$root/usr/sbin/valise-$program" --version > "$scratch/said" 2>&1 && grep -q "^valise-$program " "$scratch/said"
	ok $? "the installed valise-$program tells its version"
done
if command -v systemd-analyze > /dev/null; then
	for program in relay agent pki; do
		sed -E "s#=(-?)/usr/(s?bin|libexec)/#=\1$root/usr/\2/#" "$root/usr/lib/systemd/system/valise-$program.service" \
			> "$scratch/valise-$program.service"
		systemd-analyze verify --man=no "$scratch/valise-$program.service" 2>&1 |
			grep "valise-$program.service" > "$scratch/wrong"
		nothing "systemd finds nothing wrong with valise-$program.service"
		systemd-analyze security --offline=yes --no-pager --threshold=15 "$scratch/valise-$program.service" > "$scratch/said" 2>&1 ||
			tail -1 "$scratch/said" > "$scratch/wrong"
		nothing "it finds valise-$program.service exposed by 1.5 at most"
	done
	sed "s|/usr/bin/|$root/usr/bin/|; s|/usr/libexec/|$root/usr/libexec/|" \
		"$root/usr/lib/systemd/system/valise-pki-crl.service" > "$scratch/valise-pki-crl.service"
	cp "$root/usr/lib/systemd/system/valise-pki-crl.timer" "$scratch"
	systemd-analyze verify --man=no "$scratch/valise-pki-crl.service" "$scratch/valise-pki-crl.timer" 2>&1 |
		grep valise-pki-crl > "$scratch/wrong"
	nothing "systemd finds nothing wrong with the timer of CRLs and its service"
fi

if command -v apparmor_parser > /dev/null; then
	for profile in "$root"/etc/apparmor.d/valise-*; do
		apparmor_parser --skip-kernel-load --skip-cache --base /etc/apparmor.d "$profile" > "$scratch/said" 2>&1 ||
			cat "$scratch/said" >> "$scratch/wrong"
	done
	nothing "AppArmor understands the profiles"
fi

quietly uninstall
ok $? "make uninstall succeeds"
find "$root" -type f > "$scratch/wrong"
nothing "nothing is left behind"
done_testing
