/* Linearisations of clusters, against every closed subset where these can be listed, and
 * feerate diagrams. Each table prints `name: N of M`, and what fails. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ledger/cluster.h"
#include "table.h"

enum { LISTABLE = 14 };

typedef uint64_t set;
#define ONE(i) ((set)1 << (i))

/* Clusters. */

enum shape {
	SPARSE,
	DENSE,
	TREE,
	TWO_LAYERS, /* poor parents of rich children */
	LADDER,
	SHAPES,
};

static bool depends(enum shape shape, unsigned child, unsigned parent, unsigned count)
{
	switch (shape) {
	case SPARSE: return below(count) < 2;
	case DENSE: return below(2);
	case TREE: return parent == (child * 7 + count) % child;
	case TWO_LAYERS: return parent < count / 2 && child >= count / 2 && below(8) == 0;
	case LADDER: return parent + 3 >= child && below(4);
	default: return false;
	}
}

static struct bb_feerate random_tx(unsigned spread, bool rich)
{
	switch (spread) {
	case 0: return (struct bb_feerate){below(4), 1 + below(4)}; /* many ties */
	case 1: return (struct bb_feerate){below(100000), 244 + below(2000)};
	case 2: return (struct bb_feerate){(int64_t)(next() % 2100000000000000), 404000};
	default: return (struct bb_feerate){rich ? 900 + below(200) : below(3), 1000};
	}
}

static void random_cluster(struct bb_cluster *c, unsigned count, enum shape shape)
{
	const unsigned spread = below(4);
	unsigned char to[BB_CLUSTER_MAX];

	memset(c, 0, sizeof(*c));
	c->count = count;
	for (unsigned i = 0; i < count; i++) { /* indices in no order */
		const unsigned k = below(i + 1);
		to[i] = to[k];
		to[k] = (unsigned char)i;
	}
	for (unsigned i = 0; i < count; i++) {
		c->tx[to[i]] = random_tx(spread, i >= count / 2);
		for (unsigned k = 0; k < i; k++)
			if (depends(shape, i, k, count))
				c->parents[to[i]] |= ONE(to[k]);
	}
}

static struct bb_feerate rate_of(const struct bb_cluster *c, set s)
{
	struct bb_feerate sum = {0, 0};

	for (unsigned i = 0; i < c->count; i++)
		if (s & ONE(i))
			sum = bb_feerate_sum(sum, c->tx[i]);
	return sum;
}

/* Every transaction once, parents first, chunks that add up and fall; within a chunk no prefix
 * that should have been a chunk of its own. */
static const char *validity(const struct bb_cluster *c)
{
	set done = 0;
	unsigned at = 0;

	for (unsigned k = 0; k < c->chunk_count; k++) {
		struct bb_feerate sum = {0, 0};
		if (c->chunk_end[k] <= at)
			return "an empty chunk";
		for (; at < c->chunk_end[k]; at++) {
			const unsigned i = c->order[at];
			if (i >= c->count || (done & ONE(i)))
				return "not every transaction once";
			if (c->parents[i] & ~done)
				return "a child before its parent";
			if (sum.size && bb_feerate_compare(sum, c->chunk[k]) >= 0)
				return "a prefix as good as its chunk";
			done |= ONE(i);
			sum = bb_feerate_sum(sum, c->tx[i]);
		}
		if (sum.fee_sat != c->chunk[k].fee_sat || sum.size != c->chunk[k].size)
			return "a chunk that does not add up";
		if (k && bb_feerate_compare(c->chunk[k - 1], c->chunk[k]) < 0)
			return "rates that do not fall";
	}
	return at == c->count ? NULL : "not every transaction";
}

static set chunk_set(const struct bb_cluster *c, unsigned k)
{
	set s = 0;

	for (unsigned at = k ? c->chunk_end[k - 1] : 0; at < c->chunk_end[k]; at++)
		s |= ONE(c->order[at]);
	return s;
}

/* Nothing that could have come in a chunk's place pays more, and no part of it as much. */
static const char *against_all(const struct bb_cluster *c)
{
	static struct bb_feerate sum[ONE(LISTABLE)];
	static set needs[ONE(LISTABLE)];
	set done = 0;

	for (set s = 1; s < ONE(c->count); s++) {
		const unsigned low = (unsigned)__builtin_ctzll(s);
		sum[s] = bb_feerate_sum(sum[s & (s - 1)], c->tx[low]);
		needs[s] = needs[s & (s - 1)] | c->parents[low];
	}
	for (unsigned k = 0; k < c->chunk_count; k++) {
		const set chunk = chunk_set(c, k);
		for (set s = 1; s < ONE(c->count); s++) {
			int order;
			if ((s & done) || (needs[s] & ~(s | done)))
				continue;
			order = bb_feerate_compare(sum[s], c->chunk[k]);
			if (order > 0)
				return "another subset pays more";
			if (order == 0 && s != chunk && !(s & ~chunk))
				return "a chunk that falls apart";
		}
		done |= chunk;
	}
	return NULL;
}

