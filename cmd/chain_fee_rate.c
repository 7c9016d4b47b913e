/* bb-chain fee-rate: what to pay to be mined within so many blocks. */

#include "chain.h"
#include "ledger/estimate.h"

static const char *basis_name(enum bb_fee_basis b)
{
	static const char *const names[] = {
		[BB_FEE_MINIMUM] = "minimum",
		[BB_FEE_HISTORY] = "history",
		[BB_FEE_MEMPOOL] = "mempool",
	};

	return names[b];
}

static void put_estimate(struct chain *c, const struct bb_fee_estimate *e)
{
	struct bb_json_writer w = {.buf = &c->out.buf};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", "fee_rate");
	bb_json_member_i64(&w, "target", c->target);
	bb_json_member_i64(&w, "fee_rate", e->rate_sat_kvb);
	bb_json_member_str(&w, "basis", basis_name(e->basis));
	bb_json_member_i64(&w, "ahead", (int64_t)e->ahead);
	bb_json_member_i64(&w, "seen", (int64_t)e->seen);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

int chain_fee_rate(struct chain *c)
{
	struct bb_fee_estimate e;

	chain_open(c, BB_STORE_READ);
	if (bb_store_begin(&c->store) && !chain_empty(c)) {
		bb_estimate_rate(&e, &c->store, &c->policy, c->target, chain_now(c));
		if (!c->store.why)
			put_estimate(c, &e);
	}
	bb_store_end(&c->store);
	chain_failed(c);
	return chain_end(c);
}
