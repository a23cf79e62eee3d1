#!/usr/bin/env bash
# The tour in CONTRIBUTING.md: what it names is where it says.
#   `folder/file.c: function()`   is defined in that file, at the beginning of a line
#   `folder/file.c: name`         an enum, a struct or a table that is defined in it
#   `folder/file`                 is there
. tests/lint/tap.sh
tour=${TOUR:-CONTRIBUTING.md}

mapfile -t named < <(sed -n '/^## A tour/,$p' "$tour" | grep -oE '`[^`]+`' | tr -d '`')
[ "${#named[@]}" -gt 40 ] || echo "$tour: only ${#named[@]} names" >> "$scratch/wrong"
for name in "${named[@]}"; do
	file=${name%%:*}
	what=${name#*: }
	case $name in
	*': '*'()') [ -e "$file" ] && grep -qE "^${what%()}\(" "$file" ;;
	*': '*) [ -e "$file" ] &&
		grep -qE "^(static )?(const )?(enum|struct) $what \{|^(static |\}).*\b$what\[[^]]*\] = \{" "$file" ;;
	*/*) [ -e "$file" ] ;;
	*) true ;;
	esac || echo "$tour: $name" >> "$scratch/wrong"
done
nothing "what the tour names is where it says"
sed -n '/^## A tour/,$p' "$tour" | awk 'NF' > "$scratch/tour"
[ "$(wc -l < "$scratch/tour")" -le 40 ]
ok $? "the tour is no longer than forty lines"
done_testing
