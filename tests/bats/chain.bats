#!/usr/bin/env bats
# bb-chain: what it keeps and what it says of it. Expected values come from the main network's
# first blocks, of which the hashes are known to everybody, and from vectors/chains.py, which
# computes them apart from libbb.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper
unset BB_DIR
BB_SHARED=${BB_SHARED:-$BB_ROOT/../shared}
BLK=$BB_SHARED/data/mainnet-0-1000.blk
# The keys that mined block 9 and were paid most of block 170's transaction; the first address
# that was ever paid, in block 728.
SATOSHI=410411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf97444
SATOSHI+=64f82e160bfa9b8b64f9d4c03f999b8643f656b412a3ac
FIRST_ADDRESS=12higDjoCCNXSA95xZMWUdPvXNmkAduhWv
TX170=f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16
BLOCK170=00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee
MUHASH=96c396fb1d497fe3738ee204d73ea314680ba6529ccca5fe2023a600ce6a9cc7
REGTEST_GENESIS=0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206

chains() {
	python3 "$BATS_TEST_DIRNAME/vectors/chains.py" "$@"
}

# A chain of 120 blocks of regtest that spends, and from its block 100 another of 125 heights;
# the main network's first blocks, in a store that no test changes.
setup_file() {
	export MADE=$BATS_FILE_TMPDIR
	chains grow 120 --spend --pay "$KEY1_SCRIPT" >"$MADE/a"
	chains grow 25 --onto "$MADE/a" --at 100 --spend --tag b >"$MADE/b"
	{ head -n 100 "$MADE/a" && cat "$MADE/b"; } >"$MADE/ab"
	[[ ! -e $BLK ]] || bb-chain -n main -d "$MADE/main" import "$BLK"
}

# Each test has a store of its own at hand, which does not exist yet.
setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
	export BB_DIR=$BATS_TEST_TMPDIR/store
}

# main VERB...: bb-chain on the main network's first blocks; only where they are there.
main() {
	bb-chain -n main -d "$MADE/main" "$@"
}

needs_main() {
	[[ -e $BLK ]] || skip "$BLK is not there"
}

# id_of FILE N: the id of the Nth block of a file.
id_of() {
	chains ids "$1" | sed -n "$2p"
}

# assert_tip HEIGHT ID
assert_tip() {
	run -0 --separate-stderr bb-chain tip
	assert_json --argjson height "$1" --arg id "$2" '.type == "header" and .height == $height and .id == $id'
	assert_stderr ""
}

# assert_coins FILE: the store's coins are those that the active chain in that file leaves.
assert_coins() {
	local expected
	expected=$(chains sum "$1")
	run -0 --separate-stderr bb-chain coins --hash
	assert_json --argjson sum "$expected" '[.count, .txs, .value, .hash] ==
		($sum | [.count, .txs, .value, .hash])'
	diff <(chains coins "$1") <(bb-chain coins | coin_fields)
}

# coin_fields: what chains.py tells of utxo lines.
coin_fields() {
	jq -c '{txid, vout, value, scriptpubkey, height, coinbase}'
}

# assert_whole: verify finds nothing wrong.
assert_whole() {
	run -0 --separate-stderr bb-chain verify
	assert_json '.type == "verify" and .valid'
	assert_stderr ""
}

# The main network's first blocks

@test "the main network's first blocks end at block 1000, with its work" {
	needs_main
	run -0 --separate-stderr main tip
	# 1,001 blocks of difficulty 1, each worth 0x100010001 hashes.
	assert_json '.type == "header" and .height == 1000 and .tx_count == 1 and .version == 1
		and .id == "00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09"
		and .previousblockhash == "0000000008e647742775a230787d66fdf92c46a48c896bfbc85cdc8acc67e87d"
		and .merkle_root == "fe28050b93faea61fa88c4c630f0e1f0a1c24d0082dd0e10d369e13212128f33"
		and .timestamp == 1232346882 and .nonce == 2595206198 and .bits == 486604799
		and .difficulty == 1 and .chainwork == ("0" * 52 + "03e903e903e9")'
	assert_stderr ""
}

@test "their coins are 998, worth 50,000 BTC, and have Bitcoin Core's MuHash" {
	needs_main
	run -0 --separate-stderr main coins --muhash
	assert_json --arg muhash "$MUHASH" '.type == "coins" and .height == 1000 and .count == 998
		and .value == 5000000000000 and .muhash == $muhash and (has("hash") | not)
		and .id == "00000000c937983704a73af28acdec37b049d214adbda81d7e2a3dd146f6ed09"'
	assert_stderr ""
	run -0 main coins --hash
	assert_json --argjson sum "$(chains sum "$BLK")" '.hash == $sum.hash and .txs == $sum.txs
		and (has("muhash") | not)'
}

@test "their coins as lines are every unspent output, in order" {
	needs_main
	main coins >coins.ndjson
	diff <(chains coins "$BLK") <(coin_fields <coins.ndjson)
	jq -e -s 'length == 998 and all(.[]; .type == "utxo" and .status.confirmed
		and .status.block_height == .height)' coins.ndjson
}

@test "a transaction has its prevouts, its block and its surroundings" {
	needs_main
	run -0 --separate-stderr main tx "$TX170"
	assert_json --arg script "$SATOSHI" --arg block "$BLOCK170" '.type == "tx"
		and .prevouts == [.prevouts[0] + {scriptpubkey: $script, value: 5000000000, height: 9,
			coinbase: true}]
		and .status == {confirmed: true, block_height: 170, block_hash: $block,
			block_time: 1231731025}
		and .at_height == 170'
	assert_stderr ""
	# The median of the times before, as the claims of block 170 in the fixtures have it.
	mtp=$(jq -s 'map(select(.height == 170))[0].prev_times | sort | .[5]' \
		"$BATS_TEST_DIRNAME/fixtures/blocks.ndjson")
	assert_json --argjson mtp "$mtp" '.at_mtp == $mtp'
	run -0 main tx --full "$TX170"
	assert_json --arg txid "$TX170" --arg block "$BLOCK170" '.txid == $txid and .size == 275
		and .fee == 0 and .status.block_hash == $block and (.vout | map(.value)) == [1000000000, 4000000000]
		and .vin[0].txid == "0437cd7f8525ceed2324359c2d0ba26006d92d856a9c20fa0241106ee5a597c9"
		and .vin[0].prevout.value == 5000000000'
}

