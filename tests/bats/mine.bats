#!/usr/bin/env bats
# bb-mine: templates in, blocks out; what a node and the ledger say of these, and what it refuses.

# shellcheck disable=SC2016,SC2030,SC2031,SC2153,SC2154 # for jq; what run and node_start set

load helper
load peers/bitcoind.bash

teardown() {
	if [[ -n ${NODE_PID:-} ]]; then node_stop; fi
}

# template [FILTER [ARGS...]]: what a bitcoind on regtest answers first, changed by jq.
template() {
	jq -c "${1:-.}" "${@:2}" "$BATS_TEST_DIRNAME/fixtures/template.json"
}

# mine ARGS...: bb-mine paying KEY1.
mine() {
	bb-mine --to "$KEY1_ADDRESS" "$@"
}

# decoded: a block line's Esplora form.
decoded() {
	bb-decode --full
}

# judged: the ledger's verdict on block lines, in a store of their own.
judged() {
	bb-chain -d ledger add
}

@test "a template becomes a block that the ledger takes in" {
	template >t
	run -0 --separate-stderr mine t
	assert_stderr ""
	assert_json '.type == "block" and .height == 1 and (.id | length) == 64'
	assert_json 'keys == ["height", "hex", "id", "type"]'
	judged <<<"$output" | jq -e '.result == "connected" and .height == 1'
	[[ $(bb-chain -d ledger tip | jq -r .id) == "$(jq -r .id <<<"$output")" ]]
}

@test "the coinbase is as Bitcoin Core makes it" {
	local height push
	while read -r height push; do
		template ".height = $height" >t
		mine t | decoded | jq -e --argjson height "$height" --arg push "$push" \
			--arg alone "$(jq -r .default_witness_commitment t)" --arg script "$KEY1_SCRIPT" '
			.version == 536870912 and .timestamp == 1700000000
			and .bits == 545259519 and (.tx | length) == 1 and (.tx[0] | .version == 2
				and .locktime == $height - 1 and (.vin[0] | .sequence == 4294967294
					and (.scriptsig | startswith($push) and length >= 4 and length <= 200)
					and .witness == ["00" * 32])
				and (.vout | map([.value, .scriptpubkey])) ==
					[[5000000000, $script], [0, $alone]])'
	done <<-'X'
		1 51
		16 60
		17 0111
		127 017f
		128 028000
		32768 03008000
		840000 0340d10c
		2147483647 04ffffff7f
	X
}

@test "--to takes a script in hex too, and no address of another network" {
	run -0 bb-mine --to "$KEY1_SCRIPT" < <(template)
	decoded <<<"$output" | jq -e --arg to "$KEY1_ADDRESS" '.tx[0].vout[0].scriptpubkey_address == $to'
	run -0 bb-mine --to 51 < <(template)
	decoded <<<"$output" | jq -e '.tx[0].vout[0].scriptpubkey == "51"'
	run -2 --separate-stderr bb-mine --to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 < <(template)
	assert_errors 'length == 1 and (.[0].error | contains("another network"))'
	for to in '' 5 5x bcrt1; do
		run -2 --separate-stderr bb-mine --to "$to" < <(template)
		assert_output ""
		assert_errors 'length == 1 and (.[0].error | startswith("--to: "))'
	done
	run -2 --separate-stderr bb-mine < <(template)
	assert_error bb-mine 1 "nobody would be paid: the template has no coinbasetxn, and --to is not given"
	# And it waits for no other.
	run -2 --separate-stderr bb-mine < <(template && exec tail -f /dev/null)
}

@test "--text stands in the coinbase, up to 84 bytes" {
	run -0 mine --text 'bb was here' < <(template)
	decoded <<<"$output" | jq -e '.tx[0].vin[0].scriptsig | startswith("510b62622077617320686572650")'
	local long
	long=$(printf 'x%.0s' {1..84})
	run -0 mine --text "$long" < <(template '.height = 2147483647')
	decoded <<<"$output" | jq -e '.tx[0].vin[0].scriptsig | contains("78" * 84) and length == 200'
	run -2 --separate-stderr mine --text "x$long" < <(template)
	assert_output ""
}

