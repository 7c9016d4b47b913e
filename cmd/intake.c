#include "intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "ledgerverdict.h"

/* Small ones go in many at a time, so that the threads are not woken for each; of large ones
 * only so many are held. */
enum {
	DEPTH = 64,		  /* on their way */
	AHEAD = 4,		  /* on their way, when they are more than LARGE in all */
	LARGE = 1 << 20,	  /* bytes */
	MAX_IN_FLIGHT = 64 << 20, /* bytes on their way, but for one */
	KEPT = 16 << 20,	  /* of a buffer, for the next */
	KEPT_OF_MANY = 16 << 10,
	MUCH = 1 << 20,		 /* bytes of verdicts */
	MUCH_WAITING = 32 << 20, /* bytes of transactions in one commit */
};

/* Making ready: of any thread. */

/* Does it say anything of the block but its bytes? */
static bool has_fields(const struct bb_json *doc)
{
	static const char *const fields[] = {"tx", "version", "timestamp", "merkle_root",
		"previousblockhash", "nonce", "bits"};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (bb_json_get(doc, fields[i]))
			return true;
	return false;
}

/* A block's bytes, from hex, fields, or both, which must then agree. */
static const char *block_bytes(
	struct bb_span *bytes, struct arrival *a, const struct bb_json *doc)
{
	static const char *const claims[] = {
		"prevouts", "prevtxs", "height", "prev_times", "expected_bits", "now", NULL};
	const struct bb_json *hex = bb_json_find(doc, "hex");
	struct bb_json bare;
	struct bb_blockline l;
	const char *why;

	if (hex && !has_fields(doc))
		return hex->type == BB_JSON_STRING && bb_hex_span(bytes, hex->text, &a->arena)
			       ? NULL
			       : "hex is odd or not hex";
	/* The ledger knows for itself. */
	if (!bb_json_without(&bare, &a->arena, doc, claims))
		return "out of memory";
	if (!bb_blockline_read(&l, &why, &a->arena, &bare))
		return why;
	bb_put_block(&a->bytes, &l.block);
	*bytes = BB_SPAN(a->bytes.data, a->bytes.len);
	return a->bytes.failed ? "out of memory" : NULL;
}

static const char *check_id(const struct arrival *a, const struct bb_json *id)
{
	unsigned char stated[32];

	if (!id)
		return NULL;
	if (id->type != BB_JSON_STRING || !chain_hash(stated, id->text))
		return "id is not a hash";
	return memcmp(stated, a->block.id, 32) == 0 ? NULL : "id does not match";
}

/* What bb-validate --mark found, if it speaks of this block and found it good. */
static void read_mark(struct arrival *a, const struct bb_json *mark)
{
	const struct bb_json *id, *prevouts, *consensus, *height;

	if (!mark || mark->type != BB_JSON_OBJECT)
		return;
	id = bb_json_find(mark, "id");
	prevouts = bb_json_find(mark, "prevouts");
	consensus = bb_json_find(mark, "consensus");
	height = bb_json_find(mark, "height");
	a->mark.height = -1;
	if (!id || check_id(a, id) || !consensus || !bb_json_is(consensus, "OK"))
		return;
	if (height && !bb_json_int(&a->mark.height, height, 0, INT32_MAX))
		return;
	a->marked = prevouts && prevouts->type == BB_JSON_STRING && prevouts->text.len == 64 &&
		    bb_hex_decode(a->mark.prevouts, prevouts->text.data, 32);
}

static const char *prepare_bytes(struct arrival *a, struct bb_span bytes)
{
	const struct bb_network *n = &a->intake->chain->network;

	return bb_incoming_parse(&a->block, &a->arena, bytes, n) ? NULL : "not a block";
}

static const char *prepare_block_line(struct arrival *a, const struct bb_json *doc)
{
	struct bb_span bytes;
	const char *why = block_bytes(&bytes, a, doc);

	if (!why && prepare_bytes(a, bytes))
		why = "hex is not a block";
	if (!why)
		why = check_id(a, bb_json_find(doc, "id"));
	if (!why && a->intake->chain->trust_marks)
		read_mark(a, bb_json_find(doc, "checked"));
	return why;
}

