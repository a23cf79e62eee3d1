#!/usr/bin/env bash
# Every refusal of a certificate or CRL that the sources can utter is one that a test asks for by its
# words: a check that has no case of its own can take the blame for another, and nobody sees it.
. tests/lint/tap.sh

# Those that no file can bring about: they are there in case GnuTLS finds what we do not, or memory is short.
cat > "$scratch/unreachable" <<'END'
cannot be judged by GnuTLS
or one above it is signed with a weak algorithm; issue it anew with SHA-256
or one above it is refused by GnuTLS
cannot be read: memory is short
END

# The words of each refusal as a pattern, one a line, and what stands before them in a sentence.
cat > "$scratch/refusals.pl" <<'END'
use strict;
undef $/;
my $string = qr/"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*/;
my %before = ("pki/crl.c" => "the CRL of .* ", map { $_ => "(?:the CRL of .*|certificate .*) " } "pki/revocation.c", "pki/revocation_ask.c");
for my $path (@ARGV) {
	open my $file, "<", $path or die;
	my $text = <$file>;
	$text =~ s{/\*.*?\*/}{}gs;
	$text =~ s/#define\s+(\w+)\s+($string)/$1/g;
	while ($text =~ /(?:judge_refuse\([^;]*?|\*why =\s*|return\s+|[?:,]\s*|fault =\s*)($string)/g) {
		my $words = $1;
		$words =~ s/"\s*"//g;
		$words =~ s/^"|"$//g;
		$words =~ s/\\"/"/g;
		next if $words !~ /^(?:is|has|may|does|sets|lacks|carries|begins|leaves|maps|allows|passes|cannot|was|covers|ends|names|leads|more|its|a CA|no|nothing) .* ?/ || $words !~ / \w+ /;
		my $pattern = join ".*", map { quotemeta } split /%[-.0-9]*(?:z?u|d|s)/, $words, -1;
		print "$path\t", $before{$path} // "", $pattern, "\t$words\n";
	}
}
END
perl "$scratch/refusals.pl" pki/{judge,policy,x509,path,verify,crl,ca_list,revocation,revocation_ask}.c |
	grep -vFf "$scratch/unreachable" | sort -u > "$scratch/refusals"
test "$(wc -l < "$scratch/refusals")" -gt 70
ok $? "the refusals of the sources are found: $(wc -l < "$scratch/refusals")"

export VALISE_VERDICTS=$scratch/asked
for test in matrix ca_list trust identity; do
	tests/run "$build/tests/pki/${test}_test" > "$scratch/out" 2>&1 || cat "$scratch/out" >&2
done
perl -e '
	open my $asked, "<", $ENV{VALISE_VERDICTS} or die; my @asked = <$asked>;
	while (<STDIN>) {
		chomp; my ($path, $pattern, $words) = split /\t/;
		print "$path: $words\n" unless grep { /$pattern/ } @asked;
	}' < "$scratch/refusals" > "$scratch/wrong"
nothing "a test asks for each of them by its words"
done_testing