@test "coinbaseaux stands in the coinbase, as long as there is room" {
	run -0 mine < <(template '.coinbaseaux = {flags: "062f503253482f", more: ""}')
	decoded <<<"$output" | jq -e '.tx[0].vin[0].scriptsig | startswith("51062f503253482f08") and length == 34'
	run -0 mine < <(template '.coinbaseaux = {flags: ("00" * 90)}')
	run -2 --separate-stderr mine < <(template '.coinbaseaux = {flags: ("00" * 91)}')
	assert_error bb-mine 1 "the coinbase's scriptSig would be longer than 100 bytes"
}

@test "no two runs look at the same blocks" {
	template >t
	[[ $(mine t | jq .id) != $(mine t | jq .id) ]]
}

@test "templates may be pretty-printed, in one piece, in a node's answer, and of type template" {
	local form layout
	for form in . '{result: ., error: null, id: 0}' '.type = "template"' '{id: 1, result: .}' \
		'{a: [{b: []}, "}{\"\\"], type: "template"} + .'; do
		for layout in -c --tab -r; do
			run -0 --separate-stderr mine < <(template | jq "$layout" "$form")
			assert_stderr ""
			assert_json '.type == "block"'
		done
	done
	# of what waits, the newest
	{ template '.height = 7'; template '.height = 8' | jq .; template '.height = 9'; } |
		tr -d '\n' >t
	run -0 --separate-stderr mine t
	assert_stderr ""
	assert_json '.height == 9'
}

@test "what is no template is reported by the line it begins in, and the next value is read" {
	{
		echo 'hello'
		echo '{"type":"tx","from":"peer-7"}'
		template '.height = 5' | head -c 200
		echo
		template '.height = "6"' | jq .
		echo '{"result":null,"error":{"code":-10},"id":1}'
		echo '{"a":"b'
		echo '[1]'
		template '.height = 7'
		echo -n '{"result":[{'
	} >t
	run -2 --separate-stderr mine t
	assert_json '.height == 7'
	assert_errors 'map([.line, .error, .from]) == [[1, "malformed JSON: not an object", null],
		[2, "not a template", "peer-7"], [3, "malformed JSON: it breaks off", null],
		[4, "height is not a height", null],
		['$((4 + $(template | jq . | wc -l)))', "an error of a node'\''s in place of a template", null],
		['$((5 + $(template | jq . | wc -l)))', "malformed JSON: it breaks off", null],
		['$((6 + $(template | jq . | wc -l)))', "malformed JSON: not an object", null],
		['$((8 + $(template | jq . | wc -l)))', "malformed JSON: it breaks off", null]]'
}

@test "lines are counted on from file to file" {
	echo -n '{"height":5' >a
	{ echo -n '{}'; } >b
	run -2 --separate-stderr mine a b - < <(template)
	assert_json '.height == 1'
	assert_errors 'map([.line, .error]) == [[1, "malformed JSON: it breaks off"], [2, "version is missing"]]'
}

