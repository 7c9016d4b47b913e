#!/usr/bin/env bats
# bb-chain template: what a real bitcoind would say of the same chain and the same mempool, what
# miners make of it, and when it says something new.

# shellcheck disable=SC2016,SC2034,SC2153,SC2154 # jq's variables; what run and node_start set

load helper
load pool.bash
load peers/bitcoind.bash

# The clock of both nodes.
NOW=1500000000

setup_file() {
	made_chain
}

setup() {
	pool_setup
}

teardown() {
	if [[ -n ${NODE_PID:-} ]]; then node_stop; fi
	if [[ -n ${WATCH:-} ]]; then kill "$WATCH" 2>/dev/null || true; fi
}

# node_with_chain [OPTION...]: a bitcoind with the rates of today, and with the chain.
node_with_chain() {
	node_start -mocktime="$NOW" -minrelaytxfee=0.000001 -incrementalrelayfee=0.000001 \
		-blockmintxfee=0.00000001 "$@"
	needs_node
	jq -c '[.hex]' "$MADE/blocks" | rpc submitblock | sort -u | grep -x null
}

# later: a while has passed; a bitcoind thinks so long before it looks at its mempool again.
later() {
	NOW=$((NOW + 10))
	rpc setmocktime <<<"[$NOW]"
}

# send FILE...: the same transactions to both.
send() {
	cat "$@" | bb-chain add --now "$NOW" | jq -se 'all(.result == "accepted")'
	cat "$@" | jq -c '[.hex, 0]' | rpc sendrawtransaction >sent
}

# send_package FILE...
send_package() {
	package "$@" | bb-chain add --now "$NOW" | jq -e '.result == "accepted"'
	cat "$@" | jq -sc '[map(.hex), 0]' | rpc submitpackage | jq -e '.package_msg == "success"'
}

# ours [FILTER], theirs [FILTER]: the template of each.
ours() {
	bb-chain template --now "$NOW" | jq -c "${1:-.}"
}
theirs() {
	rpc getblocktemplate <<<'[{"rules":["segwit"]}]' | jq -c "${1:-.}"
}

# both_take BLOCK: the same tip afterwards, and nothing waits that was mined.
both_take() {
	bb-chain add --now "$NOW" <<<"$1" | jq -e '.result == "connected"'
	jq -c '[.hex]' <<<"$1" | rpc submitblock | jq -e '. == null'
	[[ $(rpc getbestblockhash <<<'[]' | jq -r .) == "$(bb-chain tip | jq -r .id)" ]]
	diff <(waiting | sort) <(rpc getrawmempool <<<'[]' | jq -r '.[]' | sort)
}

# keys TYPE...: key files of these types in ./k.TYPE; their addresses in ./addresses.
keys() {
	local type
	for type; do bb-keygen -t "$type" -o "k.$type" | jq -r .address; done >addresses
	for type; do echo "-k k.$type"; done >options
}

# fan COIN: a transaction that pays 1 BTC to each address, and the rest to KEY1.
fan() {
	local to=()
	while read -r address; do to+=(--to "$address=1btc"); done <addresses
	draft 3 --lean "${to[@]}" | bb-sign -k key
}

# sweep RATE: one by one, each of the coins on stdin to KEY1.
sweep() {
	local coin rate=$1
	while read -r coin; do
		# shellcheck disable=SC2046 # several options
		draft "$rate" --lean <<<"$coin" | bb-sign -k key $(<options)
		rate=$((rate + 1))
	done
}

@test "its fields are a bitcoind's, in its order" {
	node_with_chain
	diff <(theirs 'keys_unsorted[]') <(ours 'del(.type) | keys_unsorted[]')
	# longpollid is the tip and a count of the node's own.
	diff <(theirs 'del(.longpollid)' | jq .) <(ours 'del(.type, .longpollid)' | jq .)
	[[ $(ours .type) == '"template"' ]]
	[[ $(ours '.longpollid[:64]') == "$(theirs '.longpollid[:64]')" ]]
	coin_of 1 | pay 2 >a
	send a
	later
	diff <(theirs 'del(.longpollid)' | jq .) <(ours 'del(.type, .longpollid)' | jq .)
	ours | jq -e '(.transactions | length == 1) and .coinbasevalue == 5000000000 + .transactions[0].fee'
	diff <(theirs '.transactions[0] | keys_unsorted[]') <(ours '.transactions[0] | keys_unsorted[]')
}

