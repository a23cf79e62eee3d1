#!/usr/bin/env bash
# What comments promise: a source opens with its purpose, and what they name is there.
. tests/lint/tap.sh

# A source begins with a comment of six words or more, which says what it is for.
for source in $(tree -name '*.c'); do
	words=$(awk 'NR == 1 && !/^\/\*/ { exit } { print } /\*\// { exit }' "$source" |
		grep -oE "[A-Za-z][A-Za-z'_-]*" | wc -l)
	[ "$words" -ge 6 ] || echo "$source: its first comment has $words words" >> "$scratch/wrong"
done
nothing "a source opens with its purpose"

# clang-format holds code to 100 columns but leaves comments alone, so that one which grew by a word
# need not be laid out anew.  A line that was never laid out is longer than this.
awk 'FNR == 1 { inside = 0 }
	{ line = $0; gsub(/\t/, "        ", line) }
	(inside || /\/\*/) && length(line) > 110 { print FILENAME ":" FNR ": " length(line) " columns" }
	{ if (/\/\*/) inside = 1; if (/\*\//) inside = 0 }' $(for folder in $folders; do ls "$folder"/*.[ch]; done) \
	>> "$scratch/wrong"
nothing "no line of a comment is wider than 110 columns"

# Every function that a comment names, as name(), stands somewhere in the code, too.
mapfile -t sources < <(tree -name '*.[ch]')
python3 - "${sources[@]}" >> "$scratch/wrong" << 'PYTHON'
import re
import sys

COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
said, code = [], set()
for path in sys.argv[1:]:
    with open(path) as file:
        text = file.read()
    for match in COMMENT.finditer(text):
        if match[0][0] == '/':
            line = text.count('\n', 0, match.start()) + 1
            said += [(path, line, name) for name in re.findall(r'\b([a-z_][a-z_0-9]+)\(\)', match[0])]
    code.update(re.findall(r'\b[A-Za-z_][A-Za-z_0-9]*', COMMENT.sub(' ', text)))
for path, line, name in said:
    if name not in code:
        print(f'{path}:{line}: {name}()')
PYTHON
nothing "the functions that comments name exist"

# The same for files of the tree, as folder/module or folder/module.[ch].
python3 - "${sources[@]}" >> "$scratch/wrong" << 'PYTHON'
import os
import re
import sys

FOLDERS = 'base|sni|pki|tunnel|relay|agent|fetch|tests'
for path in sys.argv[1:]:
    with open(path) as file:
        text = file.read()
    for comment in re.finditer(r'/\*.*?\*/', text, re.S):
        for name in re.findall(r'(?<![\w/.])((?:%s)/[a-z_/0-9]+(?:\.[a-z]+\b)?)' % FOLDERS, comment[0]):
            if not any(os.path.exists(name + end) for end in ('', '.c', '.h')):
                print(f'{path}: {name}')
    for comment in re.finditer(r'/\*.*?\*/', text, re.S):
        for name in re.findall(r'(?<![\w/.*-])([a-z][a-z_0-9]+\.[ch])\b', comment[0]):
            here = os.path.join(os.path.dirname(path), name)
            if not os.path.exists(here) and not any(other.endswith('/' + name) for other in sys.argv[1:]):
                print(f'{path}: {name}')
PYTHON
nothing "the files that comments name exist"
done_testing
