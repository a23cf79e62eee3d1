#!/usr/bin/env bash
# Every header is whole: it compiles by itself, in its folder's field of view.  That of a source has
# just done so, where its source includes it first; those without a source are compiled here.
. tests/lint/tap.sh
flags="-std=c17 -D_GNU_SOURCE -Wall -Wextra -Wstrict-prototypes -Werror -fsyntax-only"
packages="gnutls nettle libtasn1 yaml-0.1 jansson sqlite3 libpcap"
outside=$(pkg-config --cflags $packages)

# A source for each header, which includes it first and nothing else.
alone_of()	# HEADER
{
	echo "$scratch/${1//\//_}.c"
}

without_source()	# FOLDER
{
	local header
	for header in "$1"/*.h; do
		[ ! -e "$header" ] || [ -e "${header%.h}.c" ] || echo "$header"
	done
}

view_of()	# FOLDER
{
	echo "-I$build/include/${1//\//_} $outside"
}

compiles()	# COMPILER FOLDER SOURCE...
{
	local compiler=$1 folder=$2
	shift 2
	"$compiler" $flags $(view_of "$folder") "$@"
}

# All of a folder at once, each by itself all the same.  Clang takes three times as long to start as to
# read a header, so one process of it does what its driver would start one for each for.
compile_together()	# COMPILER FOLDER SOURCE...
{
	local line
	if [ "$1" = clang ] && line=$(compiles clang "$2" -### "$3" 2>&1 | grep '"-cc1"'); then
		eval "set -- $line \"\${@:4}\""
		"$@"
	else
		compiles "$@"
	fi
}

for compiler in gcc clang; do
	command -v $compiler > /dev/null || continue
	for folder in $folders; do
		sources=
		for header in $(without_source "$folder"); do
			printf '#include "%s"\nextern int not_empty;\n' "$header" > "$(alone_of "$header")"
			sources+=" $(alone_of "$header")"
		done
		[ -n "$sources" ] || continue
		together=
		compile_together $compiler "$folder" $sources 2> /dev/null && together=yes
		for header in $(without_source "$folder"); do
			[ -n "$together" ] || compiles $compiler "$folder" "$(alone_of "$header")" 2>> "$scratch/wrong"
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