static const char *prepare_order(struct arrival *a, const struct bb_json *doc)
{
	const struct bb_json *id = bb_json_find(doc, "id");

	return id && id->type == BB_JSON_STRING && chain_hash(a->target, id->text)
		       ? NULL
		       : "id is not a hash";
}

static const char *prepare_line(struct arrival *a)
{
	const struct bb_span text = BB_SPAN(a->text.data, a->text.len);
	const bool marks = a->intake->chain->trust_marks;
	const struct bb_json *doc;
	const char *why;

	doc = ledgerline_read(&a->kind, &a->from, &why, &a->arena, text, a->intake->orders);
	if (!doc)
		return why;
	switch (a->kind) {
	case LEDGERLINE_BLOCK: return prepare_block_line(a, doc);
	case LEDGERLINE_TX:
		return arrivaltx_read(&a->tx, &why, &a->arena, doc, marks) ? NULL : why;
	case LEDGERLINE_HEADER:
		return bb_header_from_json(&a->header, &why, &a->arena, doc) ? NULL : why;
	case LEDGERLINE_INVALIDATE:
	case LEDGERLINE_RECONSIDER: break;
	}
	return prepare_order(a, doc);
}

void intake_prepare(struct arrival *a)
{
	if (!a->why && a->text.failed)
		a->why = "out of memory";
	if (!a->why)
		a->why = a->line ? prepare_line(a)
				 : prepare_bytes(a, BB_SPAN(a->text.data, a->text.len));
}

static void prepare(void *arg)
{
	intake_prepare(arg);
}

static void empty(struct bb_buf *b, size_t kept)
{
	if (b->failed || b->cap > kept)
		bb_buf_free(b);
	b->len = 0;
}

void intake_forget(struct arrival *a)
{
	const bool many = a->intake->depth > 1;

	if (many && a->text.len > KEPT_OF_MANY)
		bb_arena_free(&a->arena); /* it is larger still */
	else
		bb_arena_reset(&a->arena);
	empty(&a->text, many ? KEPT_OF_MANY : KEPT);
	empty(&a->bytes, many ? KEPT_OF_MANY : KEPT);
	*a = (struct arrival){
		.text = a->text, .bytes = a->bytes, .arena = a->arena, .intake = a->intake};
}

void intake_free(struct arrival *a)
{
	bb_buf_free(&a->text);
	bb_buf_free(&a->bytes);
	bb_arena_free(&a->arena);
}

/* Verdicts. */

static void raise_status(struct intake *k, enum bb_status status)
{
	bb_lines_status(&k->chain->in, status);
	k->stop = k->stop || k->chain->in.fail_fast;
}

static void speak(struct intake *k)
{
	if (k->speak)
		k->speak(k->arg);
}

static void malformed(struct intake *k, const struct arrival *a)
{
	struct bb_verdict v = {.error = "malformed-line"};

	if (k->refused_only) {
		speak(k);
		bb_lines_report(&k->chain->in, a->line, BB_CALLER, a->why, a->from);
	} else {
		strncat(v.detail, a->why, sizeof(v.detail) - 1);
		bb_put_verdict(&k->chain->out.buf, &v, a->line, a->from, false);
	}
	raise_status(k, BB_CALLER);
}

/* Is this one to be told? `tip` is where the chain stands behind it. */
static bool to_tell(struct ledgerverdict *around, struct bb_node *tip, struct intake *k,
	const struct arrival *a, bool refused)
{
	if (refused)
		raise_status(k, BB_NO);
	else if (k->refused_only)
		return false;
	*around = (struct ledgerverdict){.line = a->line, .from = a->from};
	if (bb_ledger_tip(tip, &k->ledger))
		around->tip = tip;
	return true;
}

