#!/usr/bin/env bats
# What the mempool's part of a store survives: wrong bytes, another boot, kill -9, a full disk.
# The chain never suffers from it.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper

export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$BATS_TEST_DIRNAME/judge:$BATS_TEST_DIRNAME/vectors

crashpool() {
	python3 "$BATS_TEST_DIRNAME/judge/crashpool.py" "$@"
}

# $MADE/store: a chain, and a mempool of $MADE/txs, of which some depend on others.
setup_file() {
	export MADE=$BATS_FILE_TMPDIR
	PATH=${BIN:-$BATS_TEST_DIRNAME/../../bin}:$PATH
	(cd "$MADE" && crashpool offer 300)
	bb-chain -d "$MADE/store" add --now 1400000000 "$MADE/txs" >"$MADE/verdicts" || [[ $? == 1 ]]
	bb-chain -d "$MADE/store" coins --hash >"$MADE/coins"
	bb-chain -d "$MADE/store" mempool --full | jq -r .txid | sort >"$MADE/waiting"
	[[ $(wc -l <"$MADE/waiting") -gt 200 ]]
}

teardown() {
	if mountpoint -q bad/mempool; then umount bad/mempool; fi
}

# copied: ./bad is a store with the mempool.
copied() {
	rm -rf bad
	cp -r "$MADE/store" bad
}

# offered STATUS...: the transactions are given to ./bad, and it ends so.
offered() {
	run --separate-stderr bb-chain -d bad add --now 1400000000 "$MADE/txs"
	[[ " $* " == *" $status "* ]]
}

# waiting: what waits in ./bad is what was made, and all is well.
waiting() {
	bb-chain -d bad mempool --full | jq -r .txid | sort | cmp - "$MADE/waiting"
	bb-chain -d bad coins --hash | cmp - "$MADE/coins"
	run -0 --separate-stderr bb-chain -d bad verify
	assert_json --argjson n "$(wc -l <"$MADE/waiting")" '.valid and .mempool == $n'
	assert_stderr ""
}

# without: readers find the chain, and no mempool.
without() {
	local verb
	for verb in tip tips "coins --hash" "blocks --from 120" "events --since 100" "prevouts $MADE/txs" \
		"template --now 1400000000" fee-rate "mempool --stats"; do
		# shellcheck disable=SC2086 # several words
		run -0 --separate-stderr bb-chain -d bad $verb
		[[ -n $output && -z $stderr ]]
	done
	run --separate-stderr bb-chain -d bad verify
	if [[ -e bad/mempool/data.mdb || -f bad/mempool ]]; then # one that cannot be used
		[[ $status == 1 ]]
		assert_json '(.valid | not) and .mempool == 0'
		assert_errors 'length == 1 and (.[0].error | startswith("mempool: it cannot be read: "))'
	else
		[[ $status == 0 && -z $stderr ]]
		assert_json '.valid and .mempool == 0'
	fi
	bb-chain -d bad coins --hash | cmp - "$MADE/coins"
	run -0 --separate-stderr bb-chain -d bad mempool --full
	assert_output ""
	run -0 --separate-stderr bb-chain -d bad template --now 1400000000
	assert_json '.transactions == []'
}

# anew: a writer begins with none, and events go on above those that were told.
anew() {
	local last
	last=$(bb-chain -d "$MADE/store" events | tail -n 1 | jq .seq)
	offered 1
	assert_json -s --argjson n "$(wc -l <"$MADE/waiting")" \
		'[.[] | select(.result == "accepted")] | length >= $n'
	waiting
	run -0 --separate-stderr bb-chain -d bad events --since "$last"
	assert_json --argjson last "$last" '.seq > $last and .event != "connected"'
}

# Wrong bytes

@test "a mempool that is gone, empty, cut short or another file: readers go on without, a writer makes it anew" {
	local change data=bad/mempool/data.mdb size
	size=$(stat -c %s "$MADE/store/mempool/data.mdb")
	for change in "rm -r bad/mempool" "rm $data" "truncate -s 0 $data" "truncate -s 100 $data" \
		"truncate -s 8192 $data" "truncate -s $((size / 2)) $data" "truncate -s $((size - 4096)) $data" \
		"cp $MADE/txs $data" "cp bad/chain/data.mdb $data" \
		"dd if=/dev/urandom of=$data bs=4096 count=2 conv=notrunc status=none"; do
		copied
		$change
		without
		anew
	done
}

@test "a page of the mempool that is not its own crashes nobody, and the chain's readers do not see it" {
	[[ -z ${ASAN_OPTIONS:-} ]] || skip "AddressSanitizer reports where LMDB itself falls"
	local page verb
	for page in $(seq 2 "$(($(stat -c %s "$MADE/store/mempool/data.mdb") / 4096 - 1))"); do
		copied
		dd if=/dev/zero of=bad/mempool/data.mdb bs=4096 seek="$page" count=1 conv=notrunc status=none
		run -0 --separate-stderr bb-chain -d bad tip
		for verb in verify mempool "template --now 1400000000"; do
			# shellcheck disable=SC2086 # several words
			run --separate-stderr bb-chain -d bad $verb
			[[ $status == 0 || $status == 1 || $status == 3 ]]
			[[ $status == 0 ]] || assert_errors 'length >= 1'
		done
		# The writer that meets it may fail, and the next begins with none.
		offered 1 3
		offered 1
		bb-chain -d bad coins --hash | cmp - "$MADE/coins"
	done
}

