#!/usr/bin/env bats
# Competing branches: random trees of blocks, good and bad, in random orders of arrival.

load helper

export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$BATS_TEST_DIRNAME/judge:$BATS_TEST_DIRNAME/vectors

@test "the tip is the valid chain with the most work, whatever came in which order" {
	python3 "$BATS_TEST_DIRNAME/judge/orders.py" >table
	cat table
	grep -E ': [0-9]+ of [0-9]+$' table >&3
	grep -xE '.*: 280 of 280' table
}
