#!/usr/bin/env bats
# bb-chain's verbs that write, beside a node that runs: they go through its socket by themselves.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's variables; what run sets

load helper
load pool.bash
load relay.bash

setup_file() {
	made_chain
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
	unset BB_DIR
	key_file key
	ONE=$(free_port) TWO=$(free_port)
}

teardown() {
	stop_all
	if [[ -e one/node/pid ]]; then bb-node stop -d one; fi
}

# with_coins NAME: a store whose first 21 coins KEY1 can spend.
with_coins() {
	bb-chain -d "$1" import "$MADE/blocks" >/dev/null
}

# payment HEIGHT [RATE]: KEY1 pays itself the coin of that block of the chain in the folder one.
payment() {
	BB_DIR=one coin_of "$1" | pay "${2-2}"
}

# id_at HEIGHT: of that block of the chain.
id_at() {
	sed -n "$1p" "$MADE/blocks" | bb-decode | jq -r .id
}

# tip NAME: the height of its tip.
tip() {
	bb-chain -d "$1" tip | jq .height
}

# everything: lines of every kind, good, bad and none, for a chain of 120 blocks.
everything() {
	chains grow 4 --onto "$MADE/blocks" --at 121 >"more"
	payment 1 >first
	payment 2 >parent
	outputs <parent | pay 2 >child
	outputs <child | pay 3 >grandchild
	cat <(sed -n 120p "$MADE/blocks") first child parent
	echo
	jq -c '. + {from: {"who": [1, "me"]}}' first
	echo "not a line"
	jq -r .hex first
	printf '  \n{"type":"watch"}\n{"type":"peers","from":[0]}\n'
	printf '{"type":"%s","id":"%s"}\n' invalidate "$(id_at 100)" reconsider "$(id_at 100)"
	jq -c '.hex |= (.[:-8] + "01000000")' first
	jq -c '.hex |= .[1:]' first
	jq -c '.hex |= .[2:]' parent
	jq -c '.txid = ("00" * 32)' parent
	printf '{"type":"tx"}\n{"type":"block","hex":"00"}\n{"type":"package","txs":[]}\n'
	package <(payment 3) <(payment 4)
	package <(payment 5 | tee fifth) <(outputs <fifth | pay 2)
	bb-decode first | jq -c '.checked = {consensus: "OK"}'
	sed -n 2,3p more                       # they wait for the first of them
	sed -n 1p more | bb-decode --type block # with all its fields
	sed -n 1p more | jq -c '.hex |= (.[:-2] + "00")'
	sed -n 1p more | jq -c '.prevouts = 7 | .from = "x"'
	sed -n 4p more | bb-decode | jq -c '{type: "header", hex: .hex[:160]}'
	sed -n 4p more
	cat grandchild
	printf '{"type":"tx","hex":"%s"' "$(head -c 5000 /dev/zero | tr '\0' 1)"
}

@test "add says beside a node what it says without one, byte for byte, and with the same status" {
	local status
	with_coins one
	everything >lines
	cp -r one alone
	run -2 --separate-stderr bb-chain -d alone add --max-line 4000 <lines
	assert_stderr ""
	printf '%s\n' "$output" >expected
	jq -se 'map(.result // .error) | unique | contains(["accepted", "connected", "duplicate",
		"malformed-line", "orphan", "refused"])' expected
	[[ $(grep -c 'line too long' expected) == 1 ]]
	node one
	run -2 --separate-stderr bb-chain -d one add --max-line 4000 <lines
	assert_stderr ""
	diff expected <(printf '%s\n' "$output")
	diff <(bb-chain -d alone tips) <(bb-chain -d one tips)
	diff <(BB_DIR=alone waiting) <(BB_DIR=one waiting)
}

@test "a status of add is the same beside a node, whatever alone it comes from" {
	local name
	with_coins one
	everything >/dev/null
	sed -n 3p more >orphan
	sed -n 1p more >connected
	jq -c '.hex |= (.[:-8] + "01000000")' first >refused
	echo "{}" >malformed
	: >nothing
	cp -r one alone
	node one
	for name in orphan connected child first refused malformed nothing nowhere; do
		status=0 expected=0
		bb-chain -d alone add $name >alone.out 2>alone.err || expected=$?
		bb-chain -d one add $name >one.out 2>one.err || status=$?
		echo "$name: $status, alone $expected"
		[[ $status == "$expected" ]]
		diff alone.out one.out
		diff alone.err one.err
	done
}

