#include "ledger/tree.h"

#include <stdlib.h>
#include <string.h>

#include "bitcoin/pow.h"
#include "bitcoin/retarget.h"

/* The record of a node, under its number. */

enum {
	AT_ID = 0,
	AT_HEADER = 32,
	AT_WORK = 112,
	AT_HEIGHT = 144,
	AT_MTP = 148,
	AT_STATUS = 152,
	AT_PREV = 156,
	AT_SKIP = 160,
	AT_CHILD = 164,
	AT_SIBLING = 168,
	AT_LINKED = 172,
	AT_FILE = 180,
	AT_POS = 184,
	AT_LEN = 188,
	AT_TX_COUNT = 192,
	AT_WEIGHT = 196,
	RECORD_SIZE = 200,
	ALL_STATUS = BB_NODE_DATA | BB_NODE_JUDGED | BB_NODE_BAD,
};

static void put_node(struct bb_store *s, const struct bb_node *n)
{
	unsigned char p[RECORD_SIZE], key[4];
	struct bb_buf header = {.data = p + AT_HEADER, .cap = BB_HEADER_SIZE};

	bb_put_header(&header, &n->header);
	memcpy(p + AT_ID, n->id, 32);
	memcpy(p + AT_WORK, n->work, 32);
	bb_set_le32(p + AT_HEIGHT, (uint32_t)n->height);
	bb_set_le32(p + AT_MTP, n->mtp);
	bb_set_le32(p + AT_STATUS, n->status);
	bb_set_le32(p + AT_PREV, n->prev);
	bb_set_le32(p + AT_SKIP, n->skip);
	bb_set_le32(p + AT_CHILD, n->child);
	bb_set_le32(p + AT_SIBLING, n->sibling);
	bb_set_le64(p + AT_LINKED, n->linked);
	bb_set_le32(p + AT_FILE, n->place.file);
	bb_set_le32(p + AT_POS, n->place.pos);
	bb_set_le32(p + AT_LEN, n->place.len);
	bb_set_le32(p + AT_TX_COUNT, n->tx_count);
	bb_set_le32(p + AT_WEIGHT, n->weight);
	bb_store_put(s, BB_NODES, bb_key32(key, n->number), BB_SPAN(p, RECORD_SIZE));
}

/* Ancestors have smaller numbers and descendants greater ones, and of siblings the newest
 * stands first: with that, no walk over a damaged table goes round in circles. */
static bool node_possible(const struct bb_node *n)
{
	const bool genesis = n->number == 0;

	if (genesis != (n->height == 0) || n->height < 0 || (uint32_t)n->height > n->number ||
		(n->status & ~ALL_STATUS) || (n->linked && !(n->status & BB_NODE_DATA)))
		return false;
	if (genesis ? n->prev != BB_NO_NODE || n->skip != BB_NO_NODE
		    : n->prev >= n->number || n->skip > n->prev)
		return false;
	return n->child > n->number && (n->sibling < n->number || n->sibling == BB_NO_NODE);
}

bool bb_tree_get(struct bb_node *out, struct bb_store *s, uint32_t number)
{
	unsigned char key[4];
	struct bb_span v;
	const unsigned char *p;

	if (number == BB_NO_NODE || !bb_store_get(&v, s, BB_NODES, bb_key32(key, number)))
		return false;
	if (v.len != RECORD_SIZE)
		return bb_store_set_why(s, "the store is damaged: a node's length");
	p = v.data;
	*out = (struct bb_node){
		.number = number,
		.height = (int32_t)bb_le32(p + AT_HEIGHT),
		.mtp = bb_le32(p + AT_MTP),
		.status = bb_le32(p + AT_STATUS),
		.prev = bb_le32(p + AT_PREV),
		.skip = bb_le32(p + AT_SKIP),
		.child = bb_le32(p + AT_CHILD),
		.sibling = bb_le32(p + AT_SIBLING),
		.linked = bb_le64(p + AT_LINKED),
		.place = {bb_le32(p + AT_FILE), bb_le32(p + AT_POS), bb_le32(p + AT_LEN)},
		.tx_count = bb_le32(p + AT_TX_COUNT),
		.weight = bb_le32(p + AT_WEIGHT),
	};
	memcpy(out->id, p + AT_ID, 32);
	memcpy(out->work, p + AT_WORK, 32);
	bb_header_parse(&out->header, BB_SPAN(p + AT_HEADER, BB_HEADER_SIZE));
	return node_possible(out) ||
	       bb_store_set_why(s, "the store is damaged: an impossible node");
}

