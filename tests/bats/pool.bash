# shellcheck shell=bash
# What the tests of the mempool share: a chain of which KEY1 can spend the first coinbases, payments
# made of them by the tools, and a live `run`.

# shellcheck disable=SC2034,SC2153 # MADE is the tests'; helper.bash sets KEY1's

chains() {
	python3 "$BATS_TEST_DIRNAME/vectors/chains.py" "$@"
}

# made_chain: in $MADE/blocks 120 block lines, all for KEY1, whose first 21 coins are mature.
made_chain() {
	export MADE=$BATS_FILE_TMPDIR
	chains grow 120 --script "$KEY1_SCRIPT" >"$MADE/blocks"
}

# What a file's tests begin with that says nothing else.
setup_file() {
	made_chain
}

setup() {
	pool_setup
}

# pool_setup: a store with that chain, and KEY1 in ./key.
pool_setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
	export BB_DIR=$BATS_TEST_TMPDIR/store
	key_file key
	bb-chain import "$MADE/blocks"
}

# coin_of HEIGHT...: the coins that these blocks made, though waiting transactions may spend them.
coin_of() {
	bb-chain utxo --confirmed "$KEY1_ADDRESS" | jq -c 'select(IN(.height; $ARGS.positional[]))' --jsonargs "$@"
}

# outputs: the coins that the transactions on stdin make.
outputs() {
	bb-decode | jq -c '.txid as $txid | .vout | to_entries[] | {type: "utxo", $txid, vout: .key,
		value: .value.value, scriptpubkey: .value.scriptpubkey}'
}

# draft RATE [OPTION...]: spend all of the coins on stdin to KEY1, for so many sat/vB; not signed.
draft() {
	bb-mktx --height 120 --max-fee 100btc --keep-order --all --to "$KEY1_ADDRESS" --fee-rate "$@"
}

# pay RATE [OPTION...]: the same, signed.
pay() {
	draft "$@" --lean | bb-sign -k key
}

# txids FILE...: of transaction lines.
txids() {
	cat "$@" | bb-decode | jq -r .txid
}

# waiting: the txids of the mempool, best first.
waiting() {
	bb-chain mempool --full | jq -r .txid
}

# package FILE...: of the transactions of these files.
package() {
	cat "$@" | jq -sc '{type: "package", txs: .}'
}

# mine_one: the next block out of bb-chain's template, taken in.
mine_one() {
	bb-chain template | bb-mine --to 51 | bb-chain add | jq -e '.result == "connected"'
}

# live [OPTION...]: a `run` to speak to.
live() {
	mkfifo live.in live.out
	bb-chain run "$@" <live.in >live.out 3>&- &
	LIVE=$!
	exec 8>live.in 9<live.out
}

# say FILE: give it the lines; their verdicts.
say() {
	local line left
	left=$(wc -l <"$1")
	cat "$1" >&8
	while ((left)); do
		read -r -t 20 line <&9 || return
		[[ $line == *'"type":"verdict"'* ]] || continue
		echo "$line"
		left=$((left - 1))
	done
}

# live_end: the end of its input, and of it.
live_end() {
	exec 8>&-
	cat <&9 >/dev/null
	exec 9<&-
	wait "$LIVE"
}