/* The same for some subsets: what a few transactions need, put together. */
static const char *against_some(const struct bb_cluster *c)
{
	set done = 0;

	for (unsigned k = 0; k < c->chunk_count; k++) {
		const set chunk = chunk_set(c, k);
		for (unsigned tries = 0; tries < 40; tries++) {
			set s = 0, before;
			int order;
			for (unsigned n = 1 + below(4); n; n--)
				s |= ONE(below(4) ? c->order[below(c->count)]
						  : c->order[c->chunk_end[k] - 1]);
			do {
				before = s;
				for (unsigned i = 0; i < c->count; i++)
					if (s & ONE(i))
						s |= c->parents[i];
			} while (s != before);
			if (!(s &= ~done))
				continue;
			order = bb_feerate_compare(rate_of(c, s), c->chunk[k]);
			if (order > 0)
				return "another subset pays more";
			if (order == 0 && s != chunk && !(s & ~chunk))
				return "a chunk that falls apart";
		}
		done |= chunk;
	}
	return NULL;
}

/* With its transactions the other way round, a cluster has the same chunks. */
static const char *against_itself(const struct bb_cluster *c)
{
	struct bb_cluster turned = {.count = c->count};
	set seen = 0;

	for (unsigned i = 0; i < c->count; i++) {
		turned.tx[c->count - 1 - i] = c->tx[i];
		for (unsigned k = 0; k < c->count; k++)
			if (c->parents[i] & ONE(k))
				turned.parents[c->count - 1 - i] |= ONE(c->count - 1 - k);
	}
	bb_cluster_linearise(&turned);
	if (turned.chunk_count != c->chunk_count)
		return "turned round, another number of chunks";
	for (unsigned k = 0; k < c->chunk_count; k++) {
		set s = 0;
		for (unsigned i = 0; i < c->count; i++)
			if (chunk_set(&turned, k) & ONE(c->count - 1 - i))
				s |= ONE(i);
		for (unsigned m = 0; m < c->chunk_count; m++)
			if (chunk_set(c, m) == s && !(seen & ONE(m)))
				seen |= ONE(m), s = 0;
		if (s)
			return "turned round, other chunks";
	}
	return NULL;
}

static void random_clusters(const char *name, unsigned rows, unsigned max,
	const char *(*against)(const struct bb_cluster *))
{
	struct table t = {.name = name};
	struct bb_cluster c;

	for (unsigned i = 0; i < rows; i++) {
		const char *why;
		random_cluster(&c, 1 + below(max), (enum shape)(i % SHAPES));
		bb_cluster_linearise(&c);
		if (!(why = validity(&c)) && !(why = against(&c)))
			why = against_itself(&c);
		row(&t, !why, why ? why : "");
	}
	end(&t);
}

/* Known ones: transactions as letters, "fee/size<parents", and their chunks. */
static const struct known {
	const char *what, *txs, *chunks;
} known[] = {
	{"nothing", "", ""},
	{"one", "5/1", "A"},
	{"child pays for parent", "0/1 10/1<A", "AB"},
	{"parent pays more", "10/1 0/1<A", "A B"},
	{"equal rates stay apart", "2/1 2/1<A 4/2<B", "A B C"},
	{"equal rates, the fewest needed first", "1/1 3/1<A 2/1", "C AB"},
	{"equal rates, a fork", "1/1 1/1 2/1<AB 2/1<A", "AD BC"},
	{"diamond, the tip pays", "1/1 2/1<A 3/1<A 10/1<BC", "ABCD"},
	{"diamond, one side pays", "1/1 9/1<A 1/1<A 1/1<BC", "AB C D"},
	{"zero-fee parents of one child", "0/1 0/1 0/1 9/1<ABC", "ABCD"},
	{"zero-fee parent of two children", "0/2 3/1<A 9/1<A", "AC B"},
	{"two children pay together", "0/4 5/1<A 5/1<A", "ABC"},
	{"only some children pay", "0/4 5/1<A 5/1<A 1/1<A", "ABC D"},
	{"grandchild pays", "1/1 0/1<A 8/1<B 2/1<C", "ABC D"},
	{"child before its parent", "10/1<B 0/1", "AB"},
	{"two children with a parent between them", "0/1 6/1<A 2/1 9/1<AC", "ABCD"},
	{"ancestor sets would choose worse", "1/1 1/1 1/1 6/1<AB 6/1<BC 6/1<AC", "ABCDEF"},
	{"all free", "0/1 0/1<A 0/1<A", "A B C"},
	{"two clusters at once", "1/1 5/1<A 2/1 2/1<C", "AB C D"},
	{"large amounts", "2100000000000000/404000 2099999999999999/404000<A", "A B"},
	{"large amounts, a satoshi more", "2099999999999999/404000 2100000000000000/404000<A",
		"AB"},
};

