#!/usr/bin/env bash
# Each program, file and protocol has its page; the pages are clean; a program's
# --help and its page know the same options.
. tests/lint/tap.sh

for page in valise-relay.8 valise-agent.8 valise-pki.1 valise-sni.1 \
	valise-relay.yml.5 valise-agent.yml.5 valise-pki.yml.5 valise.7 valise-protocol.7 valise-errors.7 valise-events.7 valise-metrics.7; do
	[ -s "man/$page" ] || echo "man/$page" >> "$scratch/wrong"
done
nothing "each program, file and protocol has a manual page"

for page in man/*.[1578]; do
	mandoc -Tlint -Wwarning "$page" > "$scratch/wrong" 2>&1
	nothing "mandoc has no warning about $page"
done

groff -K utf8 -mandoc -ww -Tutf8 -rLL=78n -z man/*.[1578] 2> "$scratch/wrong"
nothing "nor has groff, by which most people read them"

# mdoc drops the quotes around a word of a macro's line, without a warning: \(dq stands for one that is to be seen.
grep -nE '^\.[A-Z][a-z]? .*(^| )"[^"]*"[^" ,]' man/*.[1578] > "$scratch/wrong"
nothing "no quote that is to be seen is lost"

options_told()	# PROGRAM
{
	"$build/$1" --help | grep -oE -- '--[a-z][a-z0-9-]+' | sort -u
}

# In mdoc an option --name is written `Fl Fl name` or `Fl -name`.
options_in_page()	# PAGE
{
	grep -oE '\bFl (Fl |-|\\-)[a-z][a-z0-9-]+' "$1" | sed -E 's/Fl (Fl |-|\\-)/--/' | sort -u
}

for page in man/valise-relay.8 man/valise-agent.8 man/valise-pki.1 man/valise-sni.1; do
	[ -e "$page" ] || continue
	program=$(basename "${page%.?}")
	options_told "$program" > "$scratch/told"
	options_in_page "$page" > "$scratch/page"
	comm -23 "$scratch/told" "$scratch/page" | sed 's/$/ is not in the page/' >> "$scratch/wrong"
	comm -13 "$scratch/told" "$scratch/page" | sed 's/$/ is not in --help/' >> "$scratch/wrong"
	nothing "--help of $program and $page agree on the options"
done
done_testing
