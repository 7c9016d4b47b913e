#!/usr/bin/env bats
# bb-chain's mempool: what waits, what is refused and why, and how it lasts.

# shellcheck disable=SC2016,SC2034,SC2154 # jq's variables; what run sets

load helper
load pool.bash

teardown() {
	if [[ -n ${LIVE:-} ]]; then kill "$LIVE" 2>/dev/null || true; fi
}

# assert_waiting FILE...: these transactions wait, in any order, and nothing else.
assert_waiting() {
	diff <(waiting | sort) <(txids "$@" | sort)
}

# assert_empty: nothing waits.
assert_empty() {
	run -0 --separate-stderr bb-chain mempool
	assert_output ""
	assert_stderr ""
}

# family: a parent that pays little in a, its child that pays much in b, somebody else in c.
family() {
	coin_of 1 | pay 1 >a
	outputs <a | pay 21 >b
	coin_of 2 | pay 5 >c
}

# told SEQ: the events since, each in a few words.
told() {
	bb-chain events --since "$1" | jq -r '[.event, .reason // empty, (select(.event == "replaced").by), .txid // .id] | join(" ")'
}

# last_event: the number of the newest.
last_event() {
	bb-chain events | tail -n 1 | jq .seq
}

# Verdicts

@test "a transaction is taken in, and waits" {
	coin_of 1 | pay 2 >a
	run -0 --separate-stderr bb-chain add a
	assert_stderr ""
	assert_json 'keys_unsorted == ["type", "line", "id", "wtxid", "valid", "result", "fee", "vsize", "tip", "height"]
		and .type == "verdict" and .line == 1 and .valid and .result == "accepted" and .height == 120'
	assert_json --argjson tx "$(bb-decode a)" '.id == $tx.txid and .wtxid != .id
		and .fee == 5000000000 - $tx.vout[0].value and .vsize == (($tx.weight + 3) / 4 | floor)'
	assert_waiting a
}

@test "what waits is a duplicate; with another witness it is refused" {
	coin_of 1 | draft 2 >a
	bb-sign -k key a | bb-chain add
	run -0 bb-chain add < <(bb-sign -k key a)
	assert_json '.valid and .result == "duplicate" and (has("error") | not)'
	run -1 bb-chain add < <(bb-sign -k key --sighash 'all|anyonecanpay' a)
	assert_json '.result == "refused" and .error == "txn-same-nonwitness-data-in-mempool"'
	run -1 bb-chain test < <(bb-sign -k key a)
	assert_json '(.valid | not) and .result == "refused" and .error == "txn-already-in-mempool"'
	mine_one
	run -0 bb-chain add < <(bb-sign -k key a)
	assert_json '.valid and .result == "duplicate"'
	run -1 bb-chain test < <(bb-sign -k key a)
	assert_json '.error == "txn-already-known"'
}

# What filters make of a transaction of 50 BTC, and what Bitcoin Core says of that.
refusals() {
	cat <<-'X'
		.version = 4~version
		.version = 0~version
		.locktime = 121~non-final
		.locktime = 1296757602~non-final
		.vin[0].sequence = 121~non-BIP68-final
		.vin[0].sequence = 4194304 + 200~non-BIP68-final
		.vout[0].value = 5000000001~bad-txns-in-belowout, value in (50.00) < value out (50.00000001)
		.vout[0].value = 5000000000~min relay fee not met, 0 < 11
		.vout[0].value = 4999999990~min relay fee not met, 10 < 11
		.vout[0].value = 2100000000000001~bad-txns-vout-toolarge
		.vout[0].value = 293~dust, tx with dust output must be 0-fee
		.vout[0].scriptpubkey = "61"~scriptpubkey
		.vout[0].scriptpubkey = "5120" + "ff" * 31~scriptpubkey
		.vout[0].scriptpubkey = "6a"~tx-size-small
		.vout = []~bad-txns-vout-empty
		.vin += .vin~bad-txns-inputs-duplicate
		.vin[0].vout = 1~bad-txns-inputs-missingorspent
		.vout += [{scriptpubkey: ("6a4cff" + "00" * 255), value: 0}]~
	X
}

@test "what breaks a rule is refused in Bitcoin Core's words" {
	coin_of 21 | draft 5 >a
	# shellcheck disable=SC2046 # one program
	jq -c "$(refusals | sed 's/^/(/; s/~.*/)/' | paste -sd,) | del(.txid, .wtxid)" a | bb-sign -k key --partial >b
	run -1 bb-chain test b
	diff <(refusals | cut -d'~' -f2) <(jq -r '[.error, .detail] | map(strings) | join(", ")' <<<"$output")
	assert_json '.valid == (has("error") | not) and .result == (if .valid then "accepted" else "refused" end)'
	assert_json -s 'map(.line) == [range(1; 19)]'
	# The writer says the same.
	diff <(echo "$output") <(bb-chain add b)
	assert_waiting <(tail -n 1 b)
}

@test "a coinbase, an immature coin, and a coin that is spent" {
	run -1 bb-chain add < <(bb-chain block --full 120 | jq -c '.tx[0]')
	assert_json '.error == "coinbase" and .result == "refused"'
	coin_of 22 | draft 5 --height 200 | bb-sign -k key >a
	run -1 bb-chain add a
	assert_json '[.error, .detail] == ["bad-txns-premature-spend-of-coinbase", "tried to spend coinbase at depth 99"]'
	coin_of 1 | pay 5 >b
	coin_of 1 | pay 7 >c
	bb-chain add b
	mine_one
	run -1 bb-chain test c
	assert_json '.error == "bad-txns-inputs-missingorspent"'
}

