#!/usr/bin/env bats
# bb-relay: nodes over real sockets on loopback, tools at their hubs, pipelines that die.

# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # jq's variables; what run sets

load helper
load pool.bash
load relay.bash

setup() {
	relay_setup
}

teardown() {
	stop_all
}

@test "a block that one node mines arrives at the other, without a word from anybody" {
	node one --listen "127.0.0.1:$ONE"
	node two --peer "127.0.0.1:$ONE"
	run -0 mine one
	assert_json '.type == "verdict" and .line == 1 and .valid and .result == "connected" and .height == 1'
	reaches two 1
	[[ $(bb-chain -d one tip) == "$(bb-chain -d two tip)" ]]
	run -0 mine two 2
	reaches one 3
	[[ $(bb-chain -d one tip | jq .height) == 3 ]]
}

@test "from nothing a node gets the whole chain, and a transaction crosses three in a line" {
	local txid
	with_coins one
	node one --listen "127.0.0.1:$ONE"
	node two --listen "127.0.0.1:$TWO" --peer "127.0.0.1:$ONE"
	node three --peer "127.0.0.1:$TWO"
	reaches three 120
	payment 1 >tx
	txid=$(txids tx)
	run -0 --separate-stderr bb-relay -d one tx
	assert_json '.result == "accepted" and .line == 1'
	assert_stderr ""
	happens three "\"event\":\"accepted\".*$txid"
	run -0 mine three
	reaches one 121
	[[ -z $(bb-chain -d one mempool) ]]
	bb-chain -d one tx "$txid" | jq -e '.status.block_height == 121'
	[[ $(bb-chain -d two events | grep -c "accepted.*$txid") == 1 ]]
}

@test "a mempool that did not survive the machine's fall is made anew, and its payments go round" {
	local txid
	with_coins one
	echo another >one/mempool/boot
	node one --listen "127.0.0.1:$ONE"
	node two --peer "127.0.0.1:$ONE"
	reaches two 120
	payment 1 >tx
	txid=$(txids tx)
	run -0 --separate-stderr bb-relay -d one tx
	happens two "\"event\":\"accepted\".*$txid"
}

@test "verdicts have the lines' own numbers and senders, whatever stands between" {
	with_coins one
	node one
	{
		echo
		payment 1 | jq -c '. + {from: {"who": ["me", 1]}}'
		echo "not a line"
		echo
		payment 2
		jq -c '.hex |= (.[:-8] + "01000000")' <(payment 1)
	} >lines
	run -2 --separate-stderr bb-relay -d one lines
	jq -se 'map(.line) | sort == [2, 3, 5, 6]' <<<"$output"
	jq -se 'map(select(.line == 2))[0] | .from == {who: ["me", 1]} and .result == "accepted"' <<<"$output"
	jq -se 'map(select(.line == 5))[0] | (has("from") | not) and .result == "accepted"' <<<"$output"
	jq -se 'map(select(.line == 6))[0] | .valid == false and .result == "refused"' <<<"$output"
	jq -se 'map(select(.line == 3))[0] | .error == "malformed-line"' <<<"$output"
	assert_stderr ""
}

