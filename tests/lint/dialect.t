#!/usr/bin/env python3
"""One dialect: !p and p for pointers in conditions, sizeof without brackets for expressions."""
import re
import subprocess
import sys

SKIP = re.compile(r'/\*.*?\*/|//[^\n]*|(?:(?<=\n)|\A)[ \t]*#(?:\\\n|[^\n])*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
TYPE = r'(?:struct|enum|union|const|volatile|unsigned|signed|char|int|short|long|float|double|void|bool|FILE|\w+_t)\b'
CALL = r'(?:\((?:[^()]|\([^()]*\))*\))'
OPERAND = rf'[*&]*\w+(?:(?:->|\.)\w+|\[[^][]*\]|{CALL})*'
RULES = (
    ('no pointer is compared with == NULL', re.compile(r'== NULL\b')),
    ('a pointer that is a condition stands alone', re.compile(
        rf'!= NULL\s*(?:&&|\|\||\?)|(?:&&|\|\|)\s*{OPERAND} != NULL\b'
        rf'|\b(?:if|while) \({OPERAND} != NULL\)|;\s*{OPERAND} != NULL;')),
    ('sizeof has brackets for types only', re.compile(
        rf'\bsizeof ?\((?!{TYPE})(?:{OPERAND}|"")\)(?!->|[.\[(])')),
)


def blank(match):
    """keeps lines and the quotes of strings"""
    return '""' if match[0][0] == '"' else re.sub(r'[^\n]', ' ', match[0])


def sources():
    found = subprocess.run(['find', '.', '-name', 'build', '-prune', '-o', '-name', '*.[ch]', '-print'],
                           capture_output=True, text=True, check=True)
    return sorted(found.stdout.split())


def main():
    wrong = [[] for _ in RULES]
    for path in sources():
        with open(path) as file:
            code = SKIP.sub(blank, file.read())
        for (_, pattern), list_ in zip(RULES, wrong):
            list_ += [f'{path}:{code.count(chr(10), 0, m.start()) + 1}: {" ".join(m[0].split())}'
                      for m in pattern.finditer(code)]
    for number, ((sentence, _), list_) in enumerate(zip(RULES, wrong), 1):
        for line in list_:
            print(f'# {line}', file=sys.stderr)
        print(f'{"not ok" if list_ else "ok"} {number} - {sentence}')
    print(f'1..{len(RULES)}')
    sys.exit(any(wrong))


main()