@test "a signature that is wrong is told with the input and the script's error" {
	coin_of 1 2 | draft 5 >a
	bb-sign -k key a | jq -c --arg pubkey "$KEY1_PUBKEY" '.vin[1].witness[0] |= .[:20] + "00" + .[22:]
		| del(.txid, .wtxid)' >b
	run -1 bb-chain add b
	assert_json --arg spent "$(jq -r '.vin[1] | "\(.txid):\(.vout)"' a)" '.valid == false and .input == 1
		and .script_error == "NULLFAIL" and .error == "mempool-script-verify-flag-failed " +
			"(Signature must be zero for failed CHECK(MULTI)SIG operation)"
		and .detail == "input 1 of \(.id) (wtxid \(.wtxid)), spending \($spent)"'
	assert_empty
}

@test "a child before its parent is kept, and taken in with it" {
	family
	run -1 --separate-stderr bb-chain add b
	assert_json --arg a "$(txids a)" '(.valid | not) and .result == "orphan"
		and .error == "bad-txns-inputs-missingorspent" and .missing == [$a]'
	assert_empty
	bb-chain mempool --stats | jq -e '.count == 0 and .orphans == 1'
	since=$(last_event)
	run -0 bb-chain add a
	assert_json '.result == "accepted"'
	assert_waiting a b
	run -0 told "$since"
	assert_output "accepted $(txids a)"$'\n'"accepted $(txids b)"
}

@test "one that pays more takes the place of those that spend the same, and of their children" {
	family
	bb-chain add a b c
	coin_of 1 2 | pay 1 >cheap
	coin_of 1 2 | pay 40 >dear
	run -1 bb-chain add cheap
	assert_json '.error == "insufficient fee" and (.detail | startswith("rejecting replacement \($id), less fees than "))' \
		--arg id "$(txids cheap)"
	assert_waiting a b c
	since=$(last_event)
	run -0 bb-chain add dear
	assert_json --arg ids "$(txids a b c | sort)" '.valid and (.replaced | sort) == ($ids / "\n")'
	assert_waiting dear
	run -0 told "$since"
	[[ ${lines[3]} == "accepted $(txids dear)" ]]
	diff <(head -n 3 <<<"$output" | sort) <(txids a b c | sort | sed "s/^/replaced replaced $(txids dear) /")
}

@test "a replacement pays for its own size too" {
	coin_of 1 | draft 10 >a
	bb-sign -k key a | bb-chain add
	# 110 vbytes at 0.1 sat/vB are 11 sat.
	jq -c '.vout[0].value -= 10 | del(.txid, .wtxid)' a | bb-sign -k key >ten
	run -1 bb-chain add ten
	assert_json '[.error, .detail] == ["insufficient fee", "rejecting replacement " + .id +
		", not enough additional fees to relay; 0.0000001 < 0.00000011"]'
	jq -c '.vout[0].value -= 11 | del(.txid, .wtxid)' a | bb-sign -k key >eleven
	run -0 bb-chain add eleven
	assert_json --arg id "$(txids a)" '.replaced == [$id]'
}

@test "a package's child pays for its parents" {
	coin_of 1 | pay 0 >a
	coin_of 2 | pay 0 >b
	cat a b | outputs | pay 4 >c
	run -1 bb-chain add a
	assert_json '.error == "min relay fee not met"'
	run -0 --separate-stderr bb-chain add < <(package a b c | jq -c '.from = 7')
	assert_json --arg ids "$(txids a b c)" '.type == "verdict" and .line == 1 and .from == 7 and .valid
		and .result == "accepted" and (has("error") | not) and (.txs | map(.id)) == ($ids / "\n")
		and (.txs | all(.valid and .result == "accepted" and has("wtxid")))
		and (.txs | map(.fee)) == [0, 0, .txs[2].fee] and .txs[2].fee == 4 * .txs[2].vsize
		and (.txs as $t | all($t[]; .effective_fee == $t[2].fee and .effective_vsize == ($t | map(.vsize) | add)))'
	assert_waiting a b c
}

@test "a package is refused whole where it is none" {
	local order words
	coin_of 1 | pay 1 >a
	coin_of 2 | pay 1 >b
	outputs <a | pay 1 >c
	while IFS=: read -r order words; do
		# shellcheck disable=SC2086 # several files
		run -1 --separate-stderr bb-chain add < <(package $order)
		# shellcheck disable=SC2086
		assert_json --arg words "$words" --arg ids "$(txids $order)" '.valid == false and .result == "refused"
			and .error == $words and (.txs | map(.id)) == ($ids / "\n") and (.txs | all(.valid == false))'
	done <<-'X'
		c a:package-not-sorted
		a c c:package-contains-duplicates
		a b:package-not-child-with-parents
		b c:package-not-child-with-parents
	X
	assert_empty
	run -2 bb-chain add <<<'{"type":"package","txs":[]}'
	assert_json '.error == "malformed-line"'
}

@test "verdicts by several threads are the same, and so is what waits" {
	family
	coin_of 3 4 | pay 7 >d
	outputs <d | pay 0 >e
	coin_of 3 | pay 20 >f
	{ cat b a d e f f c; package d e; echo '{"type":"tx"}'; } >many
	run -2 bb-chain -d one add --now 1500000000 <(cat "$MADE/blocks" many)
	one=$output
	run -2 bb-chain -d three add -j 3 --now 1500000000 <(cat "$MADE/blocks" many)
	assert_output "$one"
	diff <(bb-chain -d one mempool) <(bb-chain -d three mempool)
	diff <(bb-chain -d one events) <(bb-chain -d three events)
	[[ $(bb-chain -d one mempool | wc -l) == 4 ]]
}

