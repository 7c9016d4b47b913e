#!/usr/bin/env bats
# bb-sign: every type, one signer or several, and what it refuses.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper

# BIP 143's unsigned P2SH-P2WPKH example, its key, and what it is signed.
P2SH_UNSIGNED=0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a5477
P2SH_UNSIGNED+=0100000000feffffff02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d963
P2SH_UNSIGNED+=88ac0008af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac92040000
P2SH_WIF=cVUK1h5aJLwireXtC7YS3excnGDzdET3PYw9uR4QPMf5QiQTkXjv
P2SH_SIGNED=01000000000101db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a5477
P2SH_SIGNED+=010000001716001479091972186c449eb1ded22b78e40d009bdf0089feffffff02b8b4eb0b00000000
P2SH_SIGNED+=1976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b
P2SH_SIGNED+=1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac02473044022047ac8e878352d3ebbde1c94ce3a10d05
P2SH_SIGNED+=7c24175747116f8288e5d794d12d482f0220217f36a485cae903c713331d877c1f64677e3622ad4010
P2SH_SIGNED+=726870540656fe9dcb012103ad1d8e89212f0b92c74d23bb710c00662ad1470198ac48c43f7d6f93a2
P2SH_SIGNED+=a2687392040000
# BIP 143's P2WPKH example: the key of its second input, and that one's signature.
P2WPKH_WIF=cQrSecbD1PYRi29ZPRJkptgvDLHQ1Rr2M23pJB7fNJuPUhhuN1R5
P2PK_WIF=cTsgVRPXT53n1RpWwHJKUi9F9r8RUP8iPTm5Y9AHxbSAx3arqX52

# secret FILE WIF...: a key file.
secret() {
	local file=$1
	shift
	(umask 077 && printf '{"type":"key","wif":"%s"}\n' "$@" >"$file")
}

# payment SCRIPT [MORE]: an unsigned transaction that spends one coin of that script; MORE are
# further members of the utxo line.
payment() {
	printf '{"type":"utxo","txid":"%064x","vout":3,"value":100000,"scriptpubkey":"%s"%s}\n' 7 "$1" "${2:-}" |
		bb-mktx --all --to "$KEY1_ADDRESS"
}

# script_of ADDRESS: its scriptPubKey.
script_of() {
	bb-decode --type address <<<"$1" | jq -r .hex
}

@test "BIP 143's P2SH-P2WPKH example is signed to the byte" {
	secret key "$P2SH_WIF"
	run -0 --separate-stderr bb-sign -k key < <(jq -cn --arg hex "$P2SH_UNSIGNED" '{type: "tx", hex: $hex,
		prevouts: [{scriptpubkey: "a9144733f37cf4db86fbc2efed2500b4f4e49f31202387", value: 1000000000}]}')
	assert_stderr ""
	assert_json --arg hex "$P2SH_SIGNED" '.hex == $hex'
	run -0 bb-validate <<<"$output"
}

@test "BIP 143's P2WPKH example is signed to the byte, by two signers in turn" {
	secret second "$P2WPKH_WIF"
	secret first "$P2PK_WIF"
	bb-decode <<<"$BIP143_LINE" | jq -c '.vin[].scriptsig = "" | del(.vin[].witness, .txid, .wtxid, .size,
		.weight)' >unsigned
	run -0 --separate-stderr bb-sign --partial -k second unsigned
	assert_json --arg signature "${BIP143_HEX:468:142}" '.vin[1].witness[0] == $signature
		and .vin[0].scriptsig == ""'
	run -0 --separate-stderr bb-sign -k first <<<"$output"
	run -0 bb-validate --verdict <<<"$output"
	assert_json '.valid and .inputs == ["OK", "OK"]'
}

@test "every single-key type is signed and valid" {
	local type address
	for type in p2pkh p2sh-p2wpkh p2wpkh p2tr; do
		bb-keygen -t "$type" -o "$type.key" >"$type.pub"
		address=$(jq -r .address "$type.pub")
		payment "$(script_of "$address")" >tx
		run -0 --separate-stderr bb-sign --verify -k "$type.key" tx
		assert_stderr ""
		run -0 bb-validate --verdict <<<"$output"
		assert_json '.valid and .inputs == ["OK"]'
	done
	secret key "$KEY1_WIF"
	payment "21${KEY1_PUBKEY}ac" >tx
	run -0 bb-sign -k key tx
	run -0 bb-validate <<<"$output"
}

