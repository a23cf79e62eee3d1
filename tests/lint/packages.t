#!/usr/bin/env bash
# What the packages say agrees with the tree: the version, what a build needs, and the files that `make install` installs.
. tests/lint/tap.sh
unset MAKEFLAGS MAKELEVEL MFLAGS
debian=packaging/debian spec=packaging/rpm/valise.spec

version=$(sed -n 's/^VERSION := //p' GNUmakefile)
grep -q "^valise ($version-" <(head -n 1 $debian/changelog) && grep -q "^Version: *$version$" $spec
ok $? "the packages have the version of the tree"

# Debian takes some of it for granted.
packaging/deps --list build | grep -vxE 'make|gcc|libc6-dev|binutils' | sort > "$scratch/wanted"
sed -n '/^Build-Depends:/,/^[A-Z][a-z-]*-V/p' $debian/control | sed -E 's/^(Build-Depends:)? *//; s/[ ,].*//' |
	grep -vE '^(debhelper|dh-sequence-|libcmocka|systemd|Standards)' | sort > "$scratch/there"
diff "$scratch/wanted" "$scratch/there" > "$scratch/wrong"
nothing "what the Debian packages are built with is what packaging/deps installs for it"
sed -nE 's/^PKGS_[^:]*:= *//p' GNUmakefile | tr ' ' '\n' | sort -u | grep . > "$scratch/wanted"
sed -nE 's/^BuildRequires: *pkgconfig\(([^)]*)\).*/\1/p' $spec | grep -vx cmocka | sort > "$scratch/there"
diff "$scratch/wanted" "$scratch/there" > "$scratch/wrong"
nothing "what the RPM packages are built with is what the makefile asks pkg-config for"

make --no-print-directory -o all B="$build" prefix=/usr docdir=/usr/share/doc/valise-doc \
	DESTDIR="$scratch/root" install > /dev/null 2> "$scratch/wrong"
ok $? "make install succeeds"
(cd "$scratch/root" && find . -type f -printf '%P\n' | sort) > "$scratch/installed"

# Files that no line names, or names the directory of; and lines that name nothing.
compare()	# NAME LINES
{
	sort -u <<< "$2" > "$scratch/lines"
	while read -r file; do
		top=$file
		until grep -qxF "$top" "$scratch/lines"; do
			case $top in */*) top=${top%/*} ;; *) echo "$file is in no $1 package" && break ;; esac
		done
	done < "$scratch/installed" > "$scratch/wrong"
	while read -r line; do
		[ -e "$scratch/root/$line" ] || echo "$1: $line is not installed"
	done < "$scratch/lines" >> "$scratch/wrong"
	nothing "each installed file is in a $1 package, and nothing else is expected"
}

compare Debian "$(cat $debian/*.install $debian/not-installed | sed 's|^${env:UNITDIR}|usr/lib/systemd/system|; s|/zsh/vendor-completions/|/zsh/site-functions/|')"
compare RPM "$(sed -n '/^%files/,/^%changelog/p' $spec | grep '%{_' | sed -E 's/^%(config\(noreplace\)|dir) //; s/\/?\*$//; s/%\{name\}/valise/
	s|%\{_sbindir\}|usr/sbin|; s|%\{_bindir\}|usr/bin|; s|%\{_libexecdir\}|usr/libexec|; s|%\{_mandir\}|usr/share/man|
	s|%\{_unitdir\}|usr/lib/systemd/system|; s|%\{_sysusersdir\}|usr/lib/sysusers.d|; s|%\{_sysconfdir\}|etc|
	s|%\{_docdir\}|usr/share/doc|; s|%\{_datadir\}|usr/share|')"
done_testing
