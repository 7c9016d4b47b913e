#!/usr/bin/env bats
# What the manuals and the README show is tried: each example as it stands there, in a folder
# that has what it speaks of.  What is out of reach, a server, a node and other hosts, is played
# by scripts: of such an example this tries the part that is ours.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # for another shell; what run sets

load helper
load relay.bash

# Nodes that an example started.
teardown() {
	local dir
	for dir in "$BATS_TEST_TMPDIR"/.bb/*/ "$BATS_TEST_TMPDIR"/*/; do
		if [[ -e $dir/node ]]; then bb-node stop -d "$dir" >/dev/null; fi
	done
}

# a_block: a block in the framing of blk*.dat, by hand: magic, length, bytes.
a_block() {
	local hex
	hex=$(jq -r 'select(.hex).hex' "$BB_ROOT/tests/bats/fixtures/blocks.ndjson" | head -n 1)
	printf 'f9beb4d9%08x%s' $((${#hex} / 2)) "$hex" |
		sed -E 's/^(.{8})(..)(..)(..)(..)/\1\5\4\3\2/' | unhex
}

# actor NAME: a script of that name, from stdin, found before the true one.
actor() {
	mkdir -p actors
	{ echo '#!/bin/sh'; cat; } >"actors/$1"
	chmod +x "actors/$1"
}

# The server, the node and the hosts.
actors() {
	bb-decode -n main <<<"$BIP143_LINE" >esplora-tx.json
	jq -cn '[{txid: ("a2" * 32), vout: 1, value: 50000, status: {confirmed: true,
		block_height: 800000, block_hash: ("00" * 32), block_time: 1690000000}}]' >esplora-utxo.json
	actor curl <<<'for url; do :; done
		case $url in */tx/*) cat esplora-tx.json ;; */utxo) cat esplora-utxo.json ;; *) exit 22 ;; esac'
	actor bitcoin-cli <<<'case $* in
		"getrawtransaction "*) echo "$hex" ;;
		"getblock $hash 0") echo "$block" ;;
		"sendrawtransaction "*) printf "%s\n" "$2" | bb-decode | jq -r .txid ;;
		"getblocktemplate "*) cat template.json ;;
		"-stdin submitblock") grep -q . ;;
		"-stdin importdescriptors") jq -ce "map(has(\"desc\")) | select(length > 0 and all)" ;;
		*) exit 1 ;;
		esac'
	actor sleep <<<'[ ! -e slept ] && : >slept' # whoever would watch for ever, once
	actor parallel <<<'[ "$1" = --will-cite ] && shift
		[ "$1 $2 $3" = "--pipe -k --block" ] || exit 1
		shift 4
		[ "$1" != -S ] || shift 2
		exec "$@"'
}

# watched: bb-chain's template --watch, that ends after one.
watched() {
	actor bb-chain <<<"case \$* in
		'template --watch') exec '$(command -v bb-chain)' template ;;
		*) exec '$(command -v bb-chain)' \"\$@\" ;;
		esac"
}

# What the examples speak of.
prepare() {
	local name
	actors
	export HOME=$PWD friend=127.0.0.1:1 hex=$BIP143_HEX txid=$BIP143_TXID script=$KEY1_SCRIPT
	for name in alice bob carol; do bb-keygen -o "$name.key" >"$name.pub"; done
	address=$(jq -r .address alice.pub) bob=$(jq -r .address bob.pub)
	export address bob new=$bob
	mine=$(bb-keygen -n main --print-secret | jq -r .address)
	export mine
	(umask 077 && echo "four words suffice here" >passphrase)
	bb-keygen --encrypt --passphrase-file passphrase -o sealed.key alice.key >sealed.pub
	jq -c '{type: "utxo", txid: ("a1" * 32), vout: 0, value: 1000000000, height: 1,
		coinbase: false, scriptpubkey_address: .address}' alice.pub >coins.ndjson
	bb-mktx --to "$bob=8btc" <coins.ndjson >payment.json
	bb-sign -k alice.key payment.json | tee signed.ndjson tx.json >txs.ndjson
	"$BB_ROOT/pipelines/multisig" 2 alice.pub bob.pub carol.pub |
		jq -c --slurpfile coin coins.ndjson '$coin[0] + . | del(.scriptpubkey_address)' |
		bb-mktx --all --to "$bob" >shared.json
	cp "$BATS_TEST_DIRNAME/fixtures/template.json" .
	mkdir -p .bitcoin/blocks
	a_block >.bitcoin/blocks/blk00000.dat
	watched
	PATH=$PWD/actors:$PATH
	ledger
	waiting
}