@test "both offer the same of chains, families and packages of every type, and take each other's blocks" {
	node_with_chain
	keys p2pkh p2wpkh p2sh-p2wpkh p2tr
	local round named
	for round in 1 2; do
		coin_of $((4 * round)) | fan >a
		outputs <a | sweep 5 >b
		outputs <b | pay 25 >c
		# Ten in a row.
		coin_of $((4 * round + 1)) | pay 1 >d
		for _ in {1..9}; do
			tail -n 1 d | outputs >last
			pay 4 <last >>d
		done
		# Below what a relay asks for, but for its child.
		coin_of $((4 * round + 2)) | draft 0 | jq -c '.version = 3 | del(.txid, .wtxid)' | bb-sign -k key | bb-decode --lean >e
		outputs <e | draft 30 | jq -c '.version = 3 | del(.txid, .wtxid)' | bb-sign -k key | bb-decode --lean >f
		coin_of $((4 * round + 3)) | pay 0.2 >g
		send a b c d g
		send_package e f
		later
		# As one who needs others, each is named with the ids of those.
		named='.transactions as $t | [$t[] | .depends |= (map($t[. - 1].txid) | sort)] | sort_by(.txid)'
		diff <(theirs "$named" | jq .) <(ours "$named" | jq .)
		[[ $(ours '.transactions | length') == 20 ]]
		diff <(theirs 'del(.longpollid, .transactions, .default_witness_commitment)') \
			<(ours 'del(.type, .longpollid, .transactions, .default_witness_commitment)')
		if ((round == 1)); then ours >t; else theirs >t; fi
		run -0 --separate-stderr bb-mine --to 51 --text "round $round" t
		assert_stderr ""
		both_take "$output"
		[[ -z $(waiting) ]]
	done
}

@test "the best chunks come first, parents before their children" {
	coin_of 1 | pay 1 >a
	outputs <a | pay 21 >b
	coin_of 2 | pay 5 >c
	outputs <c | pay 3 >d
	coin_of 3 | pay 12 >e
	bb-chain add a b c d e
	run -0 bb-chain template
	[[ $(jq -r '.transactions[].txid' <<<"$output") == $(txids e a b c d) ]]
	assert_json '[.transactions[].depends] == [[], [], [2], [], [4]]
		and .coinbasevalue == 5000000000 + (.transactions | map(.fee) | add)
		and (.transactions | all(.weight > 400 and .sigops == 1 and .txid != .hash))'
	jq -c '.transactions[] | {type: "tx", hex: .data, txid, wtxid: .hash}' <<<"$output" | bb-chain test |
		jq -se 'length == 5 and all(.error == "txn-already-in-mempool")'
}

@test "no more goes in than a block may weigh, and what is small fills up" {
	local height data
	data=$(printf '00%.0s' {1..48000})
	for height in {1..11}; do
		coin_of "$height" | pay 5 --data "$data" --data "$data" --allow-large >"$height.tx"
	done
	coin_of 12 | pay 1 >small
	bb-chain add {1..11}.tx small | jq -se 'all(.result == "accepted")'
	bb-chain template >t
	jq -e --arg small "$(txids small)" '(.transactions | length) == 11 and .transactions[-1].txid == $small
		and (.transactions | map(.weight) | add) as $w | $w > 3700000 and $w < 3992000' t
	bb-mine --to 51 t | bb-chain add | jq -e '.result == "connected"'
	[[ $(waiting | wc -l) == 1 ]]
	mine_one
	[[ -z $(waiting) ]]
}

@test "no more goes in than a block may have of sigops" {
	local height to=()
	# An output whose script asks for one of one key counts as twenty keys, four times.
	for _ in {1..190}; do to+=(--to-script "5121${KEY1_PUBKEY}51ae=1000sat"); done
	for height in {1..6}; do
		coin_of "$height" | pay 9 "${to[@]}" >"$height.tx"
	done
	coin_of 7 | pay 1 >small
	bb-chain add {1..6}.tx small | jq -se 'all(.result == "accepted")'
	bb-chain template >t
	jq -e --arg small "$(txids small)" '(.transactions | length) == 6 and .transactions[-1].txid == $small
		and .sigoplimit == 80000 and (.transactions | map(.sigops) | add) == 5 * 190 * 80 + 6' t
	bb-mine --to 51 t | bb-chain add | jq -e '.result == "connected"'
	[[ $(waiting | wc -l) == 1 ]]
}

