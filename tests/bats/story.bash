# shellcheck shell=bash disable=SC2154
# What the tests with five nodes share: processes and namespaces, and containers.

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
	export BB_NETWORK=barenet
	unset BB_DIR BB_WALLETS
	STARTED=()
	# shellcheck source=pipelines/five.bash
	. "$BB_ROOT/pipelines/five.bash"
}

teardown() {
	network_end >/dev/null 2>&1 || true
}

# play [HOW]: the demonstration says that all is well, and how long it took.
play() {
	run --separate-stderr "$BB_ROOT/pipelines/demo" "$@"
	if [[ $status != 0 ]]; then printf '%s\n' "$output" "$stderr"; fi
	[[ $status == 0 ]]
	assert_stderr ""
	[[ ${lines[-1]} =~ "from the first coin to the last, in "([0-9.]+)" s" ]]
	echo "# the story took ${BASH_REMATCH[1]} s" >&3
	[[ $output == *"zoe has all "* && $output != *"✗"* ]]
}

# drawn: each node has as many peers as the drawing gives it links.
drawn() {
	local name
	for name in miner2:1 alice:3 connor:2 bob:1 miner1:1; do
		[[ $(on "${name%:*}" bb-relay --peers | wc -l) == "${name#*:}" ]]
	done
}
