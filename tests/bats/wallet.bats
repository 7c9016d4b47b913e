#!/usr/bin/env bats
# bb-wallet: wallets, addresses, balances and payments, on ledgers without a node and with one.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's variables; what run sets

load helper
load relay

# BIP 39's first words, for a wallet that others know too: BIP 84's first address of it on main.
ABANDON="abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
	export BB_DIR=$PWD/node
	PATH=$PATH:$BB_ROOT/pipelines
}

teardown() {
	stop_all
}

# wallets NAME...: new ones, whose words are kept in NAME.words.
wallets() {
	local name
	for name; do bb-wallet new "$name" >"$name.words"; done
}

# dig COUNT [WALLET]: so many blocks for an address of that wallet, or whoever comes.
dig() {
	local to=51
	[[ -z ${2-} ]] || to=$(bb-wallet -w "$2" address)
	command mine "$1" --to "$to" >/dev/null
}

# rich: alice has two coins of 50 that can be spent, bob nothing.
rich() {
	wallets alice bob
	dig 2 alice
	dig 99
}

# fresh WALLET: an address to pay to.
fresh() {
	bb-wallet -w "$1" address
}

# has WALLET CONFIRMED PENDING IMMATURE
has() {
	bb-wallet -w "$1" balance | jq -c '[.confirmed, .pending, .immature]' >had
	[[ $(<had) == "[$2,$3,$4]" ]] || {
		printf '%s has %s, not [%s,%s,%s]\n' "$1" "$(<had)" "$2" "$3" "$4"
		return 1
	}
}

# sent: the txid in the output.
sent() {
	jq -r .id <<<"$output"
}

# Wallets.

@test "a new wallet's words are BIP 39's, shown once and stored nowhere" {
	run -0 --separate-stderr bb-wallet new alice
	[[ $(wc -w <<<"$output") == 12 ]]
	assert_stderr ""
	run -0 bb-keygen --print-secret - <<<"$output"
	words=$(jq -r .mnemonic <<<"$output")
	first=$(jq -r .address <<<"$output")
	[[ $(bb-wallet address) == "$first" ]]
	run -1 grep -rF "${words#* }" node
	run -0 bb-wallet new bob --words 24
	[[ $(wc -w <<<"$output") == 24 ]]
	run -2 --separate-stderr bb-wallet new carol --words 13
	assert_error_without_line bb-keygen "--mnemonic: 12, 15, 18, 21 or 24 words (see --help)"
	[[ $(ls -A node/wallets) == $'.default\nalice\nbob' ]]
}

# assert_error_without_line TOOL ERROR: standard error is exactly that.
assert_error_without_line() {
	assert_stderr "{\"type\":\"error\",\"tool\":\"$1\",\"error\":\"$2\"}"
}

@test "words give BIP 84's addresses on main" {
	run -0 bb-wallet -n main restore alice <<<"$ABANDON"
	run -0 bb-wallet -n main address
	assert_output bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu
	run -0 bb-wallet -n main address
	assert_output bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g
	run -0 bb-wallet -n main descriptor
	jq -es '.[1].address == "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el" and
		(.[1].descriptor | test("/1/\\*")) and all(has("xprv") | not)' <<<"$output"
}

@test "BIP 39's passphrase makes another wallet" {
	(umask 077 && echo TREZOR >passphrase)
	run -0 bb-wallet -n main restore plain <<<"$ABANDON"
	run -0 bb-wallet -n main restore other --mnemonic-passphrase-file passphrase <<<"$ABANDON"
	run -0 bb-wallet -n main restore again --mnemonic-passphrase-fd 4 <<<"$ABANDON" 4<passphrase
	run -0 bb-wallet -n main -w other address
	[[ $output == "$(bb-wallet -n main -w again address)" ]]
	[[ $output != "$(bb-wallet -n main -w plain address)" ]]
	run -0 bb-keygen -n main --derive m/84h/0h/0h/0/0 --mnemonic-passphrase-file passphrase - <<<"$ABANDON"
	assert_json --arg address "$(bb-wallet -n main -w other addresses 2>/dev/null | jq -r .address)" \
		'$address == "" or .address == $address'
}

