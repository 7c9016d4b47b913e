#!/usr/bin/env bats
# A second opinion on what bb makes: a real bitcoind on regtest, and bitcoinjs-lib.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper
load peers/bitcoind.bash
load peers/npm.bash

# ECDSA's hash types, and taproot's.
HASH_TYPES='all none single all|anyonecanpay none|anyonecanpay single|anyonecanpay'
TAP_HASH_TYPES="default $HASH_TYPES"
COINS_OF_A_KIND=8

# What Bitcoin Core's mempool asks of scripts.
STANDARD=P2SH,STRICTENC,DERSIG,LOW_S,NULLDUMMY,MINIMALDATA,DISCOURAGE_UPGRADABLE_NOPS,CLEANSTACK
STANDARD+=,CHECKLOCKTIMEVERIFY,CHECKSEQUENCEVERIFY,WITNESS,DISCOURAGE_UPGRADABLE_WITNESS_PROGRAM
STANDARD+=,MINIMALIF,NULLFAIL,WITNESS_PUBKEYTYPE,CONST_SCRIPTCODE,TAPROOT
STANDARD+=,DISCOURAGE_UPGRADABLE_PUBKEYTYPE,DISCOURAGE_OP_SUCCESS
STANDARD+=,DISCOURAGE_UPGRADABLE_TAPROOT_VERSION

# A point that nobody knows the key of (BIP 341).
NOBODY=50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0

setup_file() {
	set -o pipefail
	cd "$BATS_FILE_TMPDIR" || return
	umask 077
	npm_install
	node_start
	export OURS=$BATS_FILE_TMPDIR
	make_keys
	if [[ -z $NODE_MISSING ]]; then make_coins; fi
}

teardown_file() {
	if [[ -z $NODE_MISSING ]]; then node_stop; fi
}

# Three people: alice has single keys, one of them with a long public key; bob a mnemonic;
# carol an extended key.
make_keys() {
	bb-keygen -o alice-short.key >alice-short.pub
	bb-keygen -o alice-long.key --uncompressed -t p2pkh >alice-long.pub
	cat alice-short.key alice-long.key >alice.key
	bb-keygen -o bob.key --mnemonic=24 >bob.pub
	bb-keygen --print-secret --mnemonic | bb-keygen --print-secret --descriptor - |
		jq -r '.descriptor | capture("(?<key>\\[[^)]*?)/[01]/\\*").key' | sed -n 1p >carol.key
}

# public FILE: the public key of a key line.
public() {
	jq -r .pubkey "$OURS/$1.pub"
}

# below PERSON TYPE STEPS: a key expression with origin, of an account of theirs.
below() {
	bb-keygen --descriptor -t "$2" "$OURS/$1.key" | jq -rs --arg steps "$3" \
		'.[0].descriptor | capture("(?<key>\\[[^)]*?)/[01]/\\*").key + $steps'
}

# kinds: a descriptor of every kind of coin that bb-sign signs for, by name.
kinds() {
	local a long b c b_tap c_tap
	a=$(public alice-short) long=$(public alice-long)
	b=$(below bob p2wpkh /0/4) c=$(below carol p2wpkh /1/2)
	b_tap=$(below bob p2tr /0/1) c_tap=$(below carol p2wpkh /0/11)
	cat <<-END
		p2pk pk($a)
		p2pk-long pk($long)
		p2pkh pkh($(below bob p2pkh /0/3))
		p2pkh-wif pkh($a)
		p2pkh-long pkh($long)
		p2sh-p2pk sh(pk($long))
		p2sh-p2pkh sh(pkh($a))
		p2sh-p2wpkh sh(wpkh($(below bob p2sh-p2wpkh /1/5)))
		p2wpkh wpkh($c)
		p2wsh-p2pk wsh(pk($a))
		p2wsh-p2pkh wsh(pkh($b))
		p2sh-p2wsh-p2pkh sh(wsh(pkh($b)))
		multisig multi(2,$a,$(key_below bob /0/4),$(key_below carol /1/2))
		p2sh-multisig sh(multi(2,$long,$b,$c))
		p2wsh-multisig wsh(multi(2,$c,$b,$a))
		p2sh-p2wsh-multisig sh(wsh(sortedmulti(2,$a,$b,$c)))
		p2tr tr($b_tap)
		p2tr-wif tr($a)
		p2tr-tree tr($b_tap,{pk($c_tap),{pk($a),pk($NOBODY)}})
		p2tr-leaf tr($NOBODY,pk($a))
		p2tr-deep-leaf tr($NOBODY,{pk($NOBODY),{multi_a(1,$NOBODY,$a),pk($c_tap)}})
		p2tr-multi tr($NOBODY,multi_a(2,$a,$b_tap,$c_tap))
	END
}