/* A node that another record names, which must be there. */
bool bb_tree_named(struct bb_node *out, struct bb_store *s, uint32_t number)
{
	return bb_tree_get(out, s, number) ||
	       bb_store_set_why(s, "the store is damaged: a node is missing");
}

/* The number that a table holds under a key. */
static bool get_number(
	uint32_t *number, struct bb_store *s, enum bb_table t, struct bb_span key)
{
	struct bb_span v;

	if (!bb_store_get(&v, s, t, key))
		return false;
	if (v.len != 4)
		return bb_store_set_why(s, "the store is damaged: a node's number");
	*number = bb_le32(v.data);
	return true;
}

static void put_number(struct bb_store *s, enum bb_table t, struct bb_span key, uint32_t number)
{
	unsigned char v[4];

	bb_set_le32(v, number);
	bb_store_put(s, t, key, BB_SPAN(v, 4));
}

bool bb_tree_find(struct bb_node *out, struct bb_store *s, const unsigned char id[32])
{
	uint32_t number;

	if (!get_number(&number, s, BB_IDS, BB_SPAN(id, 32)) || !bb_tree_named(out, s, number))
		return false;
	return memcmp(out->id, id, 32) == 0 ||
	       bb_store_set_why(s, "the store is damaged: a block's hash names another");
}

/* The active chain. */

static bool active_number(uint32_t *number, struct bb_store *s, int32_t height)
{
	unsigned char key[4];

	/* The count is at hand: what lies above the tip costs no look. */
	return height >= 0 && (uint64_t)height < bb_store_count(s, BB_HEIGHTS) &&
	       get_number(number, s, BB_HEIGHTS, bb_key32(key, (uint32_t)height));
}

bool bb_tree_at(struct bb_node *out, struct bb_store *s, int32_t height)
{
	uint32_t number;

	if (!active_number(&number, s, height) || !bb_tree_named(out, s, number))
		return false;
	return out->height == height ||
	       bb_store_set_why(s, "the store is damaged: a height names another");
}

bool bb_tree_tip(struct bb_node *out, struct bb_store *s)
{
	const uint64_t count = bb_store_count(s, BB_HEIGHTS);

	if (!count)
		return false;
	return (count <= INT32_MAX && bb_tree_at(out, s, (int32_t)(count - 1))) ||
	       bb_store_set_why(s, "the store is damaged: heights are missing");
}

bool bb_tree_is_active(struct bb_store *s, const struct bb_node *n)
{
	uint32_t number;

	return active_number(&number, s, n->height) && number == n->number;
}

void bb_tree_extend(struct bb_store *s, const struct bb_node *n)
{
	unsigned char key[4];

	put_number(s, BB_HEIGHTS, bb_key32(key, (uint32_t)n->height), n->number);
}

void bb_tree_retract(struct bb_store *s, const struct bb_node *tip)
{
	unsigned char key[4];

	bb_store_del(s, BB_HEIGHTS, bb_key32(key, (uint32_t)tip->height));
}

/* Ancestors. Each node has a pointer far back as well, to a height that depends on its own
 * alone (Bitcoin Core's skip list): any ancestor is then some hundred steps away at most. */

static int32_t without_lowest_one(int32_t v)
{
	return v & (v - 1);
}

int32_t bb_tree_skip_height(int32_t height)
{
	if (height < 2)
		return 0;
	if (height & 1)
		return without_lowest_one(without_lowest_one(height - 1)) + 1;
	return without_lowest_one(height);
}

/* Does the way to `height` lead over the skip pointer? Not where it goes too far, nor where
 * the parent's goes much further and still not too far. */
static bool skip_leads(int32_t from, int32_t height)
{
	const int32_t skip = bb_tree_skip_height(from), after = bb_tree_skip_height(from - 1);

	return skip == height || (skip > height && !(after >= height && after < skip - 2));
}

bool bb_tree_ancestor(
	struct bb_node *out, struct bb_store *s, const struct bb_node *n, int32_t height)
{
	struct bb_node at = *n;

	if (height < 0 || height > n->height)
		return false;
	while (at.height > height) {
		const int32_t from = at.height;
		const bool skip = skip_leads(from, height);
		if (bb_tree_is_active(s, &at))
			return bb_tree_at(out, s, height) ||
			       bb_store_set_why(s, "the store is damaged: heights are missing");
		if (!bb_tree_named(&at, s, skip ? at.skip : at.prev))
			return false;
		if (at.height != (skip ? bb_tree_skip_height(from) : from - 1))
			return bb_store_set_why(s, "the store is damaged: a node's ancestor");
	}
	*out = at;
	return true;
}