@test "every hash type is signed and valid, and covers what it says" {
	local type
	secret key "$KEY1_WIF"
	{ coin 1 50000; coin 2 60000; } | bb-mktx --inputs all --keep-order --to "$KEY1_ADDRESS=40000sat" >tx
	for type in all none single "all|anyonecanpay" "none|anyonecanpay" "single|anyonecanpay"; do
		bb-sign --sighash "$type" -k key tx >signed
		run -0 bb-validate --verdict signed
		jq -c '.vout[1].value -= 1 | del(.txid)' signed >changed
		case $type in
		all*) run -1 bb-validate --verdict changed ;;
		none*) run -0 bb-validate --verdict changed ;;
		single*) run bb-validate --verdict changed
			assert_json '.inputs == ["OK", "EVAL_FALSE"]' ;;
		esac
		jq -c 'del(.txid, .wtxid) | .vin |= .[:1]' signed >fewer
		case $type in
		*anyonecanpay)
			run bb-validate --verdict fewer
			assert_json '.inputs == ["OK"]' ;;
		*) run -1 bb-validate --verdict fewer
			assert_json '.inputs == ["EVAL_FALSE"]' ;;
		esac
	done
	run -2 --separate-stderr bb-sign --sighash some -k key tx
}

@test "taproot's default hash type makes a signature of 64 bytes, another of 65" {
	bb-keygen -t p2tr -o key >pub
	payment "$(script_of "$(jq -r .address pub)")" >tx
	run -0 bb-sign -k key tx
	assert_json '(.vin[0].witness | map(length)) == [128]'
	run -0 bb-validate <<<"$output"
	run -0 bb-sign --sighash all -k key tx
	assert_json '(.vin[0].witness | map(length)) == [130] and .vin[0].witness[0][-2:] == "01"'
	run -0 bb-validate <<<"$output"
}

@test "ECDSA signatures are low in R and S, at most 71 bytes with the hash type" {
	secret key "$KEY1_WIF"
	for n in $(seq 60); do coin "$n" 100000; done |
		bb-mktx --all --to "$KEY1_ADDRESS" >tx
	run -0 bb-sign -k key tx
	assert_json '(.vin | length) == 60 and all(.vin[].witness; (.[0] | length) <= 142
		and .[0][4:6] == "02" and .[0][6:8] <= "20")'
	run -0 bb-validate --line-flags < <(jq -c '. + {flags: "P2SH,WITNESS,LOW_S,STRICTENC,NULLFAIL"}' <<<"$output")
}

# Three keys and 2-of-3 scripts of them.
multisig() {
	local name
	for name in a b c; do bb-keygen -o "$name.key" >"$name.pub"; done
	script=52$(jq -rs 'map("21" + .pubkey) | sort | add' a.pub b.pub c.pub)53ae
	sha256=$(unhex <<<"$script" | sha256sum | cut -c 1-64)
}

@test "2 of 3: bare, in P2WSH and in P2SH-P2WSH, signed in turn in any order" {
	multisig
	local kind first second
	for kind in bare p2wsh p2sh-p2wsh; do
		case $kind in
		bare) payment "$script" >tx ;;
		p2wsh) payment "0020$sha256" ",\"witnessscript\":\"$script\"" >tx ;;
		p2sh-p2wsh)
			payment "a914$(hash160 "0020$sha256")87" \
				",\"redeemscript\":\"0020$sha256\",\"witnessscript\":\"$script\"" >tx ;;
		esac
		while read -r first second; do
			run -1 --separate-stderr bb-sign -k "$first.key" tx
			assert_json '.vin[0].partial_sigs | length == 1'
			run -0 --separate-stderr bb-sign --partial -k "$first.key" tx
			assert_stderr ""
			run -1 bb-validate --verdict <<<"$output"
			bb-sign --partial -k "$first.key" tx >half
			run -0 --separate-stderr bb-sign -k "$second.key" half
			assert_stderr ""
			assert_json '.vin[0] | has("partial_sigs") or has("witnessscript") | not'
			run -0 bb-validate --verdict <<<"$output"
		done <<-'END'
			a b
			b a
			a c
			c b
		END
	done
}

# hash160 HEX
hash160() {
	python3 -c 'import hashlib, sys
data = hashlib.sha256(bytes.fromhex(sys.argv[1])).digest()
print(hashlib.new("ripemd160", data).hexdigest())' "$1"
}

@test "2 of 3 in P2SH, with two keys in one call" {
	multisig
	payment "a914$(hash160 "$script")87" ",\"redeemscript\":\"$script\"" >tx
	run -0 --separate-stderr bb-sign --verify -k a.key -k c.key tx
	assert_stderr ""
	run -0 bb-validate --verdict <<<"$output"
	assert_json '.valid'
}

