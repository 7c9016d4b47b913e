#!/usr/bin/env bats
# bb-decode and bb-encode: bytes to lines and back.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper

# The genesis block of the main network and of regtest differ in time, bits and nonce.
COINBASE=0100000001000000000000000000000000000000000000000000000000000000000000000
COINBASE+=0ffffffff4d04ffff001d0104455468652054696d65732030332f4a616e2f323030392043
COINBASE+=68616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f7574
COINBASE+=20666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1
COINBASE+=a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51ec112de
COINBASE+=5c384df7ba0b8d578a4c702b6bf11d5fac00000000
HEADER=0100000000000000000000000000000000000000000000000000000000000000000000003ba3
HEADER+=edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c

@test "the genesis block decodes to what everybody knows, and back" {
	run -0 --separate-stderr bb-decode -n main <<<"${HEADER}01$COINBASE"
	assert_json '.id == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
		and .version == 1 and .timestamp == 1231006505 and .nonce == 2083236893
		and .bits == 486604799 and .difficulty == 1 and .tx_count == 1 and .size == 285
		and .weight == 1140
		and .merkle_root == "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
		and .tx[0].txid == .merkle_root and .tx[0].vin[0].is_coinbase
		and .tx[0].vin[0].prevout == null and .tx[0].vout[0].value == 5000000000
		and .tx[0].vout[0].scriptpubkey_type == "p2pk"'
	assert_stderr ""
	run -0 bb-encode -n main <<<"$output"
	assert_output "${HEADER}01$COINBASE"
}

@test "a header decodes and encodes" {
	run -0 bb-decode -n main <<<"$HEADER"
	assert_json '.type == "header" and .timestamp == 1231006505 and .previousblockhash == null
		and .id == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"'
	run -0 bb-encode -n main <<<"$output"
	assert_output "$HEADER"
}

@test "a transaction decodes with every field and encodes to the same bytes" {
	run -0 bb-decode -n main <<<"$BIP143_LINE"
	local full=$output
	assert_json --arg txid "$BIP143_TXID" '.txid == $txid and .version == 1 and .locktime == 17
		and .size == 343 and .weight == 1042 and .fee == 889210000
		and (.vin | map(.sequence)) == [4294967278, 4294967295]
		and .vin[0].prevout.scriptpubkey_type == "p2pk"
		and (.vin[0].prevout | has("scriptpubkey_address") | not)
		and .vin[1].prevout.scriptpubkey_asm == "OP_0 OP_PUSHBYTES_20 " + .vin[1].prevout.scriptpubkey[4:]
		and (.vin[1].witness | length) == 2 and .vin[1].scriptsig_asm == ""
		and .vout[0].scriptpubkey_type == "p2pkh" and .vout[0].value == 112340000'
	run -0 bb-encode <<<"$full"
	assert_output "$BIP143_HEX"
}

@test "full and lean forms turn into each other" {
	bb-decode <<<"$BIP143_LINE" >full
	run -0 bb-decode --lean full
	assert_json --arg hex "$BIP143_HEX" --argjson prevouts "$BIP143_PREVOUTS" \
		'.hex == $hex and (.prevouts | map({scriptpubkey, value})) == $prevouts and (has("vin") | not)'
	run -0 bb-decode --full <<<"$output"
	assert_output "$(<full)"
}

@test "raw hex needs no JSON, of either case" {
	run -0 bb-decode <<<"$BIP143_HEX"
	assert_json --arg txid "$BIP143_TXID" '.txid == $txid and .vin[0].prevout == null and (has("fee") | not)'
	run -0 bb-decode <<<"${BIP143_HEX^^}"
	assert_json --arg txid "$BIP143_TXID" '.txid == $txid'
	run -0 bb-encode <<<"$output"
	assert_output "$BIP143_HEX"
}

@test "unknown keys stay in a decoded line" {
	run -0 bb-decode < <(with '. + {"mine": {"a": [1, 2.50]}, "from": "x"}')
	assert_json '.mine == {"a": [1, 2.5]} and .from == "x"'
	[[ $output == *'{"a":[1,2.5'* ]]
}

@test "--binary reads bytes one after another, and --binary writes them" {
	unhex <<<"$BIP143_HEX" >one
	cat one one one >three
	run -0 bb-decode --binary three
	assert_json -s --arg txid "$BIP143_TXID" 'length == 3 and all(.txid == $txid)'
	bb-encode --binary <<<"$output" >again
	cmp three again
	head -c 500 three >short
	run -2 --separate-stderr bb-decode --binary short
	assert_json --arg txid "$BIP143_TXID" '.txid == $txid'
	assert_errors 'length == 1'
}

