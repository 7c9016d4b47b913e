/* Transactions that come: each is asked for from one peer at a time (asks.c), and handed to the
 * ledger once. */

#include "net/flood_inside.h"

#include <stddef.h>
#include <stdlib.h>

#include "ledger/pool.h"

enum {
	REFUSED_MAX = 120000, /* as Core's filter of recent rejects */
	ORPHANS_MAX = 10000,
	ORPHANS_MS = 2000,  /* between looks at what became of them */
	PARENTS_MAX = 2500, /* inputs: more has no transaction of standard weight */
	BEHIND = 6,	    /* blocks: further behind, no transaction can be judged */
	STILL_MS = 30000,   /* so long no block came: there are none to come */
	MALFORMED_SCORE = 20,
	CONSENSUS_SCORE = 10,
};

/* On its way through the ledger. */
struct handed {
	struct bb_id_entry by_wtxid, by_txid;
	uint64_t from;
	struct others others;
	size_t count;
	struct bb_outpoint spends[];
};

/* Those on the way through the ledger. */

static struct handed *handed_of(struct bb_id_entry *by_wtxid)
{
	return (struct handed *)((char *)by_wtxid - offsetof(struct handed, by_wtxid));
}

static struct handed *handed_of_txid(struct bb_id_entry *by_txid)
{
	return (struct handed *)((char *)by_txid - offsetof(struct handed, by_txid));
}

static void remember(struct flood *f, const struct handed *about, const struct bb_tx *tx)
{
	const size_t count = tx->in_count < PARENTS_MAX ? tx->in_count : PARENTS_MAX;
	struct handed *t = malloc(sizeof(*t) + count * sizeof(t->spends[0]));

	if (!t)
		return;
	*t = *about;
	t->count = count;
	for (size_t i = 0; i < count; i++)
		t->spends[i] = tx->in[i].prevout;
	bb_id_add(&f->wtxids, &t->by_wtxid);
	bb_id_add(&f->txids, &t->by_txid);
}

static struct handed *recall(struct flood *f, const unsigned char wtxid[32])
{
	struct bb_id_entry *e = bb_id_find(&f->wtxids, wtxid);
	struct handed *t;

	if (!e)
		return NULL;
	t = handed_of(e);
	bb_id_del(&f->wtxids, &t->by_wtxid);
	bb_id_del(&f->txids, &t->by_txid);
	return t;
}

/* Orphans. */

static void remember_orphan(struct flood *f, const struct handed *t)
{
	struct orphan *o;

	if (f->orphans.count >= ORPHANS_MAX || bb_id_find(&f->orphans, t->by_txid.id) ||
		!(o = malloc(sizeof(*o))))
		return;
	*o = (struct orphan){.from = t->from, .others = t->others, .next = f->some_orphan};
	memcpy(o->wtxid, t->by_wtxid.id, 32);
	memcpy(o->entry.id, t->by_txid.id, 32);
	bb_id_add(&f->orphans, &o->entry);
	f->some_orphan = o;
}

static void forget_orphan(struct flood *f, struct orphan **at)
{
	struct orphan *o = *at;

	*at = o->next;
	bb_id_del(&f->orphans, &o->entry);
	free(o);
}

/* The whole. */

bool flood_new(struct bb_hub *h)
{
	struct flood *f = h->flood = calloc(1, sizeof(*f));

	return f && asks_init(&f->asks) && bb_id_table_init(&f->wtxids) &&
	       bb_id_table_init(&f->txids) && bb_id_table_init(&f->orphans) &&
	       bb_seen_init(&f->refused, REFUSED_MAX) && bb_seen_init(&f->given, REFUSED_MAX);
}

void flood_free(struct bb_hub *h)
{
	struct flood *f = h->flood;
	struct bb_id_entry *e;

	while ((e = bb_id_any(&f->wtxids))) {
		bb_id_del(&f->wtxids, e);
		free(handed_of(e));
	}
	while (f->some_orphan)
		forget_orphan(f, &f->some_orphan);
	asks_free(&f->asks);
	bb_id_table_free(&f->orphans);
	bb_id_table_free(&f->wtxids);
	bb_id_table_free(&f->txids);
	bb_seen_free(&f->refused);
	bb_seen_free(&f->given);
	free(f);
	h->flood = NULL;
}

/* What is known. Within a transaction of the store. */

/* The index by txid shows it with 8 bytes, which nobody finds a second time. */
static bool is_mined(struct bb_hub *h, const unsigned char txid[32])
{
	struct bb_cursor c;
	bool found;

	if (!bb_cursor_open(&c, h->store, BB_TXS))
		return false;
	found = bb_cursor_seek(&c, BB_SPAN(txid, 8)) && c.key.len >= 8 &&
		memcmp(c.key.data, txid, 8) == 0;
	bb_cursor_close(&c);
	return found;
}

