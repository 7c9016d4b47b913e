#ifndef BB_BITCOIN_SIGHASH_H
#define BB_BITCOIN_SIGHASH_H

/* The three signature hashes: legacy, segwit v0 (BIP 143), taproot (BIP 341, 342). */

#include "bitcoin/tx.h"
#include "crypto/hash.h"

enum {
	BB_SIGHASH_DEFAULT = 0, /* taproot only: all, and the byte is left out */
	BB_SIGHASH_ALL = 1,
	BB_SIGHASH_NONE = 2,
	BB_SIGHASH_SINGLE = 3,
	BB_SIGHASH_ANYONECANPAY = 0x80,
};

/* What all inputs of one transaction share, computed once. Borrowed: tx, prevouts. */
struct bb_sighash_cache {
	const struct bb_tx *tx;
	const struct bb_prevout *prevouts; /* one for each input */
	bool all_known;			   /* every prevout is known: taproot can be signed */
	bool have_single, have_double, have_spent;
	unsigned char prevouts_single[32], sequences_single[32], outputs_single[32];
	unsigned char amounts_single[32], scripts_single[32]; /* BIP 341 */
	unsigned char prevouts_double[32], sequences_double[32],
		outputs_double[32]; /* BIP 143 */
};

void bb_sighash_cache_init(
	struct bb_sighash_cache *c, const struct bb_tx *tx, const struct bb_prevout *prevouts);
/* Fill in everything now, so that threads may then share it read-only. */
void bb_sighash_cache_fill(struct bb_sighash_cache *c);

/* Legacy: script_code already without the signatures (FindAndDelete); OP_CODESEPARATORs are
 * left out here. hash_type is all 32 bits, as hashed. index past the inputs or
 * SIGHASH_SINGLE past the outputs give the number one. */
void bb_sighash_legacy(unsigned char out[32], const struct bb_tx *tx, size_t index,
	struct bb_span script_code, int32_t hash_type);
void bb_sighash_v0(unsigned char out[32], struct bb_sighash_cache *c, size_t index,
	struct bb_span script_code, int64_t value_sat, int32_t hash_type);

/* The same but for their last four bytes, the hash type: one start serves all types that hash
 * alike (bb_sighash_class). False where the result is the number one. */
bool bb_sighash_legacy_start(struct bb_sha256 *h, const struct bb_tx *tx, size_t index,
	struct bb_span script_code, int32_t hash_type);
void bb_sighash_v0_start(struct bb_sha256 *h, struct bb_sighash_cache *c, size_t index,
	struct bb_span script_code, int64_t value_sat, int32_t hash_type);
void bb_sighash_end(unsigned char out[32], const struct bb_sha256 *start, int32_t hash_type);
enum { BB_SIGHASH_CLASSES = 6 };
unsigned bb_sighash_class(int32_t hash_type);

/* The hash of the one output that SIGHASH_SINGLE signs, kept for an input's many signatures. */
struct bb_single_output {
	bool have;
	unsigned char hash[32];
};

struct bb_taproot_context {
	bool tapscript; /* a script path: the next two count (BIP 342) */
	unsigned char leaf_hash[32];
	uint32_t codesep; /* position of the last executed OP_CODESEPARATOR, or 0xffffffff */
	bool has_annex;
	unsigned char annex_hash[32];	 /* SHA256 of the compact size and the annex */
	struct bb_single_output *single; /* of this input; NULL: hash it each time */
};

/* False when the hash type is not defined, a prevout is not known, or SIGHASH_SINGLE has no
 * output. */
bool bb_sighash_taproot(unsigned char out[32], struct bb_sighash_cache *c, size_t index,
	uint8_t hash_type, const struct bb_taproot_context *t);
/* TapLeaf and TapBranch hashes (BIP 341). */
void bb_tapleaf_hash(unsigned char out[32], uint8_t leaf_version, struct bb_span script);
void bb_tapbranch_hash(
	unsigned char out[32], const unsigned char a[32], const unsigned char b[32]);

#endif