static void read_cluster(struct bb_cluster *c, const char *p)
{
	memset(c, 0, sizeof(*c));
	while (*p) {
		long long fee, size;
		int used;
		if (sscanf(p, "%lld/%lld%n", &fee, &size, &used) != 2)
			return;
		c->tx[c->count] = (struct bb_feerate){fee, size};
		for (p += used; *p && *p != ' '; p++)
			if (*p >= 'A' && *p <= 'Z')
				c->parents[c->count] |= ONE(*p - 'A');
		c->count++;
		p += *p == ' ';
	}
}

/* Chunks as sorted letters; what order they have among themselves shows. */
static void write_chunks(char *out, const struct bb_cluster *c)
{
	for (unsigned k = 0; k < c->chunk_count; k++) {
		const set s = chunk_set(c, k);
		if (k)
			*out++ = ' ';
		for (unsigned i = 0; i < c->count; i++)
			if (s & ONE(i))
				*out++ = (char)('A' + i);
	}
	*out = '\0';
}

static void known_clusters(void)
{
	struct table t = {.name = "known clusters"};
	char chunks[3 * BB_CLUSTER_MAX], what[128 + sizeof(chunks)];
	struct bb_cluster c;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		const char *why;
		read_cluster(&c, known[i].txs);
		bb_cluster_linearise(&c);
		write_chunks(chunks, &c);
		why = validity(&c);
		snprintf(what, sizeof(what), "%s: %s", known[i].what, why ? why : chunks);
		row(&t, !why && strcmp(chunks, known[i].chunks) == 0, what);
	}
	end(&t);
}

/* Diagrams. */

static const struct {
	const char *what, *a, *b; /* chunks as "fee/size" */
	enum bb_diagram_order order;
} diagrams[] = {
	{"both empty", "", "", BB_DIAGRAM_EQUAL},
	{"the same", "5/1 2/3", "5/1 2/3", BB_DIAGRAM_EQUAL},
	{"the same, in another order", "2/3 5/1", "5/1 2/3", BB_DIAGRAM_EQUAL},
	{"the same line in more pieces", "2/1 2/1 4/2", "8/4", BB_DIAGRAM_EQUAL},
	{"a zero-fee tail", "5/1 0/9", "5/1", BB_DIAGRAM_EQUAL},
	{"only a zero-fee tail", "0/9", "", BB_DIAGRAM_EQUAL},
	{"two zero-fee tails", "5/1 0/3", "5/1 0/7", BB_DIAGRAM_EQUAL},
	{"something against nothing", "1/100", "", BB_DIAGRAM_BETTER},
	{"nothing against something", "", "1/100", BB_DIAGRAM_WORSE},
	{"one satoshi more", "11/2", "10/2", BB_DIAGRAM_BETTER},
	{"smaller, same fee", "10/2", "10/3", BB_DIAGRAM_BETTER},
	{"smaller, more fee", "11/2", "10/3", BB_DIAGRAM_BETTER},
	{"larger, more fee, higher rate", "20/3", "10/2", BB_DIAGRAM_BETTER},
	{"larger, more fee, same rate", "20/4", "10/2", BB_DIAGRAM_BETTER},
	{"larger, more fee, lower rate", "11/3", "10/2", BB_DIAGRAM_INCOMPARABLE},
	{"smaller, less fee, higher rate", "9/1", "10/2", BB_DIAGRAM_INCOMPARABLE},
	{"smaller, less fee, same rate", "5/1", "10/2", BB_DIAGRAM_WORSE},
	{"larger, less fee", "9/3", "10/2", BB_DIAGRAM_WORSE},
	{"better first, the same in the end", "9/1 1/1", "10/2", BB_DIAGRAM_BETTER},
	{"better first, worse in the end", "9/1 0/1", "10/2", BB_DIAGRAM_INCOMPARABLE},
	{"touching, then above", "5/1 9/2", "5/1 8/2", BB_DIAGRAM_BETTER},
	{"worse first, better later", "8/2 8/2", "9/2 1/2", BB_DIAGRAM_INCOMPARABLE},
	{"past the other's end", "5/1 4/1 1/5", "5/1 4/1", BB_DIAGRAM_BETTER},
	{"sums past 64 bits if multiplied", "2100000000000000/4000000",
		"2099999999999999/4000000", BB_DIAGRAM_BETTER},
};

