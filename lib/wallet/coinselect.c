#include "wallet/coinselect.h"

#include <stdlib.h>
#include <string.h>

#include "bitcoin/policy.h"

/* Bounds are kept in 1/4000 satoshi: what one weight unit costs at one satoshi per 1,000
 * vbytes. In that unit a coin's effective value, its value less its own fee, is exact. */
enum {
	SCALE = 4000,
	MAX_TRIES = 100000,	/* as Core's SelectCoinsBnB */
	LONG_TERM_RATE = 10000, /* satoshi per 1,000 vbytes: Core's -consolidatefeerate */
	AMPLE_CHANGE = 50000,	/* satoshi: Core's CHANGE_LOWER */
};

/* A set of inputs, as far as their fee goes. */
struct sum {
	size_t count, witnesses;
	int64_t value_sat, weight;
};

/* A candidate worth spending. */
struct entry {
	int64_t effective; /* scaled */
	size_t index;
};

struct search {
	const struct bb_candidate *coins;
	const struct bb_select_params *p;
	struct entry *pool; /* by effective value, the highest first */
	size_t count;
	bool mixed;    /* inputs with and without witness are among them */
	int64_t *rest; /* rest[i]: the effective values from i on together; count + 1 of them */
	size_t *taken; /* places in the pool, ascending */
	size_t *best;  /* the same, of the best match so far */
	size_t best_count;
};

static void add(struct sum *s, const struct bb_candidate *c)
{
	s->count++;
	s->witnesses += c->witness;
	s->value_sat += c->value_sat;
	s->weight += c->weight;
}

static void subtract(struct sum *s, const struct bb_candidate *c)
{
	s->count--;
	s->witnesses -= c->witness;
	s->value_sat -= c->value_sat;
	s->weight -= c->weight;
}

/* The whole transaction: marker and flag, and a count byte for each empty witness, appear as
 * soon as one input has a witness (BIP 144). */
static int64_t total_weight(const struct bb_select_params *p, const struct sum *s, bool change)
{
	int64_t weight = p->base_weight + s->weight;

	weight += BB_WITNESS_SCALE * (int64_t)(bb_compact_len(s->count) - 1);
	if (s->witnesses)
		weight += 2 + (int64_t)(s->count - s->witnesses);
	return weight + (change ? p->change_weight : 0);
}

static int64_t fee_at(int64_t rate, int64_t weight)
{
	return (bb_vsize(weight) * rate + 999) / 1000;
}

/* What remains once the outputs and the fee are paid; negative: so much is lacking. */
static int64_t remains(const struct bb_select_params *p, const struct sum *s, bool change)
{
	return s->value_sat - p->target_sat -
	       fee_at(p->fee_per_kvb, total_weight(p, s, change));
}

/* As in Core: not dust, and worth more than spending it at the dust rate costs. */
static int64_t least_change(const struct bb_select_params *p)
{
	int64_t spend = fee_at(bb_policy_core.dust_rate, p->change_spend_weight) + 1;

	return p->dust_sat > spend ? p->dust_sat : spend;
}

static bool too_large(const struct bb_select_params *p, const struct sum *s, bool change)
{
	return p->max_weight && total_weight(p, s, change) > p->max_weight;
}

static struct sum sum_of(const struct bb_selection *s, const struct bb_candidate *candidates)
{
	struct sum sum = {0};

	for (size_t i = 0; i < s->chosen; i++)
		add(&sum, &candidates[s->index[i]]);
	return sum;
}

bool bb_settle_change(struct bb_selection *out, const struct bb_candidate *candidates,
	const struct bb_select_params *p)
{
	struct sum sum = sum_of(out, candidates);
	int64_t change = remains(p, &sum, true);

	if (!out->chosen || (p->need_change ? change : remains(p, &sum, false)) < 0)
		return false;
	out->change_sat = change >= least_change(p) ? change : 0;
	out->fee_sat = sum.value_sat - p->target_sat - out->change_sat;
	return out->change_sat || !p->need_change;
}

