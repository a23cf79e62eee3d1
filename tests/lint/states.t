#!/usr/bin/env python3
"""State machines: one function of each machine writes ->state, checks the move against a table and logs it."""
import re
import subprocess
import sys

WRITES = re.compile(r'(?:->|\.)state\s*=(?!=)')
BIRTH = re.compile(r'[{,]\s*\.state\s*=(?!=)')
FUNCTION = re.compile(r'^(\w+)\((?:[^()]|\([^()]*\))*\)\n\{\n(.*?)^\}', re.M | re.S)


def sources():
    found = subprocess.run(['find', 'base', 'sni', 'pki', 'acme', 'tunnel', 'enrol', 'relay', 'agent', '-name', '*.c'],
                           capture_output=True, text=True, check=True)
    return sorted(found.stdout.split())


def writers(path):
    with open(path) as file:
        for name, body in FUNCTION.findall(file.read()):
            if len(WRITES.findall(body)) > len(BIRTH.findall(body)):
                yield name, body


def main():
    several, silent, seen = [], [], 0
    for path in sources():
        found = list(writers(path))
        seen += len(found)
        if len(found) > len(set(re.findall(r'log_move\(\s*("[a-z-]+")', ''.join(body for _, body in found)))):
            several.append(f'{path}: {", ".join(name for name, _ in found)}')
        for name, body in found:
            if 'log_move(' not in body:
                silent.append(f'{path}: {name} does not log')
            if 'may_move[' not in body:
                silent.append(f'{path}: {name} does not ask the table')
    for number, (sentence, wrong) in enumerate((
            ('one function of each machine writes ->state', several),
            ('it asks the table of moves and logs the move', silent),
            ('there are such functions', [] if seen > 8 else [f'{seen} found'])), 1):
        for line in wrong:
            print(f'# {line}', file=sys.stderr)
        print(f'{"not ok" if wrong else "ok"} {number} - {sentence}')
    print('1..3')
    sys.exit(bool(several or silent or seen <= 8))


main()
