#!/usr/bin/env bats
# Bad input, for every tool that reads lines: an error line that names the line, the right
# status, and the other lines still done.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper

# The tools that read transaction lines, with what they need.
tools() {
	printf '%s\n' "bb-validate" "bb-validate --verdict -j 2" "bb-encode" "bb-decode" \
		"bb-sign --partial -k key"
}

# refused TEXT: each tool, given the text as line 2 between two good lines, reports line 2 alone
# and does the others.
refused() {
	local tool good
	key_file key
	while read -r tool; do
		{ good_line 1; printf '%s\n' "$1"; good_line 3; } >lines
		# shellcheck disable=SC2086 # the tool's words
		run -2 --separate-stderr $tool lines
		case $tool in
		*--verdict*)
			assert_json -s 'map(.valid) == [true, false, true] and (.[1].error | length) > 5
				and map(.line) == [1, 2, 3]'
			;;
		*)
			assert_errors 'length == 1 and .[0].line == 2 and (.[0].error | length) > 5'
			# shellcheck disable=SC2086
			good=$({ good_line 1; good_line 3; } | $tool)
			assert_output "$good"
			;;
		esac
	done < <(tools)
}

@test "truncated JSON" {
	refused '{"type":"tx"'
	refused "${BIP143_LINE:0:500}"
	refused '{"type":"tx","hex":"01'
	refused '{'
}

@test "malformed JSON" {
	refused '{"type":"tx",}'
	refused '{"type" "tx"}'
	refused "{'type':'tx'}"
	refused '{"type":"tx"}}'
	refused '{"type":"tx"} {"type":"tx"}'
	refused '{"type":"tx" /* comment */}'
	refused "$(printf '{"type":"tx","n":"\377"}')"
	refused '{"type":"tx","n":"\u12"}'
	refused '{"type":"tx","n":01}'
}

@test "something else than an object" {
	refused '[]'
	refused '"tx"'
	refused '5'
	refused 'null'
	refused "[$BIP143_LINE]"
}

@test "a type that no tool knows, or none" {
	refused '{"type":"banana"}'
	refused '{"type":7,"hex":"00"}'
	refused '{}'
}

@test "wrong types" {
	for change in '.hex = 5' '.hex = [.hex]' '.hex = true' '.prevouts = {}' '.prevouts = "x"' '.prevouts[0] = 7' \
		'.prevouts[0].value = "625000000"' '.prevouts[0].value = true' '.prevouts[0].value = [1]' \
		'.prevouts[0].scriptpubkey = 5' '.prevouts[0].scriptpubkey = null' '.prevtxs = "00"' '.prevtxs = [5]'; do
		refused "$(with "$change")"
	done
}

@test "numbers out of range, fractional, with an exponent, or not numbers" {
	local value
	for value in -1 9223372036854775808 18446744073709551616 99999999999999999999999999 0.5 625000000.0 \
		6.25e8 6E0 NaN Infinity -Infinity 0x10 +5 1_000; do
		refused "${BIP143_LINE/625000000/$value}"
	done
}

@test "claims that are not integers" {
	for change in '.at_height = "5"' '.at_height = 1.5' '.at_mtp = -1' '.at_mtp = true' \
		'.prevouts[0].height = 1.5' '.prevouts[0].height = "1"' '.prevouts[0].mtp = {}' \
		'.prevouts[0].coinbase = 1' '.prevouts[0].coinbase = "true"'; do
		run -2 --separate-stderr bb-validate < <(with "$change")
		assert_output ""
		assert_errors 'length == 1 and .[0].line == 1'
	done
}

@test "odd hex, and what is not hex" {
	refused "$(with '.hex += "0"')"
	refused "$(with '.hex = "zz" + .hex[2:]')"
	refused "$(with '.hex = " " + .hex[1:]')"
	refused "$(with '.hex = "0x" + .hex')"
	refused "$(with '.hex = ""')"
	refused "$(with '.prevouts[0].scriptpubkey = "5"')"
	refused "$(with '.prevouts[0].scriptpubkey = "5g"')"
}

