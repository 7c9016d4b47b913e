#!/usr/bin/env bats
# What a store survives: kill -9 at any instant, and a disk that is full.

# shellcheck disable=SC2154 # what run sets

load helper

export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$BATS_TEST_DIRNAME/judge:$BATS_TEST_DIRNAME/vectors

teardown() {
	if mountpoint -q disk; then umount disk; fi
}

# crash ARGUMENT...: crash.py finds nothing lost.
crash() {
	python3 "$BATS_TEST_DIRNAME/judge/crash.py" "$@" >table
	cat table
	grep -E ': [0-9]+ of [0-9]+$' table >&3
}

# small_disk SIZE: a file system of that size on ./disk.
small_disk() {
	mkdir -p disk
	mount -t tmpfs -o "size=$1" bb-test disk || skip "only root can mount a small disk"
}

# chain_file SIZE: blocks of about so many bytes in chain.blk, and in chain.json what comes of them.
chain_file() {
	python3 "$BATS_TEST_DIRNAME/judge/crash.py" chain chain.blk "$1" >chain.json
}

# whole STORE: it has all of chain.blk, and nothing is wrong with it.
whole() {
	[[ $(bb-chain -d "$1" coins --hash | jq -c '{id, height, hash}') == $(jq -c . chain.json) ]]
	bb-chain -d "$1" verify | jq -e '.valid'
}

# slowly FILE: a line at a time, each written alone.
slowly() {
	jq -c --unbuffered . "$1"
}

@test "kill -9 of add, two hundred times: nothing acknowledged is lost" {
	crash add 200
}

@test "kill -9 of import, thirty times: the next one goes on to the right tip" {
	crash import 30
}

@test "kill -9 of invalidate and reconsider: all or nothing has happened" {
	crash admin 40
}

@test "a disk that fills up during import: status 3, and with room it goes on" {
	local size
	chain_file 3000000
	for size in 64k 300k 1m 2m 3m 4m; do
		small_disk "$size"
		run -3 --separate-stderr bb-chain -d disk/store import --now 1400000000 chain.blk
		assert_output ""
		assert_errors 'length == 1 and (.[0].error | test("[Nn]o space left"))'
		mount -o remount,size=64m disk
		if [[ -e disk/store/chain/data.mdb ]]; then bb-chain -d disk/store verify; fi
		run -0 --separate-stderr bb-chain -d disk/store import --now 1400000000 chain.blk
		assert_output ""
		assert_stderr ""
		whole disk/store
		umount disk
	done
}

@test "a disk that fills up under add: what was acknowledged is there" {
	chain_file 3000000
	bb-chain -d full import --now 1400000000 chain.blk
	bb-chain -d full blocks --from 1 >lines
	small_disk 2m
	# One by one, so that many are acknowledged before the end.
	run -3 --separate-stderr bb-chain -d disk/store add --now 1400000000 < <(slowly lines)
	assert_json '.valid and .result == "connected"'
	assert_errors 'length == 1 and (.[0].error | test("[Nn]o space left"))'
	local last
	last=$(tail -n 1 <<<"$output" | jq -r .id)
	mount -o remount,size=64m disk
	[[ $(bb-chain -d disk/store tip | jq -r .id) == "$last" ]]
	bb-chain -d disk/store verify
	bb-chain -d disk/store add --now 1400000000 lines |
		jq -se --argjson known "$(wc -l <<<"$output")" '.[:$known] | all(.result == "duplicate")'
	whole disk/store
}

@test "a disk with no room at all: no store is made, and readers say so" {
	small_disk 4k
	run -3 --separate-stderr bb-chain -d disk/store import /dev/null
	assert_errors 'length >= 1'
	run -3 --separate-stderr bb-chain -d disk/store tip
	assert_errors 'length == 1'
}
