#!/usr/bin/env bash
# flood.sh COUNT [namespaces]: so many transactions handed in at one end of the five nodes, miner2.
# Each must arrive at the other end, miner1, exactly once, and be mined. Prints how fast they came
# through, three links and four ledgers, beside what bb-validate does alone.
set -euo pipefail
bench=$(cd "$(dirname "$0")" && pwd)
PATH=${BIN:-$bench/../../../bin}:$PATH PATIENCE=${PATIENCE:-60}
# shellcheck source=pipelines/five.bash
. "$bench/../../../pipelines/five.bash"
count=$1
export BB_NETWORK=barenet
folder=$(mktemp -d "${TMPDIR:-/tmp}/bb-flood.XXXXXX")
watcher=''
leave() {
	[[ ! $watcher ]] || kill "$watcher" || true
	network_end
	rm -rf "$folder"
} 2>/dev/null
trap leave EXIT
trap 'exit 143' INT TERM HUP
cd "$folder"

# since MICROSECONDS: seconds since then.
since() {
	echo "$(((${EPOCHREALTIME/./} - $1) / 10000))e-2" | jq .
}

# rate SECONDS: so many in that time.
rate() {
	jq -nr --argjson n "$count" --argjson s "$1" '$n / $s | round'
}

# purses: a coin for each payment, all from the first block's, in transactions of 2,000 outputs.
purses() {
	local i
	bb-keygen -o key >key.pub
	address=$(jq -r .address key.pub)
	for ((i = 0; i * 2000 < count; i++)); do
		bb-chain -d miner2 template | bb-mine --to "$address" | bb-relay -d miner2 >/dev/null
	done
	mine miner2 10
	bb-chain -d miner2 utxo "$address" | head -n "$i" | while read -r coin; do
		jq -r --arg to "$address" -n 'range(2000) | "--to=\($to)=1000000sat"' |
			xargs -n 2000 bb-mktx --height 100 --fee-rate 2 <(printf '%s\n' "$coin")
	done | bb-sign -k key | bb-relay -d miner2 >/dev/null
	mine miner2
	one_tip miner2 "${FIVE[@]}"
	bb-chain -d miner2 utxo "$address" | jq -c 'select(.coinbase | not)' | head -n "$count" >coins
	[[ $(wc -l <coins) == "$count" ]]
}

# payments: each coin pays its own address, less a fee.
payments() {
	jq -c '{version: 2, locktime: 0, vin: [{txid, vout, scriptsig: "", sequence: 4294967293,
		prevout: {value, scriptpubkey}}], vout: [{scriptpubkey, value: (.value - 500)}]}' coins |
		bb-sign -k key
}

# watch: what passes at miner1 is written to `seen` from when this returns.
watch() {
	mkfifo ask
	: >seen
	socat -t 3600 - UNIX-CONNECT:miner1/relay.sock <ask >>seen 3>&- &
	watcher=$!
	exec {ask}>ask
	printf '{"type":"watch"}\n{"type":"peers"}\n' >&"$ask"
	until_seen 1 '"type":"peer"'
}

# until_seen COUNT WORDS: wait until so many lines there have these words.
until_seen() {
	local fd follower status=0
	exec {fd}< <(exec tail -n +1 -s 0.05 -f seen 3>&-)
	follower=$!
	timeout "$PATIENCE" grep -F -m "$1" "$2" <&"$fd" >/dev/null || status=$?
	kill "$follower"
	exec {fd}<&-
	return "$status"
}

network_make "$folder" "${2-}"
start "${FIVE[@]}"
mine miner2
one_tip miner2 "${FIVE[@]}"
purses
payments >txs
watch
began=${EPOCHREALTIME/./}
bb-relay -d miner2 <txs >verdicts 3>&- &
until_seen "$count" '"event":"accepted"'
took=$(since "$began")
wait $!
cp seen /tmp/w/t1/
mine miner2
until_seen 1 "\"event\":\"tip\",\"id\":\"$MINED\""
cp seen /tmp/w/t1/
one_tip miner2 "${FIVE[@]}"
