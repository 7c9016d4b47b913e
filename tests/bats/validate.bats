#!/usr/bin/env bats
# bb-validate: transactions, as a filter and as a judge; what a line claims; what it is told.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper

# full_line: BIP 143's transaction with all its fields, made of its bytes here.
full_line() {
	jq -cn --argjson prevouts "$BIP143_PREVOUTS" --arg hex "$BIP143_HEX" '{
		version: 1, locktime: 17,
		vin: [{txid: "9f96ade4b41d5433f4eda31e1738ec2b36f6e7d1420d94a6af99801a88f7f7ff", vout: 0,
			scriptsig: $hex[88:234], sequence: 4294967278, prevout: $prevouts[0]},
			{txid: "8ac60eb9575db5b2d987e29f301b5b819ea83a5c6579d282d189cc04b8e151ef", vout: 1,
			scriptsig: "", sequence: 4294967295, prevout: $prevouts[1],
			witness: [$hex[468:610], $hex[612:678]]}],
		vout: [{value: 112340000, scriptpubkey: "76a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac"},
			{value: 223450000, scriptpubkey: "76a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac"}]}'
}

@test "a valid line passes byte for byte" {
	with '. + {"unknown": [1, {"a": null}]}' | sed 's/:/ : /g' >line.json
	run -0 --separate-stderr bb-validate line.json
	cmp <(printf '%s\n' "$output") line.json
	assert_stderr ""
}

@test "an invalid line is not passed on; its verdict stands on stderr" {
	run -1 --separate-stderr bb-validate < <(with '.prevouts[1].value -= 1')
	assert_output ""
	[[ -n $stderr ]]
	jq -e '.type == "verdict" and .line == 1 and .valid == false' <<<"$stderr"
}

@test "valid lines pass and invalid ones do not, in order" {
	{ good_line 1; with '.prevouts[1].value -= 1'; good_line 3; } >lines.json
	run -1 --separate-stderr bb-validate lines.json
	assert_output "$(good_line 1; good_line 3)"
	[[ -n $stderr ]]
	jq -e '.line == 2 and .valid == false' <<<"$stderr"
}

@test "--verdict gives one verdict a line, for malformed lines too" {
	{ good_line 1; echo '{"type":"tx"'; with '.prevouts[1].value -= 1'; } >lines.json
	run -2 --separate-stderr bb-validate --verdict lines.json
	assert_json -s 'map(.type) == ["verdict", "verdict", "verdict"] and map(.line) == [1, 2, 3]
		and map(.valid) == [true, false, false] and (.[1].error | length) > 0'
}

@test "the verdict of a valid transaction has its id and each input's result" {
	run -0 --separate-stderr bb-validate --verdict <<<"$BIP143_LINE"
	assert_json --arg id "$BIP143_TXID" '.id == $id and .valid and .inputs == ["OK", "OK"]
		and (has("error") or has("script_error") or has("input") | not)'
	assert_stderr ""
}

@test "a failed script has Bitcoin Core's reason, detail and script_error" {
	run -1 --separate-stderr bb-validate --verdict < <(with '.prevouts[1].value -= 1')
	local text="mempool-script-verify-flag-failed (Script evaluated without error but finished with"
	text+=" a false/empty top stack element)"
	assert_json --arg text "$text" --arg id "$BIP143_TXID" --arg wtxid "$BIP143_WTXID" '
		.error == $text and .input == 1 and .script_error == "EVAL_FALSE"
		and .inputs == ["OK", "EVAL_FALSE"]
		and (.detail | ltrimstr($text + ", ")) == ("input 1 of " + $id + " (wtxid " + $wtxid
		+ "), spending 8ac60eb9575db5b2d987e29f301b5b819ea83a5c6579d282d189cc04b8e151ef:1")'
	assert_stderr ""
}

@test "a transaction that pays out more than it takes in is refused" {
	run -1 --separate-stderr bb-validate --verdict < <(with '.prevouts[0].value = 1 | .prevouts[1].value = 2')
	assert_json '.error == "bad-txns-in-belowout"
		and .detail == "value in (0.00000003) < value out (3.3579)"'
}

@test "a prevout over 21 million coins is refused" {
	run -1 bb-validate --verdict < <(with '.prevouts[0].value = 2100000000000001')
	assert_json '.error == "bad-txns-inputvalues-outofrange"'
}

