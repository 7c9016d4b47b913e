/* Who has to go when somebody calls and there is no room: whoever wants to have all places for
 * himself must not get them by being there first. As in Bitcoin Core (SelectNodeToEvict) those
 * are kept that are hard to be better than in one of several ways, none of which says anything
 * of the others; of the rest the youngest of the network that most of them are of has to go. */

#include "net/hub_inside.h"

#include <stdlib.h>

enum { BY_NETWORK = 4, BY_LATENCY = 8, BY_TXS = 4, BY_BLOCKS = 4 }; /* that are kept */

struct candidate {
	struct peer *p;
	uint64_t group; /* its network, as a number that nobody else knows */
	uint64_t worth; /* in the respect at hand; 0: none */
};

static size_t list(struct candidate *c, struct bb_hub *h)
{
	char group[BB_HOST_MAX + 1];
	size_t count = 0;

	for (struct peer *p = h->peers; p; p = p->next) {
		if (p->outbound)
			continue;
		if (c) {
			bb_host_group(group, p->at.host);
			c[count] = (struct candidate){.p = p, .group = hub_key(h, group)};
		}
		count++;
	}
	return count;
}

static uint64_t of_network(const struct candidate *c)
{
	return c->group;
}

static uint64_t of_latency(const struct candidate *c)
{
	return c->p->latency_least_ms ? UINT64_MAX - c->p->latency_least_ms : 0;
}

static uint64_t of_txs(const struct candidate *c)
{
	return c->p->tx_good_ms;
}

static uint64_t of_blocks(const struct candidate *c)
{
	return c->p->block_good_ms;
}

static uint64_t of_age(const struct candidate *c)
{
	return UINT64_MAX - c->p->since_ms;
}

static int by_worth(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->worth > y->worth) - (x->worth < y->worth);
}

/* The best are kept, so many at most. Returns how many are left; these come first, the worst
 * before the others. */
static size_t keep(struct candidate *c, size_t count, size_t most,
	uint64_t (*worth)(const struct candidate *c))
{
	for (size_t i = 0; i < count; i++)
		c[i].worth = worth(&c[i]);
	qsort(c, count, sizeof(*c), by_worth);
	for (; most && count && c[count - 1].worth; most--)
		count--;
	return count;
}

/* In order of age, the youngest first. */
static struct peer *youngest_of_most(const struct candidate *c, size_t count)
{
	struct peer *found = NULL;
	size_t most = 0;

	for (size_t i = 0; i < count; i++) {
		size_t of_group = 0;
		for (size_t k = 0; k < count; k++)
			of_group += c[k].group == c[i].group;
		if (of_group > most) {
			most = of_group;
			found = c[i].p;
		}
	}
	return found;
}

bool evict_one(struct bb_hub *h)
{
	const size_t all = list(NULL, h);
	struct candidate *c = all ? calloc(all, sizeof(*c)) : NULL;
	struct peer *p = NULL;
	size_t count;

	if (!c)
		return false;
	count = keep(c, list(c, h), BY_NETWORK, of_network);
	count = keep(c, count, BY_LATENCY, of_latency);
	count = keep(c, count, BY_TXS, of_txs);
	count = keep(c, count, BY_BLOCKS, of_blocks);
	count = keep(c, count, count / 2, of_age);
	p = youngest_of_most(c, count);
	free(c);
	if (p)
		hub_drop(h, p, NULL);
	return p;
}