bool bb_tree_fork(struct bb_node *out, struct bb_store *s, const struct bb_node *a,
	const struct bb_node *b)
{
	const int32_t height = a->height < b->height ? a->height : b->height;
	struct bb_node x, y;

	if (!bb_tree_ancestor(&x, s, a, height) || !bb_tree_ancestor(&y, s, b, height))
		return false;
	/* Of one height, they skip to one height. */
	while (x.number != y.number) {
		const bool skip = x.skip != y.skip;
		if (!bb_tree_named(&x, s, skip ? x.skip : x.prev) ||
			!bb_tree_named(&y, s, skip ? y.skip : y.prev))
			return false;
	}
	*out = x;
	return true;
}

/* What a header has to fit. */

/* The times of a node and up to `max` - 1 before it, the newest first. */
static size_t times_back(
	int64_t *times, size_t max, struct bb_store *s, const struct bb_node *n)
{
	struct bb_node at = *n;
	size_t count = 0;

	times[count++] = at.header.time;
	while (count < max && at.prev != BB_NO_NODE && bb_tree_named(&at, s, at.prev))
		times[count++] = at.header.time;
	return count;
}

/* The way back from a node, for bb_next_bits: it asks for headers one after the other, or for
 * one far off. */
struct way_back {
	struct bb_store *store;
	const struct bb_node *top;
	struct bb_node at; /* the one asked for last */
};

static bool header_at(void *arg, int64_t height, struct bb_header *out)
{
	struct way_back *w = arg;
	const struct bb_node from = height > w->at.height ? *w->top : w->at;

	if (height < 0 || height > from.height)
		return false;
	if (height == from.height - 1) {
		if (!bb_tree_named(&w->at, w->store, from.prev))
			return false;
	} else if (!bb_tree_ancestor(&w->at, w->store, &from, (int32_t)height)) {
		return false;
	}
	*out = w->at.header;
	return true;
}

bool bb_tree_claims(struct bb_block_claims *c, struct bb_store *s, const struct bb_node *prev)
{
	int64_t times[11];

	*c = (struct bb_block_claims){.expected_bits = -1, .now = -1, .from_ledger = true};
	if (!prev)
		return !s->why;
	c->height = prev->height + 1;
	c->prev_time_count = times_back(times, 11, s, prev);
	for (size_t i = 0; i < c->prev_time_count; i++)
		c->prev_times[i] = times[c->prev_time_count - 1 - i];
	return !s->why;
}

bool bb_tree_expected_bits(int64_t *out, struct bb_store *s, const struct bb_network *n,
	const struct bb_node *prev, uint32_t time)
{
	struct way_back w = {.store = s, .top = prev, .at = *prev};
	const struct bb_ancestry chain = {header_at, &w};
	uint32_t bits;

	if (!bb_next_bits(&bits, n, &chain, prev->height, time))
		return bb_store_set_why(s, "the store is damaged: a node's ancestor");
	*out = bits;
	return !s->why;
}

/* Growing. */

static uint32_t median_time(struct bb_store *s, const struct bb_node *n)
{
	struct bb_block_claims c = {0};

	c.prev_time_count = times_back(c.prev_times, 11, s, n);
	return (uint32_t)bb_claims_mtp(&c);
}

/* The new node's place under its parent, which is read again first. */
static void join(struct bb_node *n, struct bb_store *s, struct bb_node *prev)
{
	struct bb_node skip;
	unsigned char key[4];

	if (!bb_tree_named(prev, s, prev->number))
		return;
	n->height = prev->height + 1;
	n->prev = prev->number;
	n->sibling = prev->child;
	n->status = prev->status & BB_NODE_BAD ? BB_NODE_DOOMED : 0;
	if (bb_tree_ancestor(&skip, s, prev, bb_tree_skip_height(n->height)))
		n->skip = skip.number;
	bb_number_add(n->work, prev->work);
	/* First the new leaf: a table that was emptied begins anew on another page. */
	bb_store_put(s, BB_LEAVES, bb_key32(key, n->number), BB_SPAN(NULL, 0));
	if (prev->child == BB_NO_NODE)
		bb_store_del(s, BB_LEAVES, bb_key32(key, prev->number));
	prev->child = n->number;
	put_node(s, prev);
}