@test "whatever is wrong with a template is told, and the next one is mined" {
	local filter reason n=0
	while IFS='~' read -r filter reason; do
		run -2 --separate-stderr mine < <(template "$filter"; template '.height = 2')
		assert_json '.height == 2'
		assert_error bb-mine 1 "$reason"
		n=$((n + 1))
	done < <(
		for key in version previousblockhash transactions coinbasevalue bits curtime height; do
			echo "del(.$key)~$key is missing"
			echo ".$key = null~$key is missing"
		done
		cat <<-'X'
			.version = "1"~version is not a 32-bit number
			.version = 4294967296~version is not a 32-bit number
			.version = 1.5~version is not a 32-bit number
			.previousblockhash = 5~previousblockhash is not a hash
			.previousblockhash |= .[1:]~previousblockhash is not a hash
			.previousblockhash |= "g" + .[1:]~previousblockhash is not a hash
			.bits = 545259519~bits is not a string of 8 hex digits
			.bits = "207fff"~bits is not a string of 8 hex digits
			.bits = "00000000"~bits is no target of this network
			.bits = "20ffffff"~bits is no target of this network
			.bits = "21008000"~bits is no target of this network
			.target = "00"~target is not a string of 64 hex digits
			.curtime = -1~curtime is not a 32-bit number
			.curtime = 4294967296~curtime is not a 32-bit number
			.curtime = 1~curtime is before mintime
			.mintime = "1"~mintime is not a 32-bit number
			.maxtime = 1500000000~curtime is after maxtime
			.maxtime = []~maxtime is not a 32-bit number
			.mutable = "time"~mutable is not an array
			.noncerange = "00"~noncerange is not a string of 16 hex digits
			.noncerange = "0000000100000000"~noncerange is empty
			.height = 0~height is not a height
			.height = 2147483648~height is not a height
			.height = 1.5~height is not a height
			.height = 99999999999999999999~height is not a height
			.coinbasevalue = -1~coinbasevalue is not an amount
			.coinbasevalue = 2100000000000001~coinbasevalue is not an amount
			.coinbasevalue = "5"~coinbasevalue is not an amount
			.coinbaseaux = []~coinbaseaux is not an object of hex strings
			.coinbaseaux = {a: "0"}~coinbaseaux is not an object of hex strings
			.coinbasetxn = 5~coinbasetxn is not an object
			.coinbasetxn = {}~coinbasetxn has no data that is a coinbase
			.weightlimit = "1"~weightlimit is not a number up to 4000000
			.weightlimit = 500~bad-blk-weight
			.sizelimit = -1~sizelimit is not a number up to 4000000
			.sizelimit = 100~bad-blk-length
			.default_witness_commitment = 5~default_witness_commitment is odd or not hex
			.default_witness_commitment = "6a2"~default_witness_commitment is odd or not hex
			.default_witness_commitment |= .[:-2] + "00"~bad-witness-merkle-match
			.rules = "csv"~rules is not an array
			.rules = [5]~rules has a member that is not a string
			.rules += ["!novelty"]~rules demands one that is not known here
			.signet_challenge = "51"~signet_challenge is not this network's
			.signet_challenge = 51~signet_challenge is odd or not hex
			.transactions = {}~transactions is not an array
			.transactions = [5]~transactions[0]: not an object
			.transactions = [{}]~transactions[0]: data is missing
			.transactions = [{data: 5}]~transactions[0]: data is odd or not hex
			.transactions = [{data: "zz"}]~transactions[0]: data is odd or not hex
			.transactions = [{data: "00"}]~transactions[0]: data is not a transaction
		X
	)
	[[ $n -ge 60 ]]
}

@test "the transactions go in as they are, with a commitment to their witnesses" {
	template ".transactions = [{data: \"$BIP143_HEX\", txid: \"$BIP143_TXID\", hash: \"$BIP143_WTXID\"}]
		| .height = 20 | del(.default_witness_commitment)" >t
	run -0 mine t
	bb-validate --partial --verdict <<<"$output" | jq -e .valid
	decoded <<<"$output" | jq -e --arg id "$BIP143_TXID" '(.tx | length) == 2 and .tx[1].txid == $id
		and (.tx[0].vout | length) == 2'
	jq -c '.transactions[0].txid |= "00" + .[2:]' t >bad
	run -2 --separate-stderr mine bad
	assert_error bb-mine 1 "transactions[0]: txid does not match"
	jq -c '.transactions[0].hash |= "00" + .[2:]' t >bad
	run -2 --separate-stderr mine bad
	assert_error bb-mine 1 "transactions[0]: hash does not match"
	jq -c '.transactions += .transactions + .transactions' t >bad
	run -2 --separate-stderr mine bad
	assert_error bb-mine 1 "bad-txns-duplicate"
	jq -c --arg data "$(mine t | jq -r .hex | cut -c 163- | head -c 400)" \
		'.transactions += [{$data}]' t >bad
	run -2 --separate-stderr mine bad
	assert_errors '.[0].error | startswith("transactions[1]: data is ")'
}

