#!/usr/bin/env bash
# The documents agree with the tree: links lead somewhere, goals and folders exist.
. tests/lint/tap.sh

for document in README.md SECURITY.md CONTRIBUTING.md sni/README.md; do
	[ -e "$document" ] || continue
	grep -oE '\]\([^)#:]+\)' "$document" | sed 's/](\(.*\))/\1/' | while read -r target; do
		[ -e "$(dirname "$document")/$target" ] || echo "$document: $target"
	done
done > "$scratch/wrong"
nothing "links lead to files"

grep -ohE '`make [a-z-]+' README.md CONTRIBUTING.md | sed 's/`make //' | sort -u | while read -r goal; do
	grep -qE "^([a-z -]+ )?$goal( [a-z -]+)?:" GNUmakefile || echo "make $goal"
done > "$scratch/wrong"
nothing "goals that the documents name exist"

make --no-print-directory help | awk '{ print $1 }' | while read -r goal; do
	grep -qE "^([a-z -]+ )?$goal( [a-z -]+)?:" GNUmakefile || echo "make $goal"
done > "$scratch/wrong"
nothing "goals that make help names exist"

grep -oE '^\| `[^|]*\|' README.md | grep -oE '`[a-z/]+/`' | tr -d '`' | while read -r folder; do
	[ -d "$folder" ] || echo "$folder"
done > "$scratch/wrong"
nothing "folders that the README names exist"

version=$(sed -n 's/^VERSION := //p' GNUmakefile)
grep -qF "Valise $version" NEWS
ok $? "NEWS tells of version $version"
done_testing
