#!/usr/bin/env bats
# A random day of a mempool, under reorganisations, restarts and kill -9.

load helper

export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$BATS_TEST_DIRNAME/judge:$BATS_TEST_DIRNAME/vectors

# day SEED [OPTION...]: a thousand steps, in which everything was as it should be, and enough of
# everything there was.
day() {
	python3 "$BATS_TEST_DIRNAME/judge/day.py" 1000 "$@" >table
	cat table
	grep -E ': [0-9]+ of [0-9]+$' table >&3
	grep -x 'a random day: 1001 of 1001' table
}

@test "what waits is what a fresh node would take, and templates are blocks that pay" {
	day 1
}

@test "so it is on another day" {
	day 2
}

@test "so it is where clusters are small" {
	day 3 --policy limitclustercount=4
}
