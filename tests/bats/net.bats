#!/usr/bin/env bats
# What a node says to others, remembers of them, and has on its way to its own ledger.

load helper

# The tables of the drivers, by their names.
setup_file() {
	local driver
	for driver in net outstanding addrbook; do
		"${BUILD:-$BATS_TEST_DIRNAME/../../build}/$driver" || :
	done >"$BATS_FILE_TMPDIR/table"
	grep -E ': [0-9]+ of [0-9]+$|is wrong|^milliseconds' "$BATS_FILE_TMPDIR/table" >&3
}

# assert_table NAME COUNT: that many rows of the table, and all of them good.
assert_table() {
	grep -x "$1: $2 of $2" "$BATS_FILE_TMPDIR/table"
}

@test "each message is read as it is written, and what others add is left out" {
	assert_table 'messages, there and back' 21
	assert_table 'messages of others' 5
	assert_table 'lines to the ledger' 3
}

@test "a malformed line is refused with a reason, and a type that is not known passed over" {
	assert_table 'malformed lines' 65
	assert_table 'limits of messages' 17
	assert_table 'changed lines' 20001
}

@test "what was seen is what a list of the newest holds" {
	assert_table 'what was seen, against a list' 34043
}

@test "lines on their way outlive the pipeline's death, and the one that kills does not" {
	assert_table 'lines on their way, against a list' 10040
	assert_table 'a line that kills' 18
	assert_table '100,000 lines on their way' 3
}

@test "hosts and endpoints come to one form" {
	assert_table hosts 15
	assert_table 'networks of hosts' 7
	assert_table endpoints 28
}

@test "the book of addresses is bounded, backs off, and prefers whom it knows" {
	assert_table 'addresses that are kept' 42
	assert_table 'times of trying again' 72
	assert_table 'whom to connect to' 11
	assert_table 'bounds of the book' 10
	assert_table 'whom to tell of' 6
}

@test "bans end when they should, and the file of peers is read again whatever is in it" {
	assert_table bans 10
	assert_table 'the file of peers' 29
	assert_table 'reasons of bans' 18
}

@test "a chain of headers shows its work twice before any of it is kept, and has to be the same one" {
	assert_table 'headers that show their work' 11
	assert_table 'bits that may follow' 8
}