# ledger: a chain that paid alice in blocks, and in a transaction; a transaction to come.
ledger() {
	local script
	script=$(bb-decode --type address <<<"$address" | jq -r .hex)
	python3 "$BATS_TEST_DIRNAME/vectors/chains.py" grow 150 --spend --pay "$script" >chain.ndjson
	python3 "$BATS_TEST_DIRNAME/vectors/chains.py" frame <chain.ndjson >blk00000.dat
	bb-chain import blk00000.dat
	block=$(python3 "$BATS_TEST_DIRNAME/vectors/chains.py" grow 1 --onto chain.ndjson | jq -r .hex)
	export block hash=block151
	ledger_hex=$(bb-chain utxo "$address" | head -n 1 | bb-mktx --to "$bob=8btc" |
		bb-sign -k alice.key | bb-encode)
}

# waiting: transactions that this ledger would take in.
waiting() {
	bb-chain utxo "$address" | sed -n 2p | bb-mktx --to "$bob=8btc" | bb-sign -k alice.key >txs.ndjson
	bb-chain utxo "$address" | sed -n 3p | bb-mktx --all --to "$address" --fee-rate 0 |
		bb-sign -k alice.key >parent.json
	jq -c '{type: "utxo", txid, vout: 0, height: 150, coinbase: false} + .vout[0]' parent.json |
		bb-mktx --all --to "$bob" --fee-rate 3 | bb-sign -k alice.key >child.json
}

# examples PAGE: the commands of its EXAMPLES, each example ended by a NUL.
examples() {
	awk '/^\.Sh / { inside = $2 == "EXAMPLES" }
		!inside { next }
		/^\.Dl \$ / { text = substr($0, 7) "\n"; done = 1 }
		/^\.Bd / { block = 1; next }
		/^\.Ed/ { block = 0; done = 1 }
		block { line = $0; sub(/^\$ /, "", line); text = text line "\n" }
		done { gsub(/\\\(aq/, "\047", text); gsub(/\\\(dq/, "\"", text); gsub(/\\&/, "", text); gsub(/\\e/, "\\", text); printf "%s%c", text, 0
			text = ""; done = 0 }' "$1"
}

# try EXAMPLE: it ends well, says something, and complains of nothing.
try() {
	if [[ $1 =~ \ -o\ ([^ ]+) ]]; then rm -f "${BASH_REMATCH[1]}"; fi
	if [[ $1 == *"bb-mktx -n main"* ]]; then local -x bob=$mine; fi
	if [[ $1 == *"bb-chain prevouts"* ]]; then local -x hex=$ledger_hex; fi
	bash -euo pipefail -c "$1" >out 2>err || {
		printf 'status %s of:\n%s' "$?" "$1" && cat err
		return 1
	}
	[[ -s out && ! -s err ]] || {
		printf 'of:\n%s' "$1" && cat out err
		return 1
	}
}

# a_node: one on that ledger, with a friend who has all its blocks, and an error in its log.
a_node() {
	friend=127.0.0.1:$(free_port)
	export friend
	bb-node start -d friend --listen "$friend"
	bb-node start --peer "$friend"
	reaches friend 150
	echo '{"type":"error","tool":"bb-node","error":"played"}' >>"$HOME/.bb/regtest/log"
	watcher
}

# watcher: whoever watches sees blocks come, until he has seen enough.
watcher() {
	actor bb-relay <<-END
		relay='$(command -v bb-relay)'
		case \$* in --watch) ;; *) exec "\$relay" "\$@" ;; esac
		block() { bb-chain template | bb-mine --to 51 | "\$relay" >block.out; }
		{ until [ -s seen ]; do block; done; block; } &
		"\$relay" --watch | sed '/"event":"tip"/{w seen
		q}'
		wait
	END
}

# try_page NAME COUNT: all its examples, which must be so many at least.
try_page() {
	local example count=0
	prepare
	case $1 in bb-relay.1 | bb-node.1) a_node ;; esac
	while IFS= read -r -d '' example; do
		if [[ $example == *--hub* ]]; then continue; fi # relay.bats is made of these
		try "$example"
		count=$((count + 1))
	done < <(examples "$BB_ROOT/cmd/$1")
	[[ $count -ge $2 ]]
}

