#!/usr/bin/env bats
# bb-chain on bad input and bad surroundings: a clear error, the right status, and nothing lost.

# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # jq's variables; what tests change; what run sets

load helper
unset BB_DIR

chains() {
	python3 "$BATS_TEST_DIRNAME/vectors/chains.py" "$@"
}

# A chain of 110 blocks of regtest: lines, and Core's framing.
setup_file() {
	export MADE=$BATS_FILE_TMPDIR
	chains grow 110 --spend >"$MADE/a"
	chains frame <"$MADE/a" >"$MADE/a.blk"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
	export BB_DIR=$BATS_TEST_TMPDIR/store
}

# assert_tip HEIGHT: the chain is so long, and the store whole.
assert_tip() {
	run -0 --separate-stderr bb-chain tip
	assert_json --argjson height "$1" '.height == $height'
	run -0 --separate-stderr bb-chain verify
	assert_json '.valid'
	assert_stderr ""
}

# fails STATUS VERB...: it ends so, with one error line and nothing on stdout.
fails() {
	local status=$1
	shift
	run -"$status" --separate-stderr bb-chain "$@" </dev/null
	assert_output ""
	assert_errors 'length == 1 and (.[0].error | length) > 8'
}

# frame_at N: where the frame of the Nth block begins in a.blk.
frame_at() {
	python3 - "$MADE/a.blk" "$1" <<-'EOF'
		import struct, sys
		data, at = open(sys.argv[1], "rb").read(), 0
		for _ in range(int(sys.argv[2]) - 1):
		    at += 8 + struct.unpack("<I", data[at + 4:at + 8])[0]
		print(at)
	EOF
}

# patched OFFSET HEX: a.blk with these bytes there, as the file bad.blk.
patched() {
	cp "$MADE/a.blk" bad.blk
	unhex <<<"$2" | dd of=bad.blk bs=1 seek="$1" conv=notrunc status=none
}

# Files of blocks