@test "a server's own coinbase is kept, and extended where it may be" {
	local data hard='.coinbasetxn = {$data} | del(.coinbasevalue)'
	data=$(template | mine | decoded | jq -c '.tx[0]' | bb-encode)
	run -0 bb-mine < <(template "$hard | .mutable += [\"coinbase/append\"]" --arg data "$data")
	judged <<<"$output" | jq -e '.result == "connected"'
	decoded <<<"$output" | jq -e '.tx[0].vin[0].scriptsig | length == 38'
	run -0 bb-mine < <(template "$hard" --arg data "$data")
	decoded <<<"$output" | jq -c '.tx[0]' | bb-encode | diff - <(echo "$data")
	# all there is to change is the nonce, and then nothing is left
	run -1 --separate-stderr bb-mine -j 2 < <(template "$hard | .bits = \"1d00ffff\"
		| .noncerange = \"0000000000000fff\"" --arg data "$data")
	assert_output ""
	assert_error bb-mine 1 "no block was found"
	run -2 --separate-stderr bb-mine --text hi < <(template "$hard" --arg data "$data")
	assert_error bb-mine 1 "the template does not let its coinbase carry a text"
	run -2 --separate-stderr mine < <(template "$hard" --arg data "$data")
	assert_error bb-mine 1 "coinbasevalue is missing, so nobody else can be paid"
	run -0 mine < <(template '.coinbasetxn = {$data}' --arg data "$data")
	decoded <<<"$output" | jq -e '.tx[0].vin[0].scriptsig | length == 20'
}

@test "time stays where bits depend on it: nonces used up, the extranonce goes on" {
	local j
	for j in 1 2; do
		run -0 mine -j "$j" < <(template '.noncerange = "0000000700000008"')
		judged <<<"$output" | jq -e '.valid'
		decoded <<<"$output" | jq -e '.timestamp == 1700000000 and (.nonce == 7 or .nonce == 8)'
	done
}

# classroom [FILTER]: a template on barenet, where bits do not depend on time and 2^20 hashes are
# due. Its nonces last for a thousandth.
classroom() {
	template ".bits = \"1e0fffff\" | del(.target) | .noncerange = \"00000000000003ff\"
		| .previousblockhash = \"000004dadc4ca8caeee35eedd1d4e127e6dede36ba0f38fe77a8452d321285fe\"
		| .mintime = 1735862401 | .curtime = 1735862500 | ${1:-.}"
}

@test "nonces used up, time goes on where it may, and no further than it may" {
	local last=1735862560 filter
	while IFS='|' read -r filter last; do
		run -0 bb-mine -n barenet --to 51 -j 2 < <(classroom "$filter")
		decoded <<<"$output" | jq -e --argjson last "$last" '.timestamp >= 1735862500
			and .timestamp <= $last and .nonce <= 1023'
		bb-chain -n barenet -d "store$last" add --now 1735862500 <<<"$output" | jq -e '.result == "connected"'
	done <<-'X'
		.|1735862560
		.maxtime = 1735862501|1735862501
		.mutable = []|1735862500
	X
}

@test "--max-tries gives a template up" {
	run -1 --separate-stderr mine --max-tries 100000 < <(template '.bits = "1d00ffff"')
	assert_output ""
	assert_error bb-mine 1 "no block was found"
	run -1 --separate-stderr mine -j 3 --max-tries 100000 < <(template '.target = "00" * 32')
	assert_error bb-mine 1 "no block was found"
	run -2 --separate-stderr mine --max-tries 0 < <(template)
}

