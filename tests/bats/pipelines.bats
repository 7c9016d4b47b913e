#!/usr/bin/env bats
# pipelines/: each does what its first lines say, and refuses arguments that make no sense.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper
load peers/bitcoind.bash
PATH=$BB_ROOT/pipelines:$PATH

# For follow-node.
setup_file() {
	node_start
}

teardown_file() {
	if [[ -z $NODE_MISSING ]]; then node_stop; fi
}

# utxos SATOSHI: a coin of the key in alice.pub.
utxos() {
	jq -c --argjson value "$1" '{type: "utxo", txid: ("a1" * 32), vout: 0, $value, height: 1,
		coinbase: false, scriptpubkey_address: .address}' alice.pub
}

# keys NAME...: a key file and its public line for each name.
keys() {
	local name
	for name; do bb-keygen -o "$name.key" >"$name.pub"; done
}

# assert_usage NAME: that pipeline's own usage stands on stderr, and nothing on stdout.
assert_usage() {
	assert_output ""
	[[ $'\n'$stderr == *$'\n'"$1 "* ]]
}

@test "forgeries ends well, with nothing on stderr" {
	run -0 --separate-stderr forgeries
	[[ $output == *"Every verdict was as it should be."* ]]
	assert_stderr ""
}

@test "forgeries takes no arguments" {
	run -2 --separate-stderr forgeries now
	[[ $stderr == forgeries:* ]]
}

@test "pay writes the hex of a valid transaction that pays, at the fee rate asked for" {
	keys alice bob
	bob=$(jq -r .address bob.pub)
	utxos 600000000 >coins.ndjson
	FEE_RATE=3 run -0 --separate-stderr pay "$bob" 2btc alice.key <coins.ndjson
	assert_stderr ""
	run -0 bb-decode <<<"$output"
	assert_json --arg bob "$bob" '
		any(.vout[]; .scriptpubkey_address == $bob and .value == 200000000) and
		(600000000 - ([.vout[].value] | add)) as $fee | (.weight / 4) as $vsize |
		$fee >= 3 * $vsize and $fee < 3 * $vsize + 6'
}

@test "pay says so when there is not enough money" {
	keys alice
	utxos 1000 >coins.ndjson
	run -1 --separate-stderr pay "$(jq -r .address alice.pub)" 2btc alice.key <coins.ndjson
	assert_output ""
	[[ $stderr == *"not enough money"* ]]
}

@test "pay: a wrong address, amount, key file or count of arguments is the caller's mistake" {
	keys alice
	address=$(jq -r .address alice.pub)
	utxos 600000000 >coins.ndjson
	for words in "nobody 2btc alice.key" "$address 2 alice.key" "$address 2btc none.key" \
		"$address 2btc" ""; do
		# shellcheck disable=SC2086 # several words
		run -2 --separate-stderr pay $words <coins.ndjson
		assert_usage pay
	done
}

@test "multisig's script has the keys in BIP 67's order" {
	# the BIP's first vector
	run -0 --separate-stderr multisig 2 < <(printf '{"pubkey":"%s"}\n' \
		02ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f8 \
		02fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f)
	script=522102fe6f0a5a297eb38c391581c4413e084773ea23954d93f7753db7dc0adc188b2f
	script+=2102ff12471208c14bd580709cb2358d98975247d8765f92bc25eab3b2763ed605f852ae
	assert_json --arg script "$script" '.witnessscript == $script'
}

@test "multisig's coin is spent by any two of three, and not by one" {
	keys alice bob carol
	multisig 2 alice.pub bob.pub carol.pub >shared.json
	utxos 1000000 | jq -c --slurpfile s shared.json 'del(.scriptpubkey_address) + $s[0]' |
		bb-mktx --all --to "$(jq -r .address bob.pub)" >payment.json
	for two in "alice bob" "bob carol" "carol alice"; do
		bb-sign --partial -k "${two% *}.key" payment.json >half.json
		run -1 --separate-stderr bb-validate half.json
		bb-sign -k "${two#* }.key" half.json | bb-validate >whole.json
		[[ -s whole.json ]]
	done
}

@test "multisig gives an address of its network" {
	keys alice
	BB_NETWORK=main run -0 --separate-stderr multisig 1 alice.pub
	assert_json '.address | startswith("bc1q")'
}