static size_t read_chunks(struct bb_feerate *out, const char *p)
{
	struct bb_cluster c;

	read_cluster(&c, p);
	memcpy(out, c.tx, sizeof(c.tx));
	return c.count;
}

static void known_diagrams(void)
{
	struct table t = {.name = "feerate diagrams"};
	struct bb_feerate a[BB_CLUSTER_MAX], b[BB_CLUSTER_MAX];

	for (size_t i = 0; i < sizeof(diagrams) / sizeof(*diagrams); i++) {
		const enum bb_diagram_order order = diagrams[i].order;
		const enum bb_diagram_order other = order == BB_DIAGRAM_BETTER
							    ? BB_DIAGRAM_WORSE
						    : order == BB_DIAGRAM_WORSE
							    ? BB_DIAGRAM_BETTER
							    : order;
		size_t m = read_chunks(a, diagrams[i].a), n = read_chunks(b, diagrams[i].b);
		row(&t, bb_diagram_compare(a, m, b, n) == order, diagrams[i].what);
		row(&t, bb_diagram_compare(b, n, a, m) == other, diagrams[i].what);
	}
	end(&t);
}

/* How high a diagram is at a size, as a fraction of `over`. */
static __int128 height_at(
	const struct bb_feerate *chunks, size_t count, int64_t size, int64_t over)
{
	__int128 height = 0;

	for (size_t i = 0; i < count && size > 0; i++) {
		const int64_t here = size < chunks[i].size ? size : chunks[i].size;
		height += (__int128)chunks[i].fee_sat * here * over / chunks[i].size;
		size -= here;
	}
	return height;
}

/* Against the heights themselves, size by size; 2520 is a multiple of all sizes in use. */
static void random_diagrams(void)
{
	struct table t = {.name = "random diagrams"};
	struct bb_feerate a[6], b[6];

	for (unsigned i = 0; i < 20000; i++) {
		const size_t m = below(7), n = below(7);
		bool above = false, under = false;
		enum bb_diagram_order order;
		for (size_t k = 0; k < m; k++)
			a[k] = (struct bb_feerate){below(12), 1 + below(10)};
		for (size_t k = 0; k < n; k++)
			b[k] = below(2) && k < m
				       ? a[k]
				       : (struct bb_feerate){below(12), 1 + below(10)};
		order = bb_diagram_compare(a, m, b, n); /* both are sorted now */
		for (int64_t size = 0; size <= 60; size++) {
			const __int128 d = height_at(a, m, size, 2520) -
					   height_at(b, n, size, 2520);
			above |= d > 0;
			under |= d < 0;
		}
		row(&t,
			order == (above && under ? BB_DIAGRAM_INCOMPARABLE
					 : above ? BB_DIAGRAM_BETTER
					 : under ? BB_DIAGRAM_WORSE
						 : BB_DIAGRAM_EQUAL),
			"not as its heights say");
	}
	end(&t);
}

/* How long one takes, in microseconds. */
static double spent(struct bb_cluster *c, unsigned times)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < times; i++)
		bb_cluster_linearise(c);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return ((double)(to.tv_sec - from.tv_sec) * 1e6 +
		       (double)(to.tv_nsec - from.tv_nsec) / 1e3) /
	       times;
}

static void tell_times(void)
{
	struct bb_cluster chain = {.count = 25}, star = {.count = 64}, c;
	double worst = 0, sum = 0;
	unsigned rows = 2000;

	for (unsigned i = 0; i < 64; i++) {
		chain.tx[i] = star.tx[i] = (struct bb_feerate){1000 + below(1000), 561};
		chain.parents[i] = i ? ONE(i - 1) : 0;
		star.parents[i] = i ? ONE(0) : 0;
	}
	star.tx[0].fee_sat = 0;
	for (unsigned i = 0; i < rows; i++) {
		double us;
		random_cluster(&c, 64, (enum shape)(i % SHAPES));
		us = spent(&c, 1);
		sum += us;
		worst = us > worst ? us : worst;
	}
	printf("microseconds a cluster: chain of 25 %.1f, star of 64 %.1f, random of 64 %.1f "
	       "(at most %.1f)\n",
		spent(&chain, 1000), spent(&star, 1000), sum / rows, worst);
}

int main(void)
{
	known_clusters();
	random_clusters("clusters of up to 14, against every closed subset", 6000, LISTABLE,
		against_all);
	random_clusters(
		"clusters of up to 64, against some", 4000, BB_CLUSTER_MAX, against_some);
	known_diagrams();
	random_diagrams();
	tell_times();
	return !all_good;
}
