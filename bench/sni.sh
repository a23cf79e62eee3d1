#!/bin/sh
# The cost of reading a ClientHello: times from bench/sni, instructions from callgrind.
bench=${VALISE_BUILD:?}/bench/sni
"$bench" || exit 1
for hello in 030-g-curl-h2 059-g-firefox-default; do
	count=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
	    --toggle-collect=read_whole "$bench" "tests/corpus/clienthello/$hello.bin" 2>&1 |
	    sed -n 's/.*Collected : *//p')
	echo "instructions for $hello, whole: ${count:-not measured, valgrind is missing} (to hold: at most 5000)"
done