@test "--fail-fast stops beside a node too, and what stands behind is not taken in" {
	with_coins one
	node one
	payment 1 >good
	payment 2 >after
	jq -c '.hex |= (.[:-8] + "01000000")' good >bad
	run -1 --separate-stderr bb-chain -d one add --fail-fast good bad after
	assert_json -s 'map(.result) == ["accepted", "refused"]'
	run -2 --separate-stderr bb-chain -d one add --fail-fast <(echo nonsense) after
	assert_json '.error == "malformed-line"'
	[[ $(BB_DIR=one waiting) == "$(txids good)" ]]
}

@test "a verdict comes while the next line is still being thought of" {
	local verdict add status=0
	with_coins one
	node one
	mkfifo lines
	bb-chain -d one add <lines >verdicts 3>&- &
	add=$!
	exec {out}>lines
	payment 1 >&"$out"
	verdict=$(until_line accepted tail -n +1 -f verdicts)
	echo nonsense >&"$out"
	until_line malformed tail -n +1 -f verdicts
	payment 2 >&"$out"
	exec {out}>&-
	wait "$add" || status=$?
	[[ $status == 2 ]]
	jq -e '.line == 1' <<<"$verdict"
	[[ $(jq -s 'map(.line) == [1, 2, 3]' verdicts) == true ]]
}

@test "many lines beside a node: each has its verdict, in order" {
	with_coins one
	node one
	for n in {1..21}; do
		payment "$n"
		echo "$n"
	done >some
	for n in {1..200}; do cat some; done >lines
	run -2 --separate-stderr bb-chain -d one add lines
	assert_json -s 'map(.line) == [range(1; 8401)] and (map(select(.error)) | length) == 4200'
	[[ $(BB_DIR=one waiting | wc -l) == 21 ]]
}

@test "a block invalidated beside a node: the tip moves, coins go and payments wait again" {
	local id
	with_coins one
	payment 1 >tx
	node one
	bb-chain -d one add tx
	bb-chain -d one template | bb-mine --to 51 | bb-chain -d one add
	[[ $(tip one) == 121 && -z $(BB_DIR=one waiting) ]]
	id=$(bb-chain -d one tip | jq -r .id)
	bb-chain -d one balance "$KEY1_ADDRESS" >before
	run -0 --separate-stderr bb-chain -d one invalidate "$id"
	assert_output "$(jq -cn --arg id "$id" --arg tip "$(id_at 120)" \
		'{type: "verdict", $id, valid: true, result: "accepted", $tip, height: 120}')"
	assert_stderr ""
	[[ $(tip one) == 120 && $(BB_DIR=one waiting) == "$(txids tx)" ]]
	run -0 bb-chain -d one balance "$KEY1_ADDRESS"
	assert_json '.unconfirmed != 0 and .height == 120'
	run -0 bb-chain -d one tips
	assert_json -s 'map(.status) == ["active", "invalid"]'
	run -0 --separate-stderr bb-chain -d one reconsider "$id"
	assert_json --arg id "$id" '.id == $id and .tip == $id and .height == 121 and (has("line") | not)'
	[[ -z $(BB_DIR=one waiting) ]]
	diff before <(bb-chain -d one balance "$KEY1_ADDRESS")
	run -1 --separate-stderr bb-chain -d one invalidate "${id:1}0"
	assert_json '.result == "refused" and .error == "not-found"'
	run -1 --separate-stderr bb-chain -d one reconsider "$(bb-chain -d one headers --to 0 | bb-decode | jq -r .id)"
	assert_json '.error == "genesis"'
	run -2 --separate-stderr bb-chain -d one invalidate 5
	assert_output ""
}

@test "reconsidered, a node catches up with what others found meanwhile on the block it refused" {
	local id
	with_coins one
	node one --listen "127.0.0.1:$ONE"
	node two --peer "127.0.0.1:$ONE"
	reaches two 120
	mine two
	reaches one 121
	id=$(bb-chain -d one tip | jq -r .id)
	bb-chain -d one invalidate "$id"
	mine one # its own way, of as much work as the other's
	happens two "\"event\":\"tip\".*\"height\":121"
	for n in {1..8}; do mine two; done # nobody is let go for headers that do not connect
	[[ $(tip one) == 121 && $(tip two) == 129 ]]
	run -0 bb-relay -d one --peers
	assert_json '.score == 0'
	bb-chain -d one reconsider "$id"
	reaches one 129 # without a word from the other
	[[ $(bb-chain -d one tip) == "$(bb-chain -d two tip)" ]]
}

