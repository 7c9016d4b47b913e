#include "ledger/coins.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "bitcoin/script.h"
#include "ledger/rows.h"

bool bb_output_is_coin(const struct bb_txout *out)
{
	return !bb_script_is_unspendable(out->script);
}

/* Bytes. */

struct bb_span bb_outpoint_key(unsigned char key[BB_OUTPOINT_MAX], const struct bb_outpoint *o)
{
	memcpy(key, o->txid, 32);
	if (o->vout < 0xfd) {
		key[32] = (unsigned char)o->vout;
		return BB_SPAN(key, 33);
	}
	if (o->vout <= 0xffff) {
		key[32] = 0xfd;
		key[33] = (unsigned char)(o->vout >> 8);
		key[34] = (unsigned char)o->vout;
		return BB_SPAN(key, 35);
	}
	key[32] = 0xfe;
	bb_set_be32(key + 33, o->vout);
	return BB_SPAN(key, 37);
}

bool bb_outpoint_from_key(struct bb_outpoint *o, struct bb_span key)
{
	const unsigned char *p = key.data;

	if (key.len < 33)
		return false;
	memcpy(o->txid, p, 32);
	o->vout = p[32];
	if (key.len == 33)
		return p[32] < 0xfd;
	if (key.len == 35) {
		o->vout = (uint32_t)(p[33] << 8 | p[34]);
		return p[32] == 0xfd && o->vout >= 0xfd;
	}
	if (key.len != 37)
		return false;
	o->vout = bb_be32(p + 33);
	return p[32] == 0xfe && o->vout > 0xffff;
}

void bb_put_varint(struct bb_buf *b, uint64_t v)
{
	unsigned char bytes[10];
	size_t len = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[len++] = (unsigned char)(v | 0x80);
	bytes[len++] = (unsigned char)v;
	bb_put(b, bytes, len);
}

uint64_t bb_get_varint(struct bb_reader *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		const uint64_t byte = bb_get_u8(r);
		if (shift == 63 && byte > 1)
			break;
		v |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	r->bad = true;
	return 0;
}

void bb_put_coin(struct bb_buf *b, const struct bb_coin *c)
{
	bb_put_varint(b, 2 * (uint64_t)c->height + c->coinbase);
	bb_put_varint(b, (uint64_t)c->value_sat);
	bb_put(b, c->script.data, c->script.len);
}

bool bb_coin_parse(struct bb_coin *c, struct bb_span value)
{
	struct bb_reader r = bb_reader(value.data, value.len);
	const uint64_t origin = bb_get_varint(&r), value_sat = bb_get_varint(&r);

	if (r.bad || origin > UINT32_MAX || value_sat > (uint64_t)BB_MAX_MONEY ||
		bb_left(&r) > BB_MAX_SCRIPT)
		return false;
	c->height = (int32_t)(origin / 2);
	c->coinbase = origin & 1;
	c->value_sat = (int64_t)value_sat;
	c->script = bb_get_span(&r, bb_left(&r));
	return true;
}

/* The cache. */

enum { SPENT = 1, FRESH = 2 }; /* what an entry is: taken away; unknown to the store */
enum { EMPTY = 0, GONE = 1 };  /* tags of slots without an entry */
enum { MIN_SLOTS = 1 << 10 };
#define NO_SLOT SIZE_MAX

struct bb_coin_entry {
	int64_t value_sat;
	struct bb_outpoint outpoint;
	uint32_t origin; /* 2 * height + coinbase */
	uint32_t script_len;
	uint32_t changed; /* its place in the list of those, from 1; 0: it is as in the store */
	unsigned char state;
	unsigned char script[];
};

static size_t entry_size(size_t script_len)
{
	return offsetof(struct bb_coin_entry, script) + script_len;
}

/* What malloc takes for it: 8 bytes of its own, in steps of 16. */
static size_t entry_bytes(const struct bb_coin_entry *e)
{
	return (entry_size(e->script_len) + 8 + 15) / 16 * 16;
}

static size_t table_bytes(size_t slots)
{
	return slots * (sizeof(struct bb_coin_entry *) + 1);
}

