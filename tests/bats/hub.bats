#!/usr/bin/env bats
# A node among others, without sockets: who is let in, what goes where, and how often.

load helper

# The tables of the drivers, by their names.
setup_file() {
	local driver
	mkdir "$BATS_FILE_TMPDIR/stores"
	for driver in hub floods; do
		"${BUILD:-$BATS_TEST_DIRNAME/../../build}/$driver" "$BATS_FILE_TMPDIR/stores" || :
	done >"$BATS_FILE_TMPDIR/table"
	grep -E ': [0-9]+ of [0-9]+$|is wrong|^milliseconds' "$BATS_FILE_TMPDIR/table" >&3
}

# assert_table NAME COUNT: that many rows of the table, and all of them good.
assert_table() {
	grep -x "$1: $2 of $2" "$BATS_FILE_TMPDIR/table"
}

@test "a peer is let in by its version, and neither ourselves nor anybody twice" {
	assert_table handshakes 18
}

@test "who breaks the rules is dropped, and his host banned for a day" {
	assert_table misbehaviour 8
}

@test "no peer is waited for in vain, read faster than is good, or read while the ledger is busy" {
	assert_table limits 19
}

@test "a tool gets each verdict under its own line number and its own from" {
	assert_table tools 10
}

@test "a transaction is asked for from one peer at a time, and an orphan's parent from its sender" {
	assert_table asking 14
}

@test "who announces first and gives nothing, or much else, keeps no transaction from us for long" {
	assert_table 'who announces and does not give' 9
}

@test "where all places are taken the youngest of a crowd has to go, and nobody who is good at something" {
	assert_table 'who has to go' 8
}

@test "a line that kills the ledger twice is dropped and named, and every other has its verdict" {
	assert_table 'lines that kill' 9
}

@test "each transaction reaches every node, each ledger once, and crosses a connection once" {
	assert_table floods 63
	assert_table '10000 transactions through five in a row' 9
}

@test "the same where connections break and ledgers die with half of it told" {
	assert_table 'floods among disasters' 69
}

@test "peers and a ledger that say anything at any time do not bring it down" {
	assert_table 'anything at any time' 1
}