@test "--every lets the miner rest after each block, and begin with the newest template then" {
	local began=${EPOCHREALTIME/./}
	run -0 --separate-stderr mine --every 1 < <(
		template
		template '.height = 7'
		template '.height = 8'
	)
	((${EPOCHREALTIME/./} - began >= 1000000))
	assert_json -s 'map(.height)[1:] == [8]'
	run -2 --separate-stderr mine --every 1.5 < <(template)
	[[ $stderr == *"--every"* ]]
}

@test "every thread's blocks are good" {
	local j
	for j in 1 2 5 0; do
		run -0 bb-mine -n barenet --to 51 -j "$j" < <(classroom 'del(.noncerange)')
		bb-chain -n barenet -d "store$j" add --now 1735862500 <<<"$output" | jq -e '.result == "connected"'
	done
}

@test "it holds a conversation, and a newer template takes the place of the one in work" {
	local block
	mkfifo to from
	mine -j 2 <to >from 3>&- &
	exec 8>to 9<from
	template >&8
	read -r block <&9
	jq -e '.height == 1' <<<"$block"
	template '.height = 2 | .bits = "1700ffff"' >&8 # so hard that no luck finds it
	template '.height = 3 | .target = "00" * 32' | jq . >&8
	echo '{"height":4}' >&8
	template '.height = 5' >&8
	read -r block <&9
	jq -e '.height == 5' <<<"$block"
	template '.height = 6 | .target = "00" * 32' >&8
	template '.height = 7' >&8
	exec 8>&-
	read -r block <&9
	jq -e '.height == 7' <<<"$block"
	run -2 wait $!
	exec 9<&-
}

@test "no template is no success" {
	run -1 --separate-stderr mine </dev/null
	assert_stderr '{"type":"error","tool":"bb-mine","error":"no input"}'
	run -1 --separate-stderr mine < <(printf '\n \t\r\n')
	assert_stderr '{"type":"error","tool":"bb-mine","error":"no input"}'
	run -2 --separate-stderr mine no-such-file
	assert_errors 'length == 1 and (.[0].error | contains("no-such-file"))'
}

@test "--fail-fast stops at the first value that is wrong, --max-line passes over long ones" {
	run -2 --separate-stderr mine --fail-fast < <(echo '{}'; template)
	assert_output ""
	assert_errors 'length == 1'
	run -2 --separate-stderr mine --max-line 2000 \
		< <(template '.x = ("y" * 300000)'; template '.height = 2')
	assert_json '.height == 2'
	assert_error bb-mine 1 "template too long"
}

@test "blocks that cannot be written are status 3" {
	template >t
	run -3 --separate-stderr bash -c "bb-mine --to 51 t >/dev/full"
	assert_errors 'length == 1 and (.[0].error | startswith("cannot write"))'
}

@test "keys sign on a signet only, and are needed there" {
	key_file key
	run -2 --separate-stderr mine -k key < <(template)
	assert_errors 'length == 1 and (.[0].error | startswith("-k: "))'
	signet "$KEY1_SCRIPT"
	run -2 --separate-stderr bb-mine -n net --to 51 < <(template)
	assert_error bb-mine 1 "the signet's challenge needs a signature (-k)"
	bb-keygen -o other >/dev/null
	run -1 --separate-stderr bb-mine -n net -k other --to 51 < <(template)
	assert_error bb-mine 1 "the signet's challenge was not signed: no-key"
	signet 51
	run -0 --separate-stderr bb-mine -n net --to 51 < <(template)
	decoded <<<"$output" | jq -e '.tx[0].vout | length == 2'
	chmod 644 key
	signet "$KEY1_SCRIPT"
	run -2 --separate-stderr bb-mine -n net -k key --to 51 < <(template)
	assert_output ""
}

# signet CHALLENGE: a file of parameters, with regtest's target.
signet() {
	printf '{"base":"regtest","signet_challenge":"%s"}\n' "$1" >net
}

