#!/usr/bin/env bats
# bb-keygen: keys, mnemonics, derivation, descriptors, key files.

# shellcheck disable=SC2016,SC2154 # jq's variables; what run sets

load helper

WORDS="abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"

@test "-o writes a key file of mode 0600 and prints the public line without the secret" {
	run -0 --separate-stderr bb-keygen -o alice.key
	assert_stderr ""
	assert_json '.type == "key" and (.address | startswith("bcrt1q")) and (.pubkey | length) == 66
		and (has("wif") or has("xprv") or has("mnemonic") | not)'
	[[ $(stat -c %a alice.key) == 600 ]]
	jq -e --argjson line "$output" '.wif and .address == $line.address and .pubkey == $line.pubkey' alice.key
	[[ $output != *"$(jq -r .wif alice.key)"* ]]
}

@test "the key file's mode does not depend on the umask" {
	umask 0
	bb-keygen -o a.key
	[[ $(stat -c %a a.key) == 600 ]]
	umask 0277
	bb-keygen -o b.key
	[[ $(stat -c %a b.key) == [46]00 ]]
}

@test "-o refuses to overwrite, and follows no link" {
	bb-keygen -o alice.key
	cp -p alice.key before
	run -2 --separate-stderr bb-keygen -o alice.key
	assert_output ""
	assert_errors 'length == 1'
	cmp alice.key before
	ln -s elsewhere link.key
	run -2 --separate-stderr bb-keygen -o link.key
	[[ ! -e elsewhere ]]
}

@test "-y prints a key file's public line again" {
	bb-keygen -o alice.key >line
	run -0 --separate-stderr bb-keygen -y alice.key
	assert_output "$(<line)"
	assert_stderr ""
}

@test "two keys are never the same, and a count gives as many" {
	run -0 bb-keygen --print-secret --count 200
	assert_json -s 'length == 200 and (map(.wif) | unique | length) == 200
		and (map(.address) | unique | length) == 200'
}

@test "the four types of the key 1 on the main network" {
	local type address
	echo KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn >wif
	while read -r type address; do
		run -0 bb-keygen -n main -t "$type" - <wif
		assert_json --arg address "$address" --arg pubkey "$KEY1_PUBKEY" '.address == $address
			and .pubkey == $pubkey and (has("wif") | not)'
	done <<-'END'
		p2pkh 1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH
		p2sh-p2wpkh 3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN
		p2wpkh bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4
		p2tr bc1pmfr3p9j00pfxjh0zmgp99y8zftmd3s5pmedqhyptwy6lm87hf5sspknck9
	END
}

@test "the wallets of BIP 49, 84 and 86" {
	local network type path address
	while read -r network type path address; do
		run -0 bb-keygen -n "$network" -t "$type" --derive "$path" - <<<"$WORDS"
		assert_json --arg address "$address" '.address == $address'
	done <<-'END'
		testnet3 p2sh-p2wpkh m/49h/1h/0h/0/0 2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2
		main p2wpkh m/84'/0'/0'/0/0 bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu
		main p2wpkh m/84H/0H/0H/0/1 bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g
		main p2wpkh 84h/0h/0h/1/0 bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el
		main p2tr m/86h/0h/0h/0/0 bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr
		main p2tr m/86h/0h/0h/0/1 bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh
		main p2tr m/86h/0h/0h/1/0 bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7
	END
}

@test "a range derives one line each, with path and fingerprint" {
	run -0 bb-keygen -n main --derive m/84h/0h/0h/0/0-19 - <<<"$WORDS"
	assert_json -s 'length == 20 and map(.path) == [range(20) | "m/84h/0h/0h/0/\(.)"]
		and all(.fingerprint == "73c5da0a")
		and .[1].address == "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"'
}

@test "an extended public key derives the same addresses, watching only" {
	local zpub=zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf31mGDtKsAYz2oz2AGutZYs
	run -0 bb-keygen -n main --derive m/0/0-1 - <<<"$zpub"
	assert_json -s 'map(.address) == ["bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
		"bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"]'
	run -2 --separate-stderr bb-keygen -n main --derive m/0h - <<<"$zpub"
	assert_output ""
	local xpub=xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ
	run -0 bb-keygen -n main -t p2tr --derive m/1/0 - <<<"$xpub"
	assert_json '.address == "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"'
}

@test "a secret in extended form gives the same keys as its mnemonic" {
	local xprv=xprv9s21ZrQH143K3GJpoapnV8SFfukcVBSfeCficPSGfubmSFDxo1kuHnLisriDvSnRRuL2Qrg5ggqHKNVpxR86QEC8w35uxmGoggxtQTPvfUu
	run -0 bb-keygen -n main -t p2tr --derive m/86h/0h/0h/0/0 - <<<"$xprv"
	assert_json '.address == "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"'
	run -2 bb-keygen -n regtest --derive m/0 - <<<"$xprv"
}

@test "descriptors have their origin and BIP 380's checksum" {
	run -0 bb-keygen -n main --descriptor - <<<"$WORDS"
	local xpub=xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V
	assert_json -s --arg text "wpkh([73c5da0a/84h/0h/0h]$xpub/" 'length == 2
		and .[0].address == "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
		and (.[0].descriptor | startswith($text + "0/*)#"))
		and (.[1].descriptor | startswith($text + "1/*)#"))'
	jq -r .descriptor <<<"$output" | python3 "$BATS_TEST_DIRNAME/vectors/descriptor.py"
	for type in p2pkh p2sh-p2wpkh p2tr; do
		bb-keygen -n main -t "$type" --descriptor - <<<"$WORDS" | jq -r .descriptor |
			python3 "$BATS_TEST_DIRNAME/vectors/descriptor.py"
	done
}