@test "a time-locked transaction is offered when its time has come" {
	coin_of 1 | draft 5 --locktime 121 --lean | bb-sign -k key >a
	run -1 bb-chain add a
	assert_json '.error == "non-final"'
	bb-chain template | jq -e '.transactions == []'
	mine_one
	run -0 bb-chain add a
	bb-chain template | jq -e '.height == 122 and (.transactions | length) == 1'
	mine_one
}

# The issue's own lines

@test "bb-chain template | bb-mine --to \$ADDR | bb-chain add" {
	local ADDR=$KEY1_ADDRESS
	coin_of 1 | pay 1 | bb-chain add
	bb-chain template | bb-mine --to "$ADDR" | bb-chain add >verdict
	jq -e '.result == "connected" and .height == 121' verdict
	run -0 bb-chain block --full 121
	assert_json --arg to "$ADDR" '(.tx | length) == 2 and .tx[0].vout[0].value == 5000000110
		and .tx[0].vout[0].scriptpubkey_address == $to'
}

@test "bitcoin-cli getblocktemplate | bb-mine --to \$ADDR | jq -r .hex | bitcoin-cli -stdin submitblock" {
	local ADDR=$KEY1_ADDRESS
	node_with_chain
	bitcoin-cli() {
		"${BUILD:-$BB_ROOT/build}/bitcoind/bitcoin-cli" -regtest -datadir="$NODE_DIR" -rpcport="$NODE_PORT" "$@"
	}
	bitcoin-cli getblocktemplate '{"rules":["segwit"]}' | bb-mine --to "$ADDR" | jq -r .hex | bitcoin-cli -stdin submitblock
	[[ $(bitcoin-cli getblockcount) == 121 ]]
}

@test "xz -dc mainnet-txs | bb-validate | bb-chain template --from - | bb-mine --to \$ADDR" {
	local ADDR=$KEY1_ADDRESS data=$BB_SHARED/data/mainnet-txs.ndjson.xz
	[[ -e $data ]] || skip "$data is not there"
	xz -dc "$data" | bb-validate | bb-chain -d none template --from - 2>refused | tee t | bb-mine --to "$ADDR" >block
	[[ ! -e none ]]
	jq -e '(.transactions | length) > 2000 and .height == 1 and (.transactions | map(.weight) | add) < 3992000' t
	# It pays and weighs what is in it.
	bb-decode block | jq -e --slurpfile t t '.tx | length == 1 + ($t[0].transactions | length)
		and .[0].vout[0].value == 5000000000 + ($t[0].transactions | map(.fee) | add)'
	bb-validate --partial --verdict block | jq -e .valid
	# Two that spend the same cannot both be there.
	bb-decode block | jq -e '[.tx[1:][].vin[] | "\(.txid):\(.vout)"] | length == (unique | length)'
	jq -se 'all(.type == "error" and (.line | type) == "number")' refused
}

@test "--from takes lines in any order, and tells of those it cannot offer" {
	coin_of 1 | pay 1 | bb-chain prevouts >a
	outputs <a | draft 21 --lean | bb-sign -k key >b
	coin_of 1 | pay 5 | bb-chain prevouts >twice
	run -1 --separate-stderr bb-chain template --from <(cat b a twice; jq -c 'del(.prevouts) | .from = 7' a)
	assert_json --arg ids "$(txids a b)" '.type == "template" and .height == 121
		and (.transactions | map(.txid)) == ($ids / "\n") and .transactions[1].depends == [1]'
	assert_errors 'map([.line, .from]) == [[4, 7], [3, null]] and .[0].error == "missing-prevouts"'
	bb-mine --to 51 <<<"$output" | bb-chain add | jq -e '.result == "connected"'
	run -1 --separate-stderr bb-chain template --from /dev/null
	assert_output ""
	run -2 --separate-stderr bb-chain template --from - --watch
}

# Other networks

@test "before segwit there is no commitment, and no witness" {
	echo '{"base":"regtest","segwit_height":500}' >net
	node_with_chain -testactivationheight=segwit@500
	bb-chain -n net -d early import "$MADE/blocks"
	bb-chain -n net -d early template --now "$NOW" >t
	jq -e '(.rules | index("!segwit") | not) and (has("default_witness_commitment") | not) and .sigoplimit == 20000
		and .sizelimit == 1000000 and (has("weightlimit") | not)' t
	# Before Bitcoin Core 31 taproot stood there without segwit, and the commitment always.
	diff <(theirs '.rules -= ["taproot"] | del(.longpollid, .default_witness_commitment)') \
		<(jq -c 'del(.type, .longpollid)' t)
	theirs >their
	local from
	for from in t their; do
		run -0 --separate-stderr bb-mine -n net --to 51 "$from"
		bb-chain -n net -d "early.$from" add "$MADE/blocks" <(echo "$output") | tail -n 1 | jq -e '.result == "connected"'
		bb-decode <<<"$output" | jq -e '.tx[0].vin[0] | has("witness") | not'
	done
	jq -c '[.hex]' <<<"$output" | rpc submitblock | jq -e '. == null'
}

