#include "intake.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

enum {
	AHEAD = 4,
	MUCH = 1 << 20,		 /* bytes of verdicts */
	KEPT = 16 << 20,	 /* of a buffer, for the next */
	MAX_IN_FLIGHT = 64 << 20 /* bytes on their way, but for one */
};

/* Making ready: of any thread. */

/* The line without its claims: the ledger knows for itself. */
static bool without_claims(struct bb_json *out, struct bb_arena *a, const struct bb_json *doc)
{
	static const char *const claims[] = {
		"prevouts", "prevtxs", "height", "prev_times", "expected_bits", "now"};
	struct bb_json *copy = bb_arena_array(a, doc->count + 1, sizeof(*copy));
	size_t n = 0;

	if (!copy)
		return false;
	for (const struct bb_json *v = doc->child; v; v = v->next) {
		bool claim = false;
		for (size_t i = 0; i < sizeof(claims) / sizeof(*claims); i++)
			claim = claim || bb_span_is(v->key, claims[i]);
		if (claim)
			continue;
		copy[n] = *v;
		copy[n].next = NULL;
		if (n)
			copy[n - 1].next = &copy[n];
		n++;
	}
	*out = *doc;
	out->child = n ? copy : NULL;
	out->count = n;
	return true;
}

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
	const struct bb_json *hex = bb_json_find(doc, "hex");
	struct bb_json bare;
	struct bb_blockline l;
	const char *why;

	if (hex && !has_fields(doc))
		return hex->type == BB_JSON_STRING && bb_hex_span(bytes, hex->text, &a->arena)
			       ? NULL
			       : "hex is odd or not hex";
	if (!without_claims(&bare, &a->arena, doc))
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

static const char *prepare_line(struct arrival *a)
{
	const struct bb_span text = BB_SPAN(a->text.data, a->text.len);
	const struct bb_json *doc, *from;
	const char *why;

	doc = bb_json_parse(&a->arena, &why, text);
	if (!doc)
		return tool_is_hex(text) ? "malformed JSON (hex goes through bb-decode first)"
					 : why;
	if ((from = bb_json_get(doc, "from")))
		a->from = from->raw;
	if (bb_line_is_block(doc))
		return prepare_block_line(a, doc);
	if (!bb_line_is_header(doc))
		return "neither a block nor a header";
	a->is_header = true;
	return bb_header_from_json(&a->header, &why, &a->arena, doc) ? NULL : why;
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

static void empty(struct bb_buf *b)
{
	if (b->failed || b->cap > KEPT)
		bb_buf_free(b);
	b->len = 0;
}

void intake_forget(struct arrival *a)
{
	empty(&a->text);
	empty(&a->bytes);
	bb_arena_reset(&a->arena);
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

/* Where the chain stands behind it. */
static void put_tip(struct bb_json_writer *w, struct bb_ledger *l)
{
	struct bb_node tip;

	if (!bb_ledger_tip(&tip, l))
		return;
	bb_json_key(w, "tip");
	bb_json_hash(w, tip.id);
	bb_json_key(w, "height");
	bb_json_i64(w, tip.height);
}

/* The ledger's verdict: what bb_put_verdict writes, with `result`, and the tip behind it. */
static void put_verdict(struct intake *k, const struct arrival *a, const struct bb_verdict *v,
	enum bb_outcome r)
{
	struct bb_json_writer w = {.buf = &k->chain->out.buf};

	bb_json_open(&w, '{');
	bb_json_key(&w, "type");
	bb_json_str(&w, "verdict");
	if (a->line) {
		bb_json_key(&w, "line");
		bb_json_i64(&w, (int64_t)a->line);
	}
	bb_json_key(&w, "id");
	bb_json_hash(&w, v->id);
	if (a->from.len) {
		bb_json_key(&w, "from");
		bb_json_raw(&w, a->from);
	}
	bb_json_key(&w, "valid");
	bb_json_bool(&w, v->valid);
	bb_json_key(&w, "result");
	bb_json_str(&w, bb_outcome_name(r));
	bb_json_failure(&w, v);
	bb_json_unjudged(&w, v->unjudged);
	put_tip(&w, &k->ledger);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

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

void intake_tell(struct intake *k, const struct arrival *a, const struct bb_verdict *v,
	enum bb_outcome r)
{
	if (r == BB_OUTCOME_REFUSED)
		raise_status(k, BB_NO);
	if (r == BB_OUTCOME_REFUSED || !k->refused_only)
		put_verdict(k, a, v, r);
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

void intake_take(struct intake *k, struct arrival *a)
{
	const struct bb_known_scripts *mark = a->marked ? &a->mark : NULL;
	struct bb_verdict v;
	enum bb_outcome r;

	k->records++;
	if (a->why) {
		malformed(k, a);
		return;
	}
	if (!(a->is_header ? bb_ledger_add_header(&v, &r, &k->ledger, &a->header)
			   : bb_ledger_add_block(&v, &r, &k->ledger, &a->block, mark))) {
		intake_failed(k);
		return;
	}
	intake_tell(k, a, &v, r);
	if (k->chain->out.buf.len > MUCH || bb_ledger_full(&k->ledger))
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

void intake_send(struct intake *k)
{
	struct arrival *a = intake_room(k);

	a->job = (struct job){.fn = prepare, .arg = a};
	team_post(k->team, &a->job);
	k->bytes += a->text.len;
	k->count++;
	while (k->count == k->depth || (k->count > 1 && k->bytes > MAX_IN_FLIGHT))
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
		seq = chain_last_event(s);
	bb_store_end(s);
	return seq;
}

static bool start_team(struct intake *k)
{
	const unsigned threads = k->chain->threads;

	k->depth = threads > 1 ? AHEAD : 1;
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

bool intake_open(struct intake *k, enum bb_store_mode mode)
{
	struct chain *c = k->chain;
	const char *why;

	if (!k->judge)
		k->judge = intake_take;
	chain_open(c, mode);
	if (k->events)
		k->told = last_event(&c->store);
	if (!bb_ledger_open(&k->ledger, &why, &c->store, &c->network, c->cache)) {
		chain_error(c, 0, BB_SYSTEM, "%s", why);
		return false;
	}
	k->ledger.now = c->now;
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