void bb_tree_add(struct bb_node *out, struct bb_store *s, struct bb_node *prev,
	const struct bb_header *h, const unsigned char id[32])
{
	const uint64_t number = bb_store_count(s, BB_NODES);
	struct bb_node n = {
		.number = (uint32_t)number,
		.header = *h,
		.prev = BB_NO_NODE,
		.skip = BB_NO_NODE,
		.child = BB_NO_NODE,
		.sibling = BB_NO_NODE,
	};
	unsigned char key[4];

	memcpy(n.id, id, 32);
	bb_work_from_bits(n.work, h->bits);
	if (number >= BB_NO_NODE || !prev != !number)
		bb_store_set_why(s, "the store is damaged: the count of nodes");
	else if (prev)
		join(&n, s, prev);
	else
		bb_store_put(s, BB_LEAVES, bb_key32(key, n.number), BB_SPAN(NULL, 0));
	n.mtp = median_time(s, &n);
	put_node(s, &n);
	put_number(s, BB_IDS, BB_SPAN(id, 32), n.number);
	*out = n;
}

void bb_tree_update(struct bb_store *s, const struct bb_node *n)
{
	struct bb_node now;

	if (!bb_tree_named(&now, s, n->number))
		return;
	now.status = n->status;
	now.linked = n->linked;
	now.place = n->place;
	now.tx_count = n->tx_count;
	now.weight = n->weight;
	put_node(s, &now);
}

/* Candidates: under their work and what is left of all numbers after `linked`, so that the last
 * is the best. */

enum { CANDIDATE_SIZE = 40 };

static struct bb_span candidate_key(unsigned char key[CANDIDATE_SIZE], const struct bb_node *n)
{
	for (int i = 0; i < 32; i++)
		key[i] = n->work[31 - i];
	bb_key64(key + 32, UINT64_MAX - n->linked);
	return BB_SPAN(key, CANDIDATE_SIZE);
}

static bool could_lead(const struct bb_node *n)
{
	return n->linked && !(n->status & BB_NODE_BAD);
}

/* From child to child: the parent's first, then the sibling of each. That each names the
 * parent is looked at, so that a damaged table leads to no node twice. */
static bool get_child(
	struct bb_node *out, struct bb_store *s, const struct bb_node *parent, uint32_t number)
{
	if (number == BB_NO_NODE || !bb_tree_named(out, s, number))
		return false;
	return out->prev == parent->number ||
	       bb_store_set_why(s, "the store is damaged: a child of another");
}

/* Make the node a candidate, or none, as it deserves. */
static void settle(struct bb_store *s, const struct bb_node *n)
{
	unsigned char key[CANDIDATE_SIZE];
	bool leads = could_lead(n);
	struct bb_node c;

	for (uint32_t next = n->child; leads && get_child(&c, s, n, next); next = c.sibling)
		leads = !could_lead(&c);
	if (leads)
		put_number(s, BB_CANDIDATES, candidate_key(key, n), n->number);
	else if (n->linked)
		bb_store_del(s, BB_CANDIDATES, candidate_key(key, n));
}

bool bb_tree_best(struct bb_node *out, struct bb_store *s)
{
	unsigned char key[CANDIDATE_SIZE];
	struct bb_cursor c;
	bool found = false;

	if (!bb_cursor_open(&c, s, BB_CANDIDATES))
		return false;
	if (bb_cursor_last(&c)) {
		found = c.value.len == 4 && bb_tree_named(out, s, bb_le32(c.value.data)) &&
			could_lead(out) && bb_span_equal(c.key, candidate_key(key, out));
		if (!found)
			bb_store_set_why(s, "the store is damaged: a candidate");
	}
	bb_cursor_close(&c);
	return found;
}

/* Walks over what stands on a node go through a list of those seen, each with the place of its
 * data before its number: these are in order of arrival. */

enum { SEEN_SIZE = 12 };

static void see(struct bb_buf *seen, const struct bb_node *n)
{
	unsigned char e[SEEN_SIZE];

	bb_set_be32(e, n->place.file);
	bb_set_be32(e + 4, n->place.pos);
	bb_set_be32(e + 8, n->number);
	bb_put(seen, e, SEEN_SIZE);
}

static bool seen_at(
	struct bb_node *out, struct bb_store *s, const struct bb_buf *seen, size_t at)
{
	if (seen->failed)
		return bb_store_no_memory(s);
	return at < seen->len && bb_tree_named(out, s, bb_be32(seen->data + at + 8));
}

/* Candidates follow what has changed: the nodes seen, and the parent of them all. */
static void settle_seen(struct bb_store *s, struct bb_buf *seen, uint32_t parent)
{
	struct bb_node n;

	for (size_t at = 0; seen_at(&n, s, seen, at); at += SEEN_SIZE)
		settle(s, &n);
	if (parent != BB_NO_NODE && bb_tree_named(&n, s, parent))
		settle(s, &n);
	bb_buf_free(seen);
}