@test "multisig: a wrong M, missing or uncompressed or doubled keys are the caller's mistake" {
	keys alice bob
	bb-keygen -t p2pkh --uncompressed -o long.key >long.pub
	for words in "" x 0 16 "3 alice.pub bob.pub" "1 none.pub" "2 alice.pub none.pub" \
		"1 long.pub" "2 alice.pub alice.pub"; do
		# shellcheck disable=SC2086 # several words
		run -2 --separate-stderr multisig $words </dev/null
		assert_usage multisig
	done
	run -2 --separate-stderr multisig 1 <<<hello
	assert_usage multisig
}

@test "recheck judges the lines of stdin" {
	run -0 --separate-stderr recheck <<<"$BIP143_LINE"
	assert_json --arg id "$BIP143_TXID" '.valid and .id == $id'
	run -1 --separate-stderr recheck < <(good_line 1; with '.prevouts[1].value -= 1')
	assert_json -s 'map(.valid) == [true, false]'
}

@test "recheck judges what it fetches, in order, and what it cannot fetch is not good" {
	command -v curl >/dev/null || skip "curl is not here"
	other=$(printf %064x 1)
	mkdir tx
	bb-decode -n main <<<"$BIP143_LINE" >"tx/$BIP143_TXID"
	ESPLORA=file://$PWD run -0 --separate-stderr recheck "$BIP143_TXID" "$BIP143_TXID"
	assert_json -s --arg id "$BIP143_TXID" 'map([.line, .valid, .id]) == [[1, true, $id], [2, true, $id]]'
	ESPLORA=file://$PWD run -2 --separate-stderr recheck "$other" "$BIP143_TXID"
	assert_json -s 'map(.valid) == [false, true]'
}

# ledger: a chain of regtest that paid alice, in the folder of the node.
ledger() {
	export BB_DIR=$PWD/node
	keys alice
	script=$(bb-decode --type address < <(jq -r .address alice.pub) | jq -r .hex)
	python3 "$BATS_TEST_DIRNAME/vectors/chains.py" grow 104 --spend --pay "$script" >chain.ndjson
	bb-chain import chain.ndjson
}

@test "recheck-chain finds nothing wrong with a good chain, whole or in part" {
	command -v parallel >/dev/null || skip "parallel is not here"
	ledger
	for words in "" 100 "3 7"; do
		# shellcheck disable=SC2086 # several words
		run -0 --separate-stderr recheck-chain $words
		assert_output ""
		assert_stderr ""
	done
}

@test "recheck-chain tells a block that is not as it was" {
	command -v parallel >/dev/null || skip "parallel is not here"
	ledger
	# Under other rules: what is spent ripens after 100 blocks only here.
	echo '{"base":"regtest","name":"slow","coinbase_maturity":101}' >slow
	mkdir actors
	printf '#!/bin/sh\nexec %s -n slow "$@"\n' "$(command -v bb-validate)" >actors/bb-validate
	chmod +x actors/bb-validate
	PATH=$PWD/actors:$PATH run ! --separate-stderr recheck-chain 101
	assert_json -s 'map(.error) == ["bad-txns-premature-spend-of-coinbase",
		"bad-txns-premature-spend-of-coinbase", "bad-txns-premature-spend-of-coinbase"]'
}

@test "recheck-chain: what is no height is the caller's mistake, and one that is not there is told" {
	ledger
	for words in x "1 x" "1 2 3" -1; do
		# shellcheck disable=SC2086 # several words
		run -2 --separate-stderr recheck-chain $words
		assert_usage recheck-chain
	done
	run ! --separate-stderr recheck-chain 500
	[[ $stderr == *"500"* ]]
}

@test "watch-balance tells balances now, and after each change of the tip" {
	ledger
	mkfifo told
	timeout 30 watch-balance "$(jq -r .address alice.pub)" >told 3>&- &
	exec 9<told
	read -r line <&9
	# Blocks 102 to 104 paid alice, less the fee.
	jq -e '[.count, .height] == [3, 104]' <<<"$line"
	python3 "$BATS_TEST_DIRNAME/vectors/chains.py" grow 1 --onto chain.ndjson >next
	bb-chain add next
	read -r line <&9
	jq -e '[.count, .height] == [3, 105]' <<<"$line"
	exec 9<&-
	kill $!
	wait $! || true
}

@test "watch-balance without an address is the caller's mistake" {
	run -2 --separate-stderr watch-balance
	assert_usage watch-balance
}

