#!/usr/bin/env bats
# bb-mktx: what is paid, what is spent, what is left.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper

# Two foreign addresses: BIP 173's script example and BIP 350's key, on regtest.
P2WSH=bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry
P2TR=bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6

@test "it pays, gives change to the first input's address, and pays the fee of the size it will have" {
	run -0 --separate-stderr bb-mktx --keep-order --to "$P2WSH=40000sat" --fee-rate 5 < <(coin 1 100000)
	assert_stderr ""
	# Signed: 10.5 + 68 + 43 + 31 vbytes, rounded up, with a signature of 71 bytes.
	assert_json --arg change "$KEY1_SCRIPT" '.type == "tx" and .version == 2 and .locktime == 0
		and (.vin | length) == 1 and .vin[0].sequence == 4294967293 and .vin[0].prevout.value == 100000
		and .vout[0].value == 40000 and .vout[1].scriptpubkey == $change
		and .fee == 100000 - 40000 - .vout[1].value and .fee >= 153 * 5 and .fee <= 154 * 5'
}

@test "the fee rate of the signed transaction is at least the one asked for, and not a vbyte more" {
	key_file key
	local rate
	for rate in 1 2.5 17.333 300; do
		for n in 1 2 3; do coin "$n" 400000; done |
			bb-mktx --fee-rate "$rate" --to "$P2TR=1000000sat" | bb-sign -k key >signed
		jq -e --argjson rate "$rate" '(.weight / 4 | ceil) as $vsize | .fee >= $vsize * $rate
			and .fee <= ($vsize + 1) * $rate + 1' signed
		bb-validate signed
	done
}

@test "several outputs keep their order, amounts are exact" {
	run -0 bb-mktx --keep-order --to "$P2TR=0.00010001btc" --to "$P2WSH=2000sat" --data 68656c6c6f \
		--to-script 51=3000sat < <(coin 1 100000)
	assert_json '(.vout | map(.value))[:4] | sort == [0, 2000, 3000, 10001]'
	assert_json '.vout[0].value == 10001 and .vout[1].value == 2000 and (.vout | length) == 5
		and any(.vout[]; .scriptpubkey == "6a0568656c6c6f" and .value == 0)
		and any(.vout[]; .scriptpubkey == "51" and .value == 3000)'
}

@test "the change's place is random by default" {
	for _ in $(seq 30); do
		bb-mktx --to "$P2WSH=40000sat" < <(coin 1 100000) | jq .vout[0].value
	done >firsts
	[[ $(sort -u firsts | wc -l) -eq 2 ]]
}

@test "an exact match is found, and then there is no change" {
	# 60000 with a fee of 1 sat/vB: 110 vbytes for one input and one output, 178 for two inputs.
	{
		for n in $(seq 20); do coin "$n" $((20000 + n * 977)); done
		coin 30 25178
		coin 31 35000
		coin 32 60109
	} >coins
	run -0 bb-mktx --to "$KEY1_ADDRESS=60000sat" coins
	assert_json '(.vout | length) == 1 and .vout[0].value == 60000 and .fee <= 210'
}

@test "not enough money is status 1 with the shortfall" {
	run -1 --separate-stderr bb-mktx --to "$P2WSH=0.5btc" < <(coin 1 1000)
	assert_output ""
	# One input and no change: 10.5 + 68 + 43 vbytes.
	assert_errors 'length == 1 and (.[0].error | test("short of 4999912[12] sat"))'
}

@test "change is never dust" {
	local rest
	for rest in 100 293 294 300 350 400 1000; do
		run -0 bb-mktx --to "$P2WSH=40000sat" < <(coin 1 $((40000 + 153 + rest)))
		assert_json 'all(.vout[]; .value >= 294)'
	done
}

@test "dust is not paid, unless --allow-dust" {
	local address limit
	while read -r address limit; do
		run -2 --separate-stderr bb-mktx --to "$address=$((limit - 1))sat" < <(coin 1 100000)
		assert_output ""
		assert_errors 'length == 1 and (.[0].error | contains("dust"))'
		run -0 bb-mktx --to "$address=${limit}sat" < <(coin 1 100000)
		run -0 bb-mktx --allow-dust --to "$address=1sat" < <(coin 1 100000)
	done <<-END
		$KEY1_ADDRESS 294
		$P2WSH 330
		$P2TR 330
		mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r 546
		2NAUYAHhujozruyzpsFRP63mbrdaU5wnEpN 540
	END
}

