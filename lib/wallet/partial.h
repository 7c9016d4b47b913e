#ifndef BB_WALLET_PARTIAL_H
#define BB_WALLET_PARTIAL_H

/* What a vin carries for its signers: PSBT's input fields under PSBT's names (BIP 174, 371). */

#include "base/json.h"
#include "crypto/bip32.h"

struct bb_pair {
	struct bb_span key, value;
};

struct bb_pairs {
	struct bb_pair *pair;
	size_t count, cap;
};

/* An empty span: not given. */
struct bb_partial {
	struct bb_pairs partial_sigs;	 /* public key: DER signature with its hash type */
	struct bb_pairs tap_script_sig;	 /* x-only key and leaf hash: Schnorr signature */
	struct bb_pairs tap_leaf_script; /* control block: leaf script and its version byte */
	struct bb_pairs derivations;	 /* public or x-only key: "fingerprint/path", a text */
	struct bb_span redeemscript, witnessscript;
	struct bb_span tap_key_sig, tap_internal_key, tap_merkle_root;
	int sighash_type; /* -1: not given */
	bool derived;	  /* a signer has gone through the derivations */
};

/* The names of all these fields, NULL-terminated. */
extern const char *const bb_partial_names[];
/* Those that hold signatures. */
extern const char *const bb_partial_signature_names[];

/* Read the fields of one vin object (NULL: none). False with *why, such as "malformed
 * partial_sigs". */
bool bb_partial_read(
	struct bb_partial *p, const char **why, struct bb_arena *a, const struct bb_json *vin);
/* Write the members that hold signatures, as far as there are any. */
void bb_json_signatures(struct bb_json_writer *w, const struct bb_partial *p);

/* The value of that key, or NULL. */
const struct bb_span *bb_pairs_find(const struct bb_pairs *p, struct bb_span key);
/* Set it; the spans are borrowed. False when memory is out. */
bool bb_pairs_set(
	struct bb_pairs *p, struct bb_arena *a, struct bb_span key, struct bb_span value);

/* "73c5da0a/84h/1h/0h/0/5": the master's fingerprint and the path from it. */
bool bb_derivation_parse(
	unsigned char fingerprint[4], struct bb_path *path, struct bb_span text);

/* "all", "none", "single" or "default", the first three also with "|anyonecanpay", in either
 * case: the hash type's byte. */
bool bb_sighash_parse(int *hash_type, struct bb_span text);

#endif