@test "transactions are asked for by lines, too, and answered in order" {
	needs_main
	ids=$(chains history "$BLK" "$SATOSHI")
	run -0 --separate-stderr main tx --full < <(jq -cR '{txid: .}' <<<"$ids")
	[[ $(jq -r .txid <<<"$output") == "$ids" ]]
}

@test "a transaction that is not in the chain is status 1" {
	needs_main
	run -1 --separate-stderr main tx "$BLOCK170"
	assert_output ""
	assert_errors 'length == 1'
	run -1 --separate-stderr main tx "$BLOCK170" "$TX170"
	assert_json '.at_height == 170'
}

@test "the history of a script is its transactions in the order of the chain" {
	needs_main
	expected=$(chains history "$BLK" "$SATOSHI")
	[[ $(wc -l <<<"$expected") == 6 ]]
	run -0 --separate-stderr main history --full < <(jq -cR '{scriptpubkey: .}' <<<"$SATOSHI")
	[[ $(jq -r .txid <<<"$output") == "$expected" ]]
	assert_stderr ""
	run -0 main history --full "$FIRST_ADDRESS"
	[[ $(jq -r .txid <<<"$output") == 6f7cf9580f1c2dfb3c4d5d043cdbb128c640e3f20161245aa7372e9666168516 ]]
}

@test "the history of every script of the first thousand blocks is right" {
	needs_main
	jq -r .scriptpubkey < <(chains coins "$BLK") | sort -u | head -n 40 >scripts
	echo "$SATOSHI" >>scripts
	while read -r script; do
		diff <(chains history "$BLK" "$script") \
			<(main history --full <<<"{\"scriptpubkey\":\"$script\"}" | jq -r .txid)
	done < <(shuf -n 6 --random-source="$BLK" scripts; echo "$SATOSHI")
}

@test "an address has its coins and their sum" {
	needs_main
	run -0 --separate-stderr main utxo "$FIRST_ADDRESS"
	assert_json --arg address "$FIRST_ADDRESS" '.type == "utxo" and .vout == 0
		and .txid == "6f7cf9580f1c2dfb3c4d5d043cdbb128c640e3f20161245aa7372e9666168516"
		and .value == 10000000000 and .height == 728 and (.coinbase | not) and .scriptpubkey_address == $address
		and .scriptpubkey == "76a91412ab8dc588ca9d5787dde7eb29569da63c3a238c88ac"
		and .status.confirmed and .status.block_height == 728 and .mtp < .status.block_time'
	assert_stderr ""
	run -0 main balance "$FIRST_ADDRESS"
	assert_json --arg address "$FIRST_ADDRESS" '.type == "balance" and .address == $address and
		[.value, .count, .immature, .height] == [10000000000, 1, 0, 1000]'
}

@test "scripts without an address are asked for by lines" {
	needs_main
	# Four of Satoshi's payments gave change; what the last left is unspent.
	line=$(jq -cR '{scriptpubkey: .}' <<<"$SATOSHI")
	diff <(chains coins "$BLK" | jq -c --arg s "$SATOSHI" 'select(.scriptpubkey == $s)') \
		<(main utxo <<<"$line" | coin_fields)
	run -0 main balance <<<"$line"
	assert_json '[.value, .count, .immature] == [1800000000, 1, 0]'
}

@test "a coin tells its type, which bb-mktx does not believe" {
	run -0 bb-chain add "$MADE/a"
	for verb in coins "utxo $KEY1_ADDRESS"; do
		# shellcheck disable=SC2086 # several words
		bb-chain $verb >coins
		diff <(jq -r .scriptpubkey_type coins) \
			<(jq -r .scriptpubkey coins | bb-decode --type script | jq -r .scripttype)
	done
	jq -e -s 'length > 0 and all(.[]; .scriptpubkey_type == "v0_p2wpkh")' coins
	jq -c 'select(.coinbase | not)' coins | head -n 1 >coin
	diff <(bb-mktx --all --keep-order --to "$KEY1_ADDRESS" coin) \
		<(jq -c '.scriptpubkey_type = "p2pk"' coin | bb-mktx --all --keep-order --to "$KEY1_ADDRESS")
}

@test "a script index query finds what a walk over all coins finds" {
	needs_main
	chains coins "$BLK" >all
	main utxo <all | coin_fields >found
	# A script that stands in three coins is asked for three times.
	diff <(jq -c . all | sort) <(sort -u found)
	[[ $(wc -l <found) -ge 998 ]]
}

@test "an address without coins is not an error" {
	needs_main
	run -0 --separate-stderr main utxo 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa
	assert_output ""
	assert_stderr ""
	run -0 main balance 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa
	assert_json '[.value, .count, .immature] == [0, 0, 0]'
	run -0 main history 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa
}

@test "the genesis output is no coin, though its transaction is there" {
	needs_main
	script=4104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f3550
	script+=4e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac
	run -0 main utxo <<<"{\"scriptpubkey\":\"$script\"}"
	assert_output ""
	run -0 main block --full 0
	assert_json '.id == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"'
}

@test "an address of another network is the caller's mistake" {
	needs_main
	for verb in utxo balance history; do
		run -2 --separate-stderr main "$verb" "$KEY1_ADDRESS"
		assert_output ""
		assert_errors 'length == 1'
	done
}