@test "what is no transaction is a malformed line" {
	local verb
	coin_of 1 | pay 2 >a
	{
		echo '{"type":"tx"}'
		echo '{"type":"tx","hex":"0"}'
		echo '{"type":"tx","hex":"00"}'
		echo '{"type":"tx","hex":5}'
		jq -c '.hex += "00"' a
		jq -c '.txid = "00" * 32' a
		jq -c '.wtxid = "x"' a
		jq -c '.id = 5' a
		jq -c '.locktime = 5' a
		echo '{"type":"package"}'
		echo '{"type":"package","txs":{}}'
		echo '{"type":"package","txs":[5]}'
		echo '{"type":"package","txs":[{"type":"block","hex":"00"}]}'
		echo '{"type":"package","txs":[{"hex":"00"}]}'
		jq -r .hex a
		echo '{'
	} >bad
	for verb in add test run; do
		run -2 --separate-stderr bb-chain "$verb" bad
		assert_stderr ""
		assert_json -s 'length == 16 and map(.line) == [range(1; 17)]
			and all(.type == "verdict" and .valid == false and .error == "malformed-line" and (.detail | length) > 8)'
	done
	assert_empty
	# The next line is read all the same.
	run -2 bb-chain add < <(echo '{'; cat a)
	assert_json -s 'map(.valid) == [false, true] and .[1].line == 2'
}

@test "prevouts and claims in a line are not believed, and fields do as well as hex" {
	coin_of 1 | pay 2 >a
	jq -c '.prevouts = [{scriptpubkey: "51", value: 1}] | .at_height = 9 | .at_mtp = 5 | .fee = 1e6' a >lies
	run -0 bb-chain test lies
	assert_json '.fee == 220'
	run -0 bb-chain add < <(bb-decode a)
	assert_json '.fee == 220'
}

@test "test changes nothing, and works beside a live run" {
	family
	cp -r "$BB_DIR" before
	run -0 --separate-stderr bb-chain test a c
	assert_json -s 'map([.line, .result]) == [[1, "accepted"], [2, "accepted"]]'
	run -0 --separate-stderr bb-chain test < <(package a b)
	assert_json '.valid and (.txs | map(.result)) == ["accepted", "accepted"]'
	diff <(bb-chain -d before events) <(bb-chain events)
	assert_empty
	live
	say a | jq -e '.result == "accepted"'
	run -0 --separate-stderr bb-chain test b
	assert_json '.result == "accepted"'
	assert_waiting a
	say b | jq -e '.result == "accepted"'
	run -1 bb-chain test b
	assert_json '.error == "txn-already-in-mempool"'
	live_end
}

# Rules that a node may choose

# policies: a setting, what then is said of a, and of b after a.
policies() {
	cat <<-'X'
		minrelaytxfee=1001sat min relay fee not met, 110 < 111
		minrelaytxfee=1000sat
		limitclustercount=1
		bytespersigop=5000 min relay fee not met, 110 < 125
		acceptnonstdtxn=1
	X
}

@test "--policy sets the rules, for the writer and for test" {
	local setting words
	coin_of 1 | pay 1 >a
	while read -r setting words; do
		run bb-chain test --policy "$setting" a
		assert_json --arg words "$words" '([.error, .detail] | map(strings) | join(", ")) == $words'
		run bb-chain -d "$setting" add --policy "$setting" <(cat "$MADE/blocks" a)
		assert_json -s --arg words "$words" '.[-1] | ([.error, .detail] | map(strings) | join(", ")) == $words'
	done < <(policies)
	outputs <a | pay 2 >b
	bb-chain add a
	run -1 bb-chain test --policy limitclustercount=1 b
	assert_json '.error == "too-large-cluster"'
	run -0 bb-chain test --policy limitclustercount=1 --policy limitclustercount=2 b
	for setting in '' x x=1 limitclustercount limitclustercount=65 limitclustercount=-1 acceptnonstdtxn=2 \
		minrelaytxfee=100 maxmempool=x; do
		run -2 --separate-stderr bb-chain test --policy "$setting" b
		assert_output ""
		assert_errors 'length == 1 and (.[0].error | startswith("--policy "))'
	done
}

@test "of a full mempool those that pay least leave, and who enters pays more than they did" {
	local height data
	data=$(printf '00%.0s' {1..47500})
	# Each of 95,000 bytes and more: eleven of them are over a megabyte.
	for height in {1..11}; do
		coin_of "$height" | pay "$height" --data "$data" --data "$data" --allow-large >"$height.tx"
	done
	run -1 bb-chain add --policy maxmempool=1 {11..1}.tx
	assert_json -s 'map(.result) == [range(10) | "accepted"] + ["refused"] and .[-1].error == "mempool full"'
	assert_waiting {2..11}.tx
	run -0 bb-chain mempool --stats --policy maxmempool=1
	assert_json '.count == 10 and .usage <= .max_usage and .max_usage == 1000000 and .min_fee_rate > 1000'
	coin_of 12 | pay 1 >low
	run -1 bb-chain add --policy maxmempool=1 low
	assert_json '.error == "mempool min fee not met"'
	coin_of 12 | pay 20 --data "$data" --data "$data" --allow-large >high
	since=$(last_event)
	run -0 bb-chain add --policy maxmempool=1 high
	assert_waiting {3..11}.tx high
	run -0 told "$since"
	assert_output "accepted $(txids high)"$'\n'"removed sizelimit $(txids 2.tx)"
}