@test "a signature is made anew for each time and extranonce" {
	local type
	for type in p2pkh p2wpkh p2sh-p2wpkh p2tr; do
		bb-keygen -t "$type" -o "$type.key" >public
		signet "$(jq -r .address public | bb-decode --type address | jq -r .hex)"
		run -0 --separate-stderr bb-mine -n net -k "$type.key" -j 2 --to 51 \
			< <(template '.noncerange = "0000000000000001" | .target = "01" + "00" * 31')
		bb-chain -n net -d "$type" add <<<"$output" | jq -e '.result == "connected"'
	done
	(umask 077 && echo four words >words)
	bb-keygen --encrypt --passphrase-file words -o sealed.key p2tr.key >public
	run -0 --separate-stderr bb-mine -n net -k sealed.key --passphrase-file words --to 51 < <(template)
	assert_stderr ""
	bb-chain -n net -d sealed add <<<"$output" | jq -e '.result == "connected"'
}

# getblocktemplate RULE: the node's.
getblocktemplate() {
	rpc getblocktemplate <<<"[{\"rules\":[\"segwit\",\"$1\"]}]"
}

# both_take LINE ARGS...: the block is accepted by the ledger and by the node.
both_take() {
	bb-chain -d ledger "${@:2}" add <<<"$1" | jq -e '.result == "connected"'
	jq -c '[.hex]' <<<"$1" | rpc submitblock | jq -e '. == null'
	[[ $(rpc getbestblockhash <<<'[]' | jq -r .) == "$(jq -r .id <<<"$1")" ]]
}

# send TYPE COUNT: so many payments to addresses of that type; the node's wallet chooses.
send() {
	local i
	for ((i = 0; i < $2; i++)); do
		jq -c "[., 1.5]" <<<"$(rpc getnewaddress <<<"[\"\",\"$1\"]")" | rpc sendtoaddress
	done >>sent
}

@test "a bitcoind's templates, with transactions of every type, become blocks it accepts" {
	node_start
	needs_node
	local type round
	rpc createwallet <<<'["w"]' >made
	jq -c '[110, .]' <<<"$(rpc getnewaddress <<<'["","bech32"]')" | rpc generatetoaddress >mined
	for ((round = 1; round <= 110; round++)); do echo "[$round]"; done | rpc getblockhash | jq -c '[., 0]' |
		rpc getblock | jq -c '{type: "block", hex: .}' | bb-chain -d ledger add |
		jq -se 'length == 110 and all(.result == "connected")'
	for round in 1 2 3 4; do
		for type in legacy p2sh-segwit bech32 bech32m; do send "$type" 2; done
		getblocktemplate csv | jq . >t
		jq -e '.transactions | length == 8 and any(.txid != .hash)' t
		run -0 --separate-stderr mine --text "round $round" t
		assert_stderr ""
		both_take "$output"
	done
	[[ $(rpc getmempoolinfo <<<'[]' | jq .size) == 0 ]]
}

@test "a custom signet mined with -k is accepted by a bitcoind with the same challenge" {
	local name challenge two
	bb-keygen -o a.key >a.pub
	bb-keygen -o b.key >b.pub
	two=5121$(jq -r .pubkey a.pub)21$(jq -r .pubkey b.pub)52ae
	for name in p2wpkh p2pk multisig; do
		case $name in
		p2wpkh) challenge=$(jq -r .address a.pub | bb-decode --type address | jq -r .hex) ;;
		p2pk) challenge=21$(jq -r .pubkey a.pub)ac ;;
		multisig) challenge=$two ;;
		esac
		printf '{"base":"signet","signet_challenge":"%s"}\n' "$challenge" >net
		export NODE_CHAIN=signet
		node_start -signetchallenge="$challenge"
		needs_node
		for _ in 1 2; do
			getblocktemplate signet >t
			run -0 --separate-stderr bb-mine -n net -k a.key -j 2 --to 51 t
			assert_stderr ""
			both_take "$output" -n net -d "ledger-$name"
		done
		node_stop
		NODE_PID=
	done
}