@test "blocks in the framing of blk*.dat are read" {
	# magic, length, block: twice, with zeros behind as a preallocated file has them.
	{
		for _ in 1 2; do unhex <<<"f9beb4d91d010000${HEADER}01$COINBASE"; done
		head -c 100 /dev/zero
	} >blk
	run -0 bb-decode -n main --binary blk
	assert_json -s 'length == 2 and all(.tx_count == 1 and .size == 285)'
}

@test "scripts and addresses of every type and network" {
	local type hex address
	while read -r type network hex address; do
		run -0 --separate-stderr bb-decode -n "$network" --type script <<<"$hex"
		assert_json --arg type "$type" --arg address "$address" --arg hex "$hex" '.type == "script"
			and .scripttype == $type and .hex == $hex
			and (.address // "-") == $address'
		[[ $address != - ]] || continue
		run -0 bb-encode -n "$network" --type address <<<"$output"
		assert_output "$address"
		run -0 bb-decode -n "$network" --type address <<<"$address"
		assert_json --arg hex "$hex" '.hex == $hex'
	done <<-'END'
		p2pkh main 76a914751e76e8199196d454941c45d1b3a323f1433bd688ac 1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH
		p2pkh testnet4 76a914751e76e8199196d454941c45d1b3a323f1433bd688ac mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r
		p2sh main a914bcfeb728b584253d5f3f70bcb780e9ef218a68f487 3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN
		v0_p2wpkh main 0014751e76e8199196d454941c45d1b3a323f1433bd6 bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4
		v0_p2wpkh signet 0014751e76e8199196d454941c45d1b3a323f1433bd6 tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx
		v0_p2wpkh regtest 0014751e76e8199196d454941c45d1b3a323f1433bd6 bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080
		v0_p2wsh main 00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262 bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3
		v1_p2tr main 512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798 bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0
		anchor main 51024e73 bc1pfeessrawgf
		unknown main 6002751e bc1sw50qgdz25j
		p2pk main 210279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798ac -
		op_return main 6a0568656c6c6f -
	END
}

@test "the empty script is a script" {
	run -0 bb-decode --type script <<<'{"type":"script","hex":""}'
	assert_json '.hex == "" and .asm == "" and .scripttype == "empty" and (has("address") | not)'
}

@test "an address of another network, or none, is refused" {
	for text in bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH nonsense \
		bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt081; do
		run -2 --separate-stderr bb-decode --type address <<<"$text"
		assert_output ""
		assert_errors 'length == 1 and .[0].line == 1'
	done
}

@test "disassembly is Esplora's" {
	local hex asm
	while read -r hex asm; do
		run -0 bb-decode --type script <<<"$hex"
		assert_json --arg asm "$asm" '.asm == $asm'
	done <<-'END'
		76a900ae OP_DUP OP_HASH160 OP_0 OP_CHECKMULTISIG
		4f515260 OP_PUSHNUM_NEG1 OP_PUSHNUM_1 OP_PUSHNUM_2 OP_PUSHNUM_16
		4c0201024d0100ff4e0100000000 OP_PUSHDATA1 0102 OP_PUSHDATA2 ff OP_PUSHDATA4 00
		b1b2b0b9 OP_CLTV OP_CSV OP_NOP1 OP_NOP10
		ba OP_CHECKSIGADD
		0502 OP_PUSHBYTES_5 <push past end>
	END
}

@test "what is neither hex nor JSON is reported and the next line read" {
	run -2 --separate-stderr bb-decode < <(echo xyz; echo 123; echo "$BIP143_HEX"; echo 00)
	assert_json --arg txid "$BIP143_TXID" '.txid == $txid'
	assert_errors 'map(.line) == [1, 2, 4]'
}

@test "--type holds every line to it" {
	run -2 --separate-stderr bb-decode --type block <<<"$BIP143_HEX"
	assert_output ""
	run -2 --separate-stderr bb-encode --type block <<<"$BIP143_LINE"
	assert_output ""
	run -2 --separate-stderr bb-encode --type tx < <(bb-decode <<<"$HEADER")
	assert_output ""
	run -2 --separate-stderr bb-decode --type banana <<<"$BIP143_HEX"
}

@test "a line is decoded before the next is sent" {
	mkfifo to from
	bb-decode <to >from 3>&- &
	local pid=$! answer
	exec 5>to 6<from
	for _ in 1 2 3; do
		echo "$BIP143_HEX" >&5
		read -r -t 20 answer <&6
		jq -e --arg txid "$BIP143_TXID" '.txid == $txid' <<<"$answer"
	done
	exec 5>&- 6<&-
	wait "$pid"
}