@test "what was refused or waits for a parent gives status 1" {
	with_coins one
	node one
	payment 1 >parent
	outputs <parent | pay 2 >child
	run -1 --separate-stderr bb-relay -d one child
	assert_json '.result == "orphan"'
	run -1 --separate-stderr bb-relay -d one - </dev/null
	assert_stderr '{"type":"error","tool":"bb-relay","error":"no input"}'
	run -0 --separate-stderr bb-relay -d one parent
	assert_json '.result == "accepted"'
	jq -c '.hex |= (.[:-8] + "01000000")' child >refused
	run -1 --separate-stderr bb-relay -d one --fail-fast refused parent
	assert_json '.result == "refused"'
	[[ ${#lines[@]} == 1 ]]
}

@test "a verdict comes while the next line is still being thought of" {
	local verdict
	with_coins one
	node one
	mkfifo lines
	bb-relay -d one <lines >verdicts 3>&- &
	exec {out}>lines
	payment 1 >&"$out"
	verdict=$(until_line accepted tail -n +1 -f verdicts)
	payment 2 >&"$out"
	exec {out}>&-
	wait $!
	jq -e '.line == 1' <<<"$verdict"
	[[ $(jq -s 'map(.line) == [1, 2]' verdicts) == true ]]
}

@test "--watch prints what passes, and --peers who is there" {
	local watch
	with_coins one
	node one --listen "127.0.0.1:$ONE"
	node two --peer "localhost:$ONE"
	reaches two 120
	mkfifo watched
	bb-relay -d two --watch >watched 3>&- &
	watch=$!
	exec {in}<watched
	until_line '"type":"peer"' bb-relay -d one --peers
	payment 1 >tx
	bb-relay -d one tx
	grep -m 1 "\"accepted\".*$(txids tx)" <&"$in"
	kill "$watch"
	run -0 --separate-stderr bb-relay -d one --peers
	assert_json '.type == "peer" and .host == "127.0.0.1"'
	[[ ${#lines[@]} == 1 ]]
	assert_stderr ""
}

@test "a node of another host is reached where its hub lets tools in" {
	with_coins one
	node one --tools "127.0.0.1:$TWO"
	payment 1 >tx
	run -0 --separate-stderr bb-relay --node "127.0.0.1:$TWO" tx
	assert_json '.result == "accepted"'
	run -0 --separate-stderr bb-relay --node "localhost:$TWO" tx
	assert_json '.valid or .result == "duplicate"'
}

@test "without a node there is status 3, and a second hub does not take the first one's place" {
	run -3 --separate-stderr bb-relay -d one <<<"$BIP143_LINE"
	assert_errors '.[0].error | startswith("no node at one/relay.sock")'
	hub one
	run -3 --separate-stderr bb-relay --hub -d one
	assert_errors '.[0].error == "another hub runs in one"'
	for call in "--listen localhost:1" "--tools localhost:1" "--peer 127.0.0.1:99999"; do
		# shellcheck disable=SC2086 # words
		run -2 --separate-stderr bb-relay --hub -d two $call
		assert_errors '.[0].error | test("^listen at localhost:1: not an IP address$|^not an address: ")'
	done
	[[ ! -e two ]]
	kill -9 "${HUB[one]}"
	wait "${HUB[one]}" || true
	run -3 --separate-stderr bb-relay -d one --peers
	hub one
	run -0 --separate-stderr bb-relay -d one --peers
	stop one
	[[ ! -e one/relay.sock && ! -e one/chain.sock && -e one/peers ]]
}

# by_hand: the manual's node by hand, as it is typed or pasted there, with a port of our own.
by_hand() {
	awk '/^A node by hand/ { inside = 1 }
		inside && /^\.Ed/ { exit }
		block { sub(/^\$ /, ""); print }
		inside && /^\.Bd/ { block = 1 }' "$BB_ROOT/cmd/bb-relay.1" |
		sed "s/\\\\(aq/'/g; s/0\\.0\\.0\\.0/127.0.0.1:$ONE/"
}

@test "the manual's node by hand works as it is pasted, and ends with its hub" {
	local hand hub
	with_coins two
	node two --listen "127.0.0.1:$TWO"
	by_hand >example
	[[ $(grep -c . example) == 6 ]]
	HOME=$PWD friend=127.0.0.1:$TWO bash -eu example >hand.out 2>hand.err 3>&- &
	hand=$!
	until [[ -S .bb/regtest/chain.sock ]]; do kill -0 "$hand"; done
	reaches .bb/regtest 120
	hub=$(pgrep -P "$hand" -x bb-relay)
	kill -TERM "$hub"
	wait "$hand" || true
	tail -s 0.01 --pid="$hub" -f /dev/null
	[[ ! -e .bb/regtest/chain.sock ]]
	cat hand.out hand.err
	[[ ! -s hand.out ]]
	jq -es 'all(.type == "log")' hand.err
}

@test "a hub that goes away leaves no line untold" {
	local relay status=0
	hub one
	for n in 1 2 3; do good_line "$n"; done >lines
	mkfifo gate # opened when the lines are read
	bb-relay -d one lines gate >verdicts 2>errors 3>&- &
	relay=$!
	: >gate
	stop one
	wait "$relay" || status=$?
	[[ $status == 3 ]]
	jq -se '.[0].error | startswith("the node went away: 3 lines without a verdict")' errors
}

@test "a node that says something without end is not listened to for ever" {
	mkfifo hold
	socat -dd "TCP-LISTEN:$ONE,bind=127.0.0.1" \
		SYSTEM:'head -c 150000000 /dev/zero; cat hold' 2>one.log 3>&- &
	logs one listening >/dev/null
	good_line 1 >line
	run -3 --separate-stderr timeout 20 bb-relay --node "127.0.0.1:$ONE" line
	assert_errors '.[0].error | startswith("the node went away: 1 line without a verdict")'
	: >hold
	wait
}

@test "who comes and goes however often keeps nothing else out of the log" {
	local i fd
	jq -cn '{type: "version", protocol: 1, network: "signet", genesis: ("0" * 64), agent: "",
		height: 0, nonce: "1", listen: 0, services: "0"}' >version
	hub one --listen "127.0.0.1:$ONE"
	for ((i = 0; i < 700; i++)); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$ONE"
		cat version >&"$fd"
		read -r -u "$fd" _ || true # until it is sent away
		exec {fd}>&-
	done
	[[ $(grep -c 'it is of another network' one.log) == 600 ]]
	good_line 1 >line
	bb-relay -d one line >verdict 3>&- &
	for i in 1 2; do socat UNIX-CONNECT:one/chain.sock EXEC:'sed q,nofork' >/dev/null; done
	wait $! || true
	jq -e '.error == "killed-the-ledger"' verdict
	logs one 'a line killed the ledger twice'
}

@test "a pipeline killed in the midst of its work, again and again: no line is without its verdict" {
	local n relay
	with_coins one
	node one
	for n in {1..21}; do payment "$n"; done | split -l 7 - txs.
	mkfifo gate # between the parts: it opens when the one before was handed in
	bb-relay -d one txs.aa gate txs.ab gate txs.ac >verdicts 3>&- &
	relay=$!
	for n in 1 2 3; do
		((n == 3)) || : >gate
		kill -9 -- "-${PIPELINE[one]}"
		wait "${PIPELINE[one]}" || true
		pipeline one
	done
	wait "$relay"
	[[ $(jq -r .line verdicts | sort -n | uniq | wc -l) == 21 && $(wc -l <verdicts) == 21 ]]
	jq -se 'all(.result == "accepted" or .result == "duplicate")' verdicts
	[[ $(bb-chain -d one mempool | wc -l) == 21 ]]
}

@test "a stop hands out what was on its way, and takes less than a second" {
	local relay start
	with_coins one
	node one --listen "127.0.0.1:$ONE"
	node two --peer "127.0.0.1:$ONE"
	reaches two 120
	for n in {1..20}; do payment "$n"; done >txs
	bb-relay -d one txs >verdicts 3>&- &
	relay=$!
	until_line accepted tail -n +1 -f verdicts
	start=${EPOCHREALTIME/./}
	stop one
	((${EPOCHREALTIME/./} - start < 1000000))
	wait "$relay"
	[[ $(wc -l <verdicts) == 20 ]]
	jq -se 'any(.type == "peer")' two/peers || stop two
	jq -se 'any(.type == "peer" and .port == '"$ONE"')' two/peers
}

@test "a node of another network is let go" {
	node one --listen "127.0.0.1:$ONE"
	hub two -n barenet --peer "127.0.0.1:$ONE"
	logs one "another network"
	run -0 bb-relay -d one --peers
	assert_output ""
}

# hostile: send standard input to node one as a peer, until it hangs up.
hostile() {
	timeout 30 socat -t 20 - "TCP:127.0.0.1:$ONE" >/dev/null || true
}

@test "whoever talks nonsense is let go, and costs nobody else anything" {
	node one --listen "127.0.0.1:$ONE"
	yes 'nonsense' | head -n 100 | hostile
	logs one dropped
	: >one.log
	head -c 5000 /dev/zero | tr '\0' a | hostile
	logs one "too long"
	: >one.log
	{
		printf '{"type":"version","protocol":1,"network":"regtest","genesis":"%s","agent":"",' \
			"$(bb-chain -d one tip | jq -r .id)"
		printf '"height":0,"nonce":"1","listen":0,"services":"0"}\n{"type":"verack"}\n'
		head -c 20000000 /dev/zero | tr '\0' a
	} | hostile
	logs one "too long"
	: >one.log
	printf '{"type":"ping","nonce":"0000000000000001"}\n%.0s' {1..100} | hostile
	logs one "before the handshake"
	for n in {1..40}; do hostile </dev/null; done
	node two --peer "127.0.0.1:$ONE"
	mine two
	reaches one 1
}

@test "a tool's line of millions of values costs the hub little, and is answered by the ledger" {
	node one
	{
		printf '{"type":"tx","x":[0'
		yes ,0 | head -n 8000000 | tr -d '\n'
		printf ']}\n'
	} >lines
	run -2 --separate-stderr bb-relay -d one lines
	assert_json '.error == "malformed-line" and .detail == "malformed JSON: too many values"'
	(($(awk '/^VmHWM/ { print $2 }' "/proc/${HUB[one]}/status") < 300000))
	{
		printf '{"type":"tx"'
		yes ',"":0' | head -n 70000 | tr -d '\n'
		printf '}\n'
	} >lines
	run -2 --separate-stderr bb-relay -d one lines
	assert_json '.error == "malformed-line" and .detail == "malformed JSON: too many values"'
}

@test "who comes and is sent away, again and again, does not fill the log" {
	hub one --listen "127.0.0.1:$ONE"
	python3 - "$ONE" <<-'END'
		import socket, sys
		for _ in range(1500):
		    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
		        s.settimeout(20)
		        s.sendall(b"nonsense\n" * 100)
		        while s.recv(4096):
		            pass
	END
	stop one
	(($(grep -c dropped one.log) >= 600 && $(wc -l <one.log) <= 1201))
}
