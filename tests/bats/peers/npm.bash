# shellcheck shell=bash
# A JavaScript implementation (bitcoinjs-lib) from npm, for another opinion.

PEERS=$(cd "${BASH_SOURCE[0]%/*}" && pwd)

# npm_install: bring the pinned packages, once, into the build folder. Where they cannot be had,
# NPM_MISSING says why.
npm_install() {
	local build=${BUILD:-$PEERS/../../../build}
	export NPM_MISSING='' NODE_PATH
	if ! command -v npm >/dev/null; then
		NPM_MISSING="no bitcoinjs-lib: npm is not installed"
		return
	fi
	mkdir -p "$build/npm-opinion"
	NODE_PATH=$(cd "$build/npm-opinion" && pwd)/node_modules
	if ! cmp -s "$PEERS/javascript/package-lock.json" "$build/npm-opinion/installed"; then
		cp "$PEERS"/javascript/package*.json "$build/npm-opinion"
		npm ci --silent --ignore-scripts --no-audit --no-fund \
			--cache "$build/npm/cache" --prefix "$build/npm-opinion"
		cp "$PEERS/javascript/package-lock.json" "$build/npm-opinion/installed"
	fi
}

# needs_npm: skip the test where the packages could not be had.
needs_npm() {
	[[ -z $NPM_MISSING ]] || skip "$NPM_MISSING"
}

# bitcoinjs VERB: lines in, lines out; see the file.
bitcoinjs() {
	node "$PEERS/javascript/bitcoinjs.js" "$@"
}
