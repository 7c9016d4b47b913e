#ifndef BB_BITCOIN_TXLINE_H
#define BB_BITCOIN_TXLINE_H

/* A line that holds a transaction: bb-lines(5) to struct and back. */

#include "base/json.h"
#include "bitcoin/address.h"
#include "bitcoin/tx.h"

struct bb_txline {
	const struct bb_json *doc; /* the whole line */
	const struct bb_json *vin; /* its array, or NULL: one object for each input */
	struct bb_tx tx;
	struct bb_prevout *prevouts; /* one for each input; .known false where none is given */
	bool all_known;		   /* every input's prevout is known (and there is an input) */
	int64_t at_height, at_mtp; /* claims; -1 where absent */
};

/* Is it a transaction's line? By `type`, or without one by its keys ("vin", or "hex" alone
 * with "prevouts"). */
bool bb_line_is_tx(const struct bb_json *doc);

/* Read either form (hex, fields, or both, which must then agree), check stated ids, take in
 * prevouts and compare them with prevtxs. False with *why: a malformed line. Everything lies in
 * the arena or borrows from the line. */
bool bb_txline_read(
	struct bb_txline *l, const char **why, struct bb_arena *a, const struct bb_json *doc);

/* One prevout or utxo object: scriptpubkey, value, and height, coinbase, mtp if there. A null
 * or absent one is not known. */
bool bb_prevout_from_json(
	struct bb_prevout *p, const char **why, struct bb_arena *a, const struct bb_json *v);

/* Two claims about one output: p takes what it lacks; false where they contradict. */
bool bb_prevout_merge(struct bb_prevout *p, const struct bb_prevout *more);

/* An outpoint and what is claimed to lie there. */
struct bb_spend {
	const struct bb_outpoint *outpoint;
	struct bb_prevout *prevout;
	bool proven; /* private; false at first */
};

/* "prevtxs": each transaction must be one that is spent from; its outputs must equal the known
 * prevouts and fill in the others. Sorts spends. */
bool bb_prevtxs_apply(struct bb_spend *spends, size_t count, const char **why,
	struct bb_arena *a, const struct bb_json *prevtxs);

/* Members written between braces that the caller has opened and will close. */

/* Esplora's: txid version locktime vin vout size weight [fee]; prevouts may be NULL. `old` is
 * the line's vin array, whose unknown keys (partial signatures among them) are kept, or NULL.
 * With all prevouts known the fee is written too. */
void bb_json_tx(struct bb_json_writer *w, const struct bb_tx *tx,
	const struct bb_prevout *prevouts, const struct bb_json *old,
	const struct bb_network *n);
/* scriptpubkey scriptpubkey_asm scriptpubkey_type [scriptpubkey_address] value [height
 * coinbase mtp] */
void bb_json_prevout(
	struct bb_json_writer *w, const struct bb_prevout *p, const struct bb_network *n);
/* "prevouts":[...] of the lean form: scriptpubkey value [height coinbase mtp]; null where one
 * is not known. */
void bb_json_prevouts(
	struct bb_json_writer *w, const struct bb_prevout *prevouts, size_t count);

/* The whole line again after tx was changed in place (signatures added): the same form as it
 * came in, keys it does not know kept, computed keys made new where they stood. `vin_extra`
 * (may be NULL) is called inside each vin object to add keys; those it returns the names of in
 * `replaced` (NULL-terminated, may be NULL) are dropped from the old object first. A lean line
 * gains a `vin` only if vin_extra is not NULL and `need_vin` is set. */
struct bb_txline_edit {
	void (*vin_extra)(void *arg, struct bb_json_writer *w, size_t index);
	void *arg;
	const char *const *replaced;
	bool need_vin;
};
void bb_txline_write(struct bb_buf *out, const struct bb_txline *l,
	const struct bb_txline_edit *edit, const struct bb_network *n);

#endif
