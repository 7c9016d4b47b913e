#ifndef BB_BENCH_BARE_H
#define BB_BENCH_BARE_H

/* The curve's work that a tool's task cannot do without, recorded from libbb as it does the
 * task, and done again with libsecp256k1 alone. The program is linked with --wrap for the
 * functions that are recorded. */

#include "base/bytes.h"

enum bare_kind {
	BARE_ECDSA,
	BARE_SCHNORR,
	BARE_TWEAK,
	BARE_SIGN,
	BARE_SCHNORR_SIGN,
	BARE_KINDS
};

struct bare {
	struct bare_op *op;
	size_t count, cap;
	size_t of_kind[BARE_KINDS];
	size_t lax;    /* ECDSA signatures that are no strict DER: left out */
	size_t lines;  /* that were worked on */
	size_t inputs; /* of their transactions */
	struct bb_arena arena;
};

/* Judge all lines of a file of valid transactions of the main network; false when one is not.
 */
bool bare_record_validate(struct bare *b, const char *file);
/* Sign all its lines with a key file, on regtest; false when one is not signed. */
bool bare_record_sign(struct bare *b, const char *file, const char *key_file);
/* Do it all again; false when a result differs. */
bool bare_replay(const struct bare *b);
/* Make so many public keys of different secret ones. */
bool bare_pubkeys(size_t count);
void bare_free(struct bare *b);

#endif
