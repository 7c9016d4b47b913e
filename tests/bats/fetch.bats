#!/usr/bin/env bats
# How a node gets headers and blocks from others, and gives them its own: hubs in one process,
# without sockets, their ledgers behind pipes.

load helper

# make_stores: chains of regtest, and their stores. LONG and BRANCH part 5 blocks before LONG's
# tip; EXTENDED has a block more than BRANCH; DEEP has but the genesis block in common with them,
# and times 20 days later.
make_stores() {
	python3 - "$BB_ROOT/tests/bats/bench" <<-'END'
		import shutil, sys
		sys.path.insert(0, sys.argv[1])
		import chain as maker
		from chain import Chain

		def blocks(count, name):
		    for _ in range(count):
		        chain.add([[1000, bytes([0x51, name])]])
		    chain.file.flush()

		chain = Chain(open("long.dat", "wb"))
		blocks(2200, 0x51)
		parting = chain.tip, chain.height
		shutil.copy("long.dat", "branch.dat")
		blocks(5, 0x51)
		chain.file = open("branch.dat", "ab")
		chain.tip, chain.height = parting
		blocks(7, 0x52)
		shutil.copy("branch.dat", "extended.dat")
		chain.file = open("extended.dat", "ab")
		blocks(1, 0x52)
		maker.TIME += 20 * 86400
		chain = Chain(open("deep.dat", "wb"))
		blocks(2400, 0x53)
	END
	local name
	for name in long branch extended deep; do
		bb-chain import -d $name $name.dat
	done
	run -1 bb-chain run -d new <<<''
}

@test "headers come first, then blocks of several at once; what others ask is what the store has" {
	make_stores
	"${BUILD:-$BB_ROOT/build}/fetch" "$(command -v bb-chain)" long branch extended deep new >table
	grep -E ': [0-9]+ of [0-9]+$| blocks in ' table >&3
	grep -x 'sync from two, one of which stalls: 9 of 9' table
	grep -x 'headers and blocks served: 9 of 9' table
	grep -x 'a reorganisation: 5 of 5' table
	grep -x 'peers that are wrong: 19 of 19' table
	grep -x 'a branch of more than 2,000 blocks: 14 of 14' table
	grep -x 'who is asked for headers first: 4 of 4' table
	run -0 bb-chain verify -d new
}
