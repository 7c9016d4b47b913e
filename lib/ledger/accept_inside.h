#ifndef BB_LEDGER_ACCEPT_INSIDE_H
#define BB_LEDGER_ACCEPT_INSIDE_H

/* Private to accept.c, precheck.c, replace.c, truc.c and package.c. */

#include "base/hex.h"
#include "ledger/accept.h"
#include "ledger/change.h"

/* What an attempt may do (Core's ATMPArgs). */
struct bb_accept_rules {
	bool test;	       /* change nothing */
	bool back;	       /* from a block: no limits of fee, no TRUC */
	bool replace;	       /* others may have to go */
	bool replace_siblings; /* and so may TRUC's other child */
	bool package_rates;    /* fees are looked at all together */
};

/* A transaction as it is being judged (Core's Workspace). All in the attempt's arena. */
struct bb_candidate {
	const struct bb_incoming_tx *in;
	struct bb_acceptance *result;
	bool judged;  /* the result says something */
	bool present; /* it waits already, or its outputs are coins */
	bool missing; /* inputs are not there */
	struct bb_prevout *prevouts;
	struct bb_pool_entry entry;
	uint64_t *parents; /* direct ones that wait already, by txid */
	size_t parent_count;
	uint64_t *conflicts; /* those who spend the same, each once, and perhaps a sibling */
	size_t conflict_count;
	bool evicts_sibling;
};

/* One or several that enter together or not at all. */
struct bb_attempt {
	struct bb_pool *p;
	struct bb_store *s; /* p->store */
	struct bb_arena *a;
	struct bb_accept_rules rules;
	struct bb_node tip;
	struct bb_candidate *tx;
	size_t count;
	struct bb_change *change;
	struct bb_feerate total; /* fee and vbytes of them all */
};

/* accept.c */

/* False: s->why. Results are refused with "package-not-validated" until they are judged. */
bool bb_attempt_begin(struct bb_attempt *t, struct bb_pool *p, struct bb_arena *a,
	struct bb_accept_rules rules, struct bb_acceptance *results,
	const struct bb_incoming_tx *const *in, size_t count);
/* One alone, to the end (AcceptSingleTransactionInternal). Look at s->why. */
void bb_attempt_single(struct bb_attempt *t);

/* Steps. False: it is refused, or s->why. */
bool bb_accept_dust_spends(struct bb_attempt *t, struct bb_candidate *c);
bool bb_accept_scripts(struct bb_attempt *t, struct bb_candidate *c);
/* Nothing was found against it. */
void bb_accept_good(struct bb_attempt *t, struct bb_candidate *c);
/* All of them are good: they enter, or would. */
void bb_attempt_finish(struct bb_attempt *t);

void bb_accept_reset(struct bb_acceptance *r, const struct bb_incoming_tx *in);
/* Always false. The detail is printf's. */
bool bb_accept_refuse(struct bb_acceptance *r, const char *reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool bb_accept_refuse_fee(struct bb_acceptance *r, struct bb_feerate paid, const char *reason,
	const char *detail);

static inline struct bb_feerate bb_candidate_rate(const struct bb_candidate *c)
{
	return (struct bb_feerate){c->entry.fee_sat, c->result->vsize};
}

struct bb_id_text {
	char s[65];
};
static inline struct bb_id_text bb_id_text(const unsigned char id[32])
{
	struct bb_id_text t = {{0}};

	bb_hash_encode(t.s, id);
	return t;
}

/* precheck.c: such steps too. */

bool bb_accept_precheck(struct bb_attempt *t, struct bb_candidate *c);
/* Of one that lacks inputs: which transactions are not there? They stand in the result. False:
 * they all are, but not what is spent of one, which was spent before or never was (or s->why).
 */
bool bb_accept_find_missing(struct bb_attempt *t, struct bb_candidate *c);
/* Is that enough for the mempool and for relay? (CheckFeeRate) */
bool bb_accept_fee(struct bb_attempt *t, struct bb_acceptance *r, struct bb_feerate paid);

/* package.c: the whole of it is refused. Always false. */
bool bb_package_refuse(struct bb_package_acceptance *r, const char *error, const char *detail);

/* replace.c */

/* May it take the place of those it conflicts with? (ReplacementChecks) */
bool bb_replace_check(struct bb_attempt *t, struct bb_candidate *c);
/* The same for a parent with its child (PackageRBFChecks). False with the package's error. */
bool bb_replace_check_package(struct bb_package_acceptance *r, struct bb_attempt *t);

#endif