static int compare_seen(const void *a, const void *b)
{
	return memcmp(a, b, SEEN_SIZE);
}

/* Those children whose data have come before, in the order in which they came
 * (ReceivedBlockTransactions). */
static void see_waiting(struct bb_buf *seen, struct bb_store *s, const struct bb_node *n)
{
	const size_t from = seen->len;
	struct bb_node c;

	for (uint32_t next = n->child; get_child(&c, s, n, next); next = c.sibling)
		if ((c.status & BB_NODE_DATA) && !c.linked)
			see(seen, &c);
	if (seen->len > from)
		qsort(seen->data + from, (seen->len - from) / SEEN_SIZE, SEEN_SIZE,
			compare_seen);
}

void bb_tree_link(struct bb_store *s, struct bb_node *n)
{
	static const char counter[] = "linked";
	uint64_t linked = bb_store_number(s, counter);
	struct bb_node parent = {.linked = 1}, at;
	struct bb_buf seen = {0};

	if (!bb_tree_named(n, s, n->number) || !(n->status & BB_NODE_DATA) || n->linked ||
		(n->prev != BB_NO_NODE && !bb_tree_named(&parent, s, n->prev)) ||
		!parent.linked)
		return;
	see(&seen, n);
	for (size_t i = 0; seen_at(&at, s, &seen, i); i += SEEN_SIZE) {
		at.linked = ++linked;
		put_node(s, &at);
		see_waiting(&seen, s, &at);
	}
	bb_store_set_number(s, counter, linked);
	settle_seen(s, &seen, n->prev);
	bb_tree_named(n, s, n->number);
}

/* Marks. A node is doomed when, and only when, one that it stands on has failed. */

static void doom_children(struct bb_buf *seen, struct bb_store *s, const struct bb_node *n)
{
	struct bb_node c;

	for (uint32_t next = n->child; get_child(&c, s, n, next); next = c.sibling) {
		/* What stands on one that had failed is doomed already. */
		if (!(c.status & BB_NODE_BAD))
			see(seen, &c);
		c.status |= BB_NODE_DOOMED;
		put_node(s, &c);
	}
}

void bb_tree_fail(struct bb_store *s, struct bb_node *n)
{
	struct bb_buf seen = {0};
	struct bb_node at;
	bool was_bad;

	if (!bb_tree_named(n, s, n->number))
		return;
	was_bad = n->status & BB_NODE_BAD;
	n->status |= BB_NODE_FAILED;
	put_node(s, n);
	if (was_bad)
		return;
	see(&seen, n);
	for (size_t i = 0; seen_at(&at, s, &seen, i); i += SEEN_SIZE)
		doom_children(&seen, s, &at);
	settle_seen(s, &seen, n->prev);
}

/* Nothing that stands on it is marked any more. */
static void clear_marks(struct bb_buf *seen, struct bb_store *s, const struct bb_node *n)
{
	size_t i = seen->len;
	struct bb_node at, c;

	for (see(seen, n); seen_at(&at, s, seen, i); i += SEEN_SIZE) {
		at.status &= ~(uint32_t)BB_NODE_BAD;
		put_node(s, &at);
		for (uint32_t next = at.child; get_child(&c, s, &at, next); next = c.sibling)
			see(seen, &c);
	}
}

/* A parent is forgiven for the sake of one child: the others were as invalid as itself, and
 * stay so (ResetBlockFailureFlags touches ancestors and descendants alone). */
static void blame_others(struct bb_store *s, const struct bb_node *parent, uint32_t child)
{
	struct bb_node c;

	for (uint32_t next = parent->child; get_child(&c, s, parent, next); next = c.sibling) {
		if (c.number == child)
			continue;
		c.status = (c.status | BB_NODE_FAILED) & ~(uint32_t)BB_NODE_DOOMED;
		put_node(s, &c);
	}
}

void bb_tree_forgive(struct bb_store *s, struct bb_node *n)
{
	struct bb_buf seen = {0};
	struct bb_node at, parent;

	if (!bb_tree_named(n, s, n->number))
		return;
	/* What is not doomed stands on none that failed. */
	for (at = *n; (at.status & BB_NODE_DOOMED) && bb_tree_named(&parent, s, at.prev);
		at = parent) {
		struct bb_node clean = parent;
		clean.status &= ~(uint32_t)BB_NODE_BAD;
		put_node(s, &clean);
		blame_others(s, &parent, at.number);
		see(&seen, &parent);
	}
	clear_marks(&seen, s, n);
	settle_seen(s, &seen, at.prev);
	bb_tree_named(n, s, n->number);
}
