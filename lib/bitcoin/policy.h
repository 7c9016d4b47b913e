#ifndef BB_BITCOIN_POLICY_H
#define BB_BITCOIN_POLICY_H

/* Relay policy: its numbers, as Bitcoin Core 31 ships them, and what of it needs no state:
 * standardness and dust. */

#include "bitcoin/detail.h"

enum {
	BB_MAX_STANDARD_WEIGHT = 400000,
	BB_MIN_STANDARD_SIZE = 65,	  /* bytes without witness */
	BB_MAX_STANDARD_SCRIPTSIG = 1650, /* bytes */
	BB_MAX_STANDARD_SIGOPS_COST = 16000,
	BB_MAX_STANDARD_LEGACY_SIGOPS = 2500, /* executed or not, in one transaction (BIP 54) */
	BB_TRUC_VERSION = 3,
	BB_MAX_CLUSTER_COUNT = 64, /* the most that a policy may allow */
};

/* What a node may choose for itself. Rates in satoshi per 1,000 vbytes. */
struct bb_policy {
	bool standard;		  /* only standard transactions */
	bool bare_multisig;	  /* these count as standard */
	int64_t datacarrier_size; /* bytes of OP_RETURN scripts in all; 0: none at all */
	int64_t dust_rate;
	int64_t min_relay_rate;
	int64_t incremental_rate; /* that a replacement pays on top, and by which eviction
				     raises the minimum */
	int64_t bytes_per_sigop;  /* a sigop's weight in a transaction's size */
	int64_t cluster_count;	  /* transactions */
	int64_t cluster_vsize;	  /* vbytes */
	int64_t pool_bytes;	  /* of the mempool (bb_pool_usage) */
	int64_t expiry;		  /* seconds */
};
extern const struct bb_policy bb_policy_core; /* the defaults of Bitcoin Core 31 */
/* "limitclustercount=10": Core's names for these, amounts with their unit
 * ("minrelaytxfee=100sat" for 1,000 vbytes). False with *why. Names: acceptnonstdtxn
 * permitbaremultisig datacarrier (each 0 or 1) datacarriersize dustrelayfee minrelaytxfee
 * incrementalrelayfee bytespersigop limitclustercount limitclustersize (kvB) maxmempool (MB)
 * mempoolexpiry (hours). Later ones override earlier; incrementalrelayfee raises a lower
 * minrelaytxfee to itself, as in Core. */
bool bb_policy_set(struct bb_policy *p, const char **why, const char *setting);

/* max(weight, sigops cost * bytes per sigop), what a transaction's size counts as in the
 * mempool (GetSigOpsAdjustedWeight); its vsize is a quarter of it, rounded up. */
int64_t bb_adjusted_weight(const struct bb_policy *p, int64_t weight, int64_t sigops_cost);

/* The value below which an output is dust: 0 for what can never be spent. */
int64_t bb_dust_limit(const struct bb_policy *p, struct bb_span script);
/* IsStandardTx: NULL or "version" "tx-size" "scriptsig-size" "scriptsig-not-pushonly"
 * "scriptpubkey" "bare-multisig" "datacarrier" "dust" "tx-size-small", of which only the last
 * binds without p->standard. One dust output passes here. */
const char *bb_check_standard(const struct bb_policy *p, const struct bb_tx *tx);
/* With known prevouts: ValidateInputsStandardness, IsWitnessStandard, ephemeral dust (none
 * unless the fee is zero) and sigops: "bad-txns-nonstandard-inputs" "bad-witness-nonstandard"
 * "dust" "bad-txns-too-many-sigops". */
const char *bb_check_standard_inputs(
	const struct bb_policy *p, const struct bb_tx *tx, const struct bb_prevout *prevouts);
/* Core's debug text behind such a reason, or "". prevouts NULL: not all known. */
void bb_policy_detail(char out[BB_DETAIL_SIZE], const char *reason, const struct bb_policy *p,
	const struct bb_tx *tx, const struct bb_prevout *prevouts);

#endif
