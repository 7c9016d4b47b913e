#!/usr/bin/env bats
# bb-chain and a real bitcoind on regtest judge the same blocks. Each is started by its own test,
# because their networks differ.

# shellcheck disable=SC2153 # node_start sets them

load helper
load peers/bitcoind.bash

export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$BATS_TEST_DIRNAME/judge:$BATS_TEST_DIRNAME/vectors:$BATS_TEST_DIRNAME/peers

teardown() {
	if [[ -n ${NODE_PID:-} ]]; then node_stop; fi
}

# compare AT_LEAST OPTION...: all rows agree, and there are so many of them.
compare() {
	local least=$1 of
	shift
	python3 "$BATS_TEST_DIRNAME/judge/compare.py" "$NODE_DIR/regtest/.cookie" "$NODE_PORT" \
		"$@" >table
	cat table
	grep -E ': [0-9]+ of [0-9]+$' table >&3
	of=$(sed -nE 's/^.*: ([0-9]+) of \1$/\1/p' table)
	[[ $of -ge $least ]]
}

@test "a real bitcoind and bb-chain give the same verdicts, reasons, tips and coins" {
	node_start
	needs_node
	compare 12000
}

@test "they agree on the heights from which on rules bind" {
	node_start -testactivationheight={bip34@230,dersig@240,cltv@250,csv@260,segwit@270}
	needs_node
	compare 1400 --activation
}
