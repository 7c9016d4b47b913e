#ifndef BB_WALLET_COINSELECT_H
#define BB_WALLET_COINSELECT_H

/* Which coins to spend: branch and bound for a payment without change, else few coins and a
 * change output that is not dust. The same coins in the same order give the same answer. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bb_candidate {
	int64_t value_sat;
	int64_t weight; /* of the input once signed, without the count byte of an empty witness
			 */
	bool witness;	/* the input will have a witness */
};

struct bb_selection {
	size_t *index; /* chosen candidates, ascending; the caller's array of `count` */
	size_t chosen;
	int64_t fee_sat;    /* all that is not paid out or given back */
	int64_t change_sat; /* 0: no change output */
};

struct bb_select_params {
	int64_t target_sat;	     /* the sum of the outputs, at most BB_MAX_MONEY */
	int64_t base_weight;	     /* of the transaction without inputs, change and witness */
	int64_t change_weight;	     /* what a change output adds */
	int64_t change_spend_weight; /* what spending it later will add */
	int64_t dust_sat;	     /* change below this is never made */
	int64_t fee_per_kvb;	     /* satoshi per 1,000 vbytes, at most BB_MAX_FEE_PER_KVB */
	int64_t max_weight;	     /* of the signed transaction; 0: no limit */
	bool all;		     /* take every candidate */
	bool need_change;	     /* a sweep: with `all`, what remains must make an output */
};

#define BB_MAX_FEE_PER_KVB 1000000000LL

/* False with *why: "not enough money" (*short_sat tells by how much), "transaction too large",
 * "coins exceed the money supply", "out of memory". Without `all`, candidates that cost more
 * than they are worth at this rate are left alone. The fee is the rate's for the size once
 * signed, rounded up, and without a change output also what was too little for one. */
bool bb_select_coins(struct bb_selection *out, const char **why, int64_t *short_sat,
	const struct bb_candidate *candidates, size_t count, const struct bb_select_params *p);

/* Work out fee and change again for the coins chosen, after a parameter of the change changed.
 * False when they do not suffice any more. */
bool bb_settle_change(struct bb_selection *out, const struct bb_candidate *candidates,
	const struct bb_select_params *p);
/* Weight of the transaction once signed. */
int64_t bb_selection_weight(const struct bb_selection *s, const struct bb_candidate *candidates,
	const struct bb_select_params *p);

#endif