int64_t bb_selection_weight(const struct bb_selection *s, const struct bb_candidate *candidates,
	const struct bb_select_params *p)
{
	struct sum sum = sum_of(s, candidates);

	return total_weight(p, &sum, s->change_sat != 0);
}

static int by_effective_value(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	if (a->effective != b->effective)
		return a->effective > b->effective ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* The candidates that are worth more than they cost, even with an empty witness's count. */
static void fill_pool(struct search *s, size_t count)
{
	size_t witnesses = 0;

	for (size_t i = 0; i < count; i++) {
		const struct bb_candidate *c = &s->coins[i];
		int64_t value = c->value_sat * SCALE, rate = s->p->fee_per_kvb;
		if (value <= (c->weight + 1) * rate)
			continue;
		s->pool[s->count++] = (struct entry){value - c->weight * rate, i};
		witnesses += c->witness;
	}
	s->mixed = witnesses && witnesses < s->count;
	qsort(s->pool, s->count, sizeof(*s->pool), by_effective_value);
	s->rest[s->count] = 0;
	for (size_t i = s->count; i-- > 0;)
		s->rest[i] = s->rest[i + 1] + s->pool[i].effective;
}

static const struct bb_candidate *coin_at(const struct search *s, size_t place)
{
	return &s->coins[s->pool[place].index];
}

static bool alike(const struct search *s, size_t i, size_t j)
{
	const struct bb_candidate *a = coin_at(s, i), *b = coin_at(s, j);

	return a->value_sat == b->value_sat && a->weight == b->weight &&
	       a->witness == b->witness;
}

/* Core's waste metric, scaled: what the inputs cost above the long-term rate, and what is given
 * to the fee beyond need. Below that rate more inputs are never a gain here. */
static int64_t waste_of(const struct search *s, int64_t weight, int64_t excess_sat)
{
	int64_t above = s->p->fee_per_kvb - LONG_TERM_RATE;

	return (above > 0 ? weight * above : 0) + excess_sat * SCALE;
}

/* Branch and bound (Murch): depth first over the pool, each coin first taken, then left, for
 * the set of least waste that needs no change: what it leaves is at most what making a change
 * output and spending it would cost. The bounds that prune leave room for what is not linear
 * (rounding, witness overhead, compact sizes); a match itself is judged exactly. */
static bool branch_and_bound(struct search *s)
{
	const struct bb_select_params *p = s->p;
	const int64_t cost = fee_at(p->fee_per_kvb, p->change_weight) +
			     fee_at(bb_policy_core.dust_rate, p->change_spend_weight);
	const int64_t need = p->target_sat * SCALE + p->base_weight * p->fee_per_kvb;
	const int64_t room = p->fee_per_kvb * (21 + (s->mixed ? (int64_t)s->count : 0)) + SCALE;
	int64_t effective = 0, best_waste = INT64_MAX, best_weight = 0;
	struct sum sum = {0};
	size_t at = 0, depth = 0;

	for (int tries = 0; tries < MAX_TRIES; tries++) {
		int64_t excess = remains(p, &sum, false);
		bool match = sum.count && excess >= 0 && excess <= cost;
		int64_t waste = waste_of(s, sum.weight, match ? excess : 0);
		bool dead = match || at == s->count || effective + s->rest[at] < need ||
			    effective > need + cost * SCALE + room || waste > best_waste ||
			    too_large(p, &sum, false);
		if (match && !too_large(p, &sum, false) &&
			(waste < best_waste ||
				(waste == best_waste && sum.weight < best_weight))) {
			best_waste = waste;
			best_weight = sum.weight;
			s->best_count = depth;
			memcpy(s->best, s->taken, depth * sizeof(*s->taken));
		}
		if (!dead) {
			add(&sum, coin_at(s, at));
			effective += s->pool[at].effective;
			s->taken[depth++] = at++;
			continue;
		}
		if (!depth)
			break;
		/* Leave the last one taken, and those like it: they would only repeat. */
		at = s->taken[--depth];
		subtract(&sum, coin_at(s, at));
		effective -= s->pool[at].effective;
		for (at++; at < s->count && alike(s, at, at - 1); at++)
			;
	}
	return best_waste != INT64_MAX;
}

/* As few coins as do: the largest ones, then in place of the last the smallest that still
 * leaves change worth having. */
static bool few_coins(struct search *s, bool change)
{
	const struct bb_select_params *p = s->p;
	const int64_t least = change ? least_change(p) : 0;
	int64_t ample = p->target_sat < AMPLE_CHANGE ? p->target_sat : AMPLE_CHANGE;
	struct sum sum = {0};
	size_t n = 0;

	ample = change && ample > least ? ample : least;
	while (n < s->count && (!n || remains(p, &sum, change) < least)) {
		s->best[n] = n;
		add(&sum, coin_at(s, n++));
	}
	if (!n || remains(p, &sum, change) < least)
		return false;
	s->best_count = n;
	subtract(&sum, coin_at(s, n - 1));
	for (size_t i = s->count; i-- > n;) {
		struct sum with = sum;
		add(&with, coin_at(s, i));
		if (remains(p, &with, change) >= ample) {
			s->best[n - 1] = i;
			break;
		}
	}
	return true;
}

static int by_number(const void *x, const void *y)
{
	const size_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* Search in the memory given: 0, or the shortfall. */
static int64_t choose(struct bb_selection *out, struct search *s, size_t count)
{
	struct sum all = {0};
	int64_t left;

	fill_pool(s, count);
	if (!branch_and_bound(s) && !few_coins(s, true) && !few_coins(s, false)) {
		for (size_t i = 0; i < s->count; i++)
			add(&all, coin_at(s, i));
		left = remains(s->p, &all, false);
		return left < 0 ? -left : 1; /* without an input there is no transaction */
	}
	out->chosen = s->best_count;
	for (size_t i = 0; i < s->best_count; i++)
		out->index[i] = s->pool[s->best[i]].index;
	qsort(out->index, out->chosen, sizeof(*out->index), by_number);
	return 0;
}

static int64_t take_all(struct bb_selection *out, const struct bb_candidate *candidates,
	size_t count, const struct bb_select_params *p)
{
	struct sum sum = {0};
	int64_t left;

	for (size_t i = 0; i < count; i++) {
		out->index[i] = i;
		add(&sum, &candidates[i]);
	}
	out->chosen = count;
	left = remains(p, &sum, p->need_change) - (p->need_change ? least_change(p) : 0);
	return left < 0 ? -left : 0;
}

bool bb_select_coins(struct bb_selection *out, const char **why, int64_t *short_sat,
	const struct bb_candidate *candidates, size_t count, const struct bb_select_params *p)
{
	struct search s = {.coins = candidates, .p = p};
	struct sum chosen;
	int64_t total = 0;
	bool ok = false;

	*short_sat = 0;
	out->chosen = 0;
	*why = "coins exceed the money supply";
	for (size_t i = 0; i < count; i++) {
		if (candidates[i].value_sat > BB_MAX_MONEY - total)
			return false;
		total += candidates[i].value_sat;
	}
	*why = "out of memory";
	s.pool = calloc(count + 1, sizeof(*s.pool));
	s.rest = calloc(count + 1, sizeof(*s.rest));
	s.taken = calloc(count + 1, sizeof(*s.taken));
	s.best = calloc(count + 1, sizeof(*s.best));
	if (!s.pool || !s.rest || !s.taken || !s.best)
		goto out;
	*short_sat = p->all ? take_all(out, candidates, count, p) : choose(out, &s, count);
	*why = "not enough money";
	if (*short_sat || !bb_settle_change(out, candidates, p))
		goto out;
	*why = "transaction too large";
	chosen = sum_of(out, candidates);
	ok = !too_large(p, &chosen, out->change_sat != 0);
out:
	free(s.pool);
	free(s.rest);
	free(s.taken);
	free(s.best);
	return ok;
}