@test "what waited too long leaves, with its children" {
	family
	bb-chain add --now 1500000000 a b
	bb-chain add --now 1500003600 c
	run -0 bb-chain mempool
	assert_json -s 'map(.time) | sort == [1500000000, 1500000000, 1500003600]'
	coin_of 3 | pay 1 >d
	since=$(last_event)
	run -0 bb-chain add --policy mempoolexpiry=1 --now 1500003600 d
	assert_waiting a b c d
	coin_of 4 | pay 1 >e
	run -0 bb-chain add --policy mempoolexpiry=1 --now 1500003601 e
	assert_waiting c d e
	told "$since" | grep -x "removed expiry $(txids a)"
	told "$since" | grep -x "removed expiry $(txids b)"
	# Two weeks, if nothing else is said.
	coin_of 5 | pay 1 >f
	run -0 bb-chain add --now $((1500003600 + 336 * 3600)) f
	assert_waiting c d e f
	coin_of 6 | pay 1 >g
	run -0 bb-chain add --now $((1500003601 + 336 * 3600)) g
	assert_waiting f g e
}

# Listed

@test "the mempool is listed as it would be mined, and bb-validate leaves nothing unjudged" {
	family
	coin_of 3 4 | pay 0.2 >d
	bb-chain add --now 1500000000 a b c d
	run -0 --separate-stderr bb-chain mempool
	assert_stderr ""
	assert_json '.type == "tx" and .status == {confirmed: false} and .at_height == 121 and .time == 1500000000
		and .chunk_vsize >= .vsize - 1 and has("weight") and has("sigops") and (.prevouts | length) > 0
		and .vsize == ((.weight + 3) / 4 | floor)'
	[[ $(txids <(echo "$output")) == $(txids a b c d) ]]
	# The parent is mined with the child that pays for it.
	assert_json -s '.[0].chunk_fee == .[0].fee + .[1].fee and .[1].chunk_fee == .[0].chunk_fee
		and .[2].chunk_fee == .[2].fee and (map(.chunk_fee / .chunk_vsize) | . == (sort | reverse))'
	for form in '' --full; do
		# shellcheck disable=SC2086 # a word or none
		bb-chain mempool $form >list
		run -0 --separate-stderr bb-validate --verdict list
		assert_json -s 'length == 4 and all(.valid and (has("unjudged") | not))'
		run -0 --separate-stderr bb-validate --mark list
		assert_json -s 'length == 4 and all(.checked.consensus == "OK" and .checked.standard == "OK")'
	done
	jq -se 'all(has("hex") | not) and all(.vin | all(.prevout.value > 0)) and all(.fee > 0)' list
	diff <(bb-decode list | jq -c 'del(.fee, .status)') <(bb-chain mempool | bb-decode | jq -c 'del(.fee, .status)')
}

@test "what waits here is taken by another node, whole" {
	family
	coin_of 3 4 | pay 0.2 >d
	bb-chain add --now 1500000000 a b c d
	bb-chain -d other import "$MADE/blocks"
	run -0 bb-chain -d other add --now 1500000000 <(bb-chain mempool)
	assert_json '.result == "accepted"'
	diff <(bb-chain mempool) <(bb-chain -d other mempool)
}

