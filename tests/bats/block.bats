#!/usr/bin/env bats
# bb-validate on blocks: what needs only the block, and what needs its claims.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper

# block N FILTER: the main network's block 1 or 170, changed by jq.
block() {
	jq -c --argjson height "$1" 'select(.height == $height) | '"${2:-.}" \
		"$BATS_TEST_DIRNAME/fixtures/blocks.ndjson"
}

# is_refused ERROR N FILTER: the changed block is refused for that reason.
is_refused() {
	run -1 --separate-stderr bb-validate -n main --verdict < <(block "$2" "$3")
	assert_json --arg error "$1" '.valid == false and .error == $error'
}

@test "blocks of the main network are valid" {
	run -0 --separate-stderr bb-validate -n main <"$BATS_TEST_DIRNAME/fixtures/blocks.ndjson"
	assert_output "$(<"$BATS_TEST_DIRNAME/fixtures/blocks.ndjson")"
	assert_stderr ""
	run -0 bb-validate -n main --verdict < <(block 170)
	assert_json '.id == "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee" and .valid'
}

@test "a block that misses its work is refused" {
	is_refused high-hash 1 '.hex |= .[:158] + "00" + .[160:]'
}

@test "a block of another network's difficulty is refused" {
	# Regtest's bits lie above the main network's limit.
	is_refused high-hash 1 '.hex |= .[:144] + "ffff7f20" + .[152:]'
}

@test "a transaction that is not under the Merkle root is refused" {
	is_refused high-hash 170 '.hex |= .[:72] + "00" + .[74:]'
	is_refused bad-txnmrklroot 170 '.hex |= .[:-2] + "01"'
}

@test "a spent output that is not what the block's signature covers is refused" {
	run -1 bb-validate -n main --verdict < <(block 170 '.prevouts[0].scriptpubkey |= "51" + .')
	assert_json '.valid == false'
	run -1 bb-validate -n main --verdict < <(block 170 '.prevouts[0].scriptpubkey = "51ac"')
	assert_json '.error | startswith("block-script-verify-flag-failed (")'
}

@test "more paid out than spent is refused" {
	is_refused bad-txns-in-belowout 170 '.prevouts[0].value = 4999999999'
}

@test "a subsidy that the height does not allow is refused" {
	is_refused bad-cb-amount 170 '.height = 210000 | .prevouts[0].height = 209000
		| .prev_times |= map(1231000000)'
}

@test "a coinbase may be spent only after 100 blocks" {
	is_refused bad-txns-premature-spend-of-coinbase 170 '.prevouts[0].height = 71'
	run -0 bb-validate -n main --verdict < <(block 170 '.prevouts[0].height = 70')
}

@test "a block must be later than the median of the times before it" {
	is_refused time-too-old 1 '.prev_times = [1231469665]'
	is_refused time-too-old 170 '.prev_times[5:] |= map(1231731025)'
	run -0 bb-validate -n main --verdict < <(block 170 '.prev_times[6:] |= map(1231731025)')
}

@test "a block may be two hours ahead of now and no more" {
	run -0 bb-validate -n main --verdict < <(block 1 '.now = 1231469665 - 7200')
	is_refused time-too-new 1 '.now = 1231469665 - 7201'
}

@test "the bits must be those expected" {
	run -0 bb-validate -n main --verdict < <(block 1 '.expected_bits = 486604799')
	is_refused bad-diffbits 1 '.expected_bits = 486604798'
}

@test "old versions end with their heights" {
	is_refused 'bad-version(0x00000001)' 1 '.height = 227931'
}

@test "a claim that is missing is named in unjudged" {
	run -0 bb-validate -n main --verdict < <(block 170 'del(.height, .prev_times, .prevouts[].height)')
	assert_json '.valid and (.unjudged | index("time-too-old") != null
		and index("bad-cb-amount") != null and index("bad-diffbits") != null
		and index("time-too-new") != null)'
	run -0 bb-validate -n main --verdict \
		< <(block 170 '. + {now: 1300000000, expected_bits: 486604799}')
	assert_json '(.unjudged // []) | all(. == "non-final" or . == "non-BIP68-final" or
		. == "bad-txns-nonfinal")'
}

@test "a block without its prevouts is refused, unless --partial" {
	run -1 bb-validate -n main --verdict < <(block 170 'del(.prevouts)')
	assert_json '.error == "missing-prevouts"'
	run -0 bb-validate -n main --verdict --partial < <(block 170 'del(.prevouts)')
}

@test "a block with too few or too many prevouts is malformed" {
	run -2 --separate-stderr bb-validate -n main < <(block 170 '.prevouts = []')
	assert_errors 'length == 1 and .[0].line == 1'
	run -2 --separate-stderr bb-validate -n main < <(block 170 '.prevouts += .prevouts')
	run -2 --separate-stderr bb-validate -n main < <(block 1 '.prevouts = [null]')
}

@test "blocks that are cut short, too long or absurd are malformed" {
	for change in '.hex |= .[:-2]' '.hex += "00"' '.hex |= .[:160]' '.hex |= .[:100]' \
		'.hex |= .[:160] + "ffffffffffffffffff"' '.hex |= .[:160] + "feffffff00" + .[162:]' '.height = -1' \
		'.height = "1"' '.height = 0.5' '.prev_times = 5' '.prev_times = [1.5]' '.prev_times = ["a"]' \
		'.expected_bits = 4294967296' '.now = true' '.prev_times = [range(12)]' '.id = "00"'; do
		run -2 --separate-stderr bb-validate -n main < <(block 1 "$change"; block 170)
		assert_output "$(block 170)"
		assert_errors 'length == 1 and .[0].line == 1 and (.[0].error | length) > 5'
	done
}

@test "an expanded block is judged like its bytes" {
	bb-decode -n main < <(block 170) >full
	jq -e '.tx_count == 2 and (has("hex") | not)' full
	run -0 bb-validate -n main --verdict full
	assert_json '.valid'
	run -1 bb-validate -n main --verdict < <(jq -c '.tx[1].vout[0].value -= 1 | del(.tx[1].txid)' full)
	assert_json '.error == "bad-txnmrklroot"'
	run -2 bb-validate -n main < <(jq -c '.tx[1].vout[0].value -= 1' full)
	run -2 bb-validate -n main < <(jq -c '.id |= "11" + .[2:]' full)
}

@test "a block's mark says under which height's rules its scripts ran" {
	run -0 bb-validate -n main --mark < <(block 170)
	assert_json '.checked | .id == "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee"
		and .height == 170 and .consensus == "OK" and (.prevouts | length) == 64'
	run -0 bb-validate -n main --mark < <(block 170 'del(.height)')
	assert_json '.checked | has("height") | not'
}
