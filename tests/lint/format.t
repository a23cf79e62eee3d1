#!/usr/bin/env bash
# The layout of the code is what clang-format makes of it, by .clang-format. It breaks
# no strings and no comments. Later versions lay out some things in another way, so
# only version 14 (Debian 12) judges; to put things right: tests/lint/format.t --fix
. tests/lint/tap.sh
# The folders that are held to it.
formatted="base sni sni/tool pki pki/tool keys acme tunnel enrol relay agent fetch tests/acme tests/keys tests/agent tests/enrol bench/load"
version=14

has_it()
{
	clang-format --version 2> /dev/null | grep -q " version $version\."
}

if [ "${1-}" = --fix ]; then
	has_it || { echo "format.t: needs clang-format $version" >&2; exit 69; }
	for folder in $formatted; do
		clang-format -i "$folder"/*.[ch]
	done
	exit
fi

for folder in $formatted; do
	if ! has_it; then
		tap_count=$((tap_count + 1))
		echo "ok $tap_count - $folder/ is laid out by .clang-format # SKIP no clang-format $version"
		continue
	fi
	# One process for all of them; what is to be changed is shown only where there is something.
	clang-format --dry-run --Werror "$folder"/*.[ch] 2> /dev/null || for file in "$folder"/*.[ch]; do
		clang-format "$file" | diff -u --label "$file" --label "$file, laid out" "$file" - | head -n 20
	done > "$scratch/wrong"
	nothing "$folder/ is laid out by .clang-format"
done
# A comment that does not fit behind its line tears that apart: it belongs above it.
for folder in $formatted; do
	grep -nP '^\t*    \S[^*]*[;,] /\*' "$folder"/*.[ch] /dev/null >> "$scratch/wrong"
done
nothing "no comment tears apart the line that it stands behind"
# clang-format 14 takes a variable called new for C++, and then && for a reference.
grep -nE '[^ &(]&&[a-z(!*]|[a-z)] &&[a-z(!*]' base/*.[ch] */*.[ch] pki/tool/*.[ch] sni/tool/*.[ch] bench/*/*.[ch] | sort -u >> "$scratch/wrong"
nothing "&& stands between two blanks"
# A string that is broken ends in the blank, so that each line begins with a word.
python3 - $(for folder in $folders bench/load; do ls "$folder"/*.[ch]; done) >> "$scratch/wrong" << 'PYTHON'
import re
import sys

for path in sys.argv[1:]:
	with open(path) as file:
		text = file.read()
	for match in re.finditer(r'(\\?.)"\n[ \t]+" ', text):
		if match[1] != '\\n':
			print(f'{path}:{text.count(chr(10), 0, match.end()) + 1}')
PYTHON
nothing "no part of a string begins with a blank"
done_testing