# What lists blocks feeds bb-validate

@test "every block with its prevouts and claims is valid, and nothing is left unjudged" {
	needs_main
	main blocks --prevouts >blocks.ndjson
	run -0 --separate-stderr bb-validate -n main --verdict -j 2 blocks.ndjson
	assert_json -s 'length == 1001 and all(.[]; .valid and (has("unjudged") | not))'
	assert_stderr ""
	jq -e -s 'map(.height) == [range(1001)] and all(.[1:][]; .expected_bits == 486604799)' blocks.ndjson
}

@test "so they are in Esplora's shape" {
	needs_main
	main blocks --prevouts --full >blocks.ndjson
	run -0 --separate-stderr bb-validate -n main --verdict -j 2 blocks.ndjson
	assert_json -s 'length == 1001 and all(.[]; .valid and (has("unjudged") | not))'
	jq -e -s 'map(.height) == [range(1001)] and all(.[]; has("hex") | not)
		and .[170].tx[1].vin[0].prevout.value == 5000000000' blocks.ndjson
}

@test "so they are by parallel, in order" {
	needs_main
	command -v parallel >/dev/null || skip "parallel is not here"
	main blocks --prevouts |
		parallel --will-cite --pipe -k --block 100k -j 2 bb-validate -n main --verdict >verdicts
	jq -e -s 'length == 1001 and all(.[]; .valid and (has("unjudged") | not))' verdicts
	diff <(main blocks --full | jq -r .id) <(jq -r .id verdicts)
}

@test "so are single blocks and transactions" {
	needs_main
	run -0 main block --prevouts 170 "$BLOCK170" 546
	jq -c . <<<"$output" | bb-validate -n main --verdict >verdicts
	jq -e -s --arg id "$BLOCK170" 'map(.id)[:2] == [$id, $id] and all(.[]; .valid and (has("unjudged") | not))' \
		verdicts
	main history <<<"{\"scriptpubkey\":\"$SATOSHI\"}" | tail -n +2 | bb-validate -n main --verdict >verdicts
	jq -e -s 'length == 5 and all(.[]; .valid and (has("unjudged") | not))' verdicts
}

@test "ranges of blocks and headers include both ends" {
	needs_main
	run -0 main blocks --from 100 --to 102
	assert_json -s 'map(.height) == [100, 101, 102]'
	run -0 main headers --from 999
	assert_json -s 'map(.height) == [999, 1000] and all(.[]; .type == "header" and (.hex | length) == 160)'
	run -0 main headers --to 0
	assert_json '.height == 0 and (.hex | startswith("01000000" + "0" * 64))'
	run -0 main headers --full --from 170 --to 170
	assert_json --arg id "$BLOCK170" '.id == $id and .height == 170 and .tx_count == 2 and .timestamp == 1231731025'
}

@test "a range that begins behind the tip is not found, and one that ends there ends at the tip" {
	needs_main
	for words in "headers --from 1001" "blocks --from 2000 --to 3000" "export --from 1001"; do
		# shellcheck disable=SC2086 # several words
		run -1 --separate-stderr main $words
		assert_output ""
		assert_errors 'length == 1'
	done
	run -0 main headers --from 1000 --to 3000
	assert_json '.height == 1000'
}

@test "a block that is not there is status 1" {
	needs_main
	run -1 --separate-stderr main block 1001
	assert_output ""
	assert_errors 'length == 1'
	run -1 --separate-stderr main block "$TX170" 5
	assert_json '.height == 5'
	run -2 --separate-stderr main block x
}

@test "the export of the main network's first blocks is the file they came from" {
	needs_main
	main export | cmp - "$BLK"
	main export --from 1 --to 1 | cmp - <(tail -c +294 "$BLK" | head -c 223)
}

@test "what is exported imports to the same coins" {
	needs_main
	run -0 --separate-stderr bb-chain -n main import - < <(main export)
	assert_output ""
	assert_stderr ""
	run -0 bb-chain -n main coins --muhash
	assert_json --arg muhash "$MUHASH" '.muhash == $muhash'
}

@test "proofs lead from transaction and coinbase to the header" {
	needs_main
	ids=$(main blocks --full --from 545 --to 546 | jq -r '.tx[].txid')
	[[ $(wc -l <<<"$ids") == 6 ]]
	# shellcheck disable=SC2086 # several words
	run -0 --separate-stderr main proof $ids "$TX170"
	assert_stderr ""
	chains proof <<<"$output"
	[[ $(jq -r .txid <<<"$output") == "$ids"$'\n'"$TX170" ]]
	assert_json -s --arg id "$BLOCK170" 'map([.height, .position]) ==
		[[545, 0], [545, 1], [546, 0], [546, 1], [546, 2], [546, 3], [170, 1]]
		and .[6].id == $id and (.[6].hashes | length) == 1'
	run -1 --separate-stderr main proof "$BLOCK170"
	assert_output ""
	assert_errors 'length == 1'
}

@test "verify finds the main network's first blocks whole" {
	needs_main
	run -0 --separate-stderr main verify
	assert_json '.type == "verify" and .valid and .height == 1000 and .blocks == 1001 and .coins == 998'
	assert_stderr ""
}

@test "events tell every block, and the tip" {
	needs_main
	main events >events.ndjson
	jq -e -s 'map(.seq) == [range(1; length + 1)] and all(.[]; .type == "event")
		and (map(select(.event == "connected").height) | .[length - 1000:]) == [range(1; 1001)]
		and .[-1].event == "tip" and .[-1].height == 1000 and all(.[]; .event != "disconnected")' events.ndjson
	last=$(wc -l <events.ndjson)
	run -0 main events --since $((last - 3))
	assert_output "$(tail -n 3 events.ndjson)"
	run -0 main events --since "$last"
	assert_output ""
}