@test "bytes that are no transaction: cut short, too long, absurd counts and lengths" {
	refused "$(with '.hex = .hex[:-2]')"
	refused "$(with '.hex += "00"')"
	refused '{"type":"tx","hex":"01000000","prevouts":[]}'
	# 2^64 - 1 inputs; 2^32 inputs; a script of 2^63 bytes; 2^32 witness items.
	refused '{"type":"tx","hex":"01000000ffffffffffffffffff","prevouts":[]}'
	refused '{"type":"tx","hex":"01000000ff0000000001000000","prevouts":[]}'
	refused "$(with '.hex = .hex[:86] + "ff0000000000000080" + .hex[88:]')"
	refused "$(with '.hex = .hex[:464] + "feffffffff" + .hex[466:]')"
	# Not the shortest compact size; an unknown flag; a witness that is empty everywhere.
	refused "$(with '.hex = .hex[:12] + "fd0200" + .hex[14:]')"
	refused "$(with '.hex = .hex[:10] + "02" + .hex[12:]')"
	refused "$(with '.hex = .hex[:462] + "0000" + .hex[-8:]')"
}

@test "a number of prevouts that is not the number of inputs" {
	refused "$(with '.prevouts = .prevouts[:1]')"
	refused "$(with '.prevouts += [.prevouts[0]]')"
}

@test "hex that does not agree with the fields, and ids that do not match" {
	bb-decode <<<"$BIP143_LINE" | jq -c --arg hex "$BIP143_HEX" '. + {hex: $hex}' >both
	bb-validate both
	for change in '.vout[0].value += 1' '.locktime += 1' '.version += 1' '.vin[0].sequence = 5' \
		'.vin[0].vout = 9' '.vin[0].scriptsig = ""' '.vin[1].witness[0] = "00"' 'del(.vout[1])' \
		'.vout[0].scriptpubkey = "51"' '.hex = "00"'; do
		refused "$(jq -c "$change" both)"
	done
	for change in '.txid = "00" * 32' '.txid = "00"' '.txid = 5' 'del(.hex) | .locktime = 18' \
		'.wtxid = .txid' '.txid = .txid[1:]'; do
		refused "$(jq -c "$change" both)"
	done
}

@test "fields that cannot be a transaction" {
	bb-decode <<<"$BIP143_LINE" | jq -c 'del(.hex, .txid, .wtxid)' >fields
	for change in 'del(.vin)' 'del(.vout)' '.vin = 5' '.vin[0] = 5' '.vin[0].txid = "00"' 'del(.vin[0].txid)' \
		'.vin[0].vout = 4294967296' '.vin[0].vout = -1' '.vin[0].vout = 0.5' '.vin[0].sequence = 4294967296' \
		'.vin[0].scriptsig = "0"' '.vin[1].witness = "00"' '.vin[1].witness = [5]' '.version = 4294967296' \
		'.locktime = 4294967296' '.locktime = -1' '.vout[0] = null' '.vout[0].value = "5"' \
		'.vout[0].value = 9223372036854775808' 'del(.vout[0].value)' 'del(.vout[0].scriptpubkey)'; do
		refused "$(jq -c "$change" fields | sed 's/9223372036854775807,/9223372036854775808,/')"
	done
}

@test "nesting of 64 is read and of more is not" {
	nested() { printf '{"type":"tx","hex":"%s","prevouts":%s,"n":%s%s}' "$BIP143_HEX" "$BIP143_PREVOUTS" \
		"$(printf '[%.0s' $(seq "$1"))" "$(printf ']%.0s' $(seq "$1"))"; }
	run -0 bb-validate < <(nested 63)
	refused "$(nested 64)"
	refused "$(nested 20000)"
}

@test "NUL bytes are no blanks" {
	key_file key
	while read -r tool; do
		# shellcheck disable=SC2086 # the tool's words
		run -2 --separate-stderr $tool < <(printf '\0\n{"type":"tx",\0"hex":"00"}\n{"type":"t\0x"}\n')
		[[ $tool == *--verdict* ]] || assert_errors 'map(.line) == [1, 2, 3]'
		[[ $tool != *--verdict* ]] || assert_json -s 'map(.line) == [1, 2, 3] and all(.valid | not)'
	done < <(tools)
}

