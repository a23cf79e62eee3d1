#!/usr/bin/env bash
# The table of the makefile holds: a folder can neither compile nor link against
# one that it may not include, and what it may include it can.
. tests/lint/tap.sh
declare -A may=(
	[base]="" [sni]="" [pki]="sni base" [keys]="pki sni base" [acme]="keys pki sni base" [tunnel]="base"
	[enrol]="keys pki sni base" [relay]="enrol tunnel keys pki sni base" [agent]="enrol tunnel acme keys pki sni base"
	[fetch]="keys pki sni base" [pki/tool]="keys pki sni base" [sni/tool]="sni base"
)
outside=$(pkg-config --cflags gnutls nettle libtasn1 jansson sqlite3)

some_header()	# FOLDER
{
	find "$1" -maxdepth 1 -name '*.h' | sort | head -n 1
}

for folder in $folders; do
	for other in $folders; do
		[ "$folder" != "$other" ] || continue
		header=$(some_header "$other")
		[ -n "$header" ] || continue
		printf '#include "%s"\nextern int not_empty;\n' "$header" > "$scratch/look.c"
		gcc -std=c17 -D_GNU_SOURCE -fsyntax-only -I"$build/include/${folder//\//_}" $outside \
			"$scratch/look.c" 2> "$scratch/said"
		compiled=$?
		case " ${may[$folder]} " in
		*" $other "*)
			cp "$scratch/said" "$scratch/wrong"
			ok $compiled "$folder/ may include $header"
			;;
		*)
			[ $compiled -ne 0 ]
			ok $? "$folder/ cannot include $header"
			;;
		esac
	done
done

functions_of()	# FOLDER, of its archive
{
	local found="$scratch/${1//\//_}.functions"
	[ -e "$found" ] ||
		nm -g --defined-only "$build/lib${1//\//_}.a" 2> /dev/null | awk '$2 == "T" { print $3 }' > "$found"
	cat "$found"
}

for folder in $folders; do
	own=" $folder ${may[$folder]} "
	for other in $folders; do
		case $own in *" $other "*) continue ;; esac
		function=$(functions_of "$other" | grep -m 1 -v ^_)
		[ -n "$function" ] || continue
		for f in $own; do
			functions_of "$f" | grep -qx "$function" && echo "lib${f//\//_}.a has $function of $other/" >> "$scratch/wrong"
		done
	done
	nothing "nothing of a folder that $folder/ may not include is in the archives that it links"
done

grep -nE '#include[[:space:]]*"\.' -r base sni pki keys acme tunnel enrol relay agent fetch tests bench --include='*.[ch]' >> "$scratch/wrong"
nothing 'includes are written from the root, never with ./ or ../'

tree -name '*.[ch]' | xargs grep -lE '#include <gnutls/' | xargs grep -lE '#include <sys/epoll' >> "$scratch/wrong"
nothing "no file knows both GnuTLS and epoll"

grep -rnE '#include <(gnutls|nettle|yaml|sqlite3|jansson|libtasn1)' sni/*.c sni/*.h 2> /dev/null |
	grep -v '^sni/ja4' >> "$scratch/wrong"
nothing "the parser and the names of sni/ need nothing but libc"
done_testing