# Ways in

# assert_main: the store holds the main network's first blocks.
assert_main() {
	run -0 bb-chain -n main coins --muhash
	assert_json --arg muhash "$MUHASH" '.height == 1000 and .muhash == $muhash'
}

@test "blocks are imported in any order" {
	needs_main
	python3 - "$BLK" <<-'EOF'
		import random, struct, sys
		data, blocks = open(sys.argv[1], "rb").read(), []
		while data:
		    size = 8 + struct.unpack("<I", data[4:8])[0]
		    blocks.append(data[:size])
		    data = data[size:]
		open("backwards", "wb").write(b"".join(reversed(blocks)))
		random.Random(3).shuffle(blocks)
		open("shuffled", "wb").write(b"".join(blocks))
	EOF
	for order in backwards shuffled; do
		run -0 --separate-stderr bb-chain -n main -d "$order.store" import "$order"
		assert_output ""
		assert_stderr ""
		BB_DIR=$order.store assert_main
	done
	BB_DIR=shuffled.store run -0 bb-chain -n main verify
}

@test "a folder of blk files is imported, Core's xor.dat taken off" {
	needs_main
	mkdir blocks
	python3 - "$BLK" <<-'EOF'
		import sys
		data, key = open(sys.argv[1], "rb").read(), bytes.fromhex("0123456789abcdef")
		open("blocks/xor.dat", "wb").write(key)
		# The later blocks lie in the first file; behind them are zeros that Core has set aside.
		at = data.index(b"\xf9\xbe\xb4\xd9", 150000)
		for name, part in ("blk00000.dat", data[at:]), ("blk00001.dat", data[:at]):
		    part = bytes(b ^ key[i % 8] for i, b in enumerate(part)) + bytes(5000)
		    open("blocks/" + name, "wb").write(part)
	EOF
	echo hello >blocks/rev00000.dat
	run -0 --separate-stderr bb-chain -n main import blocks
	assert_output ""
	assert_stderr ""
	assert_main
}

@test "several files are imported, the children's before the parents'" {
	needs_main
	python3 - "$BLK" <<-'EOF'
		import struct, sys
		data, blocks = open(sys.argv[1], "rb").read(), []
		while data:
		    size = 8 + struct.unpack("<I", data[4:8])[0]
		    blocks.append(data[:size])
		    data = data[size:]
		open("one", "wb").write(b"".join(blocks[500:]))
		open("two", "wb").write(b"".join(blocks[:500]))
	EOF
	run -0 --separate-stderr bb-chain -n main import one two
	assert_output ""
	assert_main
}

@test "lines are imported, from a file and from standard input" {
	needs_main
	main blocks >lines
	run -0 --separate-stderr bb-chain -n main -d a import lines
	assert_output ""
	BB_DIR=a assert_main
	run -0 --separate-stderr bb-chain -n main -d b import - <lines
	BB_DIR=b assert_main
	run -0 --separate-stderr bb-chain -n main -d c import - <"$BLK"
	BB_DIR=c assert_main
}

@test "an import of what is there changes nothing" {
	run -0 bb-chain import "$MADE/a"
	before=$(bb-chain events | wc -l)
	run -0 --separate-stderr bb-chain import "$MADE/a"
	assert_output ""
	[[ $(bb-chain events | wc -l) == "$before" ]]
}

@test "an import by several threads is the same as by one" {
	needs_main
	run -0 bb-chain -n main import -j 4 "$BLK"
	assert_main
}

@test "a small cache is enough" {
	run -0 bb-chain import --cache 0 "$MADE/a"
	assert_coins "$MADE/a"
	assert_whole
}

@test "every built-in network starts with its own genesis block" {
	for network in main:000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f \
		testnet3:000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943 \
		testnet4:00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043 \
		signet:00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6 \
		regtest:$REGTEST_GENESIS \
		barenet:000004dadc4ca8caeee35eedd1d4e127e6dede36ba0f38fe77a8452d321285fe; do
		run -1 --separate-stderr bb-chain -n "${network%:*}" -d "${network%:*}" add </dev/null
		assert_output ""
		run -0 --separate-stderr bb-chain -n "${network%:*}" -d "${network%:*}" tip
		assert_json --arg id "${network#*:}" '.height == 0 and .id == $id'
	done
}

@test "the store is below -d, else BB_DIR, else ~/.bb and the network's name" {
	run -0 bb-chain -d one add "$MADE/a"
	[[ -s one/chain/data.mdb && -s one/blocks/blk00000.dat && ! -e $BB_DIR ]]
	run -0 bb-chain add "$MADE/a"
	[[ -s $BB_DIR/chain/data.mdb ]]
	run -0 env -u BB_DIR HOME="$PWD" bb-chain add "$MADE/a"
	[[ -s .bb/regtest/chain/data.mdb ]]
	run -1 env -u BB_DIR HOME="$PWD" bb-chain -n signet add </dev/null
	[[ -s .bb/signet/chain/data.mdb ]]
}

@test "options may stand before the verb or behind it" {
	run -0 bb-chain add "$MADE/a"
	one=$(bb-chain -n regtest --from 5 headers --to 6)
	run -0 bb-chain headers --to 6 -n regtest --from 5
	assert_output "$one"
	[[ $(wc -l <<<"$one") == 2 ]]
}

# add

@test "each block gets a verdict with the tip after it" {
	run -0 --separate-stderr bb-chain add "$MADE/a"
	assert_json -s --arg ids "$(chains ids "$MADE/a")" '($ids / "\n") as $ids | length == 120
		and map(.line) == [range(1; 121)] and map(.height) == [range(1; 121)]
		and map(.id) == $ids and map(.tip) == $ids
		and all(.[]; .type == "verdict" and .valid and .result == "connected" and (has("unjudged") | not))'
	assert_stderr ""
	assert_coins "$MADE/a"
}

