#ifndef BB_WALLET_UTXO_H
#define BB_WALLET_UTXO_H

/* Coins as a wallet meets them: utxo lines (bb-lines(5)), Esplora's among them. */

#include "bitcoin/address.h"
#include "bitcoin/tx.h"
#include "wallet/inputsize.h"

struct bb_utxo {
	struct bb_outpoint outpoint;
	struct bb_prevout prevout;
	struct bb_input_size size; /* of an input that spends it */
	struct bb_span fields; /* what the line tells signers, PSBT's names: a JSON object */
	uint64_t line;	       /* the caller's: where it was read */
	bool confirmed;
	bool wanted; /* one of those that bb_utxos_keep keeps */
};

/* Read one: txid, vout, value, and scriptpubkey or else scriptpubkey_address; height and
 * confirmation also from Esplora's status, a height of -1 is none. False with *why: a line
 * that is malformed, or whose input would have an unknown size.
 *
 * Out: u     lies in the arena `keep`
 * In:  work  an arena that may be reset afterwards */
bool bb_utxo_read(struct bb_utxo *u, const char **why, struct bb_arena *keep,
	struct bb_arena *work, const struct bb_json *line, const struct bb_network *n);

/* May the block after one of height `tip` spend it? A coinbase of unknown height may not. */
bool bb_utxo_is_mature(const struct bb_utxo *u, int64_t tip, const struct bb_network *n);

#endif