# lacks_block_50: bad.blk imports but for its block 50, with an error that names the file and the
# byte, and one that counts those which stand on it; what the good file brings completes it.
lacks_block_50() {
	run -2 --separate-stderr bb-chain import bad.blk
	assert_output ""
	assert_errors "length == 2 and (.[0].error | contains(\"bad.blk\") and test(\"\\\\b$(frame_at 50)\\\\b\"))
		and (.[1].error | startswith(\"60 \"))"
	assert_tip 49
	run -0 --separate-stderr bb-chain import "$MADE/a.blk"
	assert_tip 110
}

@test "a file that ends within a block gives all blocks before it" {
	local at
	at=$(frame_at 110)
	for size in $((at + 1)) $((at + 4)) $((at + 7)) $((at + 8)) $((at + 88)) $(($(stat -c %s "$MADE/a.blk") - 1)); do
		rm -rf "$BB_DIR"
		head -c "$size" "$MADE/a.blk" >bad.blk
		run -2 --separate-stderr bb-chain import bad.blk
		assert_output ""
		assert_errors "length == 1 and (.[0].error | contains(\"bad.blk\") and test(\"\\\\b$at\\\\b\"))"
		assert_tip 109
	done
}

@test "a file of another network's blocks is told, and none is taken" {
	chains frame f9beb4d9 <"$MADE/a" >bad.blk
	run -2 --separate-stderr bb-chain import bad.blk
	assert_output ""
	assert_errors 'length == 1 and (.[0].error | contains("bad.blk") and test("\\b0\\b") and test("\\bregtest\\b"))'
	# Not even an empty store of the wrong network.
	[[ ! -e $BB_DIR/chain ]]
	bb-chain import "$MADE/a.blk"
	run -2 --separate-stderr bb-chain import bad.blk
	assert_tip 110
}

@test "a length that is too long is told, and the blocks behind it come" {
	local at
	at=$(frame_at 50)
	for length in ffffffff 00000080 ffff0000; do
		rm -rf "$BB_DIR"
		patched $((at + 4)) $length
		lacks_block_50
	done
}

@test "a length that is too short is told, and the blocks behind it come" {
	local at
	at=$(frame_at 50)
	for length in 00000000 10000000 51000000; do
		rm -rf "$BB_DIR"
		patched $((at + 4)) $length
		lacks_block_50
	done
}

@test "a magic that is wrong costs its block, and no other" {
	local at
	at=$(frame_at 50)
	patched "$at" aa112233
	lacks_block_50
}

@test "a block that is not one costs itself, and no other" {
	local at
	at=$(frame_at 50)
	# 2^64 - 1 transactions.
	patched $((at + 88)) ffffffffffffffffff
	lacks_block_50
}

@test "garbage between blocks is told, and costs none" {
	local at
	at=$(frame_at 50)
	{ head -c "$at" "$MADE/a.blk"; seq 1000; tail -c +$((at + 1)) "$MADE/a.blk"; } >bad.blk
	run -2 --separate-stderr bb-chain import bad.blk
	assert_output ""
	assert_errors "length == 1 and (.[0].error | contains(\"bad.blk\") and test(\"\\\\b$at\\\\b\"))"
	assert_tip 110
}

@test "zeros behind the blocks, which Core sets aside, are no error" {
	{ cat "$MADE/a.blk"; head -c 100000 /dev/zero; } >good.blk
	run -0 --separate-stderr bb-chain import good.blk
	assert_output ""
	assert_stderr ""
	assert_tip 110
}

@test "a stream that breaks is told like a file" {
	local at
	at=$(frame_at 110)
	run -2 --separate-stderr bb-chain import - < <(head -c $((at + 50)) "$MADE/a.blk")
	assert_errors "length == 1 and (.[0].error | test(\"\\\\b$at\\\\b\"))"
	assert_tip 109
}

@test "a pipe is read once, whatever its name, and whatever the order in it" {
	tac "$MADE/a" >lines
	chains frame <lines >blocks
	for source in "$MADE/a" "$MADE/a.blk" lines blocks; do
		for way in 'import -' 'import /dev/stdin' 'import <(cat)' 'import fifo'; do
			rm -rf "$BB_DIR" fifo
			mkfifo fifo
			if [[ $way == *fifo ]]; then
				cat "$source" >fifo 3>&- &
				run -0 --separate-stderr timeout 20 bb-chain import fifo
			else
				run -0 --separate-stderr bash -c "cat '$source' | bb-chain $way"
			fi
			assert_output ""
			assert_stderr ""
			assert_tip 110
		done
	done
}

@test "frames inside frames do not keep it busy, and cost no block around them" {
	python3 - >bad.blk <<-'EOF'
		import sys
		magic, nothing = bytes.fromhex("fabfb5da"), bytes(36)
		# Each input script holds the frame of a block that would go on through all the rest.
		script = magic + (1000000).to_bytes(4, "little") + bytes(80) + b"\xfd\xff\xff" \
			+ b"\1\0\0\0\1" + nothing + b"\0"
		tx = b"\1\0\0\0\1" + nothing + bytes([len(script)]) + script + bytes(4) + b"\1" + bytes(13)
		sys.stdout.buffer.write(tx * 80000)
	EOF
	run -2 --separate-stderr timeout 10 bb-chain import - < <(head -c "$(frame_at 50)" "$MADE/a.blk"
		cat bad.blk; tail -c +"$(($(frame_at 50) + 1))" "$MADE/a.blk")
	assert_errors "length == 1 and (.[0].error | test(\"\\\\b$(frame_at 50)\\\\b\"))"
	assert_tip 110
}

# ends SIGNAL STATUS: by that signal the last job ends so.
ends() {
	local status=0
	kill -"$1" $!
	wait $! || status=$?
	[[ $status == "$2" ]]
}

# stopped FILE SIGNAL STATUS: an import that has read block 50 ends so by that signal, and quietly.
stopped() {
	rm -rf "$BB_DIR" in err
	mkfifo in err
	# Not bash's own child: bash has it ignore SIGINT.
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' bb-chain import in 2>err 3>&- &
	exec 9<err 8>in
	# What is said of the garbage tells how far it has come.
	{ head -c "$(frame_at 51)" "$1"; printf garbage; tail -c +"$(($(frame_at 51) + 1))" "$1"; } | head -c "$(frame_at 60)" >&8
	read -r line <&9
	[[ $line == *"7 bytes passed over"* ]]
	ends "$2" "$3"
	exec 8>&-
	[[ -z $(cat <&9) ]]
	exec 9<&-
	run -0 bb-chain tip
	assert_json '.height >= 50'
	run -0 bb-chain verify
}

@test "an import that is interrupted keeps what it has judged, and ends by the signal" {
	stopped "$MADE/a.blk" INT 130
	stopped "$MADE/a.blk" TERM 143
	run -0 bb-chain import "$MADE/a.blk"
	assert_tip 110
}

@test "an import of lines is interrupted while it waits" {
	mkfifo in
	bb-chain import in 3>&- &
	exec 8>in
	head -n 60 "$MADE/a" >&8
	# It is told before it has read them all, or after: either way it ends.
	ends TERM 143
	exec 8>&-
}

@test "what holds no block is status 2, and what holds nothing status 1" {
	seq 100000 >bad.blk
	run -2 --separate-stderr bb-chain import bad.blk
	assert_errors 'length == 1'
	head -c 100000 /dev/urandom >random
	run -2 --separate-stderr bb-chain import random
	: >empty
	run -1 --separate-stderr bb-chain import empty
	run -1 --separate-stderr bb-chain import - </dev/null
	mkdir none
	run --separate-stderr bb-chain import none
	[[ $status == 1 || $status == 2 ]]
}

@test "a file that is not there is status 2, and the others are read" {
	run -2 --separate-stderr bb-chain import none.blk "$MADE/a.blk"
	assert_errors 'length == 1 and (.[0].error | contains("none.blk"))'
	assert_tip 110
	run -2 --separate-stderr bb-chain -d other add none "$MADE/a"
	assert_errors 'length == 1 and (.[0].error | contains("none"))'
	[[ $(wc -l <<<"$output") == 110 ]]
}

@test "a refused block is told by import, and those on it, and the rest comes" {
	chains grow 3 --extra 1 --tag bad >refused
	run -1 --separate-stderr bb-chain import refused "$MADE/a"
	assert_json -s 'map([.type, .result, .error]) == [["verdict", "refused", "bad-cb-amount"],
		["verdict", "refused", "bad-prevblk"]]'
	# The third has no parent, for the second was not taken in.
	assert_errors 'length == 1 and (.[0].error | startswith("1 "))'
	assert_tip 110
}

# Lines

@test "malformed lines get a verdict with their number, and the others are done" {
	{
		head -n 1 "$MADE/a"
		printf '%s\n' '{' 'hello' '[]' '{"type":"banana"}' '{"type":"block"}' '{"type":"block","hex":5}' \
			'{"type":"block","hex":"00"}' '{"type":"header","hex":"00"}' '{"type":"tx","hex":"00"}'
		sed -n 2p "$MADE/a" | jq -c '.hex |= .[:-2]'
		sed -n 2p "$MADE/a" | jq -c '.hex += "00"'
		sed -n 2p "$MADE/a" | jq -c '.hex |= .[:-1]'
		sed -n 2p "$MADE/a" | jq -c '.id = "00" * 32'
		sed -n 2p "$MADE/a"
	} >lines
	for verb in add run; do
		rm -rf "$BB_DIR"
		run -2 --separate-stderr bb-chain "$verb" lines
		assert_json -s 'map(select(.type == "verdict")) | map(.line) == [range(1; 16)]
			and (.[0] | .result == "connected" and .height == 1)
			and all(.[1:14][]; .valid == false and .error == "malformed-line" and (.detail | length) > 5
				and (has("id") | not) and (has("result") | not))
			and (.[14] | .result == "connected" and .height == 2)'
		assert_tip 2
	done
}

@test "what was refused and what was malformed leaves no trace" {
	run -0 bb-chain add < <(head -n 50 "$MADE/a")
	bb-chain events >before
	run -2 bb-chain add < <(echo '{'; sed -n 51p "$MADE/a" | jq -c '.hex |= .[:-8] + "01000000"')
	assert_json -s 'map(.error) == ["malformed-line", "bad-txnmrklroot"]'
	diff before <(bb-chain events)
	assert_tip 50
}

@test "a line longer than --max-line is skipped and reported" {
	run -2 --separate-stderr bb-chain add --max-line 1000 \
		< <(head -n 1 "$MADE/a"; head -c 5000 /dev/zero | tr '\0' a; echo; sed -n 2p "$MADE/a")
	assert_json -s 'map(.line) == [1, 2, 3] and .[1].error == "malformed-line" and .[2].height == 2'
}

@test "hex is told from other lines that are no JSON" {
	run -2 bb-chain add < <(head -n 1 "$MADE/a" | jq -r .hex; echo hello)
	assert_json -s '(.[0].detail | contains("bb-decode")) and (.[1].detail | contains("bb-decode") | not)'
}

@test "--fail-fast stops at the first that is bad, with what was good committed" {
	run -2 bb-chain add --fail-fast < <(head -n 5 "$MADE/a"; echo '{'; sed -n 6p "$MADE/a")
	[[ $(wc -l <<<"$output") == 6 ]]
	assert_tip 5
	run -1 bb-chain -d other add --fail-fast < <(chains grow 2 --extra 1; head -n 5 "$MADE/a")
	assert_json '.error == "bad-cb-amount"'
	BB_DIR=other assert_tip 0
}

@test "no record at all is status 1" {
	run -0 bb-chain add "$MADE/a"
	for verb in add run prevouts tx utxo balance; do
		run -1 --separate-stderr bb-chain "$verb" </dev/null
		assert_output ""
	done
}

@test "questions that are malformed name their line or argument, and the others are answered" {
	run -0 bb-chain add "$MADE/a"
	local txid
	txid=$(bb-chain block --full 1 | jq -r '.tx[0].txid')
	run -2 --separate-stderr bb-chain tx --full \
		< <(echo '{'; echo '{}'; echo '{"txid":5}'; echo '{"txid":"00"}'; echo "{\"txid\":\"$txid\"}")
	assert_errors 'map(.line) == [1, 2, 3, 4]'
	assert_json --arg txid "$txid" '.txid == $txid'
	run -2 --separate-stderr bb-chain tx --full x "$txid"
	assert_errors 'length == 1'
	assert_json --arg txid "$txid" '.txid == $txid'
	run -2 --separate-stderr bb-chain utxo \
		< <(echo '{}'; echo '{"address":5}'; echo '{"address":"x"}'; echo '{"scriptpubkey":"0"}'
			echo "{\"address\":\"$KEY1_ADDRESS\"}"; echo '{"scriptpubkey":"51"}')
	assert_errors 'map(.line) == [1, 2, 3, 4]'
	[[ $(wc -l <<<"$output") == 110 ]]
	for address in x "${KEY1_ADDRESS}x" bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 ""; do
		run -2 --separate-stderr bb-chain balance "$address"
		assert_output ""
		assert_errors 'length == 1'
	done
}

@test "an error names its argument, unless it may be a secret" {
	local none words='abandon abandon about'
	none=$(printf %064x 3)
	run -0 bb-chain add "$MADE/a"
	run -1 --separate-stderr bb-chain block 5 9999 9999999999 "$none"
	assert_errors "map(.error | split(\":\")[0]) == [\"9999\", \"9999999999\", \"$none\"]"
	assert_json '.height == 5'
	run -1 --separate-stderr bb-chain tx "$none"
	assert_errors "length == 1 and (.[0].error | startswith(\"$none: \"))"
	run -2 --separate-stderr bb-chain block 5 xyz "${none%?}" -1
	assert_errors 'length == 1'
	run -2 --separate-stderr bb-chain block 5 xyz "${none%?}" "0x5"
	assert_errors 'map(.error | split(":")[0]) == ["xyz", "argument 3", "0x5"]'
	for verb in block tx utxo balance history proof; do
		run -2 --separate-stderr bb-chain "$verb" "$KEY1_WIF" "$words"
		assert_errors 'map(.error | split(":")[0]) == ["argument 1", "argument 2"]'
		[[ $stderr != *"$KEY1_WIF"* && $stderr != *abandon* ]]
	done
}

# Calls

@test "a file of parameters that is not there is told as one" {
	run -2 --separate-stderr bb-chain -n ./none tip
	assert_errors 'length == 1 and (.[0].error | contains("./none") and contains("No such file"))'
	run -2 --separate-stderr bb-chain -n none tip
	assert_errors '.[0].error == "unknown network: none"'
}

@test "an event that nobody has seen yet is not found" {
	run -0 bb-chain add "$MADE/a"
	last=$(bb-chain events | tail -n 1 | jq .seq)
	run -0 bb-chain events --since "$last"
	for follow in "" --follow; do
		# shellcheck disable=SC2086 # a word or none
		run -1 --separate-stderr timeout 20 bb-chain events --since $((last + 1)) $follow
		assert_output ""
		assert_errors "length == 1 and (.[0].error | contains(\"$last\"))"
	done
}

@test "a call that makes no sense is status 2" {
	run -0 bb-chain add "$MADE/a"
	for words in "" banana "tip 5" "coins --hash --muhash" "tip --full" "add --from 5" "headers --from x" \
		"headers --from -1" "headers --to 99999999999" "headers --from 6 --to 5" "invalidate" "invalidate x" \
		"reconsider 5" "invalidate a b" "block" "proof" "events --since x" "events x" "add --now" "add --now x" \
		"import --cache x" "add -j x" "tip -j 2" "params x" "verify x" "export x" "tips --banana" "tip -n banana"; do
		# shellcheck disable=SC2086 # several words
		run -2 --separate-stderr bb-chain $words </dev/null
		assert_output ""
		[[ $stderr == *bb-chain* ]]
	done
	run -2 --separate-stderr env -u BB_DIR -u HOME bb-chain tip
	assert_output ""
}

@test "--help prints the synopsis and --version the version" {
	run -0 --separate-stderr bb-chain --help </dev/null
	[[ $output == "usage: bb-chain"* ]]
	run -0 --separate-stderr bb-chain --version </dev/null
	[[ $output == bb-chain*[0-9].[0-9]* ]]
}

# Stores

@test "where there is no block yet, every question about the chain says so" {
	# Of its own network it knows the first block's hash, and not the block.
	jq -n '{base: "regtest", genesis: ("01" * 32)}' >own
	export BB_NETWORK=./own
	run -1 bb-chain import - </dev/null
	for verb in tip tips headers "headers --from 0" blocks "block 0" export coins "coins --hash" "coins --muhash" \
		"utxo $KEY1_ADDRESS" "balance $KEY1_ADDRESS" "history $KEY1_ADDRESS"; do
		# shellcheck disable=SC2086 # several words
		fails 1 $verb
	done
	run -0 bb-chain verify
}

@test "a fault of its own is not called damage" {
	[[ -z ${ASAN_OPTIONS:-} ]] || skip "AddressSanitizer reports the fault itself"
	mkfifo in
	bb-chain add in 2>err 3>&- &
	exec 8>in
	head -n 1 "$MADE/a" >&8
	ends SEGV 139
	exec 8>&-
	run ! grep damaged err
}

@test "a store of another network, or of other rules, is refused and left alone" {
	run -0 bb-chain add "$MADE/a"
	echo '{"base":"regtest","bip34_height":2}' >other
	for network in signet main barenet other; do
		for verb in tip "add $MADE/a" "import $MADE/a" "run $MADE/a" verify coins prevouts; do
			# shellcheck disable=SC2086 # several words
			fails 3 -n "$network" $verb
		done
	done
	assert_tip 110
	# Rules that say the same are the same, by whatever name they come.
	bb-chain params >same
	run -0 bb-chain -n same tip
}

@test "a store of another version is refused and left alone" {
	run -0 bb-chain add "$MADE/a"
	cp -r "$BB_DIR" newer
	# The number of the store's format stands behind this word.
	python3 - newer/chain/data.mdb <<-'EOF'
		import sys
		data = open(sys.argv[1], "rb").read()
		assert b"format\1" in data
		open(sys.argv[1], "wb").write(data.replace(b"format\1", b"format\2"))
	EOF
	cp newer/chain/data.mdb before
	for verb in tip "add $MADE/a" "import $MADE/a" verify; do
		# shellcheck disable=SC2086 # several words
		fails 3 -d newer $verb
		assert_errors '.[0].error | test("version|format")'
	done
	cmp before newer/chain/data.mdb
}

@test "where there is no store, or no folder, readers and writers say so" {
	fails 3 tip
	: >file
	fails 3 -d file tip
	fails 3 -d file add "$MADE/a"
	fails 3 -d file/x add "$MADE/a"
	fails 3 -d /proc/none add "$MADE/a"
}

# read_as_nobody STATUS: every verb that reads ends so, as a user who may only read the store.
read_as_nobody() {
	for verb in tip tips "headers --from 110" "block 5" "utxo $KEY1_ADDRESS" coins "coins --hash" verify events; do
		# shellcheck disable=SC2086 # several words
		run "-$1" --separate-stderr as_nobody bb-chain $verb </dev/null
		[[ $1 == 0 ]] || assert_errors 'length == 1 and (.[0].error | contains("lock.mdb"))'
	done
}

@test "a store that may only be read is not written, and read where its lock.mdb may be written" {
	local folder
	folder=$(nobodys_folder)
	BB_DIR=$folder/store
	bb-chain add "$MADE/a" >/dev/null
	chmod -R a+rX,a-w "$BB_DIR"
	cp "$MADE/a" "$folder/a"
	[[ $(id -u) != 0 ]] || chown -R 0:0 "$folder"
	chmod 755 "$folder"
	read_as_nobody 3
	for verb in "add $folder/a" "import $folder/a" "run $folder/a" \
		"invalidate $(chains ids "$MADE/a" | tail -n 1)"; do
		# shellcheck disable=SC2086 # several words
		run -3 --separate-stderr as_nobody bb-chain $verb </dev/null
		assert_output ""
		assert_errors 'length == 1 and (.[0].error | length) > 8'
	done
	chmod a+w "$BB_DIR"/{chain,mempool}/lock.mdb
	read_as_nobody 0
	chmod -R u+w "$folder"
	assert_tip 110
	rm -rf "$folder"
}

@test "a folder in which nothing can be made is status 3" {
	local folder
	folder=$(nobodys_folder)
	cp "$MADE/a" "$folder/a"
	[[ $(id -u) != 0 ]] || chown 0:0 "$folder"
	chmod 555 "$folder"
	[[ $(id -u) != 0 ]] || chmod 755 "$folder"
	run -3 --separate-stderr as_nobody bb-chain -d "$folder/store" add "$folder/a"
	assert_output ""
	assert_errors 'length == 1'
	chmod 755 "$folder"
	rm -rf "$folder"
}

@test "tables that are cut short are told, and never crash it" {
	run -0 bb-chain add "$MADE/a"
	size=$(stat -c %s "$BB_DIR/chain/data.mdb")
	for part in 0 1 100 4096 8192 12288 $((size / 2)) $((size - 4096)); do
		rm -rf cut
		cp -r "$BB_DIR" cut
		truncate -s "$part" cut/chain/data.mdb
		for verb in tip verify coins "blocks --prevouts" "utxo $KEY1_ADDRESS" "add $MADE/a"; do
			# shellcheck disable=SC2086 # several words
			run --separate-stderr bb-chain -d cut $verb </dev/null
			[[ $status -le 3 ]]
			# Whatever was cut off, verify does not call it whole.
			[[ $verb != verify ]] || [[ $status == 1 || $status == 3 ]]
			[[ $status == 0 ]] || [[ -n $stderr$output ]]
		done
	done
	assert_tip 110
}

@test "tables with a page that is not theirs never crash it" {
	run -0 bb-chain add "$MADE/a"
	pages=$(($(stat -c %s "$BB_DIR/chain/data.mdb") / 4096))
	for page in $(seq 2 $((pages / 12 + 1)) $((pages - 1))); do
		rm -rf bad
		cp -r "$BB_DIR" bad
		dd if=/dev/zero of=bad/chain/data.mdb bs=4096 seek="$page" count=1 conv=notrunc status=none
		for verb in verify tip coins "blocks --prevouts"; do
			# shellcheck disable=SC2086 # several words
			run --separate-stderr bb-chain -d bad $verb </dev/null
			[[ $status -le 3 ]]
		done
	done
}

@test "a file of blocks that is missing or cut short is told; the rest goes on" {
	run -0 bb-chain add "$MADE/a"
	for change in "rm" "truncate -s 1000"; do
		rm -rf bad
		cp -r "$BB_DIR" bad
		$change bad/blocks/blk00000.dat
		run -0 --separate-stderr bb-chain -d bad tip
		assert_json '.height == 110'
		run -0 bb-chain -d bad coins --hash
		run --separate-stderr bb-chain -d bad blocks
		[[ $status == 1 || $status == 3 ]]
		assert_errors 'length == 1 and (.[0].error | contains("blk00000.dat"))'
		run --separate-stderr bb-chain -d bad verify
		[[ $status == 1 || $status == 3 ]]
		assert_errors 'length >= 1 and any(.[]; .error | contains("block"))'
		run --separate-stderr bb-chain -d bad add "$MADE/a"
		[[ $status -le 3 ]]
	done
	assert_tip 110
}

@test "verify finds a byte flipped in the blocks, wherever it is" {
	run -0 bb-chain add "$MADE/a"
	size=$(bb-chain export | wc -c)
	for at in 9 50 $((size / 2)) $((size - 1)); do
		rm -rf bad
		cp -r "$BB_DIR" bad
		python3 - bad/blocks/blk00000.dat "$at" <<-'EOF'
			import sys
			with open(sys.argv[1], "r+b") as f:
			    f.seek(int(sys.argv[2]))
			    byte = f.read(1)[0] ^ 1
			    f.seek(int(sys.argv[2]))
			    f.write(bytes([byte]))
		EOF
		run -1 --separate-stderr bb-chain -d bad verify
		assert_errors 'length >= 1'
		# The chain goes on all the same.
		run -0 --separate-stderr bb-chain -d bad add < <(chains grow 1 --onto "$MADE/a" --tag more)
		assert_json '.height == 111'
	done
}

# flipped HEX OFFSET: bad is the store with the byte changed that stands so far behind those.
flipped() {
	rm -rf bad
	cp -r "$BB_DIR" bad
	python3 - bad/chain/data.mdb "$@" <<-'EOF'
		import sys
		data = bytearray(open(sys.argv[1], "rb").read())
		sought, at, end = bytes.fromhex(sys.argv[2]), 0, len(data)
		assert sought in data
		while (at := data.find(sought, at)) >= 0: # pages of older states, too
		    data[at + int(sys.argv[3])] ^= 1
		    at += 1
		open(sys.argv[1], "wb").write(data)
	EOF
}

@test "verify finds a byte flipped in a block that waits for its parent, or in its kind" {
	run -0 bb-chain add < <(sed -n '1p;3p' "$MADE/a")
	assert_json -s '.[1].result == "orphan"'
	run -0 bb-chain verify
	hex=$(sed -n 3p "$MADE/a" | jq -r .hex)
	for at in 4 70 $((${#hex} / 2 - 10)); do
		flipped "${hex:0:200}" "$at"
		run -1 --separate-stderr bb-chain -d bad verify
		assert_errors 'length >= 1 and (.[0].error | startswith("orphan "))'
	done
	# Its key: the parent's hash, its own, the kind.
	flipped "${hex:8:64}$(chains ids "$MADE/a" | sed -n 3p | fold -w 2 | tac | tr -d '\n')" 64
	run -1 --separate-stderr bb-chain -d bad verify
	assert_errors 'any(.[]; .error | startswith("orphan "))'
}

@test "what a crash left behind the committed blocks is cut off" {
	run -0 bb-chain add < <(head -n 100 "$MADE/a")
	head -c 5000 /dev/urandom >>"$BB_DIR/blocks/blk00000.dat"
	assert_tip 100
	run -0 bb-chain add < <(tail -n 10 "$MADE/a")
	assert_tip 110
	bb-chain export --from 1 | cmp - "$MADE/a.blk"
}

# Full disks

@test "a full disk under stdout is status 3, for every verb that writes there" {
	run -0 bb-chain add "$MADE/a"
	for verb in tip tips headers blocks "blocks --prevouts" "block 5" "utxo" "balance $KEY1_ADDRESS" coins \
		"coins --hash" events export params verify prevouts --help --version; do
		# shellcheck disable=SC2086 # several words
		run -3 --separate-stderr bash -c 'bb-chain "$@" >/dev/full' - $verb <<<'{"scriptpubkey":"51"}'
		assert_errors 'length == 1'
	done
}

@test "verdicts that cannot be told do not undo what was committed" {
	run -3 --separate-stderr bash -c 'bb-chain add "$@" >/dev/full' - "$MADE/a"
	assert_errors 'length == 1'
	run -0 bb-chain add "$MADE/a"
	assert_tip 110
}

@test "a disk that fills up loses nothing that was acknowledged" {
	[[ -z ${ASAN_OPTIONS:-} ]] || skip "AddressSanitizer needs files of its own"
	chains grow 400 --onto "$MADE/a" --spend >more.ndjson
	run -0 bb-chain add "$MADE/a"
	size=$(stat -c %s "$BB_DIR/chain/data.mdb")
	# The limit is in units of 1024 bytes.
	for limit in $((size / 1024 - 40)) $((size / 1024 + 8)) $((size / 1024 + 60)) $((size / 1024 + 200)); do
		rm -rf full
		cp -r --sparse=always "$BB_DIR" full
		run --separate-stderr bash -c 'trap "" XFSZ && ulimit -f "$1" && exec bb-chain -d full add more.ndjson' - "$limit"
		[[ $status == 0 || $status == 3 ]]
		[[ $status == 0 ]] || assert_errors 'length == 1'
		acknowledged=$(jq -s 'map(select(.result == "connected").height) | max // 110' <<<"$output")
		run -0 bb-chain -d full tip
		assert_json --argjson n "$acknowledged" '.height >= $n'
		run -0 --separate-stderr bb-chain -d full verify
		run -0 bb-chain -d full add more.ndjson
		BB_DIR=full assert_tip 510
	done
}

# The mempool

# pool_flipped HEX OFFSET: bad is the store with the byte of the mempool changed that stands so far
# behind those.
pool_flipped() {
	rm -rf bad
	cp -r "$BB_DIR" bad
	python3 - bad/mempool/data.mdb "$@" <<-'EOF'
		import sys
		data = bytearray(open(sys.argv[1], "rb").read())
		sought, at = bytes.fromhex(sys.argv[2]), 0
		assert sought in data
		while (at := data.find(sought, at)) >= 0: # pages of older states, too
		    data[at + int(sys.argv[3])] ^= 1
		    at += 1
		open(sys.argv[1], "wb").write(data)
	EOF
}

# verify_notices HEX OFFSET: what is changed so, and says that it is the mempool's.
verify_notices() {
	pool_flipped "$@"
	run -1 --separate-stderr bb-chain -d bad verify
	assert_json '.valid == false and .height == 125'
	assert_errors 'length >= 1 and all(.[]; .error | startswith("mempool"))'
}

# with_mempool: the store has a chain and transactions that wait.
with_mempool() {
	PYTHONPATH=$BATS_TEST_DIRNAME/judge:$BATS_TEST_DIRNAME/vectors \
		python3 "$BATS_TEST_DIRNAME/judge/crashpool.py" offer 60
	run bb-chain add --now 1400000000 txs
	[[ $status -le 1 ]]
	run -0 --separate-stderr bb-chain verify
	assert_json '.valid and .mempool > 40'
}

@test "verify finds a byte flipped in a transaction that waits, and in what is noted of it" {
	local hex ids at
	with_mempool
	hex=$(bb-chain mempool | head -n 1 | jq -r .hex)
	ids=$(bb-chain mempool | head -n 1 | jq -r .txid | python3 -c 'import hashlib, sys
sha = lambda b: hashlib.sha256(b).digest()
print((bytes.fromhex(input())[::-1] + sha(sha(bytes.fromhex(sys.argv[1])))).hex())' "$hex")
	# txid, wtxid, fee; weights, sigops, flags, whether it may lapse; how many scripts, the first.
	for at in 0 32 64 70 84 88 92 96 100 101 105; do
		verify_notices "$ids" "$at"
	done
	# What it spends, what it pays, its end.
	for at in 0 6 20 38 47 $((${#hex} / 2 - 60)) $((${#hex} / 2 - 1)); do
		verify_notices "$hex" "$at"
	done
}

@test "verify finds a byte flipped in any row of the mempool" {
	local words
	with_mempool
	bb-chain mempool --full >waiting
	# Words of the whole; a txid where it stands alone.
	for words in "$(printf totals | basenc --base16)" "$(printf tip | basenc --base16)"; do
		pool_flipped "$words" $((${#words} / 2))
		run --separate-stderr bb-chain -d bad verify
		# Of another tip, it is not believed.
		[[ $status == 1 ]] || assert_json '.mempool == 0'
	done
	python3 - <<-'EOF' >rows
		import json
		txs = [json.loads(line) for line in open("waiting")]
		for tx in txs[:5]:
		    txid = bytes.fromhex(tx["txid"])[::-1].hex()
		    vin = tx["vin"][0]
		    spent = bytes.fromhex(vin["txid"])[::-1].hex() + "%02x" % vin["vout"]
		    print(spent, 33) # the number of who spends it
	EOF
	while read -r words at; do
		pool_flipped "$words" "$at"
		run -1 --separate-stderr bb-chain -d bad verify
		assert_errors 'length >= 1 and all(.[]; .error | startswith("mempool"))'
	done <rows
}

@test "of a mempool in ruins verify tells a hundred things, and counts the rest" {
	with_mempool
	for at in $(bb-chain mempool | jq -r .hex | head -n 60); do
		[[ -e bad ]] || cp -r "$BB_DIR" bad
		python3 - bad/mempool/data.mdb "$at" <<-'EOF'
			import sys
			data, sought, at = bytearray(open(sys.argv[1], "rb").read()), bytes.fromhex(sys.argv[2]), 0
			while (at := data.find(sought, at)) >= 0:
			    data[at - 101] ^= 1
			    data[at - 69] ^= 1
			    data[at - 37] ^= 1
			    at += 1
			open(sys.argv[1], "wb").write(data)
		EOF
	done
	run -1 --separate-stderr bb-chain -d bad verify
	assert_errors 'length == 101 and (.[100].error | test("^mempool: [0-9]+ more"))'
	assert_json '.valid == false'
}
