#ifndef BB_WALLET_SIGN_H
#define BB_WALLET_SIGN_H

/* Signing: what keys can sign of a transaction's inputs, by every standard type. */

#include "bitcoin/interpreter.h"
#include "bitcoin/txline.h"
#include "wallet/keyfile.h"

struct bb_signer;

/* Index the keyring by public key, output key and hash. Borrows ring, curve, network. NULL when
 * memory is out. */
struct bb_signer *bb_signer_new(
	const struct bb_keyring *ring, const struct bb_curve *c, const struct bb_network *n);
void bb_signer_free(struct bb_signer *s);
/* How many keys of each chain of an extended key are tried for an input that names none of
 * them (else 1,000, or fewer of very many chains); 0: none. */
void bb_signer_scan(struct bb_signer *s, uint32_t limit);
/* Try the keys of that path first; see bb_signkeys_derive. */
bool bb_signer_derive(struct bb_signer *s, const struct bb_path *path);
/* Judge each input that was completed by the interpreter, under the standard flags. */
void bb_signer_verify(struct bb_signer *s);

/* In place of a hash type: each input's own sighash_type, or else its type's default. */
enum { BB_SIGHASH_AS_STATED = -2 };

struct bb_sign_report {
	bool changed;
	size_t complete;   /* inputs that are final now, whoever signed */
	size_t signatures; /* computed now */
	/* Where not all are complete: the first that is not and why, such as "no-key". With
	 * `refused` it is the first that was not signed for because something about it is
	 * wrong, and not because something is missing. */
	size_t input;
	const char *why;
	bool refused;
};

/* Sign what can be signed of the line's transaction: signatures finalised into scriptSig and
 * witness where they suffice, else kept under the PSBT names in vin. If that changed anything,
 * the line is written again to out; else nothing is. sighash -1: the default of each type; a
 * line that states one which signs less is then refused.
 * An input that came in final, and verifies, stays to the byte. False with *why only for a line
 * that cannot be worked on, such as "malformed partial_sigs". */
bool bb_sign_line(struct bb_buf *out, struct bb_sign_report *report, const char **why,
	struct bb_signer *s, struct bb_txline *l, struct bb_arena *a, int sighash);

#endif