static bool is_at_hand(struct bb_hub *h, const unsigned char txid[32])
{
	const struct flood *f = h->flood;

	return bb_seen_has(&f->refused, txid) || bb_pool_number(h->store, txid) ||
	       is_mined(h, txid);
}

/* Asking. */

void flood_consider(struct bb_hub *h, struct peer *p, const unsigned char txid[32], bool news)
{
	struct bb_id_entry *e = bb_id_find(&h->flood->txids, txid);
	struct orphan *o = (struct orphan *)bb_id_find(&h->flood->orphans, txid);

	if (asks_note(h, p, txid, news))
		return;
	if (e)
		others_note(h, &handed_of_txid(e)->others, handed_of_txid(e)->from, p, news);
	else if (o)
		others_note(h, &o->others, o->from, p, news);
	else if (!is_at_hand(h, txid))
		asks_begin(h, p, txid);
}

/* A transaction cannot be judged far behind the tip. */
static bool is_behind(const struct bb_hub *h, const struct peer *p)
{
	return h->height + BEHIND < p->version.height &&
	       h->now_ms - h->flood->tip_ms < STILL_MS;
}

void flood_ready(struct bb_hub *h, struct peer *p)
{
	p->ask_mempool = true;
	if (!h->flood->tip_ms)
		h->flood->tip_ms = h->now_ms;
}

void flood_inv(struct bb_hub *h, struct peer *p, const struct bb_inv *items, size_t count)
{
	const bool able = !is_behind(h, p) && hub_begin(h);
	bool news;

	for (size_t i = 0; i < count; i++) {
		if (items[i].kind != BB_INV_TX)
			continue;
		news = bb_seen_add(&p->knows, items[i].id);
		if (able)
			flood_consider(h, p, items[i].id, news);
		else
			p->ask_mempool = true;
	}
	if (able)
		hub_end(h);
	asks_send(h, p);
}

void flood_notfound(struct bb_hub *h, struct peer *p, const struct bb_inv *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].kind == BB_INV_TX)
			asks_lacking(h, p, items[i].id);
}

void flood_peer_gone(struct bb_hub *h, struct peer *p)
{
	asks_peer_gone(h, p);
}

/* Transactions. */

static bool is_news(
	struct bb_hub *h, const unsigned char txid[32], const unsigned char wtxid[32])
{
	const struct flood *f = h->flood;
	bool known;

	if (bb_id_find(&f->wtxids, wtxid) || bb_seen_has(&f->given, wtxid))
		return false;
	if (!hub_begin(h))
		return true;
	known = is_at_hand(h, txid) ||
		bb_store_has(h->store, BB_POOL_ORPHANS, BB_SPAN(wtxid, 32));
	hub_end(h);
	return !known;
}

/* Who sends it unasked spares nobody to send it: his may be spoilt. */
static struct others arrived(struct bb_hub *h, struct peer *p, const unsigned char txid[32])
{
	struct others others = {.count = 0};

	bb_seen_add(&p->knows, txid);
	if (asks_arrived(&others, h, p, txid)) {
		p->tx_ms = h->now_ms;
		p->allowance++;
	}
	return others;
}

void flood_tx(struct bb_hub *h, struct peer *p, struct bb_span bytes)
{
	struct handed t = {.from = p->connection};
	struct bb_tx tx;

	if (!bb_tx_parse(&tx, bytes, &h->arena)) {
		hub_blame(h, p, MALFORMED_SCORE, "a transaction that cannot be read");
		return;
	}
	bb_tx_txid(t.by_txid.id, &tx);
	bb_tx_wtxid(t.by_wtxid.id, &tx);
	t.others = arrived(h, p, t.by_txid.id);
	if (!is_news(h, t.by_txid.id, t.by_wtxid.id))
		return;
	remember(h->flood, &t, &tx);
	/* Known by its wtxid: who sends it with a spoilt witness does not stand in its way. */
	hub_to_chain(h, p, BB_MSG_TX, t.by_wtxid.id, bytes);
}

/* Verdicts. */

static bool begins(struct bb_span text, const char *with)
{
	const size_t len = strlen(with);

	return text.len >= len && memcmp(text.data, with, len) == 0;
}

static bool begins_with_one(struct bb_span text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (begins(text, words[i]))
			return true;
	return false;
}
#define BEGINS_WITH_ONE(text, words)                                                           \
	begins_with_one(text, words, sizeof(words) / sizeof(*(words)))

/* Rules of the chain that no honest node's transaction breaks: those of "bad-txns-" but what
 * depends on the chain's state, or is policy. */
static bool breaks_rules(struct bb_span error)
{
	static const char *const other[] = {"bad-txns-inputs-missingorspent",
		"bad-txns-premature-spend", "bad-txns-nonstandard-inputs",
		"bad-txns-too-many-sigops", "bad-txns-spends-conflicting", "bad-txns-nonfinal"};

	return begins(error, "bad-txns-") && !BEGINS_WITH_ONE(error, other);
}

