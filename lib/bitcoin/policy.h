#ifndef BB_BITCOIN_POLICY_H
#define BB_BITCOIN_POLICY_H

/* Relay policy that needs no state, as Bitcoin Core 31 ships it: standardness and dust. */

#include "bitcoin/interpreter.h"
#include "bitcoin/tx.h"

enum {
	BB_MAX_STANDARD_WEIGHT = 400000,
	BB_MIN_STANDARD_SIZE = 65,	  /* bytes without witness */
	BB_MAX_STANDARD_SCRIPTSIG = 1650, /* bytes */
	BB_MAX_STANDARD_SIGOPS_COST = 16000,
	BB_MAX_STANDARD_LEGACY_SIGOPS = 2500, /* executed or not, in one transaction (BIP 54) */
	BB_MAX_DATACARRIER = 100000,	      /* bytes of OP_RETURN scripts in all */
	BB_DUST_FEE_RATE = 3000,	      /* satoshi per 1,000 vbytes */
	BB_TRUC_VERSION = 3,
};

/* The value below which an output is dust: 0 for what can never be spent. */
int64_t bb_dust_limit(struct bb_span script);
/* IsStandardTx: NULL or "version" "tx-size" "scriptsig-size" "scriptsig-not-pushonly"
 * "scriptpubkey" "datacarrier" "dust" "tx-size-small". One dust output passes here. */
const char *bb_check_standard(const struct bb_tx *tx);
/* With known prevouts: ValidateInputsStandardness, IsWitnessStandard, ephemeral dust (none
 * unless the fee is zero) and sigops: "bad-txns-nonstandard-inputs" "bad-witness-nonstandard"
 * "dust" "bad-txns-too-many-sigops". */
const char *bb_check_standard_inputs(const struct bb_tx *tx, const struct bb_prevout *prevouts);

#endif
