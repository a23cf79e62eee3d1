#!/bin/sh
# What bench/micro/sni cannot count of itself: instructions a hello, by callgrind.
for hello in 030-g-curl-h2 059-g-firefox-default; do
	count=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no \
	    --toggle-collect=read_whole "$1" "tests/corpus/clienthello/$hello.bin" 2>&1 |
	    sed -n 's/.*Collected : *//p')
	echo "instructions for $hello, whole: ${count:-valgrind is missing} (to hold: at most 5000)"
done