@test "watch-balance leaves nothing behind when it is told to end" {
	ledger
	mkfifo told
	watch-balance "$(jq -r .address alice.pub)" >told 3>&- &
	exec 9<told
	read -r _ <&9
	kill $!
	# The FIFO ends when the last that could write to it has.
	timeout 30 cat <&9
	exec 9<&-
	wait $! || true
}

# mine_ledger: a ledger whose blocks pay alice, and two transactions of hers, the second of which
# pays more; wallet.ndjson has the coins that can be spent.
mine_ledger() {
	export BB_DIR=$BATS_TEST_TMPDIR/store
	keys alice bob
	alice=$(jq -r .address alice.pub)
	run -1 bb-chain add </dev/null # its first block is known
	mine 110 --to "$alice" >mined.ndjson
	bb-chain utxo "$alice" | jq -c 'select(.height <= 11)' >wallet.ndjson
	for n in 1 2; do
		sed -n "${n}p" wallet.ndjson |
			bb-mktx --to "$(jq -r .address bob.pub)=8btc" --fee-rate "$n" --height 110 |
			bb-sign -k alice.key >"tx$n.json"
	done
}

@test "mine mines so many blocks, tells of each, and takes up what waits" {
	mine_ledger
	jq -es 'length == 110 and all(.result == "connected") and .[-1].height == 110' mined.ndjson
	bb-chain add tx1.json tx2.json
	run -0 --separate-stderr mine 2 --to "$alice" --text here
	assert_json -s 'map([.result, .height]) == [["connected", 111], ["connected", 112]]'
	assert_stderr ""
	bb-chain block 111 --full | jq -e --slurpfile tx1 tx1.json --slurpfile tx2 tx2.json \
		'[.tx[1:][].txid] == [$tx2[0].txid, $tx1[0].txid]'
	run -0 bb-chain mempool
	assert_output ""
	run -0 bb-chain verify
}

@test "mine without end stops when it is told to, and leaves nothing behind" {
	mine_ledger
	mkfifo told
	mine 0 --to "$alice" >told 3>&- &
	exec 9<told
	for _ in 1 2 3; do read -r verdict <&9; done
	[[ $(jq .height <<<"$verdict") == 113 ]]
	kill $!
	# The FIFO ends when the last that could write to it has.
	timeout 30 cat <&9 >rest
	exec 9<&-
	wait $! || true
	bb-chain verify
}

@test "mine: without a number or somebody to pay there is nothing to mine; without a store, the first block" {
	for words in "" "1" "x --to 51" "1 --to"; do
		# shellcheck disable=SC2086 # several words
		run -2 --separate-stderr mine $words
		assert_usage mine
	done
	BB_DIR=$PWD/none run -0 --separate-stderr mine 1 --to 51
	assert_json '.result == "connected" and .height == 1'
	mine_ledger
	run -2 --separate-stderr mine 1 --to nobody
	[[ $stderr == *"not an address"* ]]
}

@test "watch-tx follows a transaction until it is mined" {
	mine_ledger
	bb-chain add tx1.json tx2.json
	id=$(jq -r .txid tx1.json) size=$(jq '.weight / 4 | ceil' tx2.json)
	mkfifo told
	timeout 30 watch-tx "$id" >told 3>&- &
	exec 9<told
	read -r line <&9
	jq -e --arg id "$id" --argjson size "$size" '.txid == $id and .ahead == $size' <<<"$line"
	mine 1 --to "$alice"
	read -r line <&9
	jq -e '[.event, .reason] == ["removed", "block"]' <<<"$line"
	read -r line <&9
	jq -e '.status.confirmed and .status.block_height == 111' <<<"$line"
	wait $!
	exec 9<&-
	run -0 --separate-stderr watch-tx "$id"
	assert_json '.status.block_height == 111'
}

@test "watch-tx ends with 1 when the transaction is replaced" {
	mine_ledger
	bb-chain add tx1.json
	mkfifo told
	timeout 30 watch-tx "$(jq -r .txid tx1.json)" >told 3>&- &
	exec 9<told
	read -r _ <&9
	head -n 1 wallet.ndjson | bb-mktx --all --to "$alice" --fee-rate 9 --height 110 |
		bb-sign -k alice.key >other.json
	bb-chain add other.json
	read -r line <&9
	jq -e --slurpfile by other.json '.event == "replaced" and .by == $by[0].txid' <<<"$line"
	status=0
	wait $! || status=$?
	[[ $status == 1 ]]
	exec 9<&-
}