@test "--all sweeps every coin, and the output gets what the fee leaves" {
	# Signed: 41 and 100 times 41 bytes, and 2 and 100 times 107 of witness, a quarter each.
	run -0 bb-mktx --all --to "$KEY1_ADDRESS" < <(for n in $(seq 100); do coin "$n" 1000; done)
	assert_json '(.vin | length) == 100 and (.vout | length) == 1 and .vout[0].value == 100000 - .fee
		and .fee == 6817'
	run -1 --separate-stderr bb-mktx --all --to "$KEY1_ADDRESS" < <(coin 1 300)
	assert_output ""
}

@test "--inputs all spends every coin and gives change" {
	run -0 bb-mktx --inputs all --to "$P2WSH=1000sat" < <(coin 1 50000; coin 2 50000; coin 3 50000)
	assert_json '(.vin | length) == 3 and (.vout | length) == 2'
}

@test "--input spends exactly the coins named" {
	{ coin 1 50000; coin 2 60000; coin 3 70000; } >coins
	local two
	two=$(printf '%064x' 2)
	run -0 bb-mktx --input "$two:0" --to "$P2WSH=1000sat" coins
	assert_json --arg two "$two" '(.vin | map(.txid)) == [$two]'
	run -1 --separate-stderr bb-mktx --input "$(printf '%064x' 9):0" --to "$P2WSH=1000sat" coins
	assert_output ""
}

@test "any number of inputs and outputs" {
	local to=()
	for n in $(seq 500); do to+=(--to "$P2WSH=$((1000 + n))sat"); done
	run -0 bb-mktx --keep-order "${to[@]}" < <(for n in $(seq 1000); do coin "$n" 1500; done)
	assert_json '(.vout | length) >= 500 and (.vout[:500] | map(.value)) == [range(1001; 1501)]
		and (.vin | map(.txid) | unique | length) == (.vin | length)'
}

@test "a coin read twice counts once, and two lines that differ about one are an error" {
	run -1 --separate-stderr bb-mktx --to "$P2WSH=60000sat" < <(coin 1 50000; coin 1 50000)
	run -2 --separate-stderr bb-mktx --inputs all --to "$P2WSH=1000sat" \
		< <(coin 1 50000; coin 1 60000; coin 2 50000)
	assert_errors 'length == 1 and .[0].line == 2'
	assert_json --arg other "$(printf %064x 2)" '(.vin | map(.txid)) == [$other]'
}

@test "coinbases that are not mature, or not known to be, are left out" {
	immature() { coin 1 50000 ",\"height\":$1,\"coinbase\":true"; }
	# At a tip of 199, block 200 may spend the coinbase of block 100.
	run -1 --separate-stderr bb-mktx --height 198 --to "$P2WSH=1000sat" < <(immature 100)
	run -0 bb-mktx --height 199 --to "$P2WSH=1000sat" < <(immature 100)
	assert_json '.at_height == 200'
	run -1 bb-mktx --to "$P2WSH=1000sat" < <(immature 100)
	run -0 bb-mktx --to "$P2WSH=1000sat" < <(immature 100; coin 2 300 ',"height":199,"coinbase":false')
}

@test "confirmed coins are taken before unconfirmed ones" {
	run -0 bb-mktx --to "$P2WSH=10000sat" \
		< <(coin 1 50000 ',"status":{"confirmed":false}'; coin 2 50000; coin 3 50000 ',"status":{"confirmed":false}')
	assert_json --arg two "$(printf '%064x' 2)" '(.vin | map(.txid)) == [$two]'
}

@test "Esplora's utxo objects with an address are coins" {
	run -0 bb-mktx --to "$P2WSH=10000sat" < <(jq -cn --arg a "$KEY1_ADDRESS" '{txid: ("ab" * 32), vout: 1,
		status: {confirmed: true, block_height: 5, block_hash: ("00" * 32), block_time: 1}, value: 50000,
		scriptpubkey_address: $a}')
	assert_json --arg script "$KEY1_SCRIPT" '.vin[0].prevout.scriptpubkey == $script'
}

@test "lock times and sequences" {
	run -0 bb-mktx --locktime 500 --to "$P2WSH=1000sat" < <(coin 1 50000)
	assert_json '.locktime == 500 and .vin[0].sequence == 4294967293'
	run -0 bb-mktx --final --to "$P2WSH=1000sat" < <(coin 1 50000)
	assert_json '.locktime == 0 and .vin[0].sequence == 4294967295'
	run -0 bb-mktx --final --locktime 1600000000 --to "$P2WSH=1000sat" < <(coin 1 50000)
	assert_json '.locktime == 1600000000 and .vin[0].sequence == 4294967294'
	run -0 bb-mktx --sequence 144 --to "$P2WSH=1000sat" < <(coin 1 50000)
	assert_json '.vin[0].sequence == 144'
	for value in -1 4294967296 1.5 x ""; do
		run -2 bb-mktx --locktime "$value" --to "$P2WSH=1000sat" < <(coin 1 50000)
		run -2 bb-mktx --sequence "$value" --to "$P2WSH=1000sat" < <(coin 1 50000)
	done
}