# key_below PERSON STEPS: the public key there, of their account of p2wpkh.
key_below() {
	case $1 in
	bob) bb-keygen --derive "m/84h/1h/0h$2" "$OURS/bob.key" ;;
	carol) bb-keygen --derive "${2#/}" "$OURS/carol.key" ;;
	esac | jq -r .pubkey
}

# bare DESCRIPTOR: the scriptPubKey of one that has no address.
bare() {
	local keys=${1#*\(}
	keys=${keys%)*}
	case $1 in
	pk\(*) printf '%02x%sac\n' $((${#keys} / 2)) "$keys" ;;
	multi\(2,*,*,*) keys=${keys#2,} && printf '5221%s53ae\n' "${keys//,/21}" ;;
	esac
}

# described: those lines as JSON, with the node's checksum, and the scriptPubKey; it is the
# node's too, by way of the address, where there is one.
described() {
	local name descriptor script
	kinds >named
	cut -d' ' -f2 named | jq -Rc '[.]' | rpc getdescriptorinfo | jq -r .checksum |
		paste -d'#' named - >summed
	{ cut -d' ' -f2 summed | jq -Rc '[.]' | rpc deriveaddresses 2>bare.errors || true; } |
		jq -c '. // [""]' | rpc validateaddress | jq -r '.scriptPubKey // ""' |
		paste -d' ' summed - | while read -r name descriptor script; do
		printf '{"name":"%s","desc":"%s","script":"%s"}\n' "$name" "$descriptor" \
			"${script:-$(bare "$descriptor")}"
	done
}

# make_coins: pay coins of every kind by a transaction of bb's own, and ask the node for them.
# coins.json gets the utxo lines, each with the name of its kind and the node's hints.
make_coins() {
	local script i pay=()
	jq -c '[101, .address]' alice-short.pub | rpc generatetoaddress >mined
	described >kinds.json
	while read -r script; do
		for ((i = 0; i < COINS_OF_A_KIND; i++)); do pay+=(--to-script "$script=0.02btc"); done
	done < <(jq -r .script kinds.json)
	jq -c '["start", ["addr(\(.address))"]]' alice-short.pub | rpc scantxoutset | utxos |
		bb-mktx --height 101 "${pay[@]}" | bb-sign -k alice.key | bb-validate >fund.json
	mine fund.json
	hints >hints.json
	jq -cs '["start", map(.desc)]' kinds.json | rpc scantxoutset | utxos |
		jq -c --slurpfile kinds kinds.json --slurpfile hints hints.json '
			($kinds | map({(.script): .name}) | add) as $names
			| . + {kind: $names[.scriptpubkey]} + $hints[.vout]' >coins.json
}

# mine FILE: a block with these transactions. Its node's policy is narrower than Bitcoin Core's
# about outputs, so not all of ours go through its mempool.
mine() {
	local to
	to=$(jq -r .address "$OURS/alice-short.pub")
	bb-encode "$1" | jq -Rc . | jq -cs --arg to "$to" '[$to, .]' | rpc generateblock
}

# utxos: the coins of scantxoutset's answer as utxo lines.
utxos() {
	jq -c '.unspents[] | {type: "utxo", txid, vout, value: (.amount * 1e8 | round),
		scriptpubkey: .scriptPubKey, height, coinbase}'
}

# hints: what the node knows of each output of fund.json for its signers, under PSBT's names.
hints() {
	jq -c '[[range(.vout | length) as $vout | {txid, $vout}], [{data: "00"}]]' fund.json |
		rpc createpsbt |
		jq -c --slurpfile kinds kinds.json '[., ($kinds | map(.desc))]' | rpc utxoupdatepsbt |
		jq -c '[.]' | rpc decodepsbt | jq -c '
			def derivation: {(.pubkey): (.master_fingerprint + .path[1:])};
			.inputs[] | {
				redeemscript: .redeem_script.hex,
				witnessscript: .witness_script.hex,
				bip32_derivation: (.bip32_derivs // [] | map(derivation) | add),
				tap_bip32_derivation: (.taproot_bip32_derivs // [] | map(derivation) | add),
				tap_internal_key: .taproot_internal_key,
				tap_merkle_root: .taproot_merkle_root,
				tap_leaf_script: (.taproot_scripts // []
					| map(select(.leaf_ver == 192) | {(.control_blocks[]): (.script + "c0")}) | add)
			} | with_entries(select(.value))'
}

# coins KIND N: the utxo lines of so many coins of that kind.
coins() {
	jq -cn --arg kind "$1" --argjson n "$2" \
		'limit($n; inputs | select(.kind == $kind)) | del(.kind)' "$OURS/coins.json"
}

# plain: utxo lines without hints, as they are where one knows no more than the chain does.
plain() {
	jq -c '{type, txid, vout, value, scriptpubkey, height, coinbase}'
}

# pay RATE [HASH_TYPES]: a payment with change of each coin on standard input, at that fee rate;
# of each coin the next of the hash types is asked for.
pay() {
	local rate=$1 coin to change
	to=$(jq -r .address "$OURS/bob.pub") change=$(jq -r .address "$OURS/alice-short.pub")
	jq -c --arg types "${2:-}" '($types | split(" "))[input_line_number - 1] as $type
		| if $type then .sighash_type = $type else . end' | while read -r coin; do
		bb-mktx --to "$to=0.011btc" --change "$change" --fee-rate "$rate" <<<"$coin"
	done
}

# sign PERSON...: let them sign, one after another.
sign() {
	if [[ $# == 1 ]]; then
		bb-sign --sighash stated -k "$OURS/$1.key"
	else
		bb-sign --sighash stated --partial -k "$OURS/$1.key" | sign "${@:2}"
	fi
}

# accepted RATE FILE: bb-validate and the node accept each transaction of the file, the fee is
# the one that was to be paid, and no less than the rate asks.
accepted() {
	bb-validate "$2" | cmp - "$2"
	bb-encode "$2" | jq -Rc '[[.]]' | rpc testmempoolaccept >accept.json
	jq -ne --argjson rate "$1" --slurpfile ours "$2" --slurpfile node accept.json '
		($ours | length) > 0 and ($ours | length) == ($node | length) and
		all(range($ours | length) | [$ours[.], $node[.][0]];
			. as [$tx, $answer] | $answer.allowed and $answer.txid == $tx.txid
			and ($answer.fees.base * 1e8 | round) == $tx.fee
			and $answer.vsize == ($tx.weight / 4 | ceil)
			and $tx.fee >= $rate * $tx.weight / 4)' >/dev/null || {
		jq -c '.[0]' accept.json
		jq -c '{fee, weight}' "$2"
		return 1
	}
}

# same_decoded FILE: the node decodes each transaction of the file to what bb-decode says.
same_decoded() {
	bb-encode "$1" >hex
	bb-decode hex | jq -cS '{txid, version, locktime, size, weight, vsize: (.weight / 4 | ceil),
		vin: [.vin[] | {txid, vout, sequence, scriptsig, witness: (.witness // [])}],
		vout: [.vout[] | {value, scriptpubkey, scriptpubkey_type, scriptpubkey_address}]}' >ours
	jq -Rc '[.]' hex | rpc decoderawtransaction | jq -cS '
		{pubkey: "p2pk", pubkeyhash: "p2pkh", scripthash: "p2sh", multisig: "multisig",
			witness_v0_keyhash: "v0_p2wpkh", witness_v0_scripthash: "v0_p2wsh",
			witness_v1_taproot: "v1_p2tr", nulldata: "op_return", anchor: "anchor",
			witness_unknown: "unknown", nonstandard: "unknown"} as $type
		| {txid, version, locktime, size, weight, vsize,
		vin: [.vin[] | {txid, vout, sequence, scriptsig: .scriptSig.hex,
			witness: (.txinwitness // [])}],
		vout: [.vout[] | {value: (.value * 1e8 | round), scriptpubkey: .scriptPubKey.hex,
			scriptpubkey_type: $type[.scriptPubKey.type],
			scriptpubkey_address: .scriptPubKey.address}]}' >node
	diff ours node
}

# tampered FILE: each transaction of it changed, in all of these ways.
tampered() {
	jq -c '
		def flip($i): .[:$i] + (if .[$i:$i + 1] == "0" then "1" else "0" end) + .[$i + 1:];
		(.vout[0].value -= 1),
		(.vout[1].value -= 1),
		(.vout |= reverse),
		(.vout += [.vout[0] | .value = 1000] | .vout[1].value -= 1000),
		(.version = 1),
		(.locktime = 1),
		(.vin[0].sequence -= 1),
		(.vin[0] |= if (.witness // []) == [] then .scriptsig |= flip(30)
			else (.witness | map(. != "") | index(true)) as $n | .witness[$n] |= flip(30) end)
		| del(.txid)' "$1"
}

# same_judged FILE: bb-validate gives each transaction of it the verdict that the node gives, with
# the same words about the script under the mempool's flags.
same_judged() {
	bb-validate --verdict "$1" | jq -c .valid >valid || [[ $? == 1 ]]
	bb-encode "$1" | jq -Rc '[[.]]' | rpc testmempoolaccept >judged.json
	jq -c '.[0].allowed' judged.json | diff valid -
	jq -c --arg flags "$STANDARD" '.flags = $flags' "$1" | bb-validate --line-flags --verdict |
		because .error >ours || [[ $? == 1 ]]
	jq -c '.[0]' judged.json | because '."reject-reason"' | diff ours -
}

# because KEY: what stands in parentheses there, or nothing.
because() {
	jq -r "$1"' // "" | if test("\\(") then capture("\\((?<why>.*)\\)").why else "" end'
}

# agreed KIND HASH_TYPES PERSON...: they sign coins of that kind in turn, once with each hash
# type, and the node agrees in all respects, also after tampering.
agreed() {
	needs_node
	local count
	set -o pipefail
	read -ra count <<<"$2"
	coins "$1" "${#count[@]}" | ${PLAIN:-cat} | pay 2.5 "$2" | sign "${@:3}" >signed.json
	[[ $(wc -l <signed.json) == "${#count[@]}" ]]
	accepted 2.5 signed.json
	same_decoded signed.json
	tampered signed.json >tampered.json
	same_judged tampered.json
	# Signed for all or by default, nothing may be changed.
	[[ $(head -n 8 valid | sort -u) == false ]]
}

@test "the node is Bitcoin Knots 29.4.3" {
	needs_node
	rpc getnetworkinfo <<<'[]' | jq -e '.subversion | startswith("/Satoshi:29.4.3/Knots:")'
}

@test "P2PK: the node accepts every hash type" {
	PLAIN=plain agreed p2pk "$HASH_TYPES" alice
}

@test "P2PK of a long public key: the node accepts every hash type" {
	PLAIN=plain agreed p2pk-long "$HASH_TYPES" alice
}

@test "P2PKH: the node accepts every hash type, of a mnemonic's key" {
	PLAIN=plain agreed p2pkh "$HASH_TYPES" bob
}

@test "P2PKH: the node accepts every hash type, of a single key" {
	PLAIN=plain agreed p2pkh-wif "$HASH_TYPES" alice
}

@test "P2PKH of a long public key: the node accepts every hash type" {
	agreed p2pkh-long "$HASH_TYPES" alice
}

@test "P2SH of P2PK and P2PKH: the node accepts every hash type" {
	agreed p2sh-p2pk "$HASH_TYPES" alice
	agreed p2sh-p2pkh "$HASH_TYPES" alice
}

@test "P2SH of P2WPKH: the node accepts every hash type" {
	PLAIN=plain agreed p2sh-p2wpkh "$HASH_TYPES" bob
}

@test "P2WPKH: the node accepts every hash type, of an extended key" {
	PLAIN=plain agreed p2wpkh "$HASH_TYPES" carol
}

@test "P2WSH of P2PK and P2PKH: the node accepts every hash type" {
	agreed p2wsh-p2pk "$HASH_TYPES" alice
	agreed p2wsh-p2pkh "$HASH_TYPES" bob
	agreed p2sh-p2wsh-p2pkh "$HASH_TYPES" bob
}

@test "bare multisig: the node accepts what two people signed in turn" {
	PLAIN=plain agreed multisig "$HASH_TYPES" alice carol
}

@test "P2SH multisig: the node accepts what two people signed in turn" {
	agreed p2sh-multisig "$HASH_TYPES" bob alice
}

@test "P2WSH multisig: the node accepts what two people signed in turn" {
	agreed p2wsh-multisig "$HASH_TYPES" alice carol
}

@test "P2WSH multisig inside P2SH: the node accepts what two people signed in turn" {
	agreed p2sh-p2wsh-multisig "$HASH_TYPES" carol bob
}

@test "taproot by the key: the node accepts every hash type" {
	PLAIN=plain agreed p2tr "$TAP_HASH_TYPES" bob
	PLAIN=plain agreed p2tr-wif "$TAP_HASH_TYPES" alice
}

@test "taproot by the key, with scripts beside it: the node accepts every hash type" {
	agreed p2tr-tree "$TAP_HASH_TYPES" bob
	jq -se 'all(.vin[0].witness | length == 1)' signed.json
}

@test "taproot by a leaf: the node accepts every hash type" {
	agreed p2tr-leaf "$TAP_HASH_TYPES" alice
	agreed p2tr-tree "$TAP_HASH_TYPES" carol
	agreed p2tr-tree "$TAP_HASH_TYPES" alice
	agreed p2tr-deep-leaf "$TAP_HASH_TYPES" carol
	jq -se 'all(.vin[0].witness | length == 3)' signed.json
}

@test "taproot by a leaf of CHECKSIGADD: the node accepts what two people signed in turn" {
	agreed p2tr-deep-leaf "$TAP_HASH_TYPES" alice
	agreed p2tr-multi "$TAP_HASH_TYPES" bob carol
	agreed p2tr-multi "$TAP_HASH_TYPES" carol alice
}

@test "one signature of two is not enough for anybody" {
	needs_node
	coins p2wsh-multisig 1 | pay 1 >unsigned.json
	run -1 --separate-stderr bb-sign -k "$OURS/alice.key" unsigned.json
	jq -e '.vin[0].partial_sigs | length == 1' <<<"$output"
	run -1 bb-validate <<<"$output"
	bb-encode unsigned.json | jq -Rc '[[.]]' | rpc testmempoolaccept | jq -e '.[0].allowed == false'
}

@test "the node's own signer gives the same ECDSA signatures to the byte" {
	needs_node
	local kind hash path
	{
		cat "$OURS/alice.key"
		for path in m/84h/1h/0h/0/4 m/44h/1h/0h/0/3 m/49h/1h/0h/1/5; do
			bb-keygen --derive "$path" --print-secret "$OURS/bob.key"
		done
	} | jq -c .wif >wifs.json
	for kind in $(jq -r 'select(.name | test("^p2tr|^p2wpkh$") | not).name' "$OURS/kinds.json"); do
		coins "$kind" 1
	done | pay 3 >unsigned.json
	for hash in $HASH_TYPES; do
		bb-sign --sighash "$hash" -k "$OURS/alice.key" -k "$OURS/bob.key" unsigned.json |
			bb-encode >>ours
		bb-encode unsigned.json | jq -Rc --arg hash "${hash^^}" --slurpfile wifs wifs.json \
			--slurpfile tx unsigned.json '
			$tx[input_line_number - 1].vin[0] as $in
			| [., $wifs, [{txid: $in.txid, vout: $in.vout, scriptPubKey: $in.prevout.scriptpubkey,
				amount: ($in.prevout.value / 1e8), redeemScript: $in.redeemscript,
				witnessScript: $in.witnessscript} | with_entries(select(.value))], $hash]'
	done >ask.json
	[[ $(wc -l <ours) == 90 ]]
	rpc signrawtransactionwithkey <ask.json | jq -r 'select(.complete).hex' | diff ours -
}

@test "one transaction of every kind of coin is accepted, mined, and its block judged valid" {
	needs_node
	set -o pipefail
	local name to change i=0
	while read -r name; do
		coins "$name" 7 | jq -cs --argjson i $((i++)) 'last + if $i % 3 == 0 then {} else
			{sighash_type: (["all|anyonecanpay", "none", "none|anyonecanpay"][$i % 3])} end'
	done < <(jq -r .name "$OURS/kinds.json") | tac >coins.json
	to=$(jq -r .address "$OURS/bob.pub")
	bb-mktx --inputs all --to "$to=0.1btc" --data 6262 --fee-rate 1.234 --height 102 coins.json |
		sign alice bob carol >signed.json
	change=$(jq -rs '.[0].scriptpubkey' coins.json)
	jq -e --arg change "$change" '(.vin | length == 22) and (.vout | length == 3)
		and any(.vout[]; .scriptpubkey == $change)' signed.json
	accepted 1.234 signed.json
	same_decoded signed.json
	mine signed.json | jq -c '[.hash, 3]' | rpc getblock >block
	jq -c '[.hash, 0]' block | rpc getblock | jq -c --slurpfile block block '{
		type: "block", hex: ., height: $block[0].height,
		prevouts: [$block[0].tx[].vin[].prevout | select(.) | {scriptpubkey: .scriptPubKey.hex,
			value: (.value * 1e8 | round), height, coinbase: .generated}]}' >block.json
	bb-validate --verdict block.json | jq -e '.valid'
	run -1 bb-validate --verdict < <(jq -c '.prevouts[5].value += 1' block.json)
}

@test "bb-decode and the node say the same of all kinds of outputs" {
	needs_node
	local to
	to=$(jq -r .address "$OURS/bob.pub")
	jq -e '.vout | map(.scriptpubkey_type) | unique | length == 7' "$OURS/fund.json"
	same_decoded "$OURS/fund.json"
	coins p2wpkh 8 | bb-mktx --height 102 --allow-dust --locktime 77 --to "$to=0.01btc" \
		--data 00112233 --to-script 6a=5sat --to-script 51024e73=240sat --to-script ac=1sat \
		--to-script 5210751e76e8199196d454941c45d1b3a323=400sat >odd.json
	jq -e '.vout | map(.scriptpubkey_type) | unique
		== ["anchor", "op_return", "unknown", "v0_p2wpkh"]' odd.json
	same_decoded odd.json
}

@test "the node derives bb-keygen's addresses from its descriptors" {
	needs_node
	local type
	for type in p2pkh p2sh-p2wpkh p2wpkh p2tr; do
		bb-keygen --descriptor -t "$type" "$OURS/bob.key" >descriptors.json
		jq -c '[.descriptor]' descriptors.json | rpc getdescriptorinfo >info
		jq -se --slurpfile ours descriptors.json '
			length == 2 and map(.descriptor) == ($ours | map(.descriptor))
			and all(.isrange and .issolvable and (.hasprivatekeys | not))' info
		jq -c '[.descriptor, [0, 49]]' descriptors.json | rpc deriveaddresses | jq -r '.[]' >node
		jq -r .path descriptors.json | while read -r path; do
			bb-keygen --derive "$path-49" "$OURS/bob.key" | jq -r .address
		done >ours
		[[ $(wc -l <ours) == 100 ]]
		diff ours node
	done
}

@test "the node derives bb-keygen's addresses of single keys" {
	needs_node
	local type
	for type in p2pkh p2sh-p2wpkh p2wpkh p2tr; do
		bb-keygen --descriptor -t "$type" "$OURS/alice-short.key"
	done >keys.json
	bb-keygen --descriptor "$OURS/alice-long.key" >>keys.json
	jq -c '[.descriptor]' keys.json | rpc deriveaddresses | jq -r '.[]' >theirs
	jq -r .address keys.json | diff - theirs
}

@test "the node's wallet imports the descriptors, and hands out the same addresses" {
	needs_node
	local secret type
	bb-keygen -o key --mnemonic >public
	for secret in '' --print-secret; do
		for type in p2pkh p2sh-p2wpkh p2wpkh p2tr; do
			bb-keygen --descriptor ${secret:+"$secret"} -t "$type" key
		done >descriptors.json
		jq -cn --arg name "wallet$secret" '[$name, $name == "wallet", true]' | rpc createwallet >made
		jq -cs 'map({desc: .descriptor, timestamp: "now", active: true, range: [0, 20],
			internal: (.path | test("/1/[0-9]+$"))}) | [.]' descriptors.json | rpc importdescriptors |
			jq -e 'length == 8 and all(.success and (has("warnings") | not))'
		{
			printf '["", "%s"]\n' legacy p2sh-segwit bech32 bech32m | rpc getnewaddress
			printf '["%s"]\n' legacy p2sh-segwit bech32 bech32m | rpc getrawchangeaddress
		} | jq -r . | sort | diff <(jq -r .address descriptors.json | sort) -
		rpc unloadwallet <<<"[\"wallet$secret\"]" >gone
	done
}

@test "bb-decode and the node know the same addresses, and their scripts" {
	needs_node
	local type i
	{
		for type in p2pkh p2sh-p2wpkh p2wpkh p2tr; do
			bb-keygen --print-secret --count 50 -t "$type"
		done | jq -r .address
		bb-keygen --print-secret --count 10 -t p2pkh --uncompressed | jq -r .address
		for ((i = 1; i <= 16; i++)); do
			printf '%x02%04x\n%x28%080x\n' $((80 + i)) "$i" $((80 + i)) "$i"
		done | bb-decode --type script | jq -r '.address // empty'
		jq -r .script "$OURS/kinds.json" | bb-decode --type script | jq -r '.address // empty'
	} >addresses
	[[ $(wc -l <addresses) -gt 250 ]]
	bb-decode --type address addresses | jq -r '.address + " " + .hex' >ours
	jq -Rc '[.]' addresses | rpc validateaddress | jq -r '.address + " " + .scriptPubKey' |
		diff ours -
	grep ^bcrt1 addresses | tr '[:lower:]' '[:upper:]' >upper
	bb-decode --type address upper | jq -r .hex >ours
	jq -Rc '[.]' upper | rpc validateaddress | jq -r .scriptPubKey | diff ours -
}

@test "a wrong character, mixed case or another network makes no address for either" {
	needs_node
	local type
	for type in p2pkh p2sh-p2wpkh p2wpkh p2tr; do
		bb-keygen --print-secret --count 30 -t "$type"
	done | jq -r .address | awk '{
		at = 7 + NR % (length($0) - 7)
		print substr($0, 1, at - 1) (substr($0, at, 1) == "q" ? "z" : "q") substr($0, at + 1)
		if (/^bcrt1/) print substr($0, 1, 12) "Q" substr($0, 14); else print $0 "1"
		print $0 "q"; print substr($0, 1, length($0) - 1)
	}' >wrong
	bb-keygen --print-secret -n main --count 10 | jq -r .address >>wrong
	bb-keygen --print-secret -n signet --count 10 -t p2tr | jq -r .address >>wrong
	run -2 --separate-stderr bb-decode --type address wrong
	assert_output ""
	[[ ${#stderr_lines[@]} == 500 ]]
	jq -Rc '[.]' wrong | rpc validateaddress | jq -se 'length == 500 and all(.isvalid == false)'
}

@test "bitcoinjs-lib derives the same keys and addresses from mnemonics" {
	needs_npm
	local network words lengths type coin path
	umask 077
	echo 'correct horse' >passphrase
	for network in main testnet3 regtest; do
		coin=1 lengths=12
		[[ $network != main ]] || coin=0 lengths='12 15 18 21 24'
		for words in $lengths; do
			bb-keygen -n "$network" --mnemonic="$words" -o key >public
			for path in p2pkh:44 p2sh-p2wpkh:49 p2wpkh:84 p2tr:86; do
				type=${path%:*} path=m/${path#*:}h/${coin}h/3h/1/0
				bb-keygen -n "$network" -t "$type" --derive "$path-2" --print-secret key
				bb-keygen -n "$network" -t "$type" --derive "$path" --print-secret \
					--mnemonic-passphrase-file passphrase <(jq -r .mnemonic key) |
					jq -c '.passphrase = "correct horse"'
			done | jq -c --arg network "$network" --slurpfile key key \
				'. + {$network, mnemonic: $key[0].mnemonic}'
			rm key
		done
	done | jq -c '{"44": "p2pkh", "49": "p2sh-p2wpkh", "84": "p2wpkh", "86": "p2tr"} as $type
		| .type = $type[.path[2:4]]' >ours
	[[ $(wc -l <ours) == 112 ]]
	bitcoinjs address <ours | jq -cS . >theirs
	jq -cS '{address, pubkey, path, fingerprint, wif}' ours | diff - theirs
}

@test "bitcoinjs-lib derives the same addresses from an extended public key" {
	needs_npm
	local network type
	for network in main regtest; do
		for type in p2pkh p2sh-p2wpkh p2wpkh p2tr; do
			bb-keygen -n "$network" --print-secret --mnemonic -t "$type" | jq -r .xpub >xpub
			bb-keygen -n "$network" -t "$type" --derive 1/0-19 xpub |
				jq -c --arg network "$network" --arg type "$type" --rawfile xpub xpub \
					'{$network, $type, xpub: $xpub[:-1], path: "1/\(input_line_number - 1)",
						address, pubkey}'
		done
	done >ours
	[[ $(wc -l <ours) == 160 ]]
	bitcoinjs child <ours | jq -cS . >theirs
	jq -cS '{address, pubkey}' ours | diff - theirs
}

@test "bitcoinjs-lib has the same address for a WIF" {
	needs_npm
	local network type
	for network in main regtest; do
		for type in p2pkh p2sh-p2wpkh p2wpkh p2tr 'p2pkh --uncompressed'; do
			# shellcheck disable=SC2086 # two words
			bb-keygen -n "$network" --print-secret --count 5 -t $type |
				jq -c --arg network "$network" --arg type "${type% *}" '. + {$network, $type}'
		done
	done >ours
	bitcoinjs wif <ours | jq -cS . >theirs
	jq -cS '{address, pubkey}' ours | diff - theirs
}

# lean FILE: a transaction in the lean form.
lean() {
	jq -c --arg hex "$(bb-encode "$1")" '{$hex, prevouts: [.vin[].prevout]}' "$1"
}

@test "bitcoinjs-lib verifies the signatures by its own hashes, of every hash type" {
	needs_npm
	local type a to i pay=()
	a=$(public alice-short) to=$(jq -r .address "$OURS/bob.pub")
	for ((i = 0; i < 35; i++)); do pay+=(--to "$to=$((50000 + i))sat"); done
	{
		for type in p2pkh p2sh-p2wpkh p2wpkh p2tr; do
			bb-keygen -t "$type" --derive "m/84h/1h/0h/0/0-6" "$OURS/bob.key"
		done | jq -r .address | bb-decode --type address | jq -c '{scriptpubkey: .hex}'
		jq -cn --arg key "$a" 'range(7) | {key: $key}' | bitcoinjs leaf
	} | jq -c --arg types "$TAP_HASH_TYPES" '($types | split(" ")) as $types
		| input_line_number as $n | {type: "utxo", txid: ("\($n + 10)" * 32), vout: $n,
			value: (100000 + $n), height: 1, coinbase: false,
			sighash_type: ($types[$n % 7]
				| if . == "default" and $n < 22 then "all" else . end)} + .' \
		>coins.json
	[[ $(wc -l <coins.json) == 35 ]]
	bb-mktx --inputs all --keep-order "${pay[@]}" coins.json |
		sign alice bob | bb-validate >signed.json
	lean signed.json | bitcoinjs verify >verified.json
	jq -e '.inputs | map(select(.good)) | group_by(.kind) | map([.[0].kind, length])
		== [["p2pkh", 7], ["p2sh-p2wpkh", 7], ["v0_p2wpkh", 7], ["v1_p2tr", 14]]' verified.json
	jq -e --slurpfile ours signed.json \
		'.txid == $ours[0].txid and .weight == $ours[0].weight' verified.json
	jq -c '.vout[0].value -= 1 | del(.txid)' signed.json >tampered.json
	lean tampered.json | bitcoinjs verify | jq -c '[.inputs[].good]' >theirs
	{ bb-validate --verdict tampered.json || [[ $? == 1 ]]; } |
		jq -c '[.inputs[] == "OK"]' | diff theirs -
	jq -e 'any and (all | not)' theirs
}
