#!/usr/bin/env bash
# Completions are made of the programs' own tables: after each command of each program bash offers that command's options
# and no others, and values and files where a table says so.
. tests/lint/tap.sh

# offered PROGRAM WORD...: what bash offers for the last of them.
offered()
{
	local COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	"_${1//-/_}"
	printf '%s\n' "${COMPREPLY[@]}" | grep . | sort
}
compopt()	# only a real completion may call it
{
	:
}

# Rows of a table by their kind and word.
rows()	# KIND WORD COLUMN
{
	awk -F '\t' -v kind="$1" -v word="$2" -v column="$3" '
		$1 == kind && (word == "" || $2 == word || kind == "option" && $2 == "-") { print $column }' "$table" | sort
}

for program in valise-relay valise-agent valise-pki valise-sni; do
	table=$build/completions/$program.table
	bash -n "$build/completions/$program.bash" 2> "$scratch/wrong" && . "$build/completions/$program.bash"
	ok $? "bash reads the completion of $program"
	rows command "" 2 | grep -vx -- - > "$scratch/wanted"
	if [ -s "$scratch/wanted" ]; then
		offered $program "" | diff "$scratch/wanted" - > "$scratch/wrong"
		nothing "its commands are offered"
	fi
	for word in $(rows command "" 2); do
		rows option "$word" 3 | sed 's/^/--/' > "$scratch/wanted"
		[ "$word" != - ] || word=
		offered $program $word -- | diff "$scratch/wanted" - | sed "s/^/$program $word: /" >> "$scratch/wrong"
	done
	nothing "behind each its options, and no others"
	awk -F '\t' '$1 == "option" && $5 ~ /\|/ && $5 !~ /[A-Z]/ { print $2, $3, $5 }' "$table" |
		while read -r word option choices; do
			[ "$word" != - ] || word=
			offered $program $word "--$option" "" | diff <(tr '|' '\n' <<< "$choices" | sort) - | sed "s/^/$word --$option: /"
		done > "$scratch/wrong"
	nothing "and the words that an option takes"
done

touch "$scratch/a file"
[ "$(cd "$scratch" && offered valise-relay check --config "a f")" = "a file" ]
ok $? "a file is offered where FILE stands, and its blanks stay"
[ "$(cd "$scratch" && offered valise-relay check --config = "a f")" = "a file" ]
ok $? "also behind an equals sign"
offered valise-relay check "" > "$scratch/wrong"
nothing "and nowhere else"
done_testing