@test "a block that is there is a duplicate" {
	head -n 3 "$MADE/a" >three
	run -0 bb-chain add three
	run -0 bb-chain add three
	assert_json -s 'map(.result) == ["duplicate", "duplicate", "duplicate"] and all(.[]; .valid and .height == 3)'
}

@test "a block before its parent is an orphan, and connects with it" {
	run -0 --separate-stderr bb-chain add < <(sed -n 2,3p "$MADE/a"; head -n 1 "$MADE/a")
	assert_json -s 'map(.result) == ["orphan", "orphan", "connected"] and map(.height) == [0, 0, 3]'
	assert_tip 3 "$(id_of "$MADE/a" 3)"
	# Over a restart, too.
	run -0 bb-chain add < <(sed -n 5p "$MADE/a")
	assert_json '.result == "orphan"'
	run -0 bb-chain add < <(sed -n 4p "$MADE/a")
	assert_json '.result == "connected" and .height == 5'
	assert_whole
}

@test "a branch with less work is kept aside, and taken when it has more" {
	head -n 110 "$MADE/a" >start
	head -n 100 "$MADE/a" | cat - "$MADE/b" | head -n 112 >end
	run -0 bb-chain add start
	run -0 --separate-stderr bb-chain add < <(head -n 12 "$MADE/b")
	assert_json -s 'map(.result) == [range(10) | "side"] + ["connected", "connected"]
		and map(.height) == [range(10) | 110] + [111, 112] and all(.[]; .valid)'
	assert_tip 112 "$(id_of "$MADE/b" 12)"
	assert_coins end
	assert_whole
	run -0 bb-chain tips
	assert_json -s --arg a "$(id_of "$MADE/a" 110)" --arg b "$(id_of "$MADE/b" 12)" '
		map([.id, .height, .status, .branch_length]) == [[$b, 112, "active", 0], [$a, 110, "valid-fork", 10]]'
}

@test "a reorganisation is told by events" {
	head -n 103 "$MADE/a" >start
	run -0 bb-chain add start
	last=$(bb-chain events | tail -n 1 | jq .seq)
	run -0 bb-chain add < <(head -n 4 "$MADE/b")
	run -0 bb-chain events --since "$last"
	assert_json -s --arg a "$(chains ids start | sed -n 101,103p)" \
		--arg b "$(chains ids "$MADE/b" | head -n 4)" '
		($a / "\n") as $a | ($b / "\n") as $b | map([.event, .id, .height]) ==
		[["disconnected", $a[2], 103], ["disconnected", $a[1], 102], ["disconnected", $a[0], 101],
			["connected", $b[0], 101], ["connected", $b[1], 102], ["connected", $b[2], 103],
			["connected", $b[3], 104], ["tip", $b[3], 104]]'
}

@test "of branches with equal work the first seen stays, over restarts" {
	ab=$(id_of "$MADE/b" 5)
	run -0 bb-chain add < <(head -n 105 "$MADE/a")
	run -0 bb-chain add < <(head -n 5 "$MADE/b")
	assert_tip 105 "$(id_of "$MADE/a" 105)"
	run -1 bb-chain add </dev/null
	assert_tip 105 "$(id_of "$MADE/a" 105)"
	# Taken away and given back it is still the first; and so is the other in its own store.
	run -0 bb-chain invalidate "$(id_of "$MADE/a" 105)"
	assert_json --arg tip "$ab" '.result == "accepted" and .tip == $tip and .height == 105'
	run -0 bb-chain reconsider "$(id_of "$MADE/a" 105)"
	assert_tip 105 "$(id_of "$MADE/a" 105)"
	run -0 bb-chain -d other add < <(head -n 100 "$MADE/a" && head -n 5 "$MADE/b" && sed -n 101,105p "$MADE/a")
	BB_DIR=other assert_tip 105 "$ab"
}

@test "a header is accepted, and its block connects later" {
	jq -c '{type: "header", hex: .hex[:160]}' "$MADE/a" >headers
	run -0 --separate-stderr bb-chain add headers
	assert_json -s 'length == 120 and all(.[]; .valid and .result == "accepted" and .height == 0)'
	assert_tip 0 "$REGTEST_GENESIS"
	run -0 bb-chain tips
	assert_json -s 'map(.status) == ["active", "headers-only"] and .[1].height == 120 and .[1].branch_length == 120'
	run -0 bb-chain add "$MADE/a"
	assert_json -s 'map(.result) | all(.[]; . == "connected")'
	assert_coins "$MADE/a"
}

@test "a header is read from fields, too, and so is a block" {
	bb-decode "$MADE/a" >full
	run -0 bb-chain add < <(jq -c 'del(.tx) | .type = "header"' full)
	assert_json -s 'all(.[]; .result == "accepted")'
	run -0 bb-chain add full
	assert_json -s 'length == 120 and .[-1].height == 120'
}

@test "a block that breaks a rule is refused with Core's reason, and its child with it" {
	bb-decode < <(head -n 1 "$MADE/a") | jq -c '.tx[0].vout[0].value += 1 | del(.tx[0].txid, .tx[0].wtxid)' >bad
	run -1 --separate-stderr bb-chain add bad
	assert_json '.valid == false and .result == "refused" and .error == "bad-txnmrklroot" and .height == 0'
	# Another body may be right: the hash is not held against it.
	run -0 bb-chain add < <(head -n 1 "$MADE/a")
	assert_json '.result == "connected"'
}

@test "a block that pays itself too much is invalid for good, and so are its children" {
	chains grow 2 --extra 1 >bad
	run -1 --separate-stderr bb-chain add bad
	assert_json -s 'map([.result, .error]) == [["refused", "bad-cb-amount"], ["refused", "bad-prevblk"]]'
	run -1 bb-chain add bad
	assert_json -s 'map(.error) == ["duplicate-invalid", "bad-prevblk"]'
	run -0 bb-chain tips
	assert_json -s 'map(.status) == ["active", "invalid"]'
	run -0 bb-chain add "$MADE/a"
	assert_coins "$MADE/a"
	assert_whole
}

