#!/usr/bin/env bats
# The mempool's rules, one by one, in Bitcoin Core 31's words: judge/policy.py has the cases, and
# each test here is the case of its name.

# shellcheck disable=SC2153 # node_start sets them

load helper
load peers/bitcoind.bash

export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$BATS_TEST_DIRNAME/judge:$BATS_TEST_DIRNAME/vectors:$BATS_TEST_DIRNAME/peers

teardown() {
	if [[ -n ${NODE_PID:-} ]]; then node_stop; fi
}

policy() {
	python3 "$BATS_TEST_DIRNAME/judge/policy.py" "$@"
}

# judged: the case of this test's name.
judged() {
	policy "${BATS_TEST_DESCRIPTION//[ \']/_}"
}

@test "inputs of scripts that are not standard" {
	judged
}

@test "inputs of scripts that are run" {
	judged
}

@test "inputs of p2sh that are not standard" {
	judged
}

@test "witnesses that are not standard" {
	judged
}

@test "outputs that are not standard" {
	judged
}

@test "data outputs count together" {
	judged
}

@test "the limit of data may be set" {
	judged
}

@test "bare multisig may be forbidden" {
	judged
}

@test "sigops weigh" {
	judged
}

@test "the increment raises the least" {
	judged
}

@test "the order of the checks" {
	judged
}

@test "replacement pays again and for its relay" {
	judged
}

@test "replacement tells what it replaced" {
	judged
}

@test "replacement must improve the diagram" {
	judged
}

@test "replacement may not spend what it replaces" {
	judged
}

@test "a hundred clusters may be replaced" {
	judged
}

@test "conflicts in one cluster count once" {
	judged
}

@test "a cluster holds 64 and what is replaced goes first" {
	judged
}

@test "a cluster holds 404000 weight units" {
	judged
}

@test "truc sizes and versions" {
	judged
}

@test "a sibling is evicted for its fees" {
	judged
}

@test "a sibling's eviction obeys the diagram" {
	judged
}

@test "truc after a reorganisation" {
	judged
}

@test "truc in packages" {
	judged
}

@test "dust is swept by whoever spends its parent" {
	judged
}

@test "dust and reorganisations" {
	judged
}

@test "a package replaces as parent and child only" {
	judged
}

@test "a package's child may replace too" {
	judged
}

@test "a package meets what waits" {
	judged
}

@test "a package is given up where one is hopeless" {
	judged
}

@test "a package is well formed" {
	judged
}

@test "a full mempool keeps the best" {
	judged
}

@test "one may replace and find no room" {
	judged
}

@test "a full mempool and packages" {
	judged
}

@test "the minimum falls after a block" {
	judged
}

@test "the old leave with their descendants" {
	judged
}

@test "locks that a shorter past breaks" {
	judged
}

@test "coinbases that are not ripe any more" {
	judged
}

@test "what a block taken back paid to its miner is gone" {
	judged
}

@test "what comes back is free of fees and not of standards" {
	judged
}

@test "a family too large for what comes back" {
	judged
}

@test "rivals that are mined elsewhere" {
	judged
}

@test "a branch that fails gives back what it held" {
	judged
}

@test "what waits is not known with another witness" {
	judged
}

@test "what waits is judged again by all but its scripts" {
	judged
}

@test "a block's rival drives out a family" {
	judged
}

@test "marks count where they are trusted" {
	judged
}

@test "marks of peers do not pass the judge" {
	judged
}

@test "orphans wait for all their parents" {
	judged
}

@test "no case is left out" {
	grep -B 1 -x '	judged' "$BATS_TEST_FILENAME" | sed -nE 's/^@test "(.*)" .*/\1/p' >names
	diff <(policy | sort) <(tr " '" __ <names | sort)
}

@test "a bitcoind of older rules says the same where these are the same" {
	node_start -minrelaytxfee=0.000001 -incrementalrelayfee=0.000001
	needs_node
	policy --node "$NODE_DIR/regtest/.cookie" "$NODE_PORT"
}