# overwritten SEED: random bytes in some page of ./bad's mempool.
overwritten() {
	python3 - bad/mempool/data.mdb "$1" <<-'EOF'
		import os, random, sys
		rng = random.Random(int(sys.argv[2]))
		with open(sys.argv[1], "r+b") as file:
		    page = rng.randrange(2, os.path.getsize(sys.argv[1]) // 4096)
		    head = rng.choice((0, 16))
		    if rng.random() < 0.5: # all of it, or but its head
		        file.seek(page * 4096 + head)
		        file.write(rng.randbytes(4096 - head))
		    else:
		        for _ in range(8):
		            file.seek(page * 4096 + rng.randrange(4096))
		            file.write(rng.randbytes(1))
	EOF
}

@test "random bytes in the mempool never stop writers for long, and never reach the chain" {
	[[ -z ${ASAN_OPTIONS:-} ]] || skip "AddressSanitizer reports where LMDB itself falls"
	local seed
	for seed in $(seq 40); do
		copied
		overwritten "$seed"
		run --separate-stderr bb-chain -d bad verify
		[[ $status -le 3 ]]
		# The first may find the damage; the next begins anew.
		offered 1 3
		offered 1 3
		offered 1
		bb-chain -d bad coins --hash | cmp - "$MADE/coins"
	done
}

@test "a folder where the mempool's file should be is left alone, and said" {
	copied
	rm bad/mempool/data.mdb
	mkdir bad/mempool/data.mdb
	without
	offered 3
	assert_output ""
	assert_errors 'length == 1 and (.[0].error | contains("mempool/data.mdb"))'
	copied
	rm -r bad/mempool
	: >bad/mempool
	without
	offered 3
	assert_errors 'length == 1 and (.[0].error | contains("bad/mempool"))'
}

@test "whoever may not read the mempool has none, and whoever may not write it cannot write at all" {
	local folder
	folder=$(nobodys_folder)
	cp -r "$MADE/store" "$folder/bad"
	cp "$MADE/txs" "$folder"
	[[ $(id -u) != 0 ]] || chown -R 65534:65534 "$folder"
	cd "$folder"
	for closed in bad/mempool bad/mempool/data.mdb; do
		chmod 000 $closed
		run -1 --separate-stderr as_nobody bb-chain -d bad verify
		assert_json '(.valid | not) and .mempool == 0'
		assert_errors '.[0].error == "mempool: it cannot be read: Permission denied"'
		run -0 --separate-stderr as_nobody bb-chain -d bad mempool
		assert_output ""
		run -3 --separate-stderr as_nobody bb-chain -d bad add --now 1400000000 txs
		assert_output ""
		assert_errors 'length == 1 and (.[0].error | contains("bad/mempool"))'
		chmod 700 $closed
	done
	run -0 --separate-stderr as_nobody bb-chain -d bad verify
	assert_json '.mempool > 200'
	cd "$BATS_TEST_TMPDIR"
	rm -rf "$folder"
}

# Boots

@test "a mempool of this boot is kept, written out or not" {
	[[ -e /proc/sys/kernel/random/boot_id ]] || skip "the system does not tell its boot"
	copied
	waiting
	tr -d '\n' </proc/sys/kernel/random/boot_id >bad/mempool/boot
	waiting
	offered 1
	waiting
	# What is written out, is so in the next boot.
	[[ ! -s bad/mempool/boot ]]
}

@test "a mempool of another boot is not believed: a writer begins with none" {
	local boot
	for boot in 00000000-0000-4000-8000-000000000000 damaged x; do
		copied
		printf %s "$boot" >bad/mempool/boot
		without
		anew
		[[ ! -s bad/mempool/boot ]]
	done
}

# Deaths

@test "kill -9 while accepting and mining: nothing acknowledged is lost" {
	crashpool kill 70 >table
	cat table
	grep -E ': [0-9]+ of [0-9]+$' table >&3
	grep -xE '.*: 70 of 70' table
}

# Full disks

# slowly FILE: a line at a time, each written alone.
slowly() {
	jq -c --unbuffered . "$1"
}

@test "a disk that fills up under the mempool: status 3, what was acknowledged waits, and with room it goes on" {
	local size
	for size in 64k 128k 200k; do
		copied
		rm -r bad/mempool
		mkdir bad/mempool
		mount -t tmpfs -o "size=$size" bb-test bad/mempool || skip "only root can mount a small disk"
		# One by one, so that many are acknowledged before the end.
		run -3 --separate-stderr bb-chain -d bad add --now 1400000000 < <(slowly "$MADE/txs")
		assert_errors 'length == 1 and (.[0].error | contains("mempool/data.mdb"))'
		bb-chain -d bad mempool --full | jq -r .txid | sort >there
		jq -rn '[inputs] | (map(.replaced // []) | add) as $gone | .[] | select(.result == "accepted").id
			| select(IN($gone[]) | not)' <<<"$output" | sort | cmp - there
		run -0 --separate-stderr bb-chain -d bad verify
		assert_json --argjson n "$(wc -l <there)" '.valid and .mempool == $n'
		mount -o remount,size=64m bad/mempool
		offered 1
		waiting
		umount bad/mempool
	done
}

@test "a disk with no room for a mempool at all: nothing is written, and the chain is read" {
	copied
	rm -r bad/mempool
	mkdir bad/mempool
	mount -t tmpfs -o size=4k bb-test bad/mempool || skip "only root can mount a small disk"
	offered 3
	assert_output ""
	assert_errors 'length == 1 and (.[0].error | contains("mempool"))'
	without
	umount bad/mempool
	anew
}
