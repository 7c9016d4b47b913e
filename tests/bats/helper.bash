# shellcheck shell=bash
# What the bats files share. Each test runs in its own folder, with the tools in PATH.

bats_require_minimum_version 1.5.0

BB_ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
PATH=${BIN:-$BB_ROOT/bin}:$PATH
unset BB_NETWORK

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 022
}

# assert_output TEXT: standard output is exactly this (without a last newline).
assert_output() {
	# shellcheck disable=SC2154 # run sets it
	[[ $output == "$1" ]] || {
		printf 'output is:\n%s\nexpected:\n%s\n' "$output" "$1"
		return 1
	}
}

# assert_stderr TEXT: standard error is exactly this.
assert_stderr() {
	# shellcheck disable=SC2154 # run --separate-stderr sets it
	[[ $stderr == "$1" ]] || {
		printf 'stderr is:\n%s\nexpected:\n%s\n' "$stderr" "$1"
		return 1
	}
}

# assert_json FILTER...: jq's filter holds for the whole output, for every line if there are many,
# and there is output.
assert_json() {
	local results
	{
		[[ -n $output ]] && results=$(jq -c "$@" <<<"$output") && [[ -n $results ]] &&
			! grep -qxE 'false|null' <<<"$results"
	} || {
		printf 'output is:\n%s\nwhich fails: %s\n' "$output" "$*"
		return 1
	}
}

# assert_error TOOL LINE ERROR: standard error is exactly one error line saying so.
assert_error() {
	assert_stderr "{\"type\":\"error\",\"tool\":\"$1\",\"line\":$2,\"error\":\"$3\"}"
}

# assert_errors FILTER: every line on standard error is an error line, and jq's filter holds for
# the array of them.
assert_errors() {
	jq -se "all(.type == \"error\" and (.tool | type) == \"string\" and (.error | type) == \"string\")
		and ($1)" <<<"$stderr" >/dev/null || {
		printf 'stderr is:\n%s\nwhich fails: %s\n' "$stderr" "$1"
		return 1
	}
}

# unhex: bytes of the hex on stdin.
unhex() {
	tr -d '\n' | tr a-f A-F | basenc --base16 -d
}

# as_nobody COMMAND...: run it as another user than root, whoever runs the tests.
as_nobody() {
	if [[ $(id -u) == 0 ]]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

# nobodys_folder: a folder of that user's own; prints its path.
nobodys_folder() {
	local folder
	folder=$(mktemp -d "${TMPDIR:-/tmp}/bb-nobody.XXXXXX")
	if [[ $(id -u) == 0 ]]; then chown 65534:65534 "$folder"; fi
	echo "$folder"
}

# BIP 143's first example, signed: spends a P2PK output of 6.25 and a P2WPKH output of 6.
# shellcheck disable=SC2034 # the tests use them
BIP143_TXID=e8151a2af31c368a35053ddd4bdb285a8595c769a3ad83e0fa02314a602d4609
# shellcheck disable=SC2034
BIP143_WTXID=c36c38370907df2324d9ce9d149d191192f338b37665a82e78e76a12c909b762
BIP143_HEX=01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00
BIP143_HEX+=000000494830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd
BIP143_HEX+=30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffff
BIP143_HEX+=ffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffff
BIP143_HEX+=ffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac909351
BIP143_HEX+=0d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac000247304402203609
BIP143_HEX+=e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c45183315
BIP143_HEX+=61406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e
BIP143_HEX+=7acafcdb3566bb0ad253f62fc70f07aeee635711000000
BIP143_PREVOUTS='[{"scriptpubkey":"2103c9f4836b9a4f77fc0d81f7bcb01b7f1b35916864b9476c241ce9fc198bd25432ac"'
BIP143_PREVOUTS+=',"value":625000000}'
BIP143_PREVOUTS+=',{"scriptpubkey":"00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1","value":600000000}]'
# shellcheck disable=SC2034 # the tests use it
BIP143_LINE='{"type":"tx","hex":"'$BIP143_HEX'","prevouts":'$BIP143_PREVOUTS'}'

# good_line N: BIP 143's transaction, with a key that tells N.
good_line() {
	printf '{"type":"tx","hex":"%s","prevouts":%s,"n":%s}\n' "$BIP143_HEX" "$BIP143_PREVOUTS" "$1"
}

# with FILTER [ARGS...]: BIP 143's line changed by jq.
with() {
	jq -c "$@" <<<"$BIP143_LINE"
}

# BIP 173's key, whose secret is 1, on regtest.
# shellcheck disable=SC2034
KEY1_WIF=cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA \
	KEY1_PUBKEY=0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798 \
	KEY1_ADDRESS=bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080 \
	KEY1_SCRIPT=0014751e76e8199196d454941c45d1b3a323f1433bd6

# coin N SATOSHI [MORE]: a utxo line of KEY1's, confirmed; MORE are further members.
coin() {
	printf '{"type":"utxo","txid":"%064x","vout":0,"value":%s,"scriptpubkey":"%s"%s}\n' \
		"$1" "$2" "$KEY1_SCRIPT" "${3:-,\"height\":1,\"coinbase\":false}"
}

# key_file NAME: KEY1 as a key file.
key_file() {
	(umask 077 && printf '{"type":"key","address":"%s","pubkey":"%s","wif":"%s"}\n' \
		"$KEY1_ADDRESS" "$KEY1_PUBKEY" "$KEY1_WIF" >"$1")
}