@test "a new mnemonic has 12 words, its checksum holds, and it derives" {
	run -0 bb-keygen --print-secret --mnemonic
	assert_json '(.mnemonic | split(" ") | length) == 12'
	local address words
	address=$(jq -r .address <<<"$output")
	words=$(jq -r .mnemonic <<<"$output")
	run -0 bb-keygen --derive "$(jq -r .path <<<"$output")" - <<<"$words"
	assert_json --arg address "$address" '.address == $address'
	run -0 bb-keygen --print-secret --mnemonic=24
	assert_json '(.mnemonic | split(" ") | length) == 24'
	run -2 bb-keygen --print-secret --mnemonic=13
}

@test "a mnemonic with a wrong word, count or checksum is refused" {
	for words in "${WORDS/about/abandon}" "${WORDS/about/aboutt}" "${WORDS% about}" "$WORDS about" \
		"monster foster august tomorrow kit daughter unknown awesome model town village pilot"; do
		run -2 --separate-stderr bb-keygen --derive m/0 - <<<"$words"
		assert_output ""
		assert_errors 'length == 1'
	done
}

@test "paths that are malformed are refused" {
	for path in m/ m//0 m/x m/2147483648 m/-1 m/0hh m/5-3 m/0-1/0 "m/0 " /0 m/4294967296h; do
		run -2 --separate-stderr bb-keygen --derive "$path" - <<<"$WORDS"
		assert_output ""
	done
}

@test "keys that are no keys are refused, and the next is done" {
	# A wrong checksum, a key of another network, the order of the group, no key at all.
	run -2 --separate-stderr bb-keygen - <<-END
		cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcB
		KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn
		{"type":"key"}
		{"type":"key","wif":5}
		nonsense
		$KEY1_WIF
	END
	assert_json --arg address "$KEY1_ADDRESS" '.address == $address'
	assert_errors 'map(.line) == [1, 2, 3, 4, 5]'
}

@test "no error repeats a secret" {
	run -2 --separate-stderr bb-keygen - <<<"${KEY1_WIF%A}B"
	[[ $stderr != *"${KEY1_WIF:5:20}"* ]]
	run -2 --separate-stderr bb-keygen --derive m/0 - <<<"${WORDS/about/zoo}"
	[[ $stderr != *zoo* ]]
}

@test "an encrypted key file shows no secret and opens with its passphrase alone" {
	echo correct horse >pass
	echo wrong horse >wrong
	chmod 600 pass wrong
	run -0 --separate-stderr bb-keygen --encrypt --passphrase-file pass -o alice.key
	local public=$output
	jq -e '.kdf and .salt and .cipher and .nonce and .data
		and (has("wif") or has("xprv") or has("mnemonic") | not)' alice.key
	[[ $(stat -c %a alice.key) == 600 ]]
	run -0 bb-keygen -y alice.key
	assert_output "$public"
	coin 1 100000 >coins
	bb-mktx --all --to "$(jq -r .address <<<"$public")" coins >tx
	run -2 --separate-stderr bb-sign -k alice.key --passphrase-file wrong tx
	assert_output ""
	assert_errors 'any(.error | contains("wrong passphrase"))'
	bb-keygen --encrypt --passphrase-fd 7 -o bob.key 7< <(echo correct horse)
	run -0 --separate-stderr bb-sign --partial -k alice.key -k bob.key --passphrase-fd 7 tx \
		7< <(echo correct horse)
}

@test "a folder that one may not write into is status 3" {
	local folder
	folder=$(nobodys_folder)
	chmod 500 "$folder"
	cd "$folder"
	run -3 --separate-stderr as_nobody "$(command -v bb-keygen)" -o alice.key
	assert_output ""
	assert_errors 'length == 1 and (.[0].error | contains("alice.key") or contains("ermission"))'
	cd /
	rm -r "$folder"
}

@test "another user makes and uses his own keys" {
	local folder
	folder=$(nobodys_folder)
	cd "$folder"
	run -0 --separate-stderr as_nobody "$(command -v bb-keygen)" -o alice.key
	[[ $(stat -c %a alice.key) == 600 ]]
	run -0 as_nobody "$(command -v bb-keygen)" -y alice.key
	cd /
	rm -r "$folder"
}

@test "there is no moment in which kill -9 leaves an empty key file behind" {
	python3 - <<-'END'
		import os, subprocess, sys, time
		for n in range(60):
		    name = f"{n}.key"
		    maker = subprocess.Popen(["bb-keygen", "-o", name, "-"], stdin=subprocess.PIPE)
		    while not os.path.exists(name):
		        pass
		    maker.kill()
		    maker.wait()
		    end = time.monotonic() + 5
		    while os.path.exists(name):
		        if time.monotonic() > end:
		            sys.exit(f"{name} is left")
	END
}

@test "a key file that was given no key is not left behind, even after kill -9" {
	mkfifo words
	bb-keygen -o new.key - <words 3>&- &
	local pid=$!
	exec 5>words
	while [[ ! -e new.key ]]; do read -r -t 0.01 <> <(:) || :; done
	kill -9 "$pid"
	wait "$pid" || [[ $? -eq 137 ]]
	exec 5>&-
	for _ in $(seq 500); do
		[[ -e new.key ]] || return 0
		read -r -t 0.01 <> <(:) || :
	done
	return 1
}