# dies_of WORDS: behind the hub of one, a pipeline that answers what the hub asks of its own, and ends
# at the first line with these words; what it hears is in the file heard.
dies_of() {
	cat >mortal <<-END
		#!/bin/bash
		while read -r line; do
			echo "\$line" >>heard
			case \$line in
			*'"from":"0"'*) echo '{"type":"verdict","from":"0"}' ;;
			*'$1'*) exit ;;
			esac
		done
	END
	chmod +x mortal
	: >heard
	timeout 20 socat UNIX-CONNECT:one/chain.sock EXEC:./mortal,nofork
}

@test "what was refused for standing on an invalidated block is asked for again when that is reconsidered" {
	local id mortal
	with_coins one
	hub one --listen "127.0.0.1:$ONE"
	node two --peer "127.0.0.1:$ONE"
	pipeline one
	reaches two 120
	kill -9 -- "-${PIPELINE[one]}"
	wait "${PIPELINE[one]}" || true
	id=$(id_at 120)
	dies_of '"type":"header"' 3>&- &
	mortal=$!
	bb-chain -d one invalidate "$id" >invalidated 3>&- &
	until_line '"type":"invalidate"' tail -n +1 -F heard 2>/dev/null
	mine two # its header comes behind the order
	wait "$mortal"
	pipeline one
	happens one "\"event\":\"tip\".*\"height\":119"
	bb-chain -d one reconsider "$id"
	mine two
	reaches one 122
}

# peer LINE...: say that to node one as a peer would who has shaken hands, then wait for the answer
# to a ping, or for the end; prints what it says.
peer() {
	local line id
	id=$(bb-chain -d one headers --to 0 | bb-decode | jq -r .id)
	exec {peer}<>"/dev/tcp/127.0.0.1/$ONE"
	printf '{"type":"version","protocol":1,"network":"regtest","genesis":"%s","agent":"x","height":0,%s%016x"}\n' \
		"$id" '"listen":0,"services":"0000000000000001","nonce":"' "$RANDOM$RANDOM" >&"$peer"
	printf '{"type":"verack"}\n' >&"$peer"
	printf '%s\n' "$@" '{"type":"ping","nonce":"00000000000000aa"}' >&"$peer"
	while read -r -t 20 -u "$peer" line && [[ $line != *00000000000000aa* ]]; do
		printf '%s\n' "$line"
	done
	printf '%s\n' "$line"
}

@test "an order of a peer does nothing but cost it points, and after five it is let go" {
	local orders
	with_coins one
	node one --listen "127.0.0.1:$ONE"
	bb-chain -d one events >before
	orders=("{\"type\":\"invalidate\",\"id\":\"$(id_at 100)\"}" "{\"type\":\"reconsider\",\"id\":\"$(id_at 1)\"}")
	run peer "${orders[@]}"
	[[ $output == *'"type":"pong","nonce":"00000000000000aa"'* ]]
	peer "${orders[@]}" >/dev/null
	run -0 bb-relay -d one --peers
	assert_json '.score == 40'
	run peer "${orders[@]}" "${orders[@]}" "${orders[@]}"
	[[ $output != *pong* ]]
	logs one "dropped: an order"
	diff before <(bb-chain -d one events)
	[[ $(tip one) == 120 ]]
}

@test "an order is obeyed at relay.sock alone, not where tools of other hosts come, nor of add's input" {
	local order
	with_coins one
	node one --tools "127.0.0.1:$TWO"
	order="{\"type\":\"invalidate\",\"id\":\"$(id_at 100)\",\"from\":7}"
	run -0 socat -t 20 - "TCP:127.0.0.1:$TWO" <<<"$order"
	assert_json '.line == 1 and .from == 7 and .error == "malformed-line"'
	run -2 bb-relay --node "127.0.0.1:$TWO" <<<"$order"
	run -2 bb-relay -d one <<<"$order"
	run -2 bb-chain -d one add <<<"$order"
	assert_json '.error == "malformed-line"'
	[[ $(tip one) == 120 ]]
	run -0 socat -t 20 - UNIX-CONNECT:one/relay.sock <<<'{"type":"invalidate","id":"x"}'
	assert_json '.line == 1 and .error == "malformed-line" and .detail == "id is not a hash"'
	run -0 socat -t 20 - UNIX-CONNECT:one/relay.sock <<<"$order"
	assert_json '.line == 1 and .from == 7 and .result == "accepted" and .height == 99'
	[[ $(tip one) == 99 ]]
}

