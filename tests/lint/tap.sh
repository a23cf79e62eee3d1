# TAP for the lint tests, which are bash scripts run in the tree's root.
# VALISE_BUILD names the build that is looked at.
set -u
build=${VALISE_BUILD:-build/gcc}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tap_count=0
tap_failed=0

# ok STATUS SENTENCE: what was found wrong is read from $scratch/wrong, if there.
ok()
{
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
		[ -s "$scratch/wrong" ] && sed 's/^/# /' "$scratch/wrong" >&2
	fi
	: > "$scratch/wrong"
}

# nothing SENTENCE: succeeds when $scratch/wrong is empty.
nothing()
{
	[ ! -s "$scratch/wrong" ]
	ok $? "$1"
}

done_testing()
{
	echo "1..$tap_count"
	exit $((tap_failed > 0))
}

: > "$scratch/wrong"
folders="base sni pki keys acme tunnel enrol relay agent fetch pki/tool sni/tool"

# tree [FIND-TEST...]: the files of the tree, also where there is no git.
tree()
{
	find . \( -path ./build -o -path ./.git -o -name __pycache__ \) -prune -o -type f "$@" -print |
		sed 's|^\./||' | sort
}