@test "a signature that is not needed is not asked for, and none is made twice" {
	multisig
	payment "0020$sha256" ",\"witnessscript\":\"$script\"" >tx
	bb-sign -k a.key -k b.key -k c.key tx >signed
	run -0 bb-validate signed
	jq -e '.vin[0].witness | length == 4' signed
	run -0 --separate-stderr bb-sign -k c.key signed
	assert_output "$(<signed)"
	bb-sign --partial -k a.key tx >half
	run -0 bb-sign --partial -k a.key half
	assert_output "$(<half)"
}

@test "a taproot leaf is signed by its script's key" {
	# A leaf of one key, under the point without a known key: control block and output from BIP 341.
	secret key "$KEY1_WIF"
	local leaf=20${KEY1_PUBKEY:2}ac output_key parity
	read -r output_key parity < <(cd "$BATS_TEST_DIRNAME/vectors" && python3 -c '
from bitcoin import *
import sys
key, odd = taproot_output(NUMS, tapleaf(bytes.fromhex(sys.argv[1])))
print(key.hex(), "%02x" % (0xC0 | odd))' "$leaf")
	local control=${parity}50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0
	payment "5120$output_key" ",\"tap_leaf_script\":{\"$control\":\"${leaf}c0\"}" >tx
	run -0 --separate-stderr bb-sign --verify -k key tx
	assert_stderr ""
	assert_json --arg leaf "$leaf" '(.vin[0].witness | length) == 3 and .vin[0].witness[1] == $leaf'
	run -0 bb-validate --verdict <<<"$output"
	assert_json '.valid and .inputs == ["OK"]'
}

@test "a mnemonic signs for everything below it" {
	(umask 077 && printf '{"type":"key","mnemonic":"%s"}\n' \
		"abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about" >key)
	for n in 0 7; do
		for account in "84 p2wpkh" "86 p2tr" "49 p2sh-p2wpkh" "44 p2pkh"; do
			# shellcheck disable=SC2086 # two words
			set -- $account
			bb-keygen -t "$2" --derive "m/$1h/1h/0h/0/$n" key | jq -r .address
		done
	done >addresses
	[[ $(sort -u addresses | wc -l) -eq 8 ]]
	local i=0
	while read -r address; do
		i=$((i + 1))
		coin "$i" 100000 | jq -c --arg script "$(script_of "$address")" '.scriptpubkey = $script'
	done <addresses | bb-mktx --all --to "$KEY1_ADDRESS" >tx
	run -0 --separate-stderr bb-sign -k key tx
	run -0 bb-validate --verdict <<<"$output"
	assert_json '.inputs == ["OK", "OK", "OK", "OK", "OK", "OK", "OK", "OK"]'
}

@test "what it has no key for passes byte for byte, and the status says so" {
	bb-keygen -o other.key
	coin 1 100000 | bb-mktx --all --to "$KEY1_ADDRESS" | jq -c '. + {note: "mine"}' >tx
	run -1 --separate-stderr bb-sign -k other.key tx
	assert_output "$(<tx)"
	assert_errors 'length == 1 and .[0].line == 1 and (.[0].error | contains("input 0"))'
}

@test "a line keeps the keys that it does not know" {
	key_file key
	coin 1 100000 | bb-mktx --all --to "$KEY1_ADDRESS" |
		jq -c '. + {note: [1, "x"]} | .vin[0] += {label: "a"} | .vout[0] += {label: "b"}' >tx
	run -0 bb-sign -k key tx
	assert_json '.note == [1, "x"] and .vin[0].label == "a" and .vout[0].label == "b"'
}

@test "lean lines stay lean" {
	key_file key
	coin 1 100000 | bb-mktx --lean --all --to "$KEY1_ADDRESS" >tx
	run -0 bb-sign -k key tx
	assert_json 'has("hex") and has("prevouts") and (has("vin") | not)'
	run -0 bb-validate <<<"$output"
}

@test "a final input stays to the byte" {
	secret second "$P2WPKH_WIF"
	run -0 bb-sign -k second <<<"$BIP143_LINE"
	assert_output "$BIP143_LINE"
}

@test "a prevout that is missing is named" {
	key_file key
	coin 1 100000 | bb-mktx --all --to "$KEY1_ADDRESS" | jq -c '.vin[0].prevout = null' >tx
	run -1 --separate-stderr bb-sign -k key tx
	assert_output "$(<tx)"
	assert_error bb-sign 1 "input 0: missing-prevouts"
}

@test "a prevout that the prevtxs belie is malformed" {
	key_file key
	run -2 --separate-stderr bb-sign -k key < <(jq -cn --arg id "$BIP143_TXID" --arg hex "$BIP143_HEX" '{
		type: "tx", version: 2, locktime: 0, vin: [{txid: $id, vout: 0, scriptsig: "", sequence: 0, prevout:
		{scriptpubkey: "0014751e76e8199196d454941c45d1b3a323f1433bd6", value: 112340000}}],
		vout: [{scriptpubkey: "51", value: 1000}], prevtxs: [$hex]}')
	assert_output ""
	assert_errors 'length == 1 and .[0].line == 1'
}

@test "a key file that others may read is refused" {
	key_file key
	coin 1 100000 | bb-mktx --all --to "$KEY1_ADDRESS" >tx
	local mode
	for mode in 644 640 604 620 602 660; do
		chmod "$mode" key
		run -2 --separate-stderr bb-sign -k key tx
		assert_output ""
		assert_errors 'length == 1 and (.[0].error | contains("key") and contains("readable by others"))'
	done
	chmod 400 key
	run -0 bb-sign -k key tx
}

@test "a key file that is not there, is no file, or holds no key is refused" {
	good_line 1 >tx
	run -2 --separate-stderr bb-sign -k no-such-file tx
	assert_output ""
	assert_errors 'length == 1 and (.[0].error | contains("no-such-file"))'
	mkdir -m 700 folder
	run -2 --separate-stderr bb-sign -k folder tx
	assert_output ""
	local text
	for text in '' '{' '{}' '{"type":"key"}' '{"type":"key","wif":"x"}' '[]' '{"type":"key","wif":5}' \
		'{"type":"tx","hex":"00"}' '{"type":"key","mnemonic":"abandon"}'; do
		(umask 077 && printf '%s\n' "$text" >bad)
		run -2 --separate-stderr bb-sign -k bad tx
		assert_output ""
		assert_errors 'length == 1'
		chmod 600 bad
	done
	run -2 --separate-stderr bb-sign tx
}

@test "another user cannot use a key file that is not his" {
	[[ $(id -u) -eq 0 ]] || skip "only root can be another user here"
	local folder
	folder=$(nobodys_folder)
	key_file "$folder/key"
	good_line 1 >"$folder/tx"
	cd "$folder"
	run -2 --separate-stderr as_nobody "$(command -v bb-sign)" -k key tx
	assert_output ""
	assert_errors 'length == 1 and (.[0].error | contains("Permission denied"))'
	chown 65534:65534 key
	run as_nobody "$(command -v bb-sign)" --partial -k key tx
	[[ $status -le 1 ]]
	cd /
	rm -r "$folder"
}

@test "keys can come by standard input, when the lines come from a file" {
	coin 1 100000 | bb-mktx --all --to "$KEY1_ADDRESS" >tx
	run -0 bb-sign -k - tx <<<"{\"type\":\"key\",\"wif\":\"$KEY1_WIF\"}"
	run -0 bb-validate <<<"$output"
}

@test "a line is signed before the next is sent" {
	key_file key
	coin 1 100000 | bb-mktx --all --to "$KEY1_ADDRESS" >tx
	mkfifo to from
	bb-sign -k key <to >from 3>&- &
	local pid=$! answer
	exec 5>to 6<from
	for _ in 1 2 3; do
		cat tx >&5
		read -r -t 20 answer <&6
		bb-validate <<<"$answer"
	done
	exec 5>&- 6<&-
	wait "$pid"
}

@test "a key file of another account signs for all of that account's addresses" {
	bb-keygen --mnemonic --account 3 -o wallet >/dev/null
	jq -e '.path == "m/84h/1h/3h/0/0"' wallet
	bb-keygen --derive m/84h/1h/3h/1/7 wallet >other
	coin 1 100000 | jq -c --arg a "$(jq -r .address other)" '.scriptpubkey_address = $a | del(.scriptpubkey)' |
		bb-mktx --all --to "$KEY1_ADDRESS" >tx
	run -0 bb-sign -k wallet tx
	run -0 bb-validate <<<"$output"
}

@test "a line does not choose by itself to have less than everything signed" {
	key_file key
	coin 1 100000 | bb-mktx --all --to "$KEY1_ADDRESS" |
		jq -c '.vin[0].sighash_type = "none|anyonecanpay"' >tx
	run -1 --separate-stderr bb-sign -k key tx
	assert_output "$(cat tx)"
	assert_errors '.[0].error == "input 0: sighash-type-differs"'
	run -0 bb-sign --sighash stated -k key tx
	assert_json '.vin[0].witness[0] | endswith("82")'
	run -0 bb-sign -k key < <(jq -c '.vin[0].sighash_type = "all"' tx)
	assert_json '.vin[0].witness[0] | endswith("01")'
}