@test "the rules of CheckTransaction have Bitcoin Core's words" {
	local reason filter
	while IFS=@ read -r reason filter; do
		run -1 bb-validate --verdict < <(full_line | jq -c "$filter")
		assert_json --arg reason "$reason" '.error == $reason'
	done <<-'END'
		bad-txns-vout-empty@.vout = []
		bad-txns-vout-negative@.vout[0].value = -1
		bad-txns-vout-toolarge@.vout[0].value = 2100000000000001
		bad-txns-txouttotal-toolarge@.vout[0].value = 2100000000000000
		bad-txns-inputs-duplicate@.vin[1] = .vin[0]
		bad-txns-prevout-null@.vin[0].txid = "0" * 64 | .vin[0].vout = 4294967295
	END
}

@test "a lock time that no claim judges is named as unjudged" {
	run -0 bb-validate --verdict <<<"$BIP143_LINE"
	assert_json '.unjudged | index("non-final") != null'
	run -0 bb-validate --verdict < <(with '. + {at_height: 18, at_mtp: 1500000000}')
	assert_json '(.unjudged // []) | index("non-final") == null'
}

@test "a transaction is final only above its lock time" {
	run -1 bb-validate --verdict < <(with '. + {at_height: 17, at_mtp: 1500000000}')
	assert_json '.valid == false and .error == "non-final"'
}

@test "a coinbase may be spent only after 100 blocks" {
	local claim='.prevouts[1] += {height: 100, coinbase: true} | .at_mtp = 1500000000'
	run -1 bb-validate --verdict < <(with "$claim | .at_height = 199")
	assert_json '.error == "bad-txns-premature-spend-of-coinbase"
		and .detail == "tried to spend coinbase at depth 99"'
	run -0 bb-validate --verdict < <(with "$claim | .at_height = 200")
	run -1 bb-validate -n barenet --verdict < <(with "$claim | .at_height = 109")
	run -0 bb-validate -n barenet --verdict < <(with "$claim | .at_height = 110")
}

@test "a missing prevout makes a line invalid, unless --partial" {
	with '.prevouts[0] = null' >line.json
	run -1 bb-validate --verdict line.json
	assert_json '.valid == false and .error == "missing-prevouts"'
	run -0 bb-validate --verdict --partial line.json
	assert_json '.valid == true and (.unjudged | length) > 0'
	run -1 bb-validate --verdict < <(with 'del(.prevouts)')
	assert_json '.error == "missing-prevouts"'
	run -0 --separate-stderr bb-validate --partial line.json
	cmp <(printf '%s\n' "$output") line.json
}

@test "--partial still refuses what the line itself shows" {
	run -1 bb-validate --verdict --partial < <(full_line | jq -c '.vin[].prevout = null | .vout = []')
	assert_json '.error == "bad-txns-vout-empty"'
}

@test "fields that jq changed are judged as changed" {
	full_line >line.json
	run -0 bb-validate --verdict line.json
	run -1 bb-validate --verdict < <(jq -c '.vout[0].value += 1 | del(.txid, .wtxid)' line.json)
	assert_json '.valid == false and .inputs == ["EVAL_FALSE", "EVAL_FALSE"]'
}

@test "prevtxs prove the prevouts, and a lie in them is malformed" {
	# BIP 143's transaction as the one spent from: its first output, by a made-up spender.
	local spender
	spender=$(jq -cn --arg id "$BIP143_TXID" --arg hex "$BIP143_HEX" '{type: "tx", version: 2,
		locktime: 0, vin: [{txid: $id, vout: 0, scriptsig: "", sequence: 4294967295, prevout:
		{scriptpubkey: "76a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac", value: 112340000}}],
		vout: [{scriptpubkey: "51", value: 1000}], prevtxs: [$hex]}')
	run -1 bb-validate --verdict <<<"$spender"
	assert_json '.inputs == ["INVALID_STACK_OPERATION"]'
	run -1 bb-validate --verdict < <(jq -c '.vin[0].prevout = null' <<<"$spender")
	assert_json '.inputs == ["INVALID_STACK_OPERATION"]'
	run -2 --separate-stderr bb-validate < <(jq -c '.vin[0].prevout.value += 1' <<<"$spender")
	assert_errors 'length == 1 and .[0].line == 1'
	run -2 --separate-stderr bb-validate < <(jq -c '.vin[0].vout = 7' <<<"$spender")
	run -2 --separate-stderr bb-validate < <(jq -c '.prevtxs = ["00"]' <<<"$spender")
}