@test "watch-tx: what is no txid is the caller's mistake, what is not here is told" {
	for words in "" x "$BIP143_TXID $BIP143_TXID"; do
		# shellcheck disable=SC2086 # several words
		run -2 --separate-stderr watch-tx $words
		assert_usage watch-tx
	done
	mine_ledger
	run -1 --separate-stderr watch-tx "$BIP143_TXID"
	[[ $stderr == *"$BIP143_TXID"* ]]
}

# node_cli: how bitcoin-cli reaches the node; it stands in PATH.
node_cli() {
	needs_node
	PATH=${BUILD:-$BB_ROOT/build}/bitcoind:$PATH
	cli=(-regtest "-datadir=$NODE_DIR" "-rpcport=$NODE_PORT")
	export BB_DIR=$BATS_TEST_TMPDIR/store
}

# node_mines COUNT SCRIPT: the node's next blocks; prints the last one's hash.
node_mines() {
	rpc generatetodescriptor <<<"[$1, \"raw($2)\"]" | jq -r '.[-1]'
}

# assert_in_step: the ledger has the node's tip and the node's coins.
assert_in_step() {
	run -0 --separate-stderr follow-node "${cli[@]}"
	assert_output ""
	assert_stderr ""
	[[ $(bb-chain tip | jq -r .id) == "$(rpc getbestblockhash <<<'[]' | jq -r .)" ]]
	diff <(bb-chain coins --muhash | jq '[.height, .count, .muhash]') \
		<(rpc gettxoutsetinfo <<<'["muhash"]' | jq '[.height, .txouts, .muhash]')
}

@test "follow-node follows a node from nothing, on, and through its reorganisations" {
	node_cli
	node_mines 30 51
	assert_in_step
	node_mines 3 52
	assert_in_step
	# A longer branch, one that forks far below, a shorter one, and back.
	for depth_and_length in "1 2" "20 25" "9 4"; do
		read -r depth length <<<"$depth_and_length"
		height=$(rpc getblockcount <<<'[]')
		left=$(rpc getblockhash <<<"[$((height - depth + 1))]")
		rpc invalidateblock <<<"[$left]"
		node_mines "$length" "01$(printf %02x "$depth")75$((50 + depth % 10 + 1))"
		[[ $length -lt $depth ]] || assert_in_step
	done
	# What the ledger keeps has more work than what the node was told to stay on.
	run -0 --separate-stderr follow-node "${cli[@]}"
	assert_output ""
	rpc reconsiderblock <<<"[$left]"
	assert_in_step
	bb-chain verify
}

@test "follow-node tells a block that the ledger refuses" {
	node_cli
	node_mines 2 51
	# Under other rules: the subsidy halves sooner.
	echo '{"base":"regtest","halving_interval":2}' >strict
	BB_NETWORK=./strict run ! --separate-stderr follow-node "${cli[@]}"
	assert_json -s '.[0].error == "bad-cb-amount"'
}

@test "follow-node: a node of another network, or none, is told, and wrong words the caller's mistake" {
	node_cli
	export BB_NETWORK=signet
	run -1 bb-chain import - </dev/null # its first block is known
	run -1 --separate-stderr follow-node "${cli[@]}"
	assert_output ""
	[[ $stderr == *"another network"* ]]
	for words in x --help "-regtest tip"; do
		# shellcheck disable=SC2086 # several words
		run -2 --separate-stderr follow-node $words
		assert_usage follow-node
	done
	run ! --separate-stderr follow-node -regtest -datadir=/nonexistent
	[[ -n $stderr ]]
}

@test "recheck: what is no txid is the caller's mistake" {
	for words in x "$BIP143_TXID ../x" "-n main"; do
		# shellcheck disable=SC2086 # several words
		run -2 --separate-stderr recheck $words
		assert_usage recheck
	done
}

@test "watch-difficulty shows barenet's difficulty follow the clock" {
	export BB_DIR=$BATS_TEST_TMPDIR/barenet
	run -0 --separate-stderr watch-difficulty 121
	assert_stderr ""
	# From the first retarget on, at 60, the years since the genesis block no longer count.
	[[ $(awk 'NR < 120 { print $3 }' <<<"$output" | sort -u | wc -l) == 1 ]]
	[[ $(awk 'NR == 119 { old = $3 } NR == 120 { print int($3 / old) }' <<<"$output") =~ ^[34]$ ]]
	run -0 bb-chain -n barenet verify
	run -2 --separate-stderr watch-difficulty many
	[[ -z $output && $stderr == "watch-difficulty [BLOCKS"* ]]
}
