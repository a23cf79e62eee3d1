#!/usr/bin/env bash
# What does not belong in a tree that is ready to be read.
. tests/lint/tap.sh
mapfile -t text < <(tree | grep -vE '^tests/(corpus|fuzz/seeds)/' | grep -v '^tests/lint/words.t$')

grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${text[@]}" /dev/null > "$scratch/wrong"
nothing "nothing is left to do in a comment"
grep -nE '\b(gets|strcpy|strcat|sprintf|alloca|strtok)\(' -r base sni pki keys acme tunnel enrol relay agent fetch --include='*.[ch]' > "$scratch/wrong"
nothing "no function without a bound is called"
grep -nE '[[:space:]]+$' "${text[@]}" /dev/null | grep -vE '^[^:]+\.(bin|key|pem|crt|der)' > "$scratch/wrong"
nothing "no line ends in white space"
mapfile -t code < <(tree -name '*.[ch]' | grep -v '^tests/')
grep -nE '"[^"]*\b((is|are) none|(out|want|lack) of memory|(enough|no) memory)\b[^"]*"' "${code[@]}" > "$scratch/wrong"
grep -nE '"([^"]*[^e"] )?(is|are) no [a-z][^"]*"' "${code[@]}" | grep -vE '(is|are) no longer' >> "$scratch/wrong"
nothing "messages say that something is not a valid one, and that memory is short"
# GnuTLS writes a private number of its own length; key_type_generate() gives it the curve's (pki/ec_key.h).
grep -nE '\bgnutls_(x509_)?privkey_generate2?\(' "${code[@]}" | grep -v '^pki/key_type.c:' | grep -v '^bench/' > "$scratch/wrong"
nothing "keys are made in one place, in full length"
mapfile -t prose < <(tree \( -name '*.[ch]' -o -name '*.[1578]' \) | grep -vE '^tests/')
grep -nE '\b(out|want|lack) of memory\b|\b(not enough|no) memory\b' "${prose[@]}" |
	grep -vE '\b(needs?|takes?|costs?) no memory\b' > "$scratch/wrong"
nothing "comments and manuals say that memory is short, in these words"
grep -n 'SIGSTOP' tests/system/*.t > "$scratch/wrong"
nothing "tests freeze a daemon with freeze(), which waits until it stands still"
grep -nE '\bskip\(\)' -r tests --include='*_test.c' > "$scratch/wrong"
nothing "unit tests skip with SKIP(), which prove understands"
pythons=()
for script in $(tree | grep -E '(\.t|/run|/demo|/deps)$'); do
	[ -x "$script" ] || echo "$script is not executable" >> "$scratch/wrong"
	case $(head -n 1 "$script") in
	*bash*) bash -n "$script" 2>> "$scratch/wrong" ;;
	*python3*) pythons+=("$script") ;;
	*sh*) sh -n "$script" 2>> "$scratch/wrong" ;;
	esac
done
python3 - "${pythons[@]}" 2>> "$scratch/wrong" << 'END'
import ast, sys
for script in sys.argv[1:]:
	ast.parse(open(script).read(), script)
END
nothing "every script can be read and run"
done_testing