/* Would it be refused with any witness? Its fee rate, its size, its sigops and its scripts
 * depend on it; without one it may have lost its own. */
static bool is_refused_whatever_witness(struct bb_span error)
{
	static const char *const reasons[] = {"bad-txns-nonstandard-inputs", "bad-cb-",
		"coinbase", "version", "scriptpubkey", "dust", "datacarrier", "bare-multisig",
		"scriptsig-", "tx-size-small", "non-final", "non-BIP68-final",
		"bad-txns-premature-spend", "txn-mempool-conflict"};

	return breaks_rules(error) || BEGINS_WITH_ONE(error, reasons);
}

static void ask_for_parents(struct bb_hub *h, struct peer *p, const struct handed *t)
{
	struct bb_coin coin;

	if (!hub_begin(h))
		return;
	for (size_t i = 0; i < t->count; i++)
		if (!bb_query_coin(&coin, h->store, &t->spends[i]))
			flood_consider(h, p, t->spends[i].txid, true);
	hub_end(h);
	asks_send(h, p);
}

/* Others may have it with another witness. */
static void ask_others(
	struct bb_hub *h, const struct others *others, const unsigned char txid[32])
{
	struct peer *p;

	if (!others->count || !hub_begin(h))
		return;
	for (unsigned i = 0; i < others->count; i++)
		if ((p = hub_peer(h, others->at[i])))
			flood_consider(h, p, txid, true);
	hub_end(h);
}

static void refused(struct bb_hub *h, const struct handed *t, struct bb_span error)
{
	struct peer *p = hub_peer(h, t->from);

	bb_seen_add(&h->flood->given, t->by_wtxid.id);
	if (is_refused_whatever_witness(error))
		bb_seen_add(&h->flood->refused, t->by_txid.id);
	else
		ask_others(h, &t->others, t->by_txid.id);
	if (p && breaks_rules(error))
		hub_blame(h, p, CONSENSUS_SCORE, "a transaction against the rules");
}

static void accepted(struct bb_hub *h, const struct handed *t)
{
	struct peer *p = hub_peer(h, t->from);

	if (p)
		p->tx_good_ms = h->now_ms;
}

static void became_orphan(struct bb_hub *h, const struct handed *t)
{
	struct peer *p = hub_peer(h, t->from);

	remember_orphan(h->flood, t);
	if (p)
		ask_for_parents(h, p, t);
}

void flood_verdict(struct bb_hub *h, const struct bb_owner *who, struct bb_span result,
	struct bb_span error)
{
	struct handed *t = recall(h->flood, who->id);

	if (!t)
		return;
	/* Who hands in what waits already wants it told, to those who do not know it. */
	if (bb_span_is(result, "duplicate"))
		announce(h, t->by_txid.id);
	else if (bb_span_is(result, "orphan"))
		became_orphan(h, t);
	else if (bb_span_is(result, "accepted"))
		accepted(h, t);
	else
		refused(h, t, error);
	free(t);
}

/* What was refused may be good on another tip, as in Core. */
void flood_tip(struct bb_hub *h)
{
	struct flood *f = h->flood;

	f->tip_ms = h->now_ms;
	bb_seen_clear(&f->refused);
	bb_seen_clear(&f->given);
}

/* Time. */

/* Once its parents are there, the ledger says nothing of one that is refused, and nothing of
 * one that has to make room. It may have come with a spoilt witness, so that others are asked
 * for it. */
static void check_orphans(struct bb_hub *h)
{
	struct flood *f = h->flood;
	struct orphan **at = &f->some_orphan;

	if (!f->some_orphan || h->now_ms - f->orphans_ms < ORPHANS_MS || !hub_begin(h))
		return;
	f->orphans_ms = h->now_ms;
	while (*at && h->store->pool_fits) {
		struct orphan gone = **at;
		if (bb_store_has(h->store, BB_POOL_ORPHANS, BB_SPAN(gone.wtxid, 32))) {
			at = &(*at)->next;
			continue;
		}
		forget_orphan(f, at);
		ask_others(h, &gone.others, gone.entry.id);
	}
	hub_end(h);
}

static void tick_peer(struct bb_hub *h, struct peer *p)
{
	if (p->ask_mempool && h->store && !is_behind(h, p)) {
		p->ask_mempool = false;
		hub_send(h, p, &(struct bb_message){.kind = BB_MSG_MEMPOOL});
	}
	asks_more(h, p);
	asks_send(h, p);
}

uint64_t flood_tick(struct bb_hub *h)
{
	uint64_t again;

	check_orphans(h);
	again = asks_tick(h);
	for (struct peer *p = h->peers; p; p = p->next) {
		if (p->ready)
			tick_peer(h, p);
	}
	return again;
}