static struct bb_coin coin_of(const struct bb_coin_entry *e)
{
	return (struct bb_coin){
		.value_sat = e->value_sat,
		.height = (int32_t)(e->origin / 2),
		.coinbase = e->origin & 1,
		.script = BB_SPAN(e->script, e->script_len),
	};
}

static void fail(struct bb_coins *c, const char *why)
{
	if (!c->store->why)
		c->store->why = why;
}

static void out_of_memory(struct bb_coins *c)
{
	fail(c, "out of memory");
}

static uint64_t fold(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Under a random key, so that nobody can grind txids that fall on the same slots. */
static uint64_t hash_outpoint(const struct bb_coins *c, const struct bb_outpoint *o)
{
	uint64_t w[4];

	memcpy(w, o->txid, sizeof(w));
	return fold(fold(w[0] ^ c->key[0], w[1] ^ c->key[1]) ^
			    fold(w[2] ^ c->key[2], w[3] ^ c->key[3]) ^ o->vout,
		c->key[0] ^ c->key[2] ^ UINT64_C(0x9e3779b97f4a7c15));
}

static unsigned char tag_of(uint64_t hash)
{
	return (unsigned char)(0x80 | hash >> 57);
}

static size_t find(const struct bb_coins *c, const struct bb_outpoint *o)
{
	const uint64_t hash = hash_outpoint(c, o);
	const unsigned char tag = tag_of(hash);

	for (size_t i = hash & (c->slots - 1);; i = (i + 1) & (c->slots - 1)) {
		if (c->tag[i] == tag && bb_outpoint_equal(&c->slot[i]->outpoint, o))
			return i;
		if (c->tag[i] == EMPTY)
			return NO_SLOT;
	}
}

static void place(struct bb_coins *c, struct bb_coin_entry *e)
{
	const uint64_t hash = hash_outpoint(c, &e->outpoint);
	size_t i = hash & (c->slots - 1);

	while (c->tag[i] > GONE)
		i = (i + 1) & (c->slots - 1);
	c->gone -= c->tag[i] == GONE;
	c->tag[i] = tag_of(hash);
	c->slot[i] = e;
}

/* A table of another size, or of the same without the slots that were left. */
static bool resize(struct bb_coins *c, size_t slots)
{
	const struct bb_coins old = *c;
	struct bb_coin_entry **slot = malloc(slots * sizeof(struct bb_coin_entry *));
	unsigned char *tag = calloc(slots, 1);

	if (!slot || !tag) {
		free(slot);
		free(tag);
		return false;
	}
	c->slot = slot;
	c->tag = tag;
	c->slots = slots;
	c->gone = 0;
	c->bytes += table_bytes(slots) - table_bytes(old.slots);
	for (size_t i = 0; i < old.slots; i++)
		if (old.tag[i] > GONE)
			place(c, old.slot[i]);
	free(old.slot);
	free(old.tag);
	return true;
}

/* The slots for so many entries: at most three quarters are to be taken, and after a change of
 * size at most half. */
static size_t fitting(size_t entries)
{
	size_t slots = MIN_SLOTS;

	while (slots / 2 < entries)
		slots *= 2;
	return slots;
}

static bool make_room(struct bb_coins *c)
{
	if (c->entries + c->gone < c->slots / 4 * 3)
		return true;
	return resize(c, fitting(c->entries + 1));
}

static struct bb_coin_entry *insert(struct bb_coins *c, const struct bb_outpoint *o,
	const struct bb_coin *coin, unsigned char state)
{
	struct bb_coin_entry *e = NULL;

	if (coin->script.len > BB_MAX_SCRIPT || !make_room(c) ||
		!(e = malloc(entry_size(coin->script.len)))) {
		out_of_memory(c);
		return NULL;
	}
	e->value_sat = coin->value_sat;
	e->outpoint = *o;
	e->origin = 2 * (uint32_t)coin->height + coin->coinbase;
	e->script_len = (uint32_t)coin->script.len;
	e->changed = 0;
	e->state = state;
	if (coin->script.len)
		memcpy(e->script, coin->script.data, coin->script.len);
	place(c, e);
	c->entries++;
	c->bytes += entry_bytes(e);
	return e;
}

/* Into the list of changed ones. */
static void mark(struct bb_coins *c, struct bb_coin_entry *e)
{
	if (e->changed)
		return;
	if (c->dirty == c->changed_cap) {
		const size_t cap = c->changed_cap ? 2 * c->changed_cap : MIN_SLOTS;
		struct bb_keyed *changed = realloc(c->changed, cap * sizeof(*changed));
		if (!changed || cap > UINT32_MAX) {
			c->changed = changed ? changed : c->changed;
			out_of_memory(c);
			return;
		}
		c->bytes += (cap - c->changed_cap) * sizeof(*changed);
		c->changed = changed;
		c->changed_cap = cap;
	}
	c->changed[c->dirty++] = (struct bb_keyed){0, {e}};
	e->changed = (uint32_t)c->dirty;
}

/* The n-th of the list, until a flush is done. */
static struct bb_coin_entry *changed_at(const struct bb_coins *c, size_t n)
{
	return (struct bb_coin_entry *)c->changed[n].of.item;
}

/* And out of it: the last one takes its place. */
static void unmark(struct bb_coins *c, struct bb_coin_entry *e)
{
	struct bb_coin_entry *last;

	if (!e->changed)
		return;
	last = changed_at(c, --c->dirty);
	c->changed[e->changed - 1].of.item = last;
	last->changed = e->changed;
	e->changed = 0;
}

static void forget(struct bb_coins *c, size_t i)
{
	struct bb_coin_entry *e = c->slot[i];

	unmark(c, e);
	/* Where no probe goes on behind it, none has to pass over it. */
	if (c->tag[(i + 1) & (c->slots - 1)] == EMPTY) {
		c->tag[i] = EMPTY;
	} else {
		c->tag[i] = GONE;
		c->gone++;
	}
	c->entries--;
	c->bytes -= entry_bytes(e);
	free(e);
}

static void forget_all(struct bb_coins *c)
{
	for (size_t i = 0; i < c->slots; i++)
		if (c->tag[i] > GONE)
			free(c->slot[i]);
	free(c->changed);
	c->changed = NULL;
	c->entries = c->dirty = c->changed_cap = 0;
}

bool bb_coins_init(struct bb_coins *c, struct bb_store *s, size_t budget)
{
	*c = (struct bb_coins){.store = s, .budget = budget};
	return RAND_bytes((unsigned char *)c->key, sizeof(c->key)) == 1 && resize(c, MIN_SLOTS);
}

void bb_coins_free(struct bb_coins *c)
{
	forget_all(c);
	free(c->slot);
	free(c->tag);
	*c = (struct bb_coins){0};
}

/* What the cache knows of it, or the store; NULL: neither. */
static struct bb_coin_entry *look_up(struct bb_coins *c, const struct bb_outpoint *o)
{
	const size_t i = find(c, o);
	unsigned char key[BB_OUTPOINT_MAX];
	struct bb_span value;
	struct bb_coin coin;

	if (i != NO_SLOT)
		return c->slot[i];
	if (!bb_store_get(&value, c->store, BB_COINS, bb_outpoint_key(key, o)))
		return NULL;
	if (!bb_coin_parse(&coin, value)) {
		fail(c, "the store is damaged: not a coin");
		return NULL;
	}
	return insert(c, o, &coin, 0);
}

bool bb_coins_get(struct bb_coin *out, struct bb_coins *c, const struct bb_outpoint *o)
{
	const struct bb_coin_entry *e = look_up(c, o);

	if (!e || (e->state & SPENT))
		return false;
	*out = coin_of(e);
	return true;
}

/* Any coin of that transaction in the store that the cache does not know as spent? */
static bool store_has_tx(struct bb_coins *c, const unsigned char txid[32])
{
	struct bb_cursor at;
	struct bb_outpoint o;
	bool more, found = false;

	if (!bb_cursor_open(&at, c->store, BB_COINS))
		return false;
	for (more = bb_cursor_seek(&at, BB_SPAN(txid, 32)); more && !found;
		more = bb_cursor_next(&at)) {
		size_t i;
		if (at.key.len < 32 || memcmp(at.key.data, txid, 32) != 0)
			break;
		if (!bb_outpoint_from_key(&o, at.key)) {
			fail(c, "the store is damaged: not an outpoint");
			break;
		}
		i = find(c, &o);
		found = i == NO_SLOT || !(c->slot[i]->state & SPENT);
	}
	bb_cursor_close(&at);
	return found;
}

bool bb_coins_have_tx(struct bb_coins *c, const unsigned char txid[32], uint32_t outputs)
{
	struct bb_outpoint o;

	memcpy(o.txid, txid, 32);
	for (o.vout = 0; o.vout < outputs; o.vout++) {
		const size_t i = find(c, &o);
		if (i != NO_SLOT && !(c->slot[i]->state & SPENT))
			return true;
	}
	return store_has_tx(c, txid);
}

bool bb_coins_spend(struct bb_coins *c, const struct bb_outpoint *o)
{
	struct bb_coin_entry *e = look_up(c, o);

	if (!e || (e->state & SPENT))
		return false;
	if (e->state & FRESH) {
		forget(c, find(c, o));
		return true;
	}
	/* Its script stays until the flush: the index has a row by it. */
	e->state |= SPENT;
	mark(c, e);
	return true;
}

/* The key of a coin's row in the script index. */
static struct bb_span unspent_key(
	unsigned char key[8 + BB_OUTPOINT_MAX], const struct bb_coin_entry *e)
{
	bb_script_prefix(key, BB_SPAN(e->script, e->script_len));
	return BB_SPAN(key, 8 + bb_outpoint_key(key + 8, &e->outpoint).len);
}

void bb_coins_add(struct bb_coins *c, const struct bb_outpoint *o, const struct bb_coin *coin)
{
	const size_t i = find(c, o);
	/* Of coinbases alone the store may hold another that has not been looked up (BIP 30).
	 */
	unsigned char state = coin->coinbase ? 0 : FRESH;
	struct bb_coin_entry *e;

	if (i != NO_SLOT) {
		unsigned char key[8 + BB_OUTPOINT_MAX];
		e = c->slot[i];
		state = e->state & FRESH;
		if (!state && !bb_span_equal(BB_SPAN(e->script, e->script_len), coin->script))
			bb_store_del(c->store, BB_UNSPENT, unspent_key(key, e));
		forget(c, i);
	}
	if ((e = insert(c, o, coin, state)))
		mark(c, e);
}

bool bb_coins_full(const struct bb_coins *c)
{
	return c->bytes > c->budget;
}

/* The flush. */

static int compare_outpoints(const void *a, const void *b)
{
	const struct bb_keyed *x = a, *y = b;
	const struct bb_coin_entry *m = x->of.item, *n = y->of.item;
	int order;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	order = memcmp(m->outpoint.txid, n->outpoint.txid, 32);
	if (order)
		return order;
	return m->outpoint.vout < n->outpoint.vout ? -1 : m->outpoint.vout > n->outpoint.vout;
}

/* The list in the order of the table's keys; its entries no longer know their places. */
static bool sort_changed(struct bb_coins *c)
{
	if (bb_keysort(c->changed, c->dirty, compare_outpoints))
		return true;
	out_of_memory(c);
	return false;
}

static bool write_coins(struct bb_coins *c)
{
	unsigned char key[BB_OUTPOINT_MAX];
	struct bb_buf value = {0};
	struct bb_cursor at;

	for (size_t i = 0; i < c->dirty; i++)
		c->changed[i].key = bb_be64(changed_at(c, i)->outpoint.txid);
	if (!sort_changed(c) || !bb_cursor_open(&at, c->store, BB_COINS))
		return false;
	for (size_t i = 0; i < c->dirty; i++) {
		const struct bb_coin_entry *e = changed_at(c, i);
		const struct bb_coin coin = coin_of(e);
		const struct bb_span k = bb_outpoint_key(key, &e->outpoint);
		value.len = 0;
		bb_put_coin(&value, &coin);
		if (value.failed)
			out_of_memory(c);
		if (e->state & SPENT)
			bb_cursor_del(&at, k);
		else
			bb_cursor_put(&at, k, BB_SPAN(value.data, value.len));
	}
	bb_cursor_close(&at);
	bb_buf_free(&value);
	return true;
}

static bool write_unspent(struct bb_coins *c)
{
	unsigned char key[8 + BB_OUTPOINT_MAX];
	struct bb_cursor at;

	for (size_t i = 0; i < c->dirty; i++) {
		const struct bb_coin_entry *e = changed_at(c, i);
		bb_script_prefix(key, BB_SPAN(e->script, e->script_len));
		c->changed[i].key = bb_be64(key);
	}
	if (!sort_changed(c) || !bb_cursor_open(&at, c->store, BB_UNSPENT))
		return false;
	for (size_t i = 0; i < c->dirty; i++) {
		const struct bb_coin_entry *e = changed_at(c, i);
		struct bb_span k;
		bb_key64(key, c->changed[i].key);
		k = BB_SPAN(key, 8 + bb_outpoint_key(key + 8, &e->outpoint).len);
		if (e->state & SPENT)
			bb_cursor_del(&at, k);
		else
			bb_cursor_put(&at, k, BB_SPAN(NULL, 0));
	}
	bb_cursor_close(&at);
	return true;
}

/* What was written is as in the store now; spent coins are in neither. */
static void settle(struct bb_coins *c)
{
	const size_t count = c->dirty;

	c->dirty = 0;
	for (size_t i = 0; i < count; i++) {
		struct bb_coin_entry *e = changed_at(c, i);
		e->changed = 0;
		if (e->state & SPENT)
			forget(c, find(c, &e->outpoint));
		else
			e->state = 0;
	}
}

/* A failure in its midst leaves nothing to go on with but bb_coins_drop. */
void bb_coins_flush(struct bb_coins *c)
{
	if (c->dirty && !c->store->why && write_coins(c) && write_unspent(c))
		settle(c);
}

/* Trimming: what is spent next is mostly what came last. */

enum { AGES = 64 };

/* The height from which on the coins take no more than `bytes`, about. */
static int64_t newest_that_fit(const struct bb_coins *c, size_t bytes)
{
	uint32_t low = UINT32_MAX, high = 0;
	size_t of_age[AGES] = {0}, sum = 0;
	int64_t step, age;

	for (size_t i = 0; i < c->slots; i++)
		if (c->tag[i] > GONE) {
			const uint32_t height = c->slot[i]->origin / 2;
			low = height < low ? height : low;
			high = height > high ? height : high;
		}
	if (low > high)
		return 0;
	step = (high - low) / AGES + 1;
	for (size_t i = 0; i < c->slots; i++)
		if (c->tag[i] > GONE)
			of_age[(high - c->slot[i]->origin / 2) / step] += entry_bytes(
				c->slot[i]);
	for (age = 0; age < AGES && (sum += of_age[age]) <= bytes; age++)
		;
	return (int64_t)high + 1 - age * step;
}

void bb_coins_trim(struct bb_coins *c)
{
	int64_t from;

	if (c->bytes <= c->budget / 2)
		return;
	from = newest_that_fit(c, c->budget / 4);
	for (size_t i = 0; i < c->slots; i++)
		if (c->tag[i] > GONE && !c->slot[i]->changed && c->slot[i]->origin / 2 < from)
			forget(c, i);
	if (!c->dirty) {
		c->bytes -= c->changed_cap * sizeof(*c->changed);
		free(c->changed);
		c->changed = NULL;
		c->changed_cap = 0;
	}
	/* Without memory for a smaller table the larger does. */
	resize(c, fitting(c->entries));
}

void bb_coins_drop(struct bb_coins *c)
{
	forget_all(c);
	memset(c->tag, EMPTY, c->slots);
	c->gone = 0;
	c->bytes = table_bytes(c->slots);
	/* Without memory for a smaller table the larger does. */
	resize(c, MIN_SLOTS);
}