@test "blank lines are passed over, a last line without LF is read, CR is white space" {
	run -0 bb-validate < <(printf '\n  \n%s' "$BIP143_LINE")
	assert_output "$BIP143_LINE"
	run -0 --separate-stderr bb-validate --verdict < <(printf '\n%s\r\n' "$BIP143_LINE")
	assert_json '.line == 2 and .valid'
}

@test "the last of duplicated keys wins" {
	run -0 bb-validate --verdict <<<"{\"hex\":\"00\",\"prevouts\":[],${BIP143_LINE:1}"
	refused "${BIP143_LINE%\}},\"hex\":\"00\"}"
}

# long_line BYTES: a good line, a line of that many bytes, a good line.
long_line() {
	good_line 1
	printf '{"type":"tx","n":"'
	head -c "$1" /dev/zero | tr '\0' a
	printf '"}\n'
	good_line 3
}

@test "a line longer than --max-line is skipped and reported, and the next is done" {
	key_file key
	while read -r tool; do
		# shellcheck disable=SC2086 # the tool's words
		run -2 --separate-stderr $tool --max-line 5000 < <(long_line 6000)
		[[ $tool == *--verdict* ]] || assert_errors 'length == 1 and .[0].line == 2'
		[[ $(wc -l <<<"$output") -ge 2 ]]
	done < <(tools)
	run -0 bb-validate --partial --max-line 5000 < <(good_line 1)
	run -2 --separate-stderr bb-validate --max-line 500 < <(good_line 1)
	assert_output ""
}

@test "a line of 2 GB is skipped without being held in memory" {
	[[ -z ${ASAN_OPTIONS:-} ]] || skip "AddressSanitizer needs the address space limited here"
	run -2 --separate-stderr bash -c 'ulimit -v 150000 && exec bb-validate -j 1 --max-line 1000000' \
		< <(long_line 2147483648)
	assert_output "$(good_line 1; good_line 3)"
	assert_errors 'length == 1 and .[0].line == 2'
	# The default allows lines of 1 GiB, and holds no more than that of any.
	run -2 --separate-stderr bash -c 'ulimit -v 2300000 && exec bb-encode' < <(long_line 2147483648)
	assert_output "$BIP143_HEX
$BIP143_HEX"
	assert_errors 'length == 1 and .[0].line == 2'
}

@test "memory is flat however long the stream" {
	[[ -z ${ASAN_OPTIONS:-} ]] || skip "AddressSanitizer needs the address space limited here"
	many() { for _ in $(seq 60000); do echo "$BIP143_LINE"; done; }
	run -0 bash -c 'set -o pipefail; ulimit -v 200000; bb-validate -j 1 | uniq -c' < <(many)
	[[ $output == *' 60000 '"$BIP143_LINE" ]]
	run -0 bash -c 'set -o pipefail; ulimit -v 200000; bb-encode | uniq -c' < <(many)
	[[ $output == *' 60000 '"$BIP143_HEX" ]]
}

@test "no record at all is status 1" {
	key_file key
	while read -r tool; do
		# shellcheck disable=SC2086 # the tool's words
		run -1 --separate-stderr $tool </dev/null
		assert_output ""
		# shellcheck disable=SC2086
		run -1 --separate-stderr $tool < <(printf '\n \n')
	done < <(tools)
}

@test "a full disk is status 3" {
	key_file key
	while read -r tool; do
		# shellcheck disable=SC2086 # the tool's words
		run -3 --separate-stderr bash -c '"$@" >/dev/full' - $tool < <(good_line 1)
		assert_errors 'length == 1'
	done < <(tools)
	for tool in "bb-keygen --print-secret" "bb-validate --help" "bb-decode --version"; do
		# shellcheck disable=SC2086
		run -3 --separate-stderr bash -c '"$@" >/dev/full' - $tool
	done
}

