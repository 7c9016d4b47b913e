#include "bitcoin/address.h"

#include <string.h>

#include "bitcoin/script.h"
#include "crypto/base58.h"
#include "crypto/bech32.h"
#include "crypto/curve.h"

static bool put_base58_hash(
	struct bb_buf *out, unsigned char version, const unsigned char hash20[20])
{
	unsigned char payload[21] = {version};

	memcpy(payload + 1, hash20, 20);
	return bb_base58check_encode(out, payload, sizeof(payload));
}

bool bb_put_address(struct bb_buf *out, struct bb_span script, const struct bb_network *n)
{
	struct bb_span program;
	unsigned version;

	switch (bb_script_type(script)) {
	case BB_P2PKH: return put_base58_hash(out, n->base58_pubkey, script.data + 3);
	case BB_P2SH: return put_base58_hash(out, n->base58_script, script.data + 2);
	default: break;
	}
	if (!bb_script_is_witness(&version, &program, script))
		return false;
	/* Version 0 has two lengths; any other can never be spent (BIP 141). */
	if (version == 0 && program.len != 20 && program.len != 32)
		return false;
	return bb_segwit_encode(out, n->hrp, version, program);
}

static bool is_segwit_elsewhere(struct bb_span address)
{
	unsigned char data5[84], program[40];
	char hrp[84];
	size_t len;
	unsigned version;

	return bb_bech32_decode(hrp, data5, &len, address) != BB_BECH32_BAD &&
	       bb_segwit_decode(&version, program, &len, hrp, address);
}

static bool is_base58_elsewhere(unsigned char version)
{
	const struct bb_network *n;

	for (size_t i = 0; (n = bb_network_at(i)); i++)
		if (version == n->base58_pubkey || version == n->base58_script)
			return true;
	return false;
}

bool bb_address_script(struct bb_buf *script, const char **why, struct bb_span address,
	const struct bb_network *n)
{
	unsigned char bytes[40];
	unsigned version;
	size_t len;
	bool elsewhere;

	if (bb_segwit_decode(&version, bytes, &len, n->hrp, address)) {
		bb_put_witness(script, version, BB_SPAN(bytes, len));
		return true;
	}
	if (bb_base58check_decode(bytes, &len, 21, address) && len == 21) {
		if (bytes[0] == n->base58_pubkey)
			bb_put_p2pkh(script, bytes + 1);
		else if (bytes[0] == n->base58_script)
			bb_put_p2sh(script, bytes + 1);
		if (bytes[0] == n->base58_pubkey || bytes[0] == n->base58_script)
			return true;
		elsewhere = is_base58_elsewhere(bytes[0]);
	} else {
		elsewhere = is_segwit_elsewhere(address);
	}
	*why = elsewhere ? "address is of another network" : "not an address";
	return false;
}

void bb_put_wif(struct bb_buf *out, const unsigned char key32[32], bool compressed,
	const struct bb_network *n)
{
	unsigned char payload[34] = {n->base58_secret};

	memcpy(payload + 1, key32, 32);
	payload[33] = 1;
	bb_base58check_encode(out, payload, compressed ? 34 : 33);
	bb_wipe(payload, sizeof(payload));
}

bool bb_wif_decode(unsigned char key32[32], bool *compressed, struct bb_span wif,
	const struct bb_network *n)
{
	unsigned char payload[34];
	size_t len = 0;
	bool good = bb_base58check_decode(payload, &len, sizeof(payload), wif) &&
		    payload[0] == n->base58_secret &&
		    (len == 33 || (len == 34 && payload[33] == 1)) && bb_key_valid(payload + 1);

	if (good) {
		memcpy(key32, payload + 1, 32);
		*compressed = len == 34;
	}
	bb_wipe(payload, sizeof(payload));
	return good;
}