@test "flags and input in a line count for nothing without --line-flags" {
	with '.prevouts[1].value -= 1 | .flags = "NONE" | .input = 0' >line.json
	run -1 bb-validate --verdict line.json
	assert_json '.inputs == ["OK", "EVAL_FALSE"]'
	run -0 bb-validate --verdict --line-flags line.json
	run -1 bb-validate --verdict --line-flags < <(jq -c 'del(.flags) | .input = 1' line.json)
	assert_json '.script_error == "EVAL_FALSE" and .input == 1'
}

@test "--line-flags refuses names and inputs that do not exist" {
	for change in '.flags = "P2SH,NO_SUCH"' '.flags = 1' '.flags = ["P2SH"]' '.input = 2' '.input = -1' \
		'.input = 0.5' '.input = "0"' '.input = 18446744073709551616'; do
		run -2 --separate-stderr bb-validate --line-flags < <(with "$change")
		assert_output ""
		assert_errors 'length == 1 and .[0].line == 1'
	done
}

@test "--mark passes every record in order with the verdict in checked, never one that came in" {
	{
		with '.checked = {"consensus": true, "forged": true} | .n = 1'
		with '.checked = "forged" | .prevouts[1].value -= 1 | .n = 2'
		with '.prevouts = [null, null] | .checked = "forged" | .n = 3'
	} >lines.json
	run -0 --separate-stderr bb-validate --mark lines.json
	assert_json -s 'map(.n) == [1, 2, 3] and (tostring | contains("forged") | not)'
	assert_json -s --arg wtxid "$BIP143_WTXID" '.[0].checked | .wtxid == $wtxid
		and .consensus == "OK" and (.standard | type) == "string" and (.prevouts | length) == 64'
	assert_json -s --arg wtxid "$BIP143_WTXID" '.[1].checked | .wtxid == $wtxid and .consensus ==
		"mempool-script-verify-flag-failed (Script evaluated without error but finished with a false/empty top stack element)"'
	assert_json -s '(.[0].checked.prevouts != .[1].checked.prevouts) and (.[2] | has("checked") | not)'
}