@test "nobody else can read a wallet" {
	wallets alice
	[[ $(stat -c %a node/wallets node/wallets/alice | sort -u) == 700 ]]
	[[ $(stat -c %a node/wallets/alice/* | sort -u) == 600 ]]
	bb-wallet address
	[[ $(stat -c %a node/wallets/alice/* | sort -u) == 600 ]]
	[[ $(ls -A node/wallets/alice) == $'account\nkey\nlock\nnext' ]]
}

@test "words and keys stand in no argument and no environment" {
	mkdir spies
	for tool in bb-keygen bb-chain bb-sign bb-mktx jq cat mv sync mktemp rm mkdir ln sed; do
		printf '#!/bin/bash\n{ printf "%%s\\n" "$@"; env; } >>"$SPIED"\nexec %q "$@"\n' \
			"$(command -v "$tool")" >"spies/$tool"
		chmod +x "spies/$tool"
	done
	(umask 077 && echo "open sesame" >passphrase)
	# Names that the script uses too: what came exported must not go on so.
	export SPIED=$PWD/spied words=x account=x verdict=x signed=x
	old=$PATH PATH=$PWD/spies:$PATH
	run -0 bb-wallet new alice --passphrase-fd 4 4<passphrase
	words=$output
	run -0 bb-wallet restore bob <<<"$words"
	PATH=$old
	grep -q -- --mnemonic spied
	run -1 grep -F -e "${words#* }" -e "open sesame" -e tprv spied
	xprv=$(jq -r .xprv node/wallets/bob/key)
	[[ $xprv == tprv* ]]
	run -0 grep -rlF "$xprv" node
	assert_output node/wallets/bob/key
}

@test "a name that is taken, or is none, is refused" {
	wallets alice
	cp -r node before
	run -2 --separate-stderr bb-wallet new alice
	assert_error_without_line bb-wallet "$PWD/node/wallets/alice is there already"
	assert_output ""
	run -2 --separate-stderr bb-wallet restore alice <<<"$ABANDON"
	assert_error_without_line bb-wallet "$PWD/node/wallets/alice is there already"
	for name in .default ../alice a/b "" "a b" -- ; do
		run -2 --separate-stderr bb-wallet new "$name"
		assert_errors 'length == 1'
	done
	diff -r before node
}

@test "what is no wallet's words is refused, and leaves nothing" {
	while IFS='|' read -r words error; do
		run -2 --separate-stderr bb-wallet restore alice <<<"$words"
		assert_errors "length == 1 and (.[0].error | test(\"$error\"))"
		[[ ! -e node/wallets || -z $(ls -A node/wallets) ]]
	done <<-END
		${ABANDON% *} abandon|checksum
		${ABANDON% *} nosuchword|word
		$KEY1_WIF|not the words
		0000000000000000000000000000000000000000|not the words
		|not the words
	END
	run -2 --separate-stderr bb-wallet restore alice </dev/null
	assert_error_without_line bb-wallet "no words on standard input"
}

@test "words that nobody could be shown make no wallet" {
	run -3 --separate-stderr bash -c 'bb-wallet new alice >/dev/full'
	assert_error_without_line bb-wallet "cannot write to standard output"
	[[ -z $(ls -A node/wallets) ]]
	wallets alice
	bb-chain add </dev/null 2>/dev/null || true
	for verb in address balance addresses list; do
		run -3 --separate-stderr bash -c "bb-wallet $verb >/dev/full"
		assert_error_without_line bb-wallet "cannot write to standard output"
	done
}

@test "the first wallet is the default one, until another is used" {
	run -2 --separate-stderr bb-wallet address
	assert_error_without_line bb-wallet "no wallet yet: bb-wallet new NAME makes one"
	run -0 bb-wallet list
	assert_output ""
	(umask 077 && echo "open sesame" >passphrase)
	wallets bob alice
	bb-wallet new sealed --passphrase-file passphrase
	run -0 bb-wallet list
	jq -es 'map([.wallet, .default, .encrypted]) ==
		[["alice", false, false], ["bob", true, false], ["sealed", false, true]]' <<<"$output"
	run -0 bb-wallet use alice
	run -0 bb-wallet list
	jq -es 'map(.default) == [true, false, false]' <<<"$output"
	run -2 --separate-stderr bb-wallet use carol
	assert_error_without_line bb-wallet "no wallet carol in $PWD/node/wallets"
}

@test "beside a ledger of another network no wallet is made, and the error says what to do" {
	bb-chain -n barenet add </dev/null 2>/dev/null || true
	run -3 --separate-stderr bb-wallet new alice
	assert_output ""
	assert_error_without_line bb-chain \
		"the store in $BB_DIR is of network barenet, not regtest (-n barenet, or BB_NETWORK)"
	[[ ! -e node/wallets ]]
	echo '{"name": "class", "base": "regtest", "halving_interval": 9}' >class.json
	bb-chain -d class -n class.json add </dev/null 2>/dev/null || true
	run -3 --separate-stderr bb-wallet -d class new alice
	assert_error_without_line bb-chain \
		"the store in class is of network class, not regtest (-n its file, or BB_NETWORK)"
	bb-wallet -n barenet new alice
	bb-wallet -d class -n class.json new alice
}

# Addresses.

@test "each address is fresh, and the default folder is the network's" {
	unset BB_DIR
	export HOME=$PWD
	bb-wallet -n barenet new alice
	for _ in {1..5}; do bb-wallet -n barenet address; done >first
	[[ $(sort -u first | wc -l) == 5 && $(grep -c ^bare1q first) == 5 ]]
	[[ -e .bb/barenet/wallets/alice/key ]]
	seq 4 | xargs -P 4 -I '{}' bb-wallet -n barenet address >rest
	[[ $(sort -u first rest | wc -l) == 9 ]]
}

@test "an address that was used elsewhere is not handed out" {
	wallets alice
	bb-chain add </dev/null 2>/dev/null || true
	bb-keygen --derive 0/0-9 node/wallets/alice/account | jq -r .address >theirs
	command mine 1 --to "$(sed -n 4p theirs)"
	run -0 bb-wallet address
	assert_output "$(sed -n 5p theirs)"
	run -0 bb-wallet addresses
	jq -es 'length == 5 and (map(.path) | map(split("/")[5]) == ["0", "1", "2", "3", "4"]) and
		map(.received) == [0, 0, 0, 5000000000, 0] and
		map(.balance) == [0, 0, 0, 5000000000, 0]' <<<"$output"
}

@test "an address behind the gap comes with a note" {
	wallets alice
	bb-chain add </dev/null 2>/dev/null || true
	for _ in {1..20}; do
		run -0 --separate-stderr bb-wallet address
		assert_stderr ""
	done
	run -0 --separate-stderr bb-wallet address
	[[ $output == bcrt1q* && $stderr == *"is not found by restore"* ]]
	command mine 1 --to "$output"
	run -0 --separate-stderr bb-wallet address
	assert_stderr ""
}

# Balances.

@test "a reward is immature, then confirmed" {
	wallets alice
	dig 1 alice
	has alice 0 0 5000000000
	dig 98
	has alice 0 0 5000000000
	dig 1
	has alice 5000000000 0 0
	run -0 bb-wallet balance
	assert_output '{"type":"balance","wallet":"alice","confirmed":5000000000,"pending":0,"immature":0,"height":100}'
}

@test "in a history rewards are told apart, and whether they can be spent" {
	rich
	bb-wallet send "$(fresh bob)" 1btc
	run -0 bb-wallet history
	jq -es 'map([.coinbase, .immature]) == [[true, false], [true, false], [null, null]]' <<<"$output"
	bb-chain invalidate "$(bb-chain tip | jq -r .id)" # 100: of block 2 no more
	run -0 bb-wallet history
	jq -es 'map([.coinbase, .immature])[:2] == [[true, false], [true, true]]' <<<"$output"
}

@test "what waits is pending on both sides, and confirmed by the next block" {
	rich
	run -0 --separate-stderr bb-wallet send "$(fresh bob)" 8btc --fee-rate 2
	assert_stderr ""
	assert_json '.type == "verdict" and .valid and .result == "accepted" and .fee == 2 * .vsize'
	fee=$(jq .fee <<<"$output")
	has alice 10000000000 $((-800000000 - fee)) 0
	has bob 0 800000000 0
	dig 1
	has alice $((9200000000 - fee)) 0 0
	has bob 800000000 0 0
	run -0 bb-wallet -w bob addresses
	assert_json '.received == 800000000 and .balance == 800000000 and .path == "m/84h/1h/0h/0/0"'
	run -0 bb-wallet addresses
	jq -es --argjson change $((4200000000 - fee)) 'map([.path[12:], .received, .balance]) ==
		[["0/0", 10000000000, 5000000000], ["1/0", $change, $change]]' <<<"$output"
}

@test "a wallet without a ledger has addresses, but no balance" {
	wallets alice
	run -0 bb-wallet address
	run -3 --separate-stderr bb-wallet balance
	assert_errors 'length == 1 and (.[0].error | test("no store"))'
	assert_output ""
	run -3 --separate-stderr bb-wallet send "$output" 1btc
	assert_output ""
}

@test "a history has every payment once, in order, with what it changed" {
	rich
	run -0 bb-wallet send "$(fresh bob)" 8btc
	first=$(sent) fee=$(jq .fee <<<"$output")
	dig 1
	run -0 bb-wallet -w bob send "$(fresh alice)" 3btc
	second=$(sent)
	run -0 bb-wallet history
	jq -es --arg first "$first" --arg second "$second" --argjson fee "$fee" '
		map(.height) == [1, 2, 102, null] and map(.confirmed) == [true, true, true, false] and
		map(.amount) == [5000000000, 5000000000, -800000000 - $fee, 300000000] and
		map(.fee) == [null, null, $fee, null] and
		map(.txid)[2:] == [$first, $second] and all(.type == "payment" and .time > 0)' <<<"$output"
	run -0 bb-wallet -w bob history
	jq -es 'map(.amount > 0) == [true, false]' <<<"$output"
}

@test "a reorganisation takes money back, and its payments wait again" {
	rich
	run -0 bb-wallet send "$(fresh bob)" 8btc
	fee=$(jq .fee <<<"$output")
	dig 1 alice
	has alice $((9200000000 - fee)) 0 $((5000000000 + fee))
	bb-chain invalidate "$(bb-chain tip | jq -r .id)"
	has alice 10000000000 $((-800000000 - fee)) 0
	has bob 0 800000000 0
	run -0 bb-wallet history
	jq -es 'map(.confirmed) == [true, true, false]' <<<"$output"
}

# Restoring.

@test "a restored wallet finds its money, has the same history, and goes on" {
	rich
	bb-wallet send "$(fresh bob)" 8btc
	dig 1
	bb-wallet send "$(fresh bob)" 1btc "$(fresh bob)" 2btc
	bb-wallet balance | jq -c 'del(.wallet)' >its.balance
	bb-wallet history >its.history
	run -0 --separate-stderr bb-wallet restore again <alice.words
	assert_stderr ""
	[[ $(jq -c 'del(.wallet)' <<<"$output") == "$(<its.balance)" ]]
	run -0 bb-wallet -w again history
	assert_output "$(<its.history)"
	[[ $(fresh again) == "$(fresh alice)" ]]
	bb-wallet -w again send "$(fresh bob)" 1btc
	dig 1
	[[ $(bb-wallet -w again history) == "$(bb-wallet history)" ]]
}

@test "a wallet restored before its chain is here finds its money later" {
	rich
	bb-wallet send "$(fresh bob)" 8btc
	dig 1
	run -0 bb-wallet -d other restore again <alice.words
	assert_output ""
	bb-chain export | bb-chain -d other import -
	run -0 bb-wallet -d other balance
	assert_json '.confirmed > 9100000000'
	[[ $(bb-wallet -d other history) == "$(bb-wallet history)" ]]
	[[ $(bb-wallet -d other address) == "$(bb-wallet address)" ]]
}

# pay_number N: a block to the address of that number of alice's, from 0.
pay_number() {
	command mine 1 --to "$(bb-keygen --derive "0/$1" node/wallets/alice/account | jq -r .address)" >/dev/null
}

@test "the search ends behind a gap of 20, or of as many as asked for" {
	wallets alice
	pay_number 19
	run -0 bb-wallet restore first <alice.words
	assert_json '.immature == 5000000000'
	pay_number 40
	run -0 bb-wallet restore second <alice.words
	assert_json '.immature == 5000000000'
	run -0 bb-wallet restore third --gap 21 <alice.words
	assert_json '.immature == 10000000000'
	run -0 bb-wallet -w third address
	assert_output "$(bb-keygen --derive 0/41 node/wallets/alice/account | jq -r .address)"
	pay_number 39
	run -0 bb-wallet balance -w first
	assert_json '.immature == 15000000000'
}

# Payments.

@test "several are paid in one transaction, and all is what is left" {
	rich
	one=$(fresh bob) two=$(fresh bob)
	run -0 bb-wallet send "$one" 1.5btc "$two" 2500sat
	run -0 bb-chain tx --full "$(sent)"
	assert_json --arg one "$one" --arg two "$two" '[.vout[] | {(.scriptpubkey_address): .value}] | add |
		length == 3 and .[$one] == 150000000 and .[$two] == 2500'
	run -0 bb-wallet send "$(fresh bob)" 1btc "$(fresh bob)" all
	run -0 bb-chain tx --full "$(sent)"
	assert_json '.vout | length == 2'
	dig 1
	has alice 0 0 0
	run -0 bb-wallet history
	fees=$(jq -s 'map(.fee // 0) | add' <<<"$output")
	has bob $((10000000000 - fees)) 0 0
}

@test "the fee rate is as told, or as the ledger says, and 1 at least" {
	rich
	run -0 bb-wallet send "$(fresh bob)" 1btc --fee-rate=12.345
	assert_json '.fee - .vsize * 12.345 | . >= 0 and . < 13'
	run -0 bb-wallet send "$(fresh bob)" 1btc
	assert_json '.fee == .vsize'
	run -2 --separate-stderr bb-wallet send "$(fresh bob)" 1btc --fee-rate -1
	assert_error_without_line bb-wallet "--fee-rate: not a rate: -1 (see --help)"
	run -2 --separate-stderr bb-wallet send "$(fresh bob)" 1btc --target 0
	assert_error_without_line bb-wallet "--target: not a number from 1: 0 (see --help)"
	mkdir actors
	printf '#!/bin/sh\ncase $* in "fee-rate --target 2") echo "{\\"fee_rate\\":7500}" ;;
		*) exec %s "$@" ;; esac\n' "$(command -v bb-chain)" >actors/bb-chain
	chmod +x actors/bb-chain
	PATH=$PWD/actors:$PATH run -0 bb-wallet send "$(fresh bob)" 1btc --target 2
	assert_json '.fee - .vsize * 7.5 | . >= 0 and . < 8'
}

@test "more than there is, immature coins and others' promises are not spent" {
	rich
	dig 1 alice
	run -1 --separate-stderr bb-wallet send "$(fresh bob)" 100btc
	assert_error_without_line bb-wallet "not enough money: short of 0.00000177 BTC; 100.00000000 BTC can be spent, 50.00000000 BTC is immature"
	assert_output ""
	bb-wallet send "$(fresh bob)" 8btc
	run -1 --separate-stderr bb-wallet -w bob send "$(fresh alice)" 1btc
	assert_errors 'length == 1 and (.[0].error | test("^not enough money: short of 1[.]00000[0-9]{3} BTC; nothing can be spent, 8[.]00000000 BTC waits to be mined$"))'
	# Its own change it does spend.
	run -0 bb-wallet send "$(fresh bob)" 90btc
	run -0 bb-wallet send "$(fresh bob)" 5000000sat
	run -0 bb-chain mempool
	[[ ${#lines[@]} == 3 ]]
	dig 1
	run -0 bb-wallet history
	jq -es 'length == 6 and all(.confirmed)' <<<"$output"
}

@test "change goes to a fresh address of chain 1 each time, and none is skipped by a refusal" {
	rich
	bb-wallet send "$(fresh bob)" 1btc
	run -1 bb-wallet send "$(fresh bob)" 200btc
	run -1 bb-wallet send "$(fresh bob)" 1btc --fee-rate 0
	assert_json '.error == "min relay fee not met" and (.valid | not)'
	[[ ! -e node/wallets/alice/in-flight ]]
	bb-wallet send "$(fresh bob)" 1btc
	run -0 bb-wallet addresses
	jq -es '[.[] | .path[12:] | select(startswith("1/"))] == ["1/0", "1/1"]' <<<"$output"
	[[ $(<node/wallets/alice/next) == "1 2" ]]
}

@test "payments made at once never choose the same coins" {
	wallets alice bob
	dig 8 alice
	dig 99
	for i in {1..8}; do fresh bob; done >to
	while read -r address; do
		bb-wallet send "$address" 30btc >>verdicts &
	done <to
	wait
	jq -es 'length == 8 and all(.valid and (has("replaced") | not))' verdicts
	run -0 bb-chain mempool --full
	jq -es '[.[].vin[] | "\(.txid):\(.vout)"] | length == (unique | length)' <<<"$output"
	has bob 0 24000000000 0
}

@test "a payment that was killed without a verdict is made by the next try, once" {
	rich
	mkdir actors
	printf '#!/bin/sh\ncase $1 in add) exit 3 ;; *) exec %s "$@" ;; esac\n' \
		"$(command -v bb-chain)" >actors/bb-chain
	chmod +x actors/bb-chain
	to=$(fresh bob)
	PATH=$PWD/actors:$PATH run -3 --separate-stderr bb-wallet send "$to" 8btc
	assert_errors 'length == 1 and (.[0].error | test("no verdict yet"))'
	assert_output ""
	[[ $(stat -c %a node/wallets/alice/in-flight) == 600 ]]
	run -0 bb-wallet send "$to" 8btc
	assert_json '.valid and .result == "accepted"'
	has bob 0 800000000 0
	# Once it has a verdict, the same call is another payment.
	run -0 bb-wallet send "$to" 8btc
	has bob 0 1600000000 0
	# Another call hands in the first, then pays.
	dig 1
	PATH=$PWD/actors:$PATH run -3 bb-wallet send "$to" 8btc
	run -0 bb-wallet send "$to" 2btc
	assert_json '.valid'
	has bob 1600000000 1000000000 0
	[[ ! -e node/wallets/alice/in-flight ]]
}

@test "a payment is refused as the call is wrong" {
	rich
	while IFS='|' read -r words error; do
		read -ra words <<<"$words"
		run -2 --separate-stderr bb-wallet "${words[@]}"
		assert_errors "length == 1 and (.[0].error | test(\"$error\"))"
		assert_output ""
	done <<-END
		send bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu 1btc|network
		send nonsense 1btc|not an address
		send $(fresh bob) 1|unit
		send $(fresh bob)|pairs
		send|pairs
		send $(fresh bob) 1btc $(fresh bob)|pairs
		send $(fresh bob) 1btc --encrypt|send takes no --encrypt
		balance --fee-rate 1|balance takes no --fee-rate
		balance now|balance takes 0 words
		frobnicate|unknown verb
		--frob|unknown option
		-w|needs a value
		-w carol balance|no wallet carol
		send $(fresh bob) 1btc --passphrase-fd 0|not a descriptor from 3
		-w ../alice balance|name
	END
	run -2 --separate-stderr bb-wallet
	assert_error_without_line bb-wallet "which verb? (see --help)"
	run -0 bb-chain mempool
	assert_output ""
}

# Fee bumping.

@test "bump replaces a waiting payment by one that pays more, out of the change" {
	rich
	to=$(fresh bob)
	run -0 bb-wallet send "$to" 8btc --fee-rate 2
	old=$(sent) fee=$(jq .fee <<<"$output")
	bb-chain tx --full "$old" >old.json
	run -0 --separate-stderr bb-wallet bump "$old"
	assert_stderr ""
	new=$(sent)
	assert_json --arg old "$old" --argjson fee "$fee" '.valid and .replaced == [$old] and .fee > $fee'
	run -0 bb-chain tx --full "$new"
	assert_json --slurpfile old old.json 'def addresses: .vout | map(.scriptpubkey_address) | sort;
		(.vin | map({txid, vout})) == ($old[0].vin | map({txid, vout})) and
		addresses == ($old[0] | addresses) and any(.vout[]; .value == 800000000)'
	run -0 bb-wallet bump "$new" --fee-rate 50
	assert_json '.fee == .vsize * 50'
	fee=$(jq .fee <<<"$output")
	has bob 0 800000000 0
	has alice 10000000000 $((-800000000 - fee)) 0
	dig 1
	has alice $((9200000000 - fee)) 0 0
	run -1 --separate-stderr bb-wallet bump "$(bb-wallet -w bob history | jq -r .txid)"
	assert_errors 'length == 1 and (.[0].error | endswith("it is in a block already"))'
}

@test "bump is refused where it pays less, is another's, or would undo a later payment" {
	rich
	run -0 bb-wallet send "$(fresh bob)" 8btc --fee-rate 5
	first=$(sent)
	run -1 --separate-stderr bb-wallet bump "$first" --fee-rate 5
	assert_errors 'length == 1 and (.[0].error | endswith("it pays as much already"))'
	run -1 --separate-stderr bb-wallet bump "$first" --fee-rate 5.05
	assert_json '.result == "refused" and .error == "insufficient fee"'
	assert_stderr ""
	run -1 --separate-stderr bb-wallet -w bob bump "$first"
	assert_errors 'length == 1 and (.[0].error | endswith("it is not a payment of this wallet"))'
	run -0 bb-wallet send "$(fresh bob)" 90btc
	second=$(sent)
	run -1 --separate-stderr bb-wallet bump "$first"
	assert_errors 'length == 1 and (.[0].error | endswith("a later payment spends from it"))'
	run -0 bb-wallet bump "$second"
	run -1 --separate-stderr bb-wallet bump "${first//[0-9]/0}"
	assert_errors 'length == 1 and .[0].tool == "bb-chain"'
	run -1 --separate-stderr bb-wallet bump "$(bb-wallet history | jq -rs '.[0].txid')"
	assert_errors 'length == 1 and (.[0].error | endswith("it is in a block already"))'
}

@test "bump of a payment that is gone says what became of it" {
	local first second third
	rich
	run -0 bb-wallet send "$(fresh bob)" 8btc
	first=$(sent)
	run -0 bb-wallet bump "$first"
	second=$(sent)
	run -1 --separate-stderr bb-wallet bump "$first"
	assert_error_without_line bb-wallet "$first: it was replaced by $second"
	run -0 bb-wallet bump "$second"
	third=$(sent)
	run -1 --separate-stderr bb-wallet bump "${first^^}"
	assert_error_without_line bb-wallet "${first^^}: it was replaced by $third"
	dig 1
	run -1 --separate-stderr bb-wallet bump "$second"
	assert_error_without_line bb-wallet "$second: it was replaced by $third"
	bb-chain export | bb-chain -d other import - >/dev/null
	run -0 bb-wallet send "$(fresh bob)" all
	fourth=$(sent)
	bb-wallet -d other --wallets node/wallets send "$(fresh bob)" all --fee-rate 7
	BB_DIR=other command mine 1 --to 51 >/dev/null
	bb-chain -d other export | bb-chain import - >/dev/null
	run -1 --separate-stderr bb-wallet bump "$fourth"
	assert_error_without_line bb-wallet \
		"$fourth: a payment in block $(bb-chain tip | jq -r .id) spends the same coins: it cannot be mined any more"
}

# replaces OLD NEW: what BIP 125 asks of a replacement: the same coins among the new one's, and the
# others all in blocks, a higher fee, and a satoshi more for each virtual byte of its own.
replaces() {
	bb-chain tx --full "$2" >new.json
	jq -c '.vin[] | "\(.txid):\(.vout)"' "$1" | sort >old.spent
	jq -c '.vin[] | "\(.txid):\(.vout)"' new.json | sort >new.spent
	[[ -z $(comm -23 old.spent new.spent) ]]
	jq -e --slurpfile old "$1" --argjson tip "$(bb-chain tip | jq .height)" '.fee >= $old[0].fee + .vsize and
		all(.vin[]; . as $in | any($old[0].vin[]; .txid == $in.txid and .vout == $in.vout) or
			.prevout.height <= $tip) and
		([$old[0].vout[] | {scriptpubkey, value}] - [.vout[] | {scriptpubkey, value}] |
			length <= 1)' new.json
}

# low_change: alice pays bob all of one coin but a change of 1,000 satoshi; the payment is in low.json,
# and its txid is $low.
low_change() {
	run -0 bb-wallet send "$(fresh bob)" 4999998859sat --fee-rate 1
	low=$(sent)
	bb-chain tx --full "$low" >low.json
	jq -e '.fee == 141 and any(.vout[]; .value == 1000)' low.json
}

@test "bump adds a coin where the change does not suffice" {
	rich
	low_change
	run -0 bb-wallet bump "$low" # it does
	assert_json '.fee == 282'
	replaces low.json "$(sent)"
	jq -e '(.vin | length) == 1 and (.vout | length) == 2' new.json
	mv new.json low.json
	run -0 --separate-stderr bb-wallet bump "$(sent)" --fee-rate 20
	assert_stderr ""
	replaces low.json "$(sent)"
	jq -e '(.vin | length) == 2 and (.vout | length) == 2 and .fee - 20 * .vsize < 21' new.json
	fee=$(jq .fee <<<"$output")
	run -0 bb-chain mempool
	[[ ${#lines[@]} == 1 ]]
	dig 1
	has alice $((10000000000 - 4999998859 - fee)) 0 0
	has bob 4999998859 0 0
}

# another_coin: alice has one more, from a block as others make them, who have not heard of what waits.
another_coin() {
	bb-chain export | bb-chain -d other import - >/dev/null
	BB_DIR=other command mine 1 --to "$(fresh alice)" >/dev/null
	BB_DIR=other command mine 100 --to 51 >/dev/null
	bb-chain -d other export | bb-chain import - >/dev/null
}

@test "bump adds one to a payment of all there was" {
	rich
	run -0 bb-wallet send "$(fresh bob)" all --fee-rate 1
	bb-chain tx --full "$(sent)" >all.json
	run -1 --separate-stderr bb-wallet bump "$(sent)"
	assert_errors 'length == 1 and .[0].error == "not enough money: short of 0.00000177 BTC; nothing can be added"'
	another_coin
	[[ $(bb-chain mempool | jq -r .txid) == "$(jq -r .txid all.json)" ]]
	run -0 bb-wallet bump "$(jq -r .txid all.json)"
	replaces all.json "$(sent)"
	jq -e '(.vin | length) == 3 and (.vout | length) == 2' new.json
}

@test "bump adds neither what waits nor what is immature, and is refused then" {
	rich
	dig 1 alice
	low_change
	bb-wallet send "$(fresh bob)" 1btc
	bb-chain mempool >before
	run -1 --separate-stderr bb-wallet bump "$low" --fee-rate 20
	assert_errors 'length == 1 and (.[0].error | test("^not enough money: short of 0[.][0-9]{8} BTC; nothing can be added, 49[.][0-9]{8} BTC waits to be mined, 50[.]00000000 BTC is immature$"))'
	assert_output ""
	[[ $(bb-chain mempool) == "$(<before)" && ! -e node/wallets/alice/in-flight ]]
}

@test "bump adds one where the change, left to the fee, were too little of a raise" {
	rich
	eight=()
	for _ in {1..8}; do eight+=("$(fresh bob)" 6btc); done
	# Of 389 virtual bytes, 358 without its change of 340 satoshi, which would pay 2 a byte.
	run -0 bb-wallet send "${eight[@]}" "$(fresh bob)" 199999271sat --fee-rate 1
	assert_json '.fee == 389'
	bb-chain tx --full "$(sent)" >many.json
	jq -e '(.vin | length) == 1 and any(.vout[]; .value == 340)' many.json
	run -0 bb-wallet bump "$(sent)"
	replaces many.json "$(sent)"
	jq -e '(.vin | length) == 2' new.json
}

# Encryption.

@test "an encrypted wallet pays with its passphrase only, and is watched without" {
	(umask 077 && echo "open sesame" >passphrase && echo "open barley" >wrong)
	bb-wallet new alice --encrypt --passphrase-file passphrase >alice.words
	wallets bob
	dig 1 alice
	dig 100
	mv node/wallets/alice/key key
	has alice 5000000000 0 0
	bb-wallet address
	bb-wallet history
	bb-wallet addresses
	mv key node/wallets/alice/key
	assert_sealed
	to=$(fresh bob)
	run -2 --separate-stderr bb-wallet send "$to" 8btc --passphrase-file wrong
	assert_errors 'length >= 1 and all(.tool == "bb-sign")'
	run -2 --separate-stderr setsid -w bb-wallet send "$to" 8btc </dev/null
	assert_errors 'any(.error | test("passphrase is needed"))'
	has bob 0 0 0
	run -0 --separate-stderr bb-wallet send "$to" 8btc --passphrase-fd 4 4<passphrase
	assert_stderr ""
	run -0 bb-wallet bump "$(sent)" --passphrase-file passphrase
	has bob 0 800000000 0
	# The words alone restore it, without the passphrase.
	run -0 bb-wallet restore again <alice.words
	bb-wallet -w again send "$to" 1btc
}

# assert_sealed: alice's key file holds no secret that can be read.
assert_sealed() {
	jq -e 'has("cipher") and (has("xprv") or has("mnemonic") | not)' node/wallets/alice/key
}

@test "on a terminal a passphrase is asked for, and balances are in bitcoin" {
	wallets bob
	run -0 python3 - <<-'END'
		import os, pty, sys
		def play(answers, *words):
		    pid, fd = pty.fork()
		    if pid == 0:
		        os.execvp("bb-wallet", ["bb-wallet", *words])
		    said = b""
		    while True:
		        try:
		            part = os.read(fd, 4096)
		        except OSError:
		            break
		        if not part:
		            break
		        said += part
		        while answers and answers[0][0] in said:
		            os.write(fd, answers.pop(0)[1])
		            said = said + b"\n"
		    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
		    print(status, said.decode())
		    return said
		play([(b"assphrase", b"open sesame\n"), (b"again", b"open sesame\n")],
		     "new", "alice", "--encrypt")
		play([(b"assphrase", b"a\n"), (b"again", b"b\n")], "new", "carol", "--encrypt")
		words = b"abandon " * 11 + b"about\n"
		play([(b"words", words)], "restore", "dora")
	END
	[[ $output == *"Write these words down"* && $output == *"the passphrases differ"* ]]
	run -0 bb-wallet list
	jq -es 'map([.wallet, .encrypted]) ==
		[["alice", true], ["bob", false], ["dora", false]]' <<<"$output"
	bb-wallet use bob
	dig 1 bob
	dig 99
	run -0 script -qec "bb-wallet balance && bb-wallet history && bb-wallet addresses &&
		bb-wallet list && bb-wallet send $(fresh alice) 12345678sat && bb-wallet balance" /dev/null
	output=${output//$'\r'/}
	[[ $output == $'wallet    bob\nconfirmed 50.00000000 BTC\npending   0.00000000\n'* ]]
	[[ $output == *$'  50.00000000  1  mined\n'* && $output == *"bob (default)"* ]]
	[[ $output == *" is sent, for a fee of 141 sat"* && $output == *"pending   -0.12345819"* ]]
	dig 1 bob
	run -0 script -qec "bb-wallet history" /dev/null
	output=${output//$'\r'/}
	grep -q '  -0\.12345819  101$' <<<"$output"
	grep -q '  50\.00000141  101  mined, immature$' <<<"$output"
}

# The ways.

@test "on barenet rewards can be spent ten blocks later" {
	export BB_NETWORK=barenet
	wallets alice bob
	dig 1 alice
	dig 8
	run -1 --separate-stderr bb-wallet send "$(fresh bob)" 8btc
	dig 1
	run -0 bb-wallet send "$(fresh bob)" 8btc
	has bob 0 800000000 0
	dig 1
	has bob 800000000 0 0
}

@test "beside a node a payment goes through it" {
	rich
	hub node
	pipeline node
	run -0 --separate-stderr bb-wallet send "$(fresh bob)" 8btc
	assert_stderr ""
	assert_json '.valid and .result == "accepted"'
	has bob 0 800000000 0
	run -0 bb-wallet bump "$(sent)"
	stop node
	# The node is gone: straight into the ledger.
	run -0 bb-wallet send "$(fresh bob)" 1btc
	has bob 0 900000000 0
}

@test "a wallet of hundreds of addresses answers within a second" {
	wallets alice bob
	for i in {0..299}; do
		((i % 15)) || pay_number "$i"
	done
	dig 100
	echo "300 0" >node/wallets/alice/next
	for call in balance history addresses address "send $(fresh bob) 8btc"; do
		start=${EPOCHREALTIME/[.,]/}
		# shellcheck disable=SC2086 # words
		bb-wallet $call >/dev/null
		took=$((${EPOCHREALTIME/[.,]/} - start))
		echo "${call%% *}: $((took / 1000)) ms"
		((took < 1000000))
	done
}

@test "the manual's examples work" {
	export HOME=$PWD
	unset BB_DIR
	(umask 077 && echo "four words suffice here" >passphrase)
	bob=$(bb-keygen -o bob.key | jq -r .address)
	carol=$(bb-keygen -o carol.key | jq -r .address)
	export bob carol
	awk '/^\.Sh / { inside = $2 == "EXAMPLES" }
		!inside { next }
		/^\.Dl \$ / { print substr($0, 7) }
		/^\.[BE]d/ { block = !block; print block ? "(" : ")"; next }
		block { sub(/^\$ /, ""); print }' "$BB_ROOT/cmd/bb-wallet.1" |
		sed 's/\\(aq/'\''/g; /^bb-wallet balance/s/$/\nmine 101 --to 51 >\/dev\/null/' >examples
	[[ $(grep -c bb-wallet examples) -ge 6 ]]
	bb-chain add </dev/null 2>/dev/null || true
	run -0 --separate-stderr bash -euo pipefail examples
	assert_stderr ""
	[[ $(grep -c '"valid":true' <<<"$output") == 4 ]]
}
