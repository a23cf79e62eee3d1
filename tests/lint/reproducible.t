#!/usr/bin/env bash
# The same source makes the same bytes, wherever it is built and installed: programs and the tarball.
. tests/lint/tap.sh
version=$(sed -n 's/^VERSION := //p' GNUmakefile)

if grep -q -- --coverage "$build/flags"; then
	echo "1..0 # SKIP what measures coverage names its sources in full"
	exit 0
fi
for program in valise-relay valise-agent valise-pki valise-sni; do
	grep -cF "$PWD" "$build/$program" | grep -qx 0 || echo "$program" >> "$scratch/wrong"
done
nothing "no program has the name of the directory in which it was built"

# Compiled as the build compiles it, but elsewhere.
mkdir "$scratch/elsewhere"
cp -r base "$scratch/elsewhere"
read -r flags < "$build/flags"
for directory in "$PWD" "$scratch/elsewhere"; do
	command="${flags//$PWD/$directory} -I. -c -o '$scratch/units.o' base/units.c" # before $PWD is another one
	(cd "$directory" && eval "$command") \
		2>> "$scratch/wrong" && sha256sum < "$scratch/units.o"
done > "$scratch/sums"
[ "$(sort -u "$scratch/sums" | wc -l)" -eq 1 ] && [ "$(wc -l < "$scratch/sums")" -eq 2 ]
ok $? "an object is the same in another directory, and without its name"

# In whatever was compiled for one prefix, a path of the installation would stay when it is for another; the sandbox names
# folders of the system.
grep -lE '/(etc|lib|libexec)/valise(-relay|-agent|/|$)|/usr/local' -r "$build/obj/"{base,sni,pki,acme,tunnel,enrol,relay,agent} \
	--include='*.o' | grep -vx -e "$build/obj/base/paths.o" -e "$build/obj/base/sandbox.o" > "$scratch/wrong"
nothing "paths of the installation are in one object"
grep -q /valise/relay.yml "$build/obj/base/paths.o"
ok $? "it is base/paths.o"

# Of the tree in a directory, into another: the SHA-256 of the tarball.
packed()	# DIRECTORY OUT
{
	(cd "$1" && said=$(packaging/dist "$version" "$2" 2> /dev/null) && echo "${said%% *}")
}

first=$(packed . "$scratch/first")
[ -n "$first" ] && [ "$(umask 077; packed . "$scratch/second")" = "$first" ]
ok $? "make dist packs the same bytes twice"
tar -xzf "$scratch/first/valise-$version.tar.gz" -C "$scratch"
touch "$scratch/valise-$version/README.md"
[ "$(packed "$scratch/valise-$version" "$scratch/third")" = "$first" ]
ok $? "and the same again from what was unpacked"
done_testing
