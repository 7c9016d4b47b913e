#ifndef BB_BITCOIN_NETWORK_H
#define BB_BITCOIN_NETWORK_H

/* The parameters of each network: main, testnet3, testnet4, signet, regtest, barenet, and
 * custom ones that change some of a base. */

#include "base/bytes.h"
#include "base/json.h"

/* A block whose scripts are judged under `flags` instead (Core's script_flag_exceptions). */
struct bb_flag_exception {
	unsigned char hash[32];
	uint32_t flags;
};

struct bb_network {
	char name[32];
	uint32_t magic; /* as read little-endian from the wire */
	uint16_t port;
	char hrp[16];
	unsigned char base58_pubkey, base58_script, base58_secret;
	uint32_t xpub, xprv; /* version bytes, big-endian, of BIP 32 */
	uint32_t coin_type;  /* BIP 44: 0 on main, else 1 */

	unsigned char genesis[32];		  /* hash, wire order */
	unsigned char pow_limit[32];		  /* little-endian number */
	uint32_t target_spacing, target_timespan; /* seconds */
	bool no_retarget, min_difficulty, bip94;
	uint32_t timewarp_limit; /* seconds a period's first block may lie before its parent */
	uint32_t max_future;	 /* seconds past now that a header's time may lie */
	int32_t halving_interval, coinbase_maturity;
	int32_t bip34_height, dersig_height, cltv_height, csv_height, segwit_height;
	unsigned char bip34_hash[32];
	struct bb_flag_exception flag_exceptions[4];
	size_t flag_exception_count;
	struct {
		int32_t height;
		unsigned char hash[32];
	} bip30_exceptions[2];
	size_t bip30_exception_count;
	unsigned char minimum_chain_work[32]; /* little-endian number */
	unsigned char signet_challenge[256];  /* a script; its length 0: not a signet */
	size_t signet_challenge_len;
};

/* A built-in network by name, or NULL. "mainnet" and "testnet" are not names here. */
const struct bb_network *bb_network_find(const char *name);
/* All of them, in DESIGN's order, up to i = 5; then NULL. */
const struct bb_network *bb_network_at(size_t i);
/* Apply a JSON object of parameters ({"base":"regtest","bip34_height":2}) over its base.
 * False with *why; an unknown key is an error, so that a typo cannot change consensus. */
bool bb_network_parse(struct bb_network *out, const char **why, const struct bb_json *object);

/* The parameters as members of an object that bb_network_parse takes again: all of them, after
 * "base" (regtest, changed in every key). */
void bb_json_network(struct bb_json_writer *w, const struct bb_network *n);

/* The subsidy of the block at that height, in satoshi. */
int64_t bb_subsidy(const struct bb_network *n, int64_t height);

#endif