@test "amounts without a unit or out of range are refused" {
	for amount in 1 1.5sat -1btc 21000001btc 2100000000000001sat 1e3sat 0.000000001btc "" sat btc 1BTC " 1btc" 0x10sat \
		99999999999999999999sat nan.btc; do
		run -2 --separate-stderr bb-mktx --to "$P2WSH=$amount" < <(coin 1 50000)
		assert_output ""
		assert_errors 'length == 1'
	done
}

@test "addresses of another network, or none, are refused" {
	for address in bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH nonsense "" \
		"${P2WSH%y}z"; do
		run -2 --separate-stderr bb-mktx --to "$address=1000sat" < <(coin 1 50000)
		assert_output ""
		run -2 bb-mktx --to "$P2WSH=1000sat" --change "$address" < <(coin 1 50000)
	done
}

@test "fee rates that are no rates are refused, and absurd fees too" {
	for rate in -1 x 1e3 nan "" 1.2345 99999999999999999999; do
		run -2 --separate-stderr bb-mktx --fee-rate "$rate" --to "$P2WSH=1000sat" < <(coin 1 50000)
		assert_output ""
	done
	run -1 --separate-stderr bb-mktx --fee-rate 100000 --to "$P2WSH=1000sat" < <(coin 1 100000000)
	assert_output ""
	assert_errors 'length == 1'
	run -0 bb-mktx --fee-rate 100000 --max-fee 1btc --to "$P2WSH=1000sat" < <(coin 1 100000000)
}

@test "bad lines are reported and the others used; with --fail-fast there is no transaction" {
	lines() {
		echo '{'
		coin 1 50000
		echo '{"type":"utxo"}'
		coin 2 1.5
		coin 3 -1
		coin 4 2100000000000001
		coin 5 50000 ',"height":-2'
		coin 6 50000 | jq -c '.txid = "00"'
		coin 7 50000 | jq -c '.vout = 4294967296'
		coin 8 50000 | jq -c '.scriptpubkey = "5"'
		coin 9 50000 | jq -c '.value = "5"'
	}
	lines >coins
	run -2 --separate-stderr bb-mktx --to "$P2WSH=40000sat" coins
	assert_json '(.vin | length) == 1'
	assert_errors 'map(.line) == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]'
	run -2 --separate-stderr bb-mktx --fail-fast --to "$P2WSH=40000sat" coins
	assert_output ""
}

@test "a call without anything to pay is wrong" {
	run -2 --separate-stderr bb-mktx < <(coin 1 50000)
	assert_output ""
	run -2 --separate-stderr bb-mktx --all < <(coin 1 50000)
	assert_output ""
	run -2 --separate-stderr bb-mktx --to "$P2WSH" < <(coin 1 50000)
	assert_output ""
}

@test "the fee covers an uncompressed key when the coin's line has its pubkey" {
	bb-keygen -t p2pkh --uncompressed -o key >pub
	coin 1 100000 | jq -c --slurpfile k pub '.scriptpubkey_address = $k[0].address
		| .pubkey = $k[0].pubkey | del(.scriptpubkey)' |
		bb-mktx --all --to "$P2WSH" | bb-sign -k key >signed
	jq -e '.fee * 4 >= .weight' signed
	bb-validate signed
}

@test "change never goes to an anchor, which is anybody's" {
	anchor() { coin 1 1000 | jq -c '.scriptpubkey = "51024e73"'; }
	{ anchor; coin 2 100000000; } >coins
	run -0 bb-mktx --inputs all --keep-order --to "$P2WSH=50000000sat" coins
	assert_json --arg own "$KEY1_SCRIPT" '.vout[1].scriptpubkey == $own'
	anchor | jq -c '.value = 100000000' >coins
	run -1 --separate-stderr bb-mktx --inputs all --to "$P2WSH=50000000sat" coins
	assert_errors '.[0].error | contains("--change")'
}

@test "a coin named by --input that is immature is not left out in silence" {
	coin 1 100000 ',"height":105,"coinbase":true' >coins
	coin 2 100000 >>coins
	run -1 --separate-stderr bb-mktx --input "$(printf %064x 1):0" --input "$(printf %064x 2):0" \
		--to "$P2WSH=50000sat" coins
	assert_output ""
	assert_errors '.[0].error | contains("immature")'
}
