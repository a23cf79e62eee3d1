#!/usr/bin/env bash
# Every header is whole: it compiles by itself, in its folder's field of view.
. tests/lint/tap.sh
flags="-std=c17 -D_GNU_SOURCE -Wall -Wextra -Wstrict-prototypes -Werror -fsyntax-only"
packages="gnutls nettle libtasn1 libevent_core yaml-0.1 libsystemd jansson sqlite3 libpcap"
outside=$(pkg-config --cflags $packages)

compiles()	# HEADER FOLDER COMPILER
{
	printf '#include "%s"\nextern int not_empty;\n' "$1" > "$scratch/alone.c"
	"$3" $flags -I"$build/include/${2//\//_}" $outside "$scratch/alone.c" 2>> "$scratch/wrong"
}

for compiler in gcc clang; do
	command -v $compiler > /dev/null || continue
	for folder in $folders; do
		for header in "$folder"/*.h; do
			[ -e "$header" ] || continue
			compiles "$header" "$folder" $compiler
			ok $? "$header compiles alone with $compiler"
		done
	done
done

for source in $(tree -name '*.c' | grep -vE '^(tests|bench)/'); do
	header=${source%.c}.h
	[ -e "$header" ] || continue
	first=$(grep -m1 '^#include' "$source")
	[ "$first" = "#include \"$header\"" ] || echo "$source: $first" >> "$scratch/wrong"
done
nothing "a source includes its own header first"
done_testing
