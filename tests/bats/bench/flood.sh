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
leave() {
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
	bb-chain -d miner2 utxo "$address" | while read -r coin; do
		jq -r --arg to "$address" -n 'range(2000) | "--to=\($to)=1000000sat"' |
			xargs -n 2000 bb-mktx --height 100 --fee-rate 2 <(printf '%s\n' "$coin")
	done | bb-sign -k key | bb-relay -d miner2 >/dev/null
	mine miner2
	one_tip "${FIVE[@]}"
	bb-chain -d miner2 utxo "$address" | jq -c 'select(.value == 1e6)' |
		awk -v n="$count" 'NR <= n' >coins
	[[ $(wc -l <coins) == "$count" ]]
}

# payments: each coin pays its own address, less a fee.
payments() {
	jq -c '{version: 2, locktime: 0, vin: [{txid, vout, scriptsig: "", sequence: 4294967293,
		prevout: {value, scriptpubkey}}], vout: [{scriptpubkey, value: (.value - 500)}]}' coins |
		bb-sign -k key
}

# watch: what passes at miner1 comes to $answer, and is kept in `seen`, from when this returns.
watch() {
	mkfifo ask answer
	socat -t 3600 - UNIX-CONNECT:miner1/relay.sock <ask 2>/dev/null 3>&- | tee seen >answer 3>&- &
	exec {ask}>ask {answer}<answer
	printf '{"type":"watch"}\n{"type":"peers"}\n' >&"$ask"
	await 1 '"type":"peer"'
}

# await COUNT WORDS: wait until so many lines with these words have come there.
await() {
	timeout "$PATIENCE" grep -F -m "$1" "$2" <&"$answer" >found
}

network_make "$folder" "${2-}"
start "${FIVE[@]}"
mine miner2
one_tip "${FIVE[@]}"
purses
payments >txs
before=$(height miner1)
watch
began=${EPOCHREALTIME/./}
bb-relay -d miner2 <txs >verdicts 3>&- &
await "$count" '"event":"accepted"'
took=$(since "$began")
wait $!
jq -se --argjson n "$count" 'length == $n and all(.result == "accepted")' verdicts >/dev/null
until mempool_is miner2 0; do mine miner2; done
await 1 "\"event\":\"tip\",\"id\":\"$MINED\""
one_tip "${FIVE[@]}"
for name in "${FIVE[@]}"; do mempool_is "$name" 0; done
bb-chain -d miner1 headers --full | jq -se --argjson n "$count" --argjson from "$before" \
	'map(select(.height > $from).tx_count - 1) | add == $n' >/dev/null
# Until it was mined; each once, whoever told of it.
grep '"type":"tx"' seen >came
(($(wc -l <came) == count && $(sort -u came | wc -l) == count))

began=${EPOCHREALTIME/./}
bb-validate -j 0 txs >/dev/null
alone=$(since "$began")
echo "$count transactions from end to end in $took s: $(rate "$took") a second;" \
	"bb-validate alone: $(rate "$alone") a second"