@test "--fail-fast stops at the first bad line" {
	key_file key
	while read -r tool; do
		# shellcheck disable=SC2086 # the tool's words
		run -2 --separate-stderr $tool --fail-fast < <(good_line 1; echo '{'; good_line 3; echo '{')
		[[ $(wc -l <<<"$output") -le 2 ]]
		[[ $tool == *--verdict* ]] || assert_errors 'length == 1 and .[0].line == 2'
	done < <(tools)
}

@test "every tool that reads lines copies from into its errors" {
	key_file key
	local tool
	for tool in bb-validate "bb-sign -k key" "bb-mktx --to $KEY1_ADDRESS=1000sat" bb-encode bb-decode; do
		# shellcheck disable=SC2086 # the tool's words
		run --separate-stderr $tool <<<'{"type":"tx","from":"peer-7","txid":5,"vout":"x","hex":"zz"}'
		[[ $status -ge 1 ]]
		assert_errors '.[0].line == 1 and .[0].from == "peer-7"'
	done
}

@test "a file that cannot be opened is status 2, and the others are read" {
	good_line 1 >here
	run -2 --separate-stderr bb-validate no-such-file here
	assert_output "$(good_line 1)"
	assert_errors 'length == 1 and (.[0].error | contains("no-such-file"))'
}

@test "- is standard input, among files" {
	good_line 1 >a
	good_line 3 >c
	run -0 bb-validate a - c < <(good_line 2)
	assert_output "$(good_line 1; good_line 2; good_line 3)"
}

@test "a call that is wrong is status 2 with the synopsis on stderr" {
	for tool in bb-validate bb-encode bb-decode bb-sign bb-mktx bb-keygen; do
		run -2 --separate-stderr "$tool" --no-such-option </dev/null
		assert_output ""
		[[ $stderr == *"$tool"* ]]
		run -2 --separate-stderr "$tool" -n no-such-network </dev/null
		assert_output ""
		[[ $stderr == *"$tool"* ]]
		run -2 --separate-stderr env BB_NETWORK=no-such-network "$tool" </dev/null
	done
}

@test "--help prints the synopsis and --version the version, with status 0" {
	for tool in bb-validate bb-encode bb-decode bb-sign bb-mktx bb-keygen; do
		run -0 --separate-stderr "$tool" --help </dev/null
		[[ $output == *"$tool"* ]]
		assert_stderr ""
		run -0 --separate-stderr "$tool" --version </dev/null
		[[ $output == "$tool"*[0-9].[0-9]* ]]
	done
}

@test "a file of network parameters is checked" {
	echo '{"base":"regtest","hrp":"zz"}' >net
	run -0 bb-decode -n net --type script <<<"$KEY1_SCRIPT"
	assert_json '.address | startswith("zz1q")'
	local text
	for text in '{"base":"regtest","no_such_key":1}' '{"base":"nowhere"}' '{"base":"regtest","port":70000}' \
		'{"base":"regtest","bip34_height":"2"}' '{"base":"regtest","magic":"zz"}' '{' '' '[]' \
		'{"base":"regtest","halving_interval":0}' '{"base":"regtest","genesis":"00"}'; do
		echo "$text" >net
		run -2 --separate-stderr bb-decode -n net --type script <<<"$KEY1_SCRIPT"
		assert_output ""
	done
}

@test "white space that JSON does not know is malformed" {
	for blank in '\v' '\f'; do
		run -2 --separate-stderr bb-validate --verdict < <(printf '{"type"%b:"tx"}\n' "$blank")
		assert_json '.error == "malformed-line" and .detail == "malformed JSON"'
	done
}

# zeros COUNT: a transaction's line with an array of so many besides.
zeros() {
	jq -cj . <<<"$BIP143_LINE" | head -c -1
	printf ',"zeros":[0'
	yes ,0 | head -n "$(($1 - 1))" | tr -d '\n'
	echo ']}'
}

@test "a line has a million values, and more in proportion to its length, but no more" {
	zeros 1040000 | bb-validate | cmp - <(zeros 1040000)
	run -2 --separate-stderr bb-validate < <(zeros 2300000)
	assert_error bb-validate 1 "malformed JSON: too many values"
	assert_output ""
	zeros 2300000 | sed 's/,0,/,        0,/g' | bb-validate | wc -l | grep -x 1
}