@test "the examples of bb(7) work" { try_page bb.7 4; }
@test "the examples of bb-lines(5) work" { try_page bb-lines.5 3; }
@test "the examples of bb-keygen(1) work" { try_page bb-keygen.1 3; }
@test "the examples of bb-mktx(1) work" { try_page bb-mktx.1 3; }
@test "the examples of bb-sign(1) work" { try_page bb-sign.1 3; }
@test "the examples of bb-validate(1) work" { try_page bb-validate.1 4; }
@test "the examples of bb-mine(1) work" { try_page bb-mine.1 4; }
@test "the examples of bb-chain(1) work" { try_page bb-chain.1 14; }
@test "the examples of bb-relay(1) work" { try_page bb-relay.1 4; }
@test "the examples of bb-node(1) work" { try_page bb-node.1 2; }
@test "the examples of bb-decode(1) work" { try_page bb-decode.1 3; }
@test "the examples of bb-encode(1) work" { try_page bb-encode.1 2; }

# snippet N: the README's Nth block of shell.
snippet() {
	awk -v n="$1" '/^```sh$/ { inside = ++i == n; next } /^```$/ { inside = 0 } inside' \
		"$BB_ROOT/README.md"
}

@test "the README's payment can be pasted as it stands" {
	ln -s "${BIN:-$BB_ROOT/bin}" bin
	run -0 --separate-stderr bash -euo pipefail -c "$(snippet 1)"
	[[ ${lines[1]} == refused && ${#lines[@]} == 2 ]]
	jq -e '.type == "verdict" and (.valid | not)' <<<"$stderr"
	run -0 bb-decode <<<"${lines[0]}"
	assert_json 'any(.vout[]; .value == 800000000)'
}

@test "the README's check of a live transaction works" {
	prepare
	ln -s "${BIN:-$BB_ROOT/bin}" bin
	run -0 --separate-stderr bash -euo pipefail -c "$(snippet 2)"
	assert_json '.valid'
	assert_stderr ""
}

@test "the README's chain can be taken in and asked" {
	prepare
	export address=$mine
	run -0 --separate-stderr bash -euo pipefail -c "$(snippet 3)"
	# The node's blocks are block 1; genesis is there without it.
	[[ ${lines[-1]} == 2 && ${lines[-3]} == 0 ]]
	jq -es '.[0].height == 1' <<<"${output%%$'\n'0*}"
	assert_stderr ""
}

@test "the README's block by hand is taken in" {
	prepare
	bb-chain -n main import .bitcoin/blocks
	hash=again block=$(bb-chain -n main block 1 | jq -r .hex) run -0 --separate-stderr \
		bash -euo pipefail -c "$(snippet 4)"
	assert_json '.result == "duplicate" and .height == 1'
	assert_stderr ""
}

@test "the README's mining works" {
	prepare
	bb-chain add txs.ndjson
	run -0 --separate-stderr bash -euo pipefail -c "$(snippet 5)"
	jq -es '(.[0] | .result == "connected" and .height == 151) and
		(.[1] | .type == "block" and .height == 152)' <<<"$output"
	assert_stderr ""
}

@test "the README's node starts, mines and has a wallet" {
	prepare
	rm -r "$HOME/.bb" actors/bb-chain && hash -r
	run -0 --separate-stderr bash -euo pipefail -c "$(snippet 6)"
	assert_stderr ""
	export BB_NETWORK=barenet # as it says
	until_line '"event":"tip"' bb-chain events --follow
	bb-wallet balance | jq -e '.immature > 0'
}

# completed WORD...: what completion offers for the last word of that call of bb-chain.
completed() {
	bash -uc '. "$0"
		compopt() { :; }
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_bb bb-chain
		printf "%s\n" "${COMPREPLY[@]-}"' "$BB_ROOT/cmd/bb.bash-completion" bb-chain "$@"
}

@test "completion offers bb-chain's verbs once, then what the verb takes" {
	: >tx.blk
	run -0 completed t
	assert_output $'test\ntip\ntips\ntx\ntemplate'
	run -0 completed -n main -d tip t
	assert_output $'test\ntip\ntips\ntx\ntemplate'
	for verb in add run test import prevouts; do
		run -0 completed -j 2 "$verb" t
		assert_output tx.blk
	done
	run -0 completed tip t
	assert_output ""
	run -0 completed coins --mu
	assert_output --muhash
	run -0 completed tip --mu
	assert_output ""
	run -0 completed --mu
	assert_output --muhash
	run -0 completed --network = main ti
	assert_output $'tip\ntips'
	run -0 completed --policy = datacarrier
	assert_output $'datacarrier=\ndatacarriersize='
	run -0 completed add --policy datacarrier =
	assert_output $'0\n1'
	run -0 completed --policy maxmempool = 5 te
	assert_output $'test\ntemplate'
	run -0 completed template --from t
	assert_output tx.blk
	run -0 completed headers --from t
	assert_output ""
	run -0 completed mempool --st
	assert_output --stats
}
