#ifndef BB_WALLET_UTXOS_H
#define BB_WALLET_UTXOS_H

/* The coins a wallet was told of, and which of them it may spend. */

#include "wallet/utxo.h"

/* Zero-initialise. */
struct bb_utxos {
	struct bb_utxo *coin;
	size_t count;
	struct bb_buf buf; /* private: holds them */
};

/* Keep a coin, which lies in the arena that it was read into. False when memory is out. */
bool bb_utxos_add(struct bb_utxos *u, const struct bb_utxo *coin);
void bb_utxos_free(struct bb_utxos *u);

/* When all are there: sort by outpoint. The same coin again is passed over; one on
 * which lines differ is dropped, and `differs` told the later lines. */
void bb_utxos_settle(struct bb_utxos *u, void (*differs)(void *arg, uint64_t line), void *arg);
/* The highest height among them; -1: none is known. */
int64_t bb_utxos_tip(const struct bb_utxos *u);
/* Keep only these; false when one is not there, which *missing is then. After
 * bb_utxos_settle. */
bool bb_utxos_keep(struct bb_utxos *u, const struct bb_outpoint **missing,
	const struct bb_outpoint *outpoints, size_t count);
/* Leave out coinbases that the block after `tip` may not spend, or that are not known to be
 * old enough: how many, and what they are worth. */
size_t bb_utxos_drop_immature(
	struct bb_utxos *u, int64_t *value_sat, int64_t tip, const struct bb_network *n);
/* Confirmed coins first, else as they were read. */
void bb_utxos_by_line(struct bb_utxos *u);

#endif