void intake_tell(struct intake *k, const struct arrival *a, const struct bb_verdict *v,
	enum bb_outcome r)
{
	struct ledgerverdict around;
	struct bb_node tip;

	if (to_tell(&around, &tip, k, a, r == BB_OUTCOME_REFUSED))
		ledgerverdict_put(&k->chain->out.buf, &around, v, r);
}

/* Judging. */

void intake_failed(struct intake *k)
{
	speak(k);
	k->chain->out.buf.len = 0;
	chain_failed(k->chain);
	k->stop = k->failed = true;
}

/* The events since those told last; between transactions. */
static void put_events(struct intake *k)
{
	struct bb_store *s = &k->chain->store;
	struct bb_event e;

	if (!bb_store_begin(s))
		return;
	while (bb_event_after(&e, s, k->told)) {
		bb_put_event(&k->chain->out.buf, &e);
		k->told = e.seq;
	}
	bb_store_end(s);
}

static void settle(struct intake *k, bool (*commit)(struct bb_ledger *l))
{
	struct chain *c = k->chain;
	const bool news = c->store.txn;

	if (k->failed)
		return;
	k->waiting = 0;
	if (news && !commit(&k->ledger)) {
		intake_failed(k);
		return;
	}
	if (news && k->events)
		put_events(k);
	if (c->out.buf.len)
		speak(k);
	k->stop = !bb_sink_flush(&c->out) || k->stop;
	if (c->store.why)
		intake_failed(k);
}

void intake_commit(struct intake *k)
{
	settle(k, bb_ledger_commit);
}

bool intake_knows(struct intake *k, const unsigned char id[32])
{
	struct bb_node n;

	bb_ledger_tip(&n, &k->ledger); /* within a transaction from here on */
	return bb_tree_find(&n, &k->chain->store, id);
}

/* False: the store failed. */

static bool take_block(struct intake *k, struct arrival *a)
{
	const struct bb_known_scripts *mark = a->marked ? &a->mark : NULL;
	struct bb_verdict v;
	enum bb_outcome r;

	if (!(a->kind == LEDGERLINE_HEADER
			    ? bb_ledger_add_header(&v, &r, &k->ledger, &a->header)
			    : bb_ledger_add_block(&v, &r, &k->ledger, &a->block, mark)))
		return false;
	intake_tell(k, a, &v, r);
	return true;
}

static bool take_tx(struct intake *k, struct arrival *a)
{
	struct ledgerverdict around;
	struct bb_acceptance r;
	struct bb_node tip;

	if (!bb_ledger_add_tx(&r, &k->ledger, &a->arena, a->tx.tx))
		return false;
	if (to_tell(&around, &tip, k, a, !r.verdict.valid))
		ledgerverdict_put_tx(&k->chain->out.buf, &around, &r);
	return true;
}

static bool take_package(struct intake *k, struct arrival *a)
{
	struct bb_package_acceptance r;
	struct ledgerverdict around;
	struct bb_node tip;

	if (!bb_ledger_add_package(&r, &k->ledger, &a->arena, a->tx.tx, a->tx.count))
		return false;
	if (to_tell(&around, &tip, k, a, r.error[0]))
		ledgerverdict_put_package(&k->chain->out.buf, &around, &r);
	return true;
}

static bool take_order(struct intake *k, struct arrival *a)
{
	struct bb_verdict v;
	enum bb_outcome r;

	if (!(a->kind == LEDGERLINE_INVALIDATE
			    ? bb_ledger_invalidate(&v, &r, &k->ledger, a->target)
			    : bb_ledger_reconsider(&v, &r, &k->ledger, a->target)))
		return false;
	intake_tell(k, a, &v, r);
	return true;
}

static bool take(struct intake *k, struct arrival *a)
{
	switch (a->kind) {
	case LEDGERLINE_BLOCK:
	case LEDGERLINE_HEADER: return take_block(k, a);
	case LEDGERLINE_INVALIDATE:
	case LEDGERLINE_RECONSIDER: return take_order(k, a);
	case LEDGERLINE_TX: break;
	}
	k->waiting += a->text.len / 2; /* most of it is hex */
	return a->tx.package ? take_package(k, a) : take_tx(k, a);
}