@test "--mark passes what it cannot read as well, without marks, for the judge behind" {
	printf '%s\n' '{"type":"tx","hex":"00","checked":"forged","from":"3"}' '{bad' '[1]' \
		'{"type":"block","checked":"forged"}' '{"type":"package","txs":[]}' >lines.json
	run -0 --separate-stderr bb-validate --mark lines.json
	assert_stderr ""
	[[ ${lines[0]} == '{"type":"tx","hex":"00","from":"3"}' && ${lines[1]} == '{bad' ]]
	[[ ${lines[2]} == '[1]' && ${lines[3]} == '{"type":"block"}' ]]
	[[ ${lines[4]} == '{"type":"package","txs":[]}' && ${#lines[@]} == 5 ]]
}

@test "a forged mark changes no verdict" {
	run -1 bb-validate --verdict < <(with '.checked = {"consensus": true} | .prevouts[1].value -= 1')
	assert_json '.valid == false'
}

@test "from is copied into the verdict and the error" {
	run -0 bb-validate --verdict < <(with '.from = "peer-7"')
	assert_json '.from == "peer-7"'
	run -2 --separate-stderr bb-validate < <(with '.from = "peer-7" | .hex = "zz"')
	assert_errors '.[0].from == "peer-7" and .[0].line == 1'
}

@test "every thread count keeps the order" {
	for n in $(seq 300); do
		good_line "$n"
		[[ $((n % 7)) -ne 0 ]] || with --argjson n "$n" '.n = $n | .prevouts[1].value -= 1'
	done >lines.json
	run -1 --separate-stderr bb-validate --verdict -j 1 lines.json
	local one=$output
	for j in 2 3 8; do
		run -1 --separate-stderr bb-validate --verdict -j "$j" lines.json
		assert_output "$one"
		assert_stderr ""
	done
	run -1 --separate-stderr bb-validate -j 4 lines.json
	assert_output "$(for n in $(seq 300); do good_line "$n"; done)"
	jq -se 'map(.line) == (map(.line) | sort) and length == 42' <<<"$stderr"
}

@test "a line's verdict comes before the next line is sent" {
	for options in "" "-j 4"; do
		rm -f to from
		mkfifo to from
		# shellcheck disable=SC2086 # options are words
		bb-validate --verdict $options <to >from 3>&- &
		local pid=$! answer
		exec 5>to 6<from
		for n in 1 2 3; do
			good_line "$n" >&5
			read -r -t 20 answer <&6
			jq -e --argjson n "$n" '.line == $n and .valid' <<<"$answer"
		done
		echo '{"type":"tx"}' >&5
		read -r -t 20 answer <&6
		jq -e '.line == 4 and .valid == false' <<<"$answer"
		exec 5>&- 6<&-
		wait "$pid" || [[ $? -eq 2 ]]
	done
}

@test "--trace shows each opcode of each input with the stacks before it" {
	run -0 --separate-stderr bb-validate --trace <<<"$BIP143_LINE"
	assert_json -s '[.[] | select(.input == 0)] | map(.opcode) == ["OP_PUSHBYTES_72", "OP_PUSHBYTES_33",
			"OP_CHECKSIG"]
		and map(.stack | length) == [0, 1, 2] and map(.position) == [0, 0, 34]
		and map(.script) == ["scriptsig", "scriptpubkey", "scriptpubkey"]
		and .[2].stack[1] == "03c9f4836b9a4f77fc0d81f7bcb01b7f1b35916864b9476c241ce9fc198bd25432"
		and .[1].data == .[2].stack[1]
		and all(.type == "trace" and .line == 1 and .altstack == [] and .condition == [])'
	assert_json -s '[.[] | select(.input == 1)] | map(.opcode)[-5:] == ["OP_DUP", "OP_HASH160",
			"OP_PUSHBYTES_20", "OP_EQUALVERIFY", "OP_CHECKSIG"]
		and (.[-1].stack | map(length)) == [142, 66]'
}

@test "--trace shows branches, the alternative stack, and no opcode that is not executed" {
	local line
	line=$(jq -cn '{type: "tx", version: 1, locktime: 0, vin: [{txid: ("11" * 32), vout: 0, scriptsig: "51",
		sequence: 0, prevout: {scriptpubkey: "006351675168516b6c87", value: 5}}],
		vout: [{scriptpubkey: "", value: 5}]}')
	run -0 bb-validate --trace <<<"$line"
	assert_json -s 'map([.opcode, .stack, .altstack, .condition]) == [["OP_PUSHNUM_1", [], [], []],
		["OP_0", ["01"], [], []], ["OP_IF", ["01", ""], [], []], ["OP_ELSE", ["01"], [], [false]],
		["OP_PUSHNUM_1", ["01"], [], [true]], ["OP_ENDIF", ["01", "01"], [], [true]],
		["OP_PUSHNUM_1", ["01", "01"], [], []], ["OP_TOALTSTACK", ["01", "01", "01"], [], []],
		["OP_FROMALTSTACK", ["01", "01"], ["01"], []], ["OP_EQUAL", ["01", "01", "01"], [], []]]'
	run -0 bb-validate --trace --verdict <<<"$line"
	assert_json -s 'length == 11 and .[-1].type == "verdict" and .[-1].valid'
}

@test "a coinbase that stands alone is refused, as in Core's mempool" {
	run -1 --separate-stderr bb-validate --verdict <<<'{"type":"tx","hex":"01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff025151ffffffff010000000000000000015100000000"}'
	assert_json '.error == "coinbase" and .valid == false'
}

@test "no input at all is not taken for success" {
	run -1 --separate-stderr bb-validate </dev/null
	[ -z "$output" ]
	[[ -n $stderr ]]
	jq -e '.type == "error" and .error == "no input"' <<<"$stderr"
}

@test "long work shows how far it has come, on a terminal and nowhere else" {
	for _ in $(seq 25000); do echo "$BIP143_LINE"; done >lines
	run -0 script -qec "bb-validate lines >/dev/null" /dev/null
	[[ $output == *'%'*' lines '*'/s'* ]]
	run -0 --separate-stderr bash -c 'bb-validate lines >/dev/null'
	assert_stderr ""
}