@test "without a node no line is an order but to run" {
	local order
	with_coins one
	order="{\"type\":\"invalidate\",\"id\":\"$(id_at 100)\"}"
	run -2 bb-chain -d one add <<<"$order"
	assert_json '.error == "malformed-line"'
	run -0 bb-chain -d one run <<<"$order"
	assert_json -s '.[0].result == "accepted" and .[0].line == 1 and .[0].height == 99
		and .[-1].event == "tip" and .[-1].height == 99'
}

@test "a pipeline that is down is waited for, and an order outlives one that dies" {
	local id left
	with_coins one
	hub one
	id=$(id_at 100)
	payment 1 >tx
	bb-chain -d one invalidate "$id" >invalidated 3>&- &
	left=($!)
	dies_of invalidate
	bb-chain -d one add tx >added 3>&- &
	left+=($!)
	pipeline one
	wait "${left[0]}"
	jq -e '.result == "accepted" and .height == 99' invalidated
	wait "${left[1]}" || [[ $? == 1 ]] # its coin is not mature any more
	jq -se 'length == 1' added
	bb-chain -d one reconsider "$id"
	[[ $(tip one) == 120 ]]
}

@test "a node that goes away leaves status 3, and says how many lines have no verdict" {
	local add order status=0
	with_coins one
	hub one
	for n in {1..5}; do payment "$n"; done >lines
	sed -i 2inonsense lines
	mkfifo gate # opened when the lines are read
	bb-chain -d one add lines gate >verdicts 2>errors 3>&- &
	add=$!
	: >gate
	bb-chain -d one invalidate "$(id_at 100)" >verdict 2>error 3>&- &
	order=$!
	dies_of invalidate
	kill -9 "${HUB[one]}"
	wait "$add" || status=$?
	[[ $status == 3 ]]
	run cat errors
	assert_output '{"type":"error","tool":"bb-chain","line":1,"error":"the node went away: 5 lines without a verdict, from here on"}'
	jq -se 'length == 1 and .[0].line == 2 and .[0].error == "malformed-line"' verdicts
	status=0
	wait "$order" || status=$?
	[[ $status == 3 && ! -s verdict ]]
	run cat error
	assert_output '{"type":"error","tool":"bb-chain","error":"the node went away without a verdict"}'
	[[ $(tip one) == 120 ]]
	run -2 bb-chain -d one add lines # its socket is still there
}

@test "a hub without a store is no node yet, and a socket that nobody listens at none any more" {
	hub one
	run -1 bb-chain -d one add </dev/null
	[[ -e one/chain/data.mdb ]]
	stop one
	run -0 bb-chain -d one add "$MADE/blocks"
	[[ $(tip one) == 120 ]]
}

@test "what the node decides, a call beside it cannot, and import says who has to stop" {
	with_coins one
	node one
	payment 1 >tx
	run -2 --separate-stderr bb-chain -d one add --policy minrelaytxfee=1sat tx
	assert_errors '.[0].error == "a node runs in one, and goes by its own clock and policy: no --now, no --policy"'
	run -2 --separate-stderr bb-chain -d one invalidate --now 5 "$(id_at 100)"
	run -3 --separate-stderr bb-chain -d one -n barenet add tx
	assert_errors '.[0].error == "the store in one is of network regtest, not barenet (-n regtest, or BB_NETWORK)"'
	run -3 --separate-stderr bb-chain -d one import "$MADE/blocks"
	assert_errors '.[0].error | test("^another process writes in one: pid [0-9]+; import needs the store alone: stop the node first \\(bb-node stop\\)$")'
	run -0 bb-chain -d one add -j 2 --cache 1 tx
	stop one
	run -0 bb-chain -d one import "$MADE/blocks"
}

@test "a writer that is no node is named, as before" {
	with_coins one
	BB_DIR=one live
	run -3 --separate-stderr bb-chain -d one add "$MADE/blocks"
	assert_errors ".[0].error == \"another process writes in one: pid $LIVE\""
	live_end || [[ $? == 1 ]] # it had nothing to do
}

@test "while a pipeline is started again nobody takes its lock, and nothing is lost" {
	with_coins one
	payment 1 >tx
	bb-node start -d one
	kill -9 "$(pgrep -s "$(cut -d ' ' -f 1 one/node/pid)" -f '^bb-chain run')"
	bb-chain -d one add tx >added 3>&- &
	run -0 bb-chain -d one invalidate "$(id_at 120)"
	assert_json '.height == 119'
	wait $!
	jq -e '.result == "accepted"' added
	bb-node stop -d one
	run -0 bb-chain -d one reconsider "$(id_at 120)"
	assert_json '.height == 120'
}