void intake_take(struct intake *k, struct arrival *a)
{
	k->records++;
	if (a->why) {
		malformed(k, a);
		return;
	}
	if (!take(k, a)) {
		intake_failed(k);
		return;
	}
	if (k->chain->out.buf.len > MUCH || k->waiting > MUCH_WAITING ||
		bb_ledger_full(&k->ledger))
		intake_commit(k);
}

/* The ring. */

static void judge_oldest(struct intake *k)
{
	struct arrival *a = &k->ring[k->first];

	team_finish(k->team, &a->job);
	if (!k->stop)
		k->judge(k, a);
	k->bytes -= a->text.len;
	k->first = (k->first + 1) % k->depth;
	k->count--;
	intake_forget(a);
}

struct arrival *intake_room(struct intake *k)
{
	return &k->ring[(k->first + k->count) % k->depth];
}

/* Are as many on their way as may be? */
static bool is_full(const struct intake *k)
{
	return k->count == k->depth || (k->count >= AHEAD && k->bytes > LARGE) ||
	       (k->count > 1 && k->bytes > MAX_IN_FLIGHT);
}

void intake_send(struct intake *k)
{
	struct arrival *a = intake_room(k);
	size_t most;

	a->job = (struct job){.fn = prepare, .arg = a};
	team_post(k->team, &a->job);
	k->bytes += a->text.len;
	k->count++;
	/* Of small ones several are judged in a row while others are made ready. */
	most = k->count == k->depth ? k->depth / 2 : k->count;
	while (k->count > most || is_full(k))
		judge_oldest(k);
}

void intake_line(struct intake *k, struct bb_span line, uint64_t number)
{
	struct arrival *a = intake_room(k);

	a->line = number;
	a->why = line.data ? NULL : "line too long";
	bb_put(&a->text, line.data, line.len);
	intake_send(k);
}

void intake_drain(struct intake *k)
{
	while (k->count)
		judge_oldest(k);
}

/* Opening and closing. */

static uint64_t last_event(struct bb_store *s)
{
	uint64_t seq = 0;

	if (bb_store_begin(s))
		seq = bb_event_last(s);
	bb_store_end(s);
	return seq;
}

static bool start_team(struct intake *k)
{
	const unsigned threads = k->chain->threads;

	k->depth = threads > 1 ? DEPTH : 1;
	k->ring = calloc(k->depth, sizeof(*k->ring));
	k->team = k->ring ? team_new(threads) : NULL;
	if (!k->team) {
		chain_error(k->chain, 0, BB_SYSTEM, "cannot start %u threads", threads);
		return false;
	}
	for (size_t i = 0; i < k->depth; i++)
		k->ring[i].intake = k;
	k->ledger.parallel = threads > 1 ? team_parallel(k->team) : NULL;
	return true;
}

bool intake_open(struct intake *k)
{
	struct chain *c = k->chain;
	const char *why;

	if (!k->judge)
		k->judge = intake_take;
	if (k->events)
		k->told = last_event(&c->store);
	if (!bb_ledger_open(&k->ledger, &why, &c->store, &c->network, c->cache)) {
		chain_error(c, 0, BB_SYSTEM, "%s", why);
		return false;
	}
	k->ledger.now = c->now;
	k->ledger.pool.policy = &c->policy;
	if (start_team(k))
		return true;
	bb_ledger_close(&k->ledger);
	free(k->ring);
	return false;
}

void intake_close(struct intake *k)
{
	intake_drain(k);
	for (size_t i = 0; i < k->depth; i++)
		intake_free(&k->ring[i]);
	free(k->ring);
	settle(k, bb_ledger_finish);
	team_free(k->team);
	bb_ledger_close(&k->ledger);
}
