#!/bin/sh
# Measure the tools: bench.sh [tools | ledger | pool | relay | mine], with BIN (the tools) and
# BUILD (holds the program `bench/bench`). Ratios, from one run, rounds in turns: against bare
# libsecp256k1 and OpenSSL (bench.c), and against a real bitcoind (ledger.py). Without the shared
# data the stream to validate is one made here, and bb-chain is measured by itself.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
BIN=$(cd "${BIN:-$here/../../../bin}" && pwd)
BUILD=$(cd "${BUILD:-$here/../../../build}" && pwd)
shared=${BB_SHARED:-$here/../../../../shared}
data=$shared/data/mainnet-txs.ndjson.xz
bench=$BUILD/bench/bench
tmp=$(mktemp -d "${TMPDIR:-/tmp}/bb-bench.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
unset BB_NETWORK BB_DIR
what=${1:-all}

# ledger: bb-chain, on chains made here.
ledger() {
	node=
	if [ -x "$shared/tools/real-bitcoind.sh" ]; then
		"$shared/tools/real-bitcoind.sh" "$BUILD/bitcoind"
		node=$BUILD/bitcoind/bitcoind
	fi
	python3 "$here/chain.py" "$BIN" "$tmp/inputs.blk" 200000
	python3 "$here/chain.py" "$BIN" "$tmp/coins.blk" --coins 1000000
	python3 "$here/ledger.py" "$BIN" "$node" "$tmp/inputs.blk" 200000 "$tmp/coins.blk"
}

# pool: bb-chain's mempool and templates.
pool() {
	node=
	if [ -x "$shared/tools/real-bitcoind.sh" ]; then
		"$shared/tools/real-bitcoind.sh" "$BUILD/bitcoind"
		node=$BUILD/bitcoind/bitcoind
	fi
	python3 "$here/pool.py" "$BIN" "$node" "$bench" 20000
}

# relay: a flood of transactions from one end of five nodes to the other.
relay() {
	BIN=$BIN "$here/flood.sh" 10000
}

# mine: the kernels that search for nonces, one core.
mine() {
	"$bench" mine portable 1.2
	"$bench" mine avx2 1.3
	"$bench" mine sha-ni 1.3
	"$bench" mine avx512 2.2
}

case $what in all | ledger) ledger ;; esac
case $what in all | pool) pool ;; esac
case $what in all | relay) relay ;; esac
case $what in all | mine) mine ;; esac
case $what in ledger | pool | relay | mine) exit ;; esac

# unsigned N SCRIPT: N lines, each of a transaction with one input that spends that script.
unsigned() {
	awk -v n="$1" -v script="$2" 'BEGIN {
		for (i = 1; i <= n; i++) {
			printf "{\"type\":\"tx\",\"hex\":\"0200000001%064x00000000", i
			printf "00fdffffff01e803000000000000%02x%s00000000\"", length(script) / 2, script
			printf ",\"prevouts\":[{\"scriptpubkey\":\"%s\",\"value\":2000}]}\n", script
		}
	}'
}

# script KEYFILE: the script of its address.
script() {
	"$BIN/bb-keygen" -n regtest -y "$1" | jq -r .address |
		"$BIN/bb-decode" -n regtest --type address | jq -r .hex
}

"$BIN/bb-keygen" -n regtest -o "$tmp/key" >/dev/null
"$BIN/bb-keygen" -n regtest -t p2tr -o "$tmp/taproot-key" >/dev/null
unsigned 20000 "$(script "$tmp/key")" >"$tmp/unsigned"
unsigned 20000 "$(script "$tmp/taproot-key")" >"$tmp/taproot-unsigned"
"$BIN/bb-decode" -n regtest --full "$tmp/taproot-unsigned" >"$tmp/taproot-esplora"
head -n 1 "$tmp/unsigned" >"$tmp/one-unsigned"
"$BIN/bb-sign" -n regtest -k "$tmp/key" "$tmp/unsigned" >"$tmp/signed"
head -n 1 "$tmp/signed" >"$tmp/one-signed"

if [ -e "$data" ]; then
	xz -dc "$data" >"$tmp/esplora"
	"$BIN/bb-decode" -n main --lean "$tmp/esplora" >"$tmp/lean"
	"$bench" validate "mainnet-txs, lean lines" "$BIN/bb-validate" "$tmp/lean" 0.85
	"$bench" validate "mainnet-txs, Esplora lines" "$BIN/bb-validate" "$tmp/esplora" 0.75
else
	echo "no shared data: mainnet-txs is left out, here are P2WPKH spends made by bb-sign"
	mv "$tmp/signed" "$tmp/lean"
	"$bench" validate "made lines" "$BIN/bb-validate" "$tmp/lean" 0.85
fi
"$bench" threads "$BIN/bb-validate" "$tmp/lean" 1.9
"$bench" keygen "$BIN/bb-keygen" 20000 0.8
"$bench" sign "P2WPKH, lean lines" "$BIN/bb-sign" "$tmp/key" "$tmp/unsigned" 0.8
"$bench" sign "taproot, lean lines" "$BIN/bb-sign" "$tmp/taproot-key" "$tmp/taproot-unsigned" 0.8
"$bench" sign "taproot, Esplora lines" "$BIN/bb-sign" "$tmp/taproot-key" "$tmp/taproot-esplora" 0.8
"$bench" start bb-validate 5 "$BIN/bb-validate" -n regtest <"$tmp/one-signed"
"$bench" start bb-sign 5 "$BIN/bb-sign" -n regtest -k "$tmp/key" <"$tmp/one-unsigned"
"$bench" memory "$BIN/bb-validate" "$tmp/lean"
