#!/bin/sh
# Run every test: the vectors' tables, the real data, and the bats files. Called by `make check`
# with BIN (the tools) and BUILD (holds the driver `vectors`; npm's packages go there).
# Each table prints `name: N of M`; the last line is `N passed, N failed`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
BIN=$(cd "${BIN:-$here/../../bin}" && pwd)
BUILD=$(cd "${BUILD:-$here/../../build}" && pwd)
export BIN BUILD PYTHONDONTWRITEBYTECODE=1
log=$BUILD/check.log

# Bring an npm package's files, with the vectors in them, into the build folder.
fetch() { # name version
	[ ! -d "$BUILD/npm/$1" ] || return 0
	mkdir -p "$BUILD/npm/$1.part"
	echo "npm pack $1@$2"
	if (cd "$BUILD/npm" && npm pack --silent --cache "$BUILD/npm/cache" "$1@$2") >/dev/null &&
		tar -xzf "$BUILD/npm/$1-$2.tgz" -C "$BUILD/npm/$1.part" --strip-components=1; then
		mv "$BUILD/npm/$1.part" "$BUILD/npm/$1"
	else
		rm -rf "$BUILD/npm/$1.part"
		echo "npm pack $1@$2 failed: its tables are missing"
	fi
}

# Run one part of the suite, shown and kept in the log; a part that fails without a failed row
# or test to show for it counts as one.
part() { # name command...
	name=$1
	shift
	rm -f "$BUILD/part.failed"
	{ "$@" || : >"$BUILD/part.failed"; } | tee "$BUILD/part.log"
	if [ -e "$BUILD/part.failed" ] && [ "$(failed "$BUILD/part.log")" -eq 0 ]; then
		echo "not ok $name ended with an error" | tee -a "$BUILD/part.log"
	fi
	cat "$BUILD/part.log" >>"$log"
}

# The rows of tables count as one thing a table, each bats test as one.
passed() {
	awk '/: [0-9]+ of [0-9]+$/ { if ($(NF-2) == $NF && $NF > 0) n++ }
		/^ok / && !/# skip/ { n++ } END { print n + 0 }' "$1"
}
failed() {
	awk '/: [0-9]+ of [0-9]+$/ { if ($(NF-2) != $NF || $NF == 0) n++ }
		/: (broke off|its file is missing)/ { n++ } /^not ok / { n++ } END { print n + 0 }' "$1"
}

mkdir -p "$BUILD/npm"
: >"$log"
fetch bitcore-lib 11.5.1
fetch bitcore-mnemonic 11.5.1
part "tables of vectors" python3 "$here/vectors/tables.py"
part "block rules" python3 "$here/vectors/blockrules.py"
part "real data" python3 "$here/vectors/realdata.py"
part "bats" bats --formatter tap "$here"
echo "$(passed "$log") passed, $(failed "$log") failed"
[ "$(failed "$log")" -eq 0 ]