@test "a coin that is not there cannot be spent" {
	# The spends of the branch are of its own coinbases' elders; without them they are missing.
	chains grow 1 --onto "$MADE/a" --at 5 --steal >bad
	run -0 bb-chain add < <(head -n 5 "$MADE/a")
	run -1 bb-chain add bad
	assert_json '.error == "bad-txns-inputs-missingorspent"'
}

@test "--now is the time against which the future is judged" {
	# The first block's time is 600 seconds past genesis; two hours are the limit.
	head -n 1 "$MADE/a" >one
	run -1 bb-chain add --now $((1296688602 + 600 - 7201)) one
	assert_json '.error == "time-too-new"'
	run -0 bb-chain add --now $((1296688602 + 600 - 7200)) one
	assert_json '.result == "connected"'
}

@test "from is copied into the verdict" {
	run -1 bb-chain add < <(chains grow 1 --extra 1 | jq -c '.from = {"n": [1]}'
		head -n 1 "$MADE/a" | jq -c '.from = "peer-7"')
	assert_json -s 'map([.valid, .from]) == [[false, {"n": [1]}], [true, "peer-7"]]'
}

@test "prevouts and claims in a line are not believed" {
	jq -c '. + {height: 7, expected_bits: 5, now: 3, prev_times: [9],
		prevouts: (if input_line_number > 101 then [{scriptpubkey: "00", value: 1}] else [] end)}' "$MADE/a" >lies
	run -0 bb-chain add lies
	assert_json -s 'length == 120 and all(.[]; .result == "connected")'
	assert_coins "$MADE/a"
}

@test "a verdict comes before the next line is asked for, and what it says is committed" {
	mkfifo in out
	bb-chain add <in >out 3>&- &
	exec 8>in 9<out
	for n in 1 2 3; do
		sed -n "${n}p" "$MADE/a" >&8
		read -r verdict <&9
		jq -e --argjson n "$n" '.height == $n' <<<"$verdict"
		run -0 bb-chain tip
		assert_json --argjson n "$n" '.height == $n'
	done
	exec 8>&-
	wait $!
	exec 9<&-
}

@test "several adds side by side take turns, and nothing is lost" {
	{ sed -n 'n;p' "$MADE/a" | bb-chain add >even; } 3>&- &
	sed -n 'p;n' "$MADE/a" | bb-chain add >odd
	wait $!
	[[ $(cat even odd | wc -l) == 120 ]]
	assert_tip 120 "$(id_of "$MADE/a" 120)"
	assert_coins "$MADE/a"
	assert_whole
}

@test "run writes verdicts, then their events" {
	run -0 --separate-stderr bb-chain run < <(head -n 2 "$MADE/a")
	assert_json -s 'map(select(.type == "verdict")) | map(.result) == ["connected", "connected"]'
	assert_json -s --arg id "$(id_of "$MADE/a" 2)" '.[-1].event == "tip" and .[-1].id == $id
		and (map(.type) | index("event") > index("verdict"))
		and (map(select(.event == "connected").height) | .[-2:]) == [1, 2]'
	run -0 bb-chain events
	assert_json -s '.[-1].event == "tip" and .[-1].height == 2'
}

@test "events --follow waits for what is to come, and ends with its reader" {
	run -0 bb-chain add < <(head -n 1 "$MADE/a")
	since=$(bb-chain events | tail -n 1 | jq .seq)
	mkfifo told
	timeout 30 bb-chain events --since "$since" --follow >told 3>&- &
	follower=$!
	exec 9<told
	run -0 bb-chain add < <(sed -n 2,3p "$MADE/a")
	while read -r event <&9; do
		echo "$event" >>seen
		jq -e '.event == "tip" and .height == 3' <<<"$event" && break
	done
	exec 9<&-
	run -0 bb-chain add < <(sed -n 4p "$MADE/a")
	wait "$follower" || true
	jq -e -s 'map(select(.event == "connected").height) == [2, 3]' seen
	diff seen <(bb-chain events --since "$since" | head -n "$(wc -l <seen)")
}

# Locks

# hold VERB...: run it with a FIFO as its input until released; returns when it has the store.
hold() {
	mkfifo hold.in hold.out
	bb-chain "$@" <hold.in >hold.out 3>&- &
	HOLDER=$!
	exec 8>hold.in 9<hold.out
	head -n 1 "$MADE/a" >&8
	read -r _ <&9
}

release() {
	exec 8>&-
	cat <&9 >/dev/null
	wait "$HOLDER"
	exec 9<&-
}

@test "beside run a second writer is refused, and told which process has the store" {
	hold run
	for verb in "run $MADE/a" "import $MADE/a" "add $MADE/a"; do
		# shellcheck disable=SC2086 # several words
		run -3 --separate-stderr bb-chain $verb </dev/null
		assert_output ""
		assert_errors "length == 1 and (.[0].error | contains(\"$HOLDER\"))"
	done
	release
	run -0 bb-chain import "$MADE/a"
	assert_coins "$MADE/a"
}

@test "readers read beside a writer, and see its last commit" {
	hold run
	assert_tip 1 "$(id_of "$MADE/a" 1)"
	sed -n 2,120p "$MADE/a" >&8
	while read -r line <&9; do
		[[ $line != *'"event":"tip"'*'"height":120'* ]] || break
	done
	assert_tip 120 "$(id_of "$MADE/a" 120)"
	assert_coins "$MADE/a"
	assert_whole
	release
}