@test "a custom signet's own template, mined with -k, is a block for a bitcoind with that challenge" {
	local name challenge
	bb-keygen -t p2tr -o a.key >a.pub
	bb-keygen -o b.key >b.pub
	for name in a b; do
		challenge=$(jq -r .address $name.pub | bb-decode --type address | jq -r .hex)
		printf '{"base":"signet","signet_challenge":"%s"}\n' "$challenge" >net
		export NODE_CHAIN=signet
		node_start -signetchallenge="$challenge"
		needs_node
		run -1 bb-chain -n net -d "$name" add </dev/null
		bb-chain -n net -d "$name" template >t
		jq -e --arg challenge "$challenge" '.signet_challenge == $challenge and (.rules | index("!signet"))' t
		diff <(jq 'del(.type) | keys_unsorted[]' t) \
			<(rpc getblocktemplate <<<'[{"rules":["segwit","signet"]}]' | jq 'keys_unsorted[]')
		run -0 --separate-stderr bb-mine -n net -k "$name.key" -j 2 --to 51 t
		jq -c '[.hex]' <<<"$output" | rpc submitblock | jq -e '. == null'
		bb-chain -n net -d "$name" add <<<"$output" | jq -e '.result == "connected"'
		node_stop
		NODE_PID=
	done
}

# Watched

# watch: `template --watch` on descriptor 7.
watch() {
	mkfifo watched
	timeout 60 bb-chain template --watch >watched 3>&- &
	WATCH=$!
	exec 7<watched
}

# next_template: what it says next, in half a minute.
next_template() {
	read -r -t 30 line <&7
	echo "$line"
}

@test "--watch tells of each new tip at once, and of nothing else that is no better" {
	watch
	next_template | jq -e '.height == 121 and .transactions == []'
	# A block that does not become the tip, a transaction that is refused.
	chains grow 1 --onto "$MADE/blocks" --at 119 --tag b >other
	bb-chain add other | jq -e '.result == "side"'
	coin_of 1 | pay 0 | bb-chain add | jq -e '.result == "refused"'
	mine_one
	next_template | jq -e '.height == 122'
	coin_of 1 | pay 2 >a
	bb-chain add a
	mine_one
	next_template | jq -e '.height == 123 and .transactions == []'
	# A reorganisation is a new tip too.
	bb-chain invalidate "$(bb-chain tip | jq -r .id)"
	next_template | jq -e '.height == 122 and (.transactions | length) == 1'
	exec 7<&-
	wait "$WATCH"
}

@test "--watch tells of more fees, though not at every transaction" {
	watch
	next_template | jq -e '.transactions == []'
	for n in 1 2 3; do coin_of "$n" | pay "$n" >"$n.tx"; done
	bb-chain add 1.tx 2.tx 3.tx
	next_template | jq -e '(.transactions | length) == 3'
	# The same fees once more are no news; the next tip is.
	run -0 bb-chain add 1.tx 2.tx 3.tx
	mine_one
	next_template | jq -e '.height == 122 and .transactions == []'
	exec 7<&-
	wait "$WATCH"
}

@test "--watch ends when nobody listens any more, and tells of a store that is not there" {
	watch
	next_template | jq -e '.height == 121'
	exec 7<&-
	wait "$WATCH"
	run -3 --separate-stderr bb-chain -d none template --watch
	assert_errors 'length == 1'
}

@test "templates watched, mined and added are a chain" {
	timeout 60 bb-chain template --watch 3>&- | bb-mine --to 51 3>&- | sed -u 8q | bb-chain add |
		jq -se 'length == 8 and all(.result == "connected") and .[-1].height == 128'
}

@test "where there is no store, the first block of the network is mined as any other" {
	local network
	for network in regtest barenet; do
		BB_DIR=$PWD/$network bb-chain -n "$network" template >first
		bb-chain -n "$network" params | jq -e --slurpfile t first '.genesis == $t[0].previousblockhash'
		jq -e '.height == 1 and .transactions == []' first
		bb-mine -n "$network" --to 51 <first | BB_DIR=$PWD/$network bb-chain -n "$network" add |
			jq -e '.result == "connected" and .height == 1'
	done
}
