#!/usr/bin/env bats
# Several miners on one ledger, or each on its own: the forks they make settle, and whoever pays is
# mined, once.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's variables; what run sets

load helper
load pool.bash

# fan COUNT: a transaction with so many outputs for KEY1, already mined; its coins in ./coins.
fan() {
	local n to=()
	for ((n = 1; n < $1; n++)); do to+=(--to "$KEY1_ADDRESS=0.5btc"); done
	coin_of 1 | pay 2 "${to[@]}" >fan
	bb-chain add fan
	mine_one
	outputs <fan >coins
}

# payments: in ./N.tx what is to be sent: one of each coin; behind every third a child, and behind
# every fourth a rival that pays more. Every coin is spent once in the end; in ./wanted by whom.
payments() {
	local coin n=0
	while read -r coin; do
		n=$((n + 1))
		pay 1 <<<"$coin" >"$n.tx"
		if ((n % 3 == 0)); then
			outputs <"$n.tx" >child
			pay 2 <child >>"$n.tx"
		fi
		if ((n % 4 == 0)); then pay 9 <<<"$coin" >>"$n.tx"; fi
	done <coins
	wc -l <coins
}

# mine_until FILE NAME [OPTION...]: blocks with that name in them, one on the other, until the file
# is there.
mine_until() {
	while [[ ! -e $1 ]]; do
		bb-chain template | bb-mine --to 51 --text "$2" | bb-chain add || true
	done >"$2.verdicts"
}

# mine_all: blocks until nothing waits, which two are enough for.
mine_all() {
	mine_one
	mine_one
	[[ -z $(waiting) ]]
}

# mined: the txids of all blocks of the active chain but the first 121's, and but the coinbases'.
mined() {
	bb-chain blocks --full --from 122 | jq -r '.tx[1:][].txid'
}

# some NAME: a template with about half of those who need nobody else; whom, depends on the name.
some() {
	jq -c --arg name "$1" '.transactions as $all | .transactions |= map(select(.depends == []
			and ((.txid[:2] < "80") == ($name == "one"))))
		| .coinbasevalue += ((.transactions | map(.fee) | add) // 0) - ($all | map(.fee) | add // 0)
		| del(.default_witness_commitment)'
}

# assert_mined_once: no transaction is in two blocks, each coin is spent by one, and of those who
# had no rival all are there.
assert_mined_once() {
	local n
	mined >all
	diff <(sort all) <(sort -u all)
	[[ $(bb-chain blocks --full --from 122 | jq -c '.tx[1:][].vin[] | [.txid, .vout]' |
		grep -c "$(txids fan)") == $(wc -l <coins) ]]
	for ((n = 1; n <= $(wc -l <coins); n++)); do if ((n % 4)); then cat "$n.tx"; fi; done >peaceful
	[[ -z $(comm -23 <(txids peaceful | sort) <(sort all)) ]]
}

@test "two miners and who pays on one ledger: forks settle, and each is mined once" {
	local n=0 count
	fan 24
	count=$(payments)
	mine_until paid one 3>&- &
	mine_until paid two 3>&- &
	while ((n++ < count)); do bb-chain add "$n.tx" || true; done >sent
	touch paid
	wait
	mine_all
	assert_mined_once
	run -0 bb-chain verify
	jq -se 'map(.error) | unique - [null, "bad-txns-inputs-missingorspent"] == []' sent
	# Whose block came second with the same height was told so, and nobody was told worse.
	jq -se 'length > 0 and all(.result == "connected" or .result == "side")' one.verdicts two.verdicts
	jq -s '"\(length) blocks, of which \(map(select(.result == "side")) | length) aside"' \
		one.verdicts two.verdicts >&3
	[[ $(bb-chain tip | jq .height) == $((123 + $(cat one.verdicts two.verdicts | grep -c '"connected"'))) ]]
}

@test "two ledgers that mined apart hold the same chain when they met, and nothing is lost" {
	local n node count
	fan 12
	count=$(payments)
	for node in one two; do
		bb-chain -d $node import <(bb-chain export)
		# Who pays tells both, in another order, and the one of a pair that pays less may come last.
		for ((n = 1; n <= count; n++)); do echo "$n.tx"; done | shuf --random-source="$MADE/blocks" >order
		if [[ $node == two ]]; then tac order >reversed; mv reversed order; fi
		# shellcheck disable=SC2046 # several files
		bb-chain -d $node add $(<order) >"$node.sent" || true
	done
	for node in one one two two two; do
		bb-chain -d $node template | some $node | bb-mine --to 51 --text $node >block
		cat block >>$node.blocks
		bb-chain -d $node add block | jq -e '.result == "connected"'
	done
	# Each holds some that the other does not.
	for node in one two; do
		bb-decode $node.blocks | jq -r '.tx[1:][].txid' | sort >$node.held
	done
	[[ -n $(comm -23 one.held two.held) && -n $(comm -13 one.held two.held) ]]
	bb-chain -d two add one.blocks | jq -se 'map(.result) == ["side", "side"]'
	bb-chain -d one add two.blocks | jq -se 'map(.result) == ["side", "side", "connected"]'
	diff <(bb-chain -d one coins) <(bb-chain -d two coins)
	for node in one two; do
		export BB_DIR=$node
		mine_all
		assert_mined_once
		bb-chain verify
	done
}

@test "miners on barenet, woken by each other's blocks: each builds on what came first" {
	export BB_NETWORK=barenet BB_DIR=bare
	local name
	run -1 bb-chain add </dev/null
	for name in one two; do
		timeout 100 bb-chain template --watch | bb-mine --to 51 --text "miner $name" | sed -u 8q |
			bb-chain add >$name 3>&- &
	done
	wait
	jq -se 'length == 16 and all(.result == "connected" or .result == "side")' one two
	[[ $(bb-chain tip | jq .height) == $(cat one two | grep -c '"connected"') ]]
	bb-chain verify
	bb-chain tips | jq -se --argjson side "$(cat one two | grep -c '"side"')" '[.[] | .branch_length] | add == $side'
	# The work that the network asks for was done for each.
	bb-chain blocks --prevouts | bb-validate --verdict | jq -se 'all(.valid and (has("unjudged") | not))'
}

@test "what was acknowledged is mined, though adds and miners are killed at it" {
	local n count payer
	fan 16
	count=$(payments)
	for ((n = 1; n <= count; n++)); do
		bb-chain add "$n.tx" >"$n.verdicts" 3>&- &
		payer=$!
		bb-chain template | bb-mine --to 51 | bb-chain add >"$n.block" 3>&- &
		# One of them dies wherever it is just now, the other gets done.
		if ((n % 3)); then kill -9 $payer; else kill -9 $!; fi 2>/dev/null || true
		wait
	done
	cat ./*.verdicts | jq -r 'select(.result == "accepted").id' | sort >acknowledged
	mine_all
	mined | sort >all
	diff all <(sort -u all)
	bb-chain events | jq -r 'select(.reason == "conflict" or .event == "replaced").txid' | sort >replaced
	[[ -z $(comm -23 acknowledged <(sort -u all replaced)) ]]
	jq -r 'select(.result == "connected").id' ./*.block | sort >blocks
	[[ -z $(comm -23 blocks <(bb-chain headers --full | jq -r .id | sort)) ]]
	bb-chain verify
}