@test "a writer's death frees the store" {
	hold run
	kill -9 "$HOLDER"
	wait "$HOLDER" || true
	exec 8>&- 9<&-
	run -0 bb-chain import "$MADE/a"
	assert_tip 120 "$(id_of "$MADE/a" 120)"
	assert_whole
}

@test "a reader makes no store where there is none" {
	for verb in tip tips headers blocks "block 0" "tx $TX170" "utxo $KEY1_ADDRESS" \
		"balance $KEY1_ADDRESS" "history $KEY1_ADDRESS" coins "coins --hash" prevouts "proof $TX170" \
		verify export events; do
		# shellcheck disable=SC2086 # several words
		run -3 --separate-stderr bb-chain $verb </dev/null
		assert_output ""
		assert_errors 'length == 1'
		[[ ! -e $BB_DIR ]]
	done
}

# Taking back

@test "invalidate moves the tip back, reconsider forth again" {
	run -0 bb-chain add "$MADE/a"
	id=$(id_of "$MADE/a" 101)
	run -0 --separate-stderr bb-chain invalidate "$id"
	assert_json --arg tip "$(id_of "$MADE/a" 100)" --arg id "$id" '.type == "verdict" and .id == $id
		and .result == "accepted" and .valid and .tip == $tip and .height == 100'
	head -n 100 "$MADE/a" >hundred
	assert_coins hundred
	assert_whole
	run -0 bb-chain tips
	assert_json -s 'map(.status) == ["active", "invalid"] and .[1].branch_length == 20'
	run -1 bb-chain add < <(sed -n 101p "$MADE/a"; chains grow 1 --onto "$MADE/a" --at 101 --tag c)
	assert_json -s 'map(.error) == ["duplicate-invalid", "bad-prevblk"]'
	run -0 bb-chain reconsider "$id"
	assert_json '.result == "accepted" and .height == 120'
	assert_coins "$MADE/a"
	assert_whole
}

@test "invalidate goes over to the next best branch" {
	run -0 bb-chain add "$MADE/a" "$MADE/b"
	assert_tip 125 "$(id_of "$MADE/b" 25)"
	run -0 bb-chain invalidate "$(id_of "$MADE/b" 1)"
	assert_json --arg tip "$(id_of "$MADE/a" 120)" '.tip == $tip'
	assert_coins "$MADE/a"
	run -0 bb-chain reconsider "$(id_of "$MADE/b" 25)"
	assert_json --arg tip "$(id_of "$MADE/b" 25)" '.tip == $tip'
	assert_coins "$MADE/ab"
	assert_whole
}

@test "what is not there, and genesis, cannot be invalidated" {
	run -0 bb-chain add < <(head -n 2 "$MADE/a")
	run -1 --separate-stderr bb-chain invalidate "$TX170"
	assert_json '.result == "refused" and .error == "not-found"'
	run -1 --separate-stderr bb-chain reconsider "$TX170"
	assert_json '.error == "not-found"'
	run -1 --separate-stderr bb-chain invalidate "$REGTEST_GENESIS"
	assert_json '.result == "refused" and .error == "genesis" and .height == 2'
	run -2 --separate-stderr bb-chain invalidate 5
	assert_output ""
}

# prevouts

@test "prevouts gives transactions and blocks the ledger's own coins" {
	run -0 bb-chain add < <(head -n 101 "$MADE/a")
	# Block 102 is to come; its transaction spends the coinbase of block 2.
	sed -n 102p "$MADE/a" >block
	bb-decode block | jq -c '.tx[1]' | bb-decode --lean | jq -c '{type, hex}' >tx
	run -0 --separate-stderr bb-chain prevouts < <(jq -c '. + {prevouts: [{scriptpubkey: "00", value: 1}], at_height: 1,
		keep: [1, {"a": null}]}' tx)
	assert_json '.prevouts == [{scriptpubkey: "51", value: 5000000000, height: 2, coinbase: true,
		mtp: .prevouts[0].mtp}] and .at_height == 102 and .keep == [1, {"a": null}]'
	run -0 bb-validate --verdict <<<"$output"
	assert_json '.valid and (has("unjudged") | not)'
	run -0 bb-chain prevouts block
	assert_json '.height == 102 and (.prevouts | length) == 1 and .expected_bits == 545259519
		and (.prev_times | length) == 11 and (.now | type) == "number"'
	run -0 bb-validate --verdict <<<"$output"
	assert_json '.valid and (has("unjudged") | not)'
}

@test "prevouts passes everything else byte for byte, malformed lines too" {
	run -0 bb-chain add < <(head -n 2 "$MADE/a")
	printf '%s\n' '{"type":"ping","nonce":"00"}' '{ "type" : "verdict",  "line":1}' '{' 'hello' '[]' \
		'{"type":"tx","hex":"00"}' '{"type":"tx","hex":5}' >lines
	run -0 --separate-stderr bb-chain prevouts lines
	assert_output "$(<lines)"
}

@test "prevouts says null of a coin that it does not have" {
	run -0 bb-chain add < <(head -n 2 "$MADE/a")
	run -0 --separate-stderr bb-chain prevouts <<<"$BIP143_LINE"
	assert_json '.prevouts == [null, null] and .at_height == 3'
	# Block 103's transaction spends the coinbase of block 3.
	bb-decode < <(sed -n 103p "$MADE/a") | jq -c '.tx[1]' | bb-chain prevouts >tx
	run -1 bb-validate --verdict tx
	assert_json '.error == "missing-prevouts"'
	jq -e '.vin[0].prevout == null' tx
}

@test "prevouts sees the newest commit for each line" {
	run -0 bb-chain add < <(head -n 5 "$MADE/a")
	mkfifo in out
	bb-chain prevouts <in >out 3>&- &
	exec 8>in 9<out
	for n in 5 6; do
		echo "$BIP143_LINE" >&8
		read -r line <&9
		jq -e --argjson n "$n" '.at_height == $n + 1' <<<"$line"
		run -0 bb-chain add < <(sed -n 6p "$MADE/a")
	done
	exec 8>&-
	wait $!
	exec 9<&-
}

