/* bb-chain fee-rate: what to pay to be mined within so many blocks. */

#include <time.h>

#include "chain.h"
#include "ledger/estimate.h"

static void member_int(struct bb_json_writer *w, const char *key, int64_t v)
{
	bb_json_key(w, key);
	bb_json_i64(w, v);
}

static void put_estimate(struct chain *c, const struct bb_fee_estimate *e)
{
	struct bb_json_writer w = {.buf = &c->out.buf};

	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "fee_rate");
	member_int(&w, "target", c->target);
	member_int(&w, "fee_rate", e->rate_sat_kvb);
	member_int(&w, "ahead", (int64_t)e->ahead);
	member_int(&w, "seen", (int64_t)e->seen);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

int chain_fee_rate(struct chain *c)
{
	const int64_t now = c->now >= 0 ? c->now : time(NULL);
	struct bb_fee_estimate e;

	chain_open(c, BB_STORE_READ);
	if (bb_store_begin(&c->store) && !chain_empty(c)) {
		bb_estimate_rate(&e, &c->store, &c->policy, c->target, now);
		if (!c->store.why)
			put_estimate(c, &e);
	}
	bb_store_end(&c->store);
	chain_failed(c);
	return chain_end(c);
}