@test "--stats sums it up by fee rate" {
	family
	coin_of 3 4 | pay 0.2 >d
	run -0 bb-chain mempool --stats
	assert_json '. == {type: "mempool", count: 0, vsize: 0, fee: 0, usage: 0, max_usage: 300000000,
		min_fee_rate: 100, orphans: 0, histogram: []}'
	bb-chain add a b c d
	bb-chain mempool >list
	run -0 --separate-stderr bb-chain mempool --stats --policy maxmempool=7 --policy minrelaytxfee=300sat
	assert_json --slurpfile list list '.count == 4 and .max_usage == 7000000 and .min_fee_rate == 300
		and .fee == ($list | map(.fee) | add) and .vsize == ($list | map(.vsize) | add) and .orphans == 0
		and .usage >= ($list | map(.hex | length / 2) | add)'
	assert_json --slurpfile list list '(.histogram | map(.count) | add) == 4
		and (.histogram | map(.fee) | add) == .fee and (.histogram | map(.vsize) | add) == .vsize
		and (.histogram | map(.from) | . == (sort | unique))
		and (.histogram as $h | [range(0; $h | length)] | all(. as $i |
			$h[$i].fee == ([$list[] | select(.chunk_fee * 1000 / .chunk_vsize |
				. >= $h[$i].from and . < ($h[$i + 1].from // 1e15)).fee] | add // 0)))'
	# On a terminal it is drawn.
	run -0 script -qec 'bb-chain mempool --stats' /dev/null
	[[ ${lines[0]} == "4 waiting, "*" sat in fees; "* && ${lines[1]} == *"from sat/vB"* && $output == *====* ]]
	run -2 --separate-stderr bb-chain mempool --stats --full
}

@test "fee-rate: the least where there is room, and more than what fills the blocks" {
	local n to=()
	run -0 --separate-stderr bb-chain fee-rate
	assert_json '. == {type: "fee_rate", target: 6, fee_rate: 100, basis: "minimum", ahead: 0, seen: 0}'
	family
	bb-chain add a b c
	run -0 bb-chain fee-rate --target 2 --policy minrelaytxfee=400sat
	assert_json '.target == 2 and .fee_rate == 400 and .ahead == 328'
	# Twenty-four that paid 8 sat/vB were mined at once.
	for n in {1..23}; do to+=(--to "$KEY1_ADDRESS=1btc"); done
	coin_of 3 | draft 10 "${to[@]}" --lean | bb-sign -k key >fan
	bb-chain add fan
	mine_one
	outputs <fan | while read -r coin; do pay 8 <<<"$coin"; done >many
	bb-chain add many | jq -se 'length == 24 and all(.result == "accepted")'
	run -0 bb-chain fee-rate
	assert_json '.ahead > 2400 and .ahead < 2640 and .fee_rate == 100'
	mine_one
	# They and the fan, which were no family's, tell what was enough, to a step of 5 %.
	run -0 bb-chain fee-rate --target 1
	assert_json '.seen == 25 and .ahead == 0 and .basis == "history" and .fee_rate > 7600 and .fee_rate < 8400'
	for n in 0 1009 x -1 ''; do
		run -2 --separate-stderr bb-chain fee-rate --target "$n"
		assert_output ""
	done
}

@test "a line of the mempool names its txid and its parents, and goes in where it came from" {
	family
	coin_of 3 | pay 1 --to "$KEY1_ADDRESS=1btc" >d
	cat b d | outputs | draft 3 --lean | bb-sign -k key >e # of b, and twice of d
	bb-chain add a b c d e
	bb-chain mempool >list
	run -0 cat list
	assert_json 'keys_unsorted[:2] == ["type", "txid"]'
	[[ $(jq -r .txid list) == "$(txids list)" ]]
	assert_json --arg a "$(txids a)" --arg b "$(txids b)" --arg d "$(txids d)" --arg e "$(txids e)" '
		.depends == ({($b): [$a], ($e): [$b, $d]}[.txid] // [])'
	bb-chain tx "$(txids e)" | cmp - <(grep "\"txid\":\"$(txids e)\"" list)
	run -0 --separate-stderr bb-validate list
	assert_output "$(cat list)"
	run -0 --separate-stderr bb-sign -k key list
	[[ $(txids <(echo "$output")) == "$(txids list)" ]]
	run -0 --separate-stderr bb-decode --lean list
	[[ $(jq -r .hex <<<"$output") == "$(jq -r .hex list)" ]]
	run -2 --separate-stderr bb-decode < <(jq -c '.txid = "00" * 32' list)
	mine_one
	bb-chain tx "$(txids e)" | jq -e '(keys_unsorted[:2] == ["type", "txid"]) and (has("depends") | not)'
	run -0 --separate-stderr bb-validate <(bb-chain tx "$(txids e)")
}

# What is whose

OTHER=bcrt1qyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zs4w3j0 # somebody else's

@test "utxo leaves out what waiting transactions spend, and lists what they make" {
	coin_of 1 2 | pay 2 --to "$KEY1_ADDRESS=1btc" >a
	bb-chain utxo "$KEY1_ADDRESS" >before
	cmp before <(bb-chain utxo --confirmed "$KEY1_ADDRESS")
	bb-chain add a
	cmp before <(bb-chain utxo --confirmed "$KEY1_ADDRESS")
	run -0 --separate-stderr bb-chain utxo "$KEY1_ADDRESS"
	diff <(jq -c 'select(.status.confirmed)' <<<"$output") <(jq -c 'select(.height > 2)' before)
	jq -c 'select(.status.confirmed | not)' <<<"$output" >new
	jq -se --arg a "$(txids a)" --arg script "$KEY1_SCRIPT" --arg address "$KEY1_ADDRESS" 'map(.vout) == [0, 1]
		and all(. == {type: "utxo", txid: $a, vout, value, scriptpubkey: $script,
			scriptpubkey_type: "v0_p2wpkh", scriptpubkey_address: $address, coinbase: false,
			status: {confirmed: false}})' new
	diff <(jq -c '[.txid, .vout, .value]' new) <(outputs <a | jq -c '[.txid, .vout, .value]')
	# What was made of it is a coin again, and what that spends is none any more.
	head -n 1 new | pay 3 >b
	run -0 bb-chain add b
	run -0 bb-chain utxo "$KEY1_ADDRESS"
	[[ $(jq -r 'select(.status.confirmed | not) | "\(.txid):\(.vout)"' <<<"$output" | sort) == \
		"$(sort <<<"$(txids a):1"$'\n'"$(txids b):0")" ]]
	# So a payment made twice is two payments.
	bb-chain utxo "$KEY1_ADDRESS" | bb-mktx --height 120 --to "$OTHER=70btc" --fee-rate 2 --lean |
		bb-sign -k key >c
	bb-chain add c
	bb-chain utxo "$KEY1_ADDRESS" | bb-mktx --height 120 --to "$OTHER=70btc" --fee-rate 9 --lean |
		bb-sign -k key >d
	run -0 bb-chain add d
	assert_json 'has("replaced") | not'
	assert_waiting a b c d
	bb-chain verify
	mine_one
	diff <(bb-chain utxo "$KEY1_ADDRESS") <(bb-chain utxo --confirmed "$KEY1_ADDRESS")
	run -2 --separate-stderr bb-chain balance --confirmed "$KEY1_ADDRESS"
}

@test "balance tells what waits beside what is confirmed" {
	run -0 bb-chain balance "$KEY1_ADDRESS"
	assert_json 'keys_unsorted == ["type", "address", "value", "count", "immature", "unconfirmed", "height"]
		and .unconfirmed == 0'
	value=$(jq .value <<<"$output")
	coin_of 1 | draft 2 --to "$OTHER=1btc" --lean | bb-sign -k key >a
	bb-chain add a
	fee=$(bb-chain mempool | jq .fee)
	run -0 bb-chain balance "$KEY1_ADDRESS" "$OTHER"
	assert_json -s --argjson fee "$fee" --argjson value "$value" '
		(.[0] | .value == $value and .count == 120 and .unconfirmed == -100000000 - $fee) and
		(.[1] | .value == 0 and .count == 0 and .unconfirmed == 100000000)'
	mine_one
	run -0 bb-chain balance "$KEY1_ADDRESS" "$OTHER"
	assert_json -s --argjson fee "$fee" --argjson value "$value" 'map(.unconfirmed) == [0, 0]
		and map(.value) == [$value - 100000000 - $fee, 100000000]'
}

@test "history has what waits behind what is mined, in the order to mine it" {
	coin_of 1 | pay 1 --to "$OTHER=1btc" >a
	outputs <a | jq -c 'select(.scriptpubkey == $script)' --arg script "$KEY1_SCRIPT" | pay 9 >b
	coin_of 2 | pay 5 --to "$OTHER=2btc" >c
	coin_of 3 | pay 7 --to "$OTHER=3btc" >d
	bb-chain add c
	mine_one
	bb-chain add a b d
	run -0 --separate-stderr bb-chain history "$OTHER"
	[[ $(jq -r .txid <<<"$output") == "$(txids c d a)" ]]
	assert_json -s 'map(.status.confirmed) == [true, false, false]'
	diff <(tail -n 2 <<<"$output") <(bb-chain tx "$(txids d)" "$(txids a)")
	# Who only spends from a script is of its history too.
	run -0 bb-chain history "$KEY1_ADDRESS"
	[[ $(jq -r 'select(.status.confirmed | not).txid' <<<"$output") == "$(waiting)" ]]
	run -0 bb-chain history --full "$OTHER"
	[[ $(jq -r .txid <<<"$output") == "$(txids c d a)" ]]
}

@test "one that was replaced leaves the index of scripts, and so does one that a block drives out" {
	coin_of 1 | pay 2 --to "$OTHER=1btc" >a
	coin_of 1 | pay 9 >b
	bb-chain add a b
	run -0 bb-chain history "$OTHER"
	assert_output ""
	bb-chain verify
	bb-chain -d other import "$MADE/blocks"
	bb-chain -d other add a
	bb-chain -d other template | bb-mine --to 51 | bb-chain add
	assert_empty
	run -0 bb-chain history "$OTHER"
	assert_json -s 'length == 1 and .[0].status.confirmed'
	bb-chain verify
	bb-chain invalidate "$(bb-chain tip | jq -r .id)"
	run -0 bb-chain history "$OTHER"
	assert_json -s 'length == 1 and (.[0].status.confirmed | not)'
	run -0 bb-chain balance "$OTHER"
	assert_json '.value == 0 and .unconfirmed == 100000000'
	bb-chain verify
}

# What can never be

@test "who spends what a block has spent, or what never was, is refused for good" {
	coin_of 1 | pay 5 >a
	coin_of 1 | pay 7 >rival
	# With it another's that is not here.
	coin_of 2 | pay 5 >absent
	{ coin_of 1; outputs <absent; } | draft 5 --lean | bb-sign -k key >both
	outputs <absent | jq -c '.vout = 7' | draft 5 --lean | bb-sign -k key >strange
	bb-chain add a
	mine_one
	for tx in rival both; do
		run -1 bb-chain add $tx
		assert_json '.result == "refused" and .error == "bad-txns-inputs-missingorspent" and (has("missing") | not)'
	done
	bb-chain mempool --stats | jq -e '.orphans == 0'
	# In one call with the block that spent it, too.
	bb-chain -d other import "$MADE/blocks"
	run -1 bb-chain -d other add <(bb-chain blocks --from 121) rival
	assert_json -s '.[1].result == "refused" and (.[1] | has("missing") | not)'
	# What may still come is waited for, until it turns out to be none.
	run -1 bb-chain add strange
	assert_json --arg id "$(txids absent)" '.result == "orphan" and .missing == [$id]'
	bb-chain add absent
	bb-chain mempool --stats | jq -e '.orphans == 0 and .count == 1'
	run -1 bb-chain add strange
	assert_json '.result == "refused" and (has("missing") | not)'
}

@test "a damaged mempool is told, with what helps, and found by verify" {
	family
	bb-chain add a b c
	cp -r "$BB_DIR" good
	dd if=/dev/urandom of="$BB_DIR/mempool/data.mdb" bs=5000 count=1 conv=notrunc status=none
	run -1 --separate-stderr bb-chain verify
	assert_json '(.valid | not) and .mempool == 0'
	assert_errors '.[0].error == "mempool: it cannot be read: it is damaged"'
	run -0 --separate-stderr bb-chain mempool
	assert_output ""
	rm -r "$BB_DIR"
	cp -r good "$BB_DIR"
	# The fee stands behind the wtxid.
	python3 - "$BB_DIR/mempool/data.mdb" "$(bb-chain test a | jq -r .wtxid)" <<-'EOF'
		import sys
		path, wtxid = sys.argv[1], bytes.fromhex(sys.argv[2])[::-1]
		data = open(path, "rb").read()
		fee = data.index(wtxid) + 32
		open(path, "wb").write(data.replace(data[fee - 32:fee + 8], wtxid + b"\xff" * 8))
	EOF
	run -1 --separate-stderr bb-chain verify
	assert_errors 'any(.error == "mempool, transaction number 1: it cannot be read")'
	run -3 --separate-stderr bb-chain tx "$(txids a)"
	assert_output ""
	assert_stderr "{\"type\":\"error\",\"tool\":\"bb-chain\",\"error\":\"the store is damaged: a transaction of the mempool; remove $BB_DIR/mempool while nobody writes, and it begins anew\"}"
	rm -r "$BB_DIR/mempool"
	bb-chain add a b c
	bb-chain verify
}

# What happens to it

@test "events tell in order with the chain's, and --follow wakes" {
	family
	since=$(last_event)
	mkfifo told
	bb-chain events --since "$since" --follow >told 3>&- &
	exec 7<told
	bb-chain add a b c
	for tx in a b c; do
		read -r -t 20 line <&7
		jq -e --arg txid "$(txids $tx)" 'keys_unsorted == ["type", "seq", "event", "txid"]
			and .event == "accepted" and .txid == $txid' <<<"$line"
	done
	mine_one
	for word in connected removed removed removed tip; do
		read -r -t 20 line <&7
		jq -e --arg word "$word" '.event == $word' <<<"$line"
		if [[ $word == connected ]]; then id=$(jq .id <<<"$line"); fi
		if [[ $word == removed ]]; then jq -e --argjson id "$id" '.reason == "block" and .by == $id and has("txid")' <<<"$line"; fi
	done
	exec 7<&-
	run -0 bb-chain events --since "$since"
	assert_json -s --argjson since "$since" 'map(.seq) == [range($since + 1; $since + 9)]'
	assert_json -s '[.[0], .[1], .[2]] | map(.txid) == $ids' --argjson ids "$(txids a b c | jq -nR '[inputs]')"
}

@test "run tells what its lines did, behind their verdicts" {
	family
	run -1 --separate-stderr bb-chain run b a
	assert_json -s --arg a "$(txids a)" --arg b "$(txids b)" '
		map(select(.type == "verdict") | [.id, .result]) == [[$b, "orphan"], [$a, "accepted"]]
		and (map(select(.event == "accepted").txid) == [$a, $b])
		and (.[1:] | map(.type) | index("verdict") < index("event"))'
}

@test "a block takes out what it holds, and what it makes impossible" {
	family
	bb-chain add a b c
	# Elsewhere somebody mined another transaction of the coin that a spends.
	coin_of 1 | pay 3 >d
	bb-chain -d other import "$MADE/blocks"
	bb-chain -d other add c d
	bb-chain -d other template | bb-mine --to 51 >block
	since=$(last_event)
	run -0 bb-chain add block
	assert_json '.result == "connected"'
	assert_empty
	told "$since" | sort >events
	grep -x "removed block $(txids c)" events
	grep -x "removed conflict $(txids a)" events
	grep -x "removed conflict $(txids b)" events
	[[ $(wc -l <events) == 5 ]]
	bb-chain events --since "$since" | jq -se --arg id "$(bb-chain tip | jq -r .id)" '
		map(select(.event == "removed")) | length == 3 and all(.by == $id)'
	run -1 bb-chain test a
	assert_json '.error == "bad-txns-inputs-missingorspent"'
}

@test "a reorganisation brings back what the branch that won does not hold" {
	family
	bb-chain add a b c
	mine_one
	assert_empty
	coin_of 3 | pay 6 >d
	bb-chain add d
	# The other branch holds c, and one that spends the same as d.
	coin_of 3 | pay 9 >e
	bb-chain -d other import "$MADE/blocks"
	bb-chain -d other add c e
	bb-chain -d other template | bb-mine --to 51 >branch
	bb-chain -d other add branch
	bb-chain -d other template | bb-mine --to 51 >>branch
	since=$(last_event)
	run -0 bb-chain add branch
	assert_json -s 'map(.result) == ["side", "connected"]'
	assert_waiting a b
	told "$since" | grep -x "removed conflict $(txids d)"
	[[ $(told "$since" | grep ^accepted) == "accepted $(txids a)"$'\n'"accepted $(txids b)" ]]
	run -0 bb-chain verify
	mine_one
	assert_empty
}

@test "invalidate and reconsider bring back and take away" {
	family
	bb-chain add a b c
	mine_one
	id=$(bb-chain tip | jq -r .id)
	bb-chain invalidate "$id"
	assert_waiting a b c
	bb-chain reconsider "$id"
	assert_empty
}

@test "spending a coinbase that a reorganisation takes away, or makes too young, ends" {
	# At 120 the coin of block 21 is mature for the next block; at 119 it is not.
	coin_of 21 | pay 5 >a
	outputs <a | pay 5 >b
	coin_of 1 | pay 5 >c
	bb-chain add a b c
	since=$(last_event)
	bb-chain invalidate "$(bb-chain tip | jq -r .id)"
	assert_waiting c
	told "$since" | grep -x "removed reorg $(txids a)"
	told "$since" | grep -x "removed reorg $(txids b)"
}

@test "it lasts from call to call, and survives kill -9 of run" {
	family
	coin_of 3 | pay 7 >d
	bb-chain add --now 1500000000 a
	live --now 1500000000
	for tx in b c; do say $tx | jq -e '.result == "accepted"'; done
	list=$(bb-chain mempool)
	kill -9 "$LIVE"
	exec 8>&-
	cat <&9 >/dev/null
	exec 9<&-
	wait "$LIVE" || true
	[[ $(bb-chain mempool) == "$list" ]]
	run -1 bb-chain add --now 1500000000 </dev/null
	[[ $(bb-chain mempool) == "$list" ]]
	bb-chain add --now 1500000000 d
	assert_waiting a b c d
	mine_one
	assert_empty
}

# Marks

# spoilt: in ./bad a transaction whose signature is wrong, with bb-validate's mark; in ./forged
# with one that says it is right.
spoilt() {
	coin_of 4 | draft 5 | bb-sign -k key | jq -c '.vin[0].witness[0] |= .[:20] + "00" + .[22:]
		| del(.txid, .wtxid)' | bb-validate --mark >bad
	jq -c '.checked.consensus = "OK" | .checked.standard = "OK"' bad >forged
}

@test "a mark counts under --trust-marks only, and only if it says so itself" {
	spoilt
	jq -e '.checked.consensus != "OK" and .checked.standard != "OK"' bad
	for verb in add run test; do
		run -1 bb-chain "$verb" forged
		assert_json -s '.[0].script_error == "NULLFAIL"'
	done
	for verb in add test mempool; do
		run -2 --separate-stderr bb-chain "$verb" --trust-marks forged
	done
	run -1 bb-chain run --trust-marks bad
	assert_json -s '.[0].script_error == "NULLFAIL"'
	assert_empty
}

@test "a mark of other prevouts or of another transaction does not count" {
	spoilt
	jq -c '(.checked.prevouts = "00" * 32), (.checked.wtxid = "00" * 32), (.checked.wtxid = .txid),
		(.checked.consensus = "ok"), del(.checked.prevouts), del(.checked.wtxid), del(.checked.standard),
		(.checked = "OK"), (.checked = [.checked])' forged >none
	run -1 bb-chain run --trust-marks none
	assert_json -s 'length == 9 and all(.script_error == "NULLFAIL")'
	# And what only policy forbids is refused for that.
	run -1 bb-chain run --trust-marks <(jq -c '.checked.standard = "mempool-script-verify-flag-failed (x)"' forged)
	assert_json -s '.[0].error == "mempool-script-verify-flag-failed (x)"'
	assert_empty
}

@test "a mark that counts spares the scripts: whoever trusts a liar takes in what is wrong" {
	spoilt
	run -0 bb-chain run --trust-marks forged
	assert_json -s '.[0].result == "accepted" and .[1].event == "accepted"'
	run -0 bb-chain mempool
	# Its result is remembered, so that a block with it is not checked again here.
	bb-chain template | bb-mine --to 51 >block
	run -1 bb-chain -d other add "$MADE/blocks" block
	assert_json -s '.[-1].result == "refused" and .[-1].script_error == "EVAL_FALSE"
		and (.[-1].error | startswith("block-script-verify-flag-failed ("))'
	run -0 bb-chain add block
	assert_json '.result == "connected"'
}

@test "marks within a package do not count, and bb-validate makes none there" {
	spoilt
	outputs <forged | draft 9 --lean | bb-sign -k key >child
	package forged child >both
	run -0 bb-validate --mark both
	run -1 bb-chain run --trust-marks both <(echo "$output")
	assert_json -s 'length == 2 and all(.[]; .valid == false and .txs[0].script_error == "NULLFAIL")'
	assert_empty
}

@test "an honest mark of every line changes nothing else" {
	family
	spoilt
	bb-validate --mark a b c >marked
	bb-chain -d other import "$MADE/blocks"
	run -1 bb-chain -d other run --now 1500000000 a b c bad
	plain=$output
	run -1 bb-chain run --trust-marks --now 1500000000 marked bad
	assert_output "$plain"
	diff <(bb-chain mempool) <(bb-chain -d other mempool)
}

# Others see it

@test "prevouts and tx see what waits" {
	family
	bb-chain add a
	run -0 --separate-stderr bb-chain prevouts b
	mtp=$(bb-chain headers --full --from 120 | jq .mediantime)
	assert_json --argjson mtp "$mtp" --arg script "$KEY1_SCRIPT" '.prevouts == [{scriptpubkey: $script,
		value: 4999999890, height: 121, coinbase: false, $mtp}] and .at_height == 121 and .at_mtp == $mtp'
	run -0 bb-validate --verdict <<<"$output"
	assert_json '.valid and (has("unjudged") | not)'
	run -0 --separate-stderr bb-chain tx "$(txids a)"
	assert_json --argjson a "$(jq -c .hex a)" '.hex == $a and .status == {confirmed: false} and .at_height == 121'
	run -0 bb-chain tx --full "$(txids a)"
	assert_json --arg id "$(txids a)" '.txid == $id and .status == {confirmed: false} and .fee == 110'
	run -1 --separate-stderr bb-chain tx "$(txids b)"
	assert_output ""
	mine_one
	run -0 bb-chain tx "$(txids a)"
	assert_json '.status.confirmed and .status.block_height == 121'
}

@test "readers of a store without a mempool find none" {
	run -0 --separate-stderr bb-chain mempool
	assert_output ""
	run -0 --separate-stderr bb-chain mempool --stats
	assert_json '.count == 0'
	coin_of 1 | pay 1 >a
	run -0 --separate-stderr bb-chain test a
	run -0 --separate-stderr bb-chain -d none template # stands on the genesis block
	assert_json '.height == 1 and .transactions == []'
	[[ ! -e none ]]
	for verb in mempool 'mempool --stats' fee-rate test 'template --watch'; do
		# shellcheck disable=SC2086 # several words
		run -3 --separate-stderr bb-chain -d none $verb </dev/null
		assert_output ""
		assert_errors 'length == 1'
		[[ ! -e none ]]
	done
}