# Compositions

@test "a coin of the ledger is paid, signed, and judged by it" {
	chains grow 101 --script "$KEY1_SCRIPT" >mine
	run -0 bb-chain add mine
	key_file key
	run -0 bb-chain utxo "$KEY1_ADDRESS"
	assert_json -s 'length == 101 and all(.[]; .coinbase)'
	run -0 bb-chain balance "$KEY1_ADDRESS"
	# Coinbases of block 2 on can be spent in the next block, 102; those above it cannot.
	assert_json '[.count, .value, .immature, .height] == [101, 505000000000, 495000000000, 101]'
	bb-chain utxo "$KEY1_ADDRESS" | jq -c 'select(.height <= 2)' |
		bb-mktx --height 101 --to "$KEY1_ADDRESS=60btc" --fee-rate 2 | bb-sign -k key | bb-encode |
		jq -cR '{type: "tx", hex: .}' | bb-chain prevouts >tx
	run -0 bb-validate --verdict tx
	assert_json '.valid and (has("unjudged") | not)'
	run -1 bb-validate --verdict < <(bb-chain utxo "$KEY1_ADDRESS" | jq -c 'select(.height == 3) | .coinbase = false' |
		bb-mktx --to "$KEY1_ADDRESS=40btc" | bb-sign -k key | bb-chain prevouts)
	assert_json '.error == "bad-txns-premature-spend-of-coinbase"'
}

@test "two branches give out the coins of the one that is active" {
	run -0 bb-chain add "$MADE/a"
	run -0 bb-chain utxo "$KEY1_ADDRESS"
	# Blocks 102 to 120 paid it.
	assert_json -s 'map(.height) | sort == [range(102; 121)]'
	run -0 bb-chain history --full "$KEY1_ADDRESS"
	[[ $(jq -r .txid <<<"$output") == "$(chains history "$MADE/a" "$KEY1_SCRIPT")" ]]
	run -0 bb-chain add "$MADE/b"
	assert_tip 125 "$(id_of "$MADE/b" 25)"
	assert_coins "$MADE/ab"
	run -0 bb-chain utxo "$KEY1_ADDRESS"
	assert_output ""
	run -0 bb-chain history "$KEY1_ADDRESS"
	assert_output ""
	# Blocks of the branch that lost are still there, by their id.
	run -0 bb-chain block "$(id_of "$MADE/a" 120)"
	[[ $(jq -r .hex <<<"$output") == "$(sed -n 120p "$MADE/a" | jq -r .hex)" ]]
	run -0 bb-chain blocks --prevouts
	jq -c . <<<"$output" | bb-validate --verdict >verdicts
	jq -e -s 'length == 126 and all(.[]; .valid and (has("unjudged") | not))' verdicts
}

# Parameters

@test "params are all in force, and read again" {
	for network in main testnet3 testnet4 signet regtest barenet; do
		run -0 --separate-stderr bb-chain -n "$network" params
		assert_json --arg name "$network" '.name == $name'
		echo "$output" >one
		run -0 bb-chain -n one params
		assert_output "$(<one)"
		[[ ! -e $BB_DIR ]]
	done
	# DESIGN's parameters of barenet.
	assert_json '.magic == "bbbafee7" and .port == 28333 and .hrp == "bare" and .target_spacing == 10
		and .target_timespan == 600 and .max_future == 120 and .coinbase_maturity == 10
		and .halving_interval == 2100 and .bip94 and (.no_retarget | not)
		and .genesis == "000004dadc4ca8caeee35eedd1d4e127e6dede36ba0f38fe77a8452d321285fe"'
	echo '{"base":"regtest","bip34_height":2}' >custom
	run -0 bb-chain -n custom params
	assert_json '.bip34_height == 2 and .halving_interval == 150'
}

@test "a store made under a custom network's parameters judges by them" {
	echo '{"base":"regtest","name":"young","halving_interval":10,"coinbase_maturity":5}' >young
	# Block 10 may make 25 BTC there, and makes 50.
	run -1 bb-chain -n young add < <(head -n 10 "$MADE/a")
	assert_json -s '(map(.result) | .[:9] | all(.[]; . == "connected")) and .[9].error == "bad-cb-amount"'
}

@test "difficulty adjusts every 60 blocks, as barenet's rules have it" {
	# The bits were computed by chains.py: periods that are too fast for the clamp of 4, slow, fast,
	# too slow for the clamp, as they should be, and one whose clock jumps back and forth.
	chains adjust .
	[[ $(uniq bits | wc -l) == 7 ]]
	now=$(bb-decode < <(tail -n 1 chain.ndjson) | jq .timestamp)
	run -0 --separate-stderr bb-chain -n net.json add --now "$now" chain.ndjson
	assert_json -s 'map(.result) | length == 361 and all(.[]; . == "connected")'
	diff bits <(bb-chain -n net.json headers --full | jq .bits)
	bb-chain -n net.json blocks --prevouts >blocks.ndjson
	diff <(tail -n +2 bits) <(jq .expected_bits blocks.ndjson | tail -n +2)
	run -0 bb-validate -n net.json --verdict blocks.ndjson
	assert_json -s 'length == 361 and all(.[]; .valid and (has("unjudged") | not))'
	run -0 bb-chain -n net.json verify
	# A block that keeps the bits of the period before it is refused.
	for height in 60 120 180 240 300 360; do
		old=$(sed -n "${height}p" bits)
		run -1 bb-chain -n net.json -d "d$height" add --now "$now" < <(head -n "$height" chain.ndjson
			chains remine chain.ndjson "$height" "$old")
		assert_json -s '.[-1].error == "bad-diffbits" and .[-1].result == "refused"'
	done
}
