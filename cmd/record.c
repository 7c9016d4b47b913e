#include "record.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/script.h"

enum record_type record_type(const struct tool *t, const char *name)
{
	static const char *const names[] = {[RECORD_TX] = "tx",
		[RECORD_BLOCK] = "block",
		[RECORD_HEADER] = "header",
		[RECORD_SCRIPT] = "script",
		[RECORD_ADDRESS] = "address"};

	for (enum record_type i = RECORD_TX; i <= RECORD_ADDRESS; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	tool_usage(t, "--type is not tx, block, header, script or address: %s", name);
}

static bool bad(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

/* Prevouts of which nothing is known. */
static struct bb_prevout *unknown_prevouts(struct bb_arena *a, size_t count)
{
	struct bb_prevout *p = bb_arena_array(a, count + 1, sizeof(*p));
	const char *why;

	for (size_t i = 0; p && i < count; i++)
		bb_prevout_from_json(&p[i], &why, a, NULL);
	return p;
}

static bool tx_from_bytes(struct record *r, struct bb_arena *a, struct bb_span bytes)
{
	r->type = RECORD_TX;
	r->tx = (struct bb_txline){.at_height = -1, .at_mtp = -1};
	return bb_tx_parse(&r->tx.tx, bytes, a) &&
	       (r->tx.prevouts = unknown_prevouts(a, r->tx.tx.in_count));
}

static bool block_from_bytes(struct record *r, struct bb_arena *a, struct bb_span bytes)
{
	r->type = RECORD_BLOCK;
	r->block = (struct bb_blockline){
		.claims = {.height = -1, .expected_bits = -1, .now = -1}};
	if (!bb_block_parse(&r->block.block, bytes, a))
		return false;
	r->block.prevout_count = bb_block_spends(&r->block.block);
	r->block.all_known = r->block.prevout_count == 0;
	return (r->block.prevouts = unknown_prevouts(a, r->block.prevout_count));
}

static bool header_from_bytes(struct record *r, struct bb_span bytes)
{
	r->type = RECORD_HEADER;
	return bb_header_parse(&r->header, bytes);
}

bool record_from_bytes(struct record *r, const char **why, struct bb_arena *a,
	struct bb_span bytes, enum record_type type)
{
	r->doc = NULL;
	switch (type) {
	case RECORD_TX: return tx_from_bytes(r, a, bytes) || bad(why, "not a transaction");
	case RECORD_BLOCK: return block_from_bytes(r, a, bytes) || bad(why, "not a block");
	case RECORD_HEADER:
		return header_from_bytes(r, bytes) || bad(why, "not a header of 80 bytes");
	case RECORD_SCRIPT:
	case RECORD_ADDRESS:
		r->type = type;
		r->script = bytes;
		return true;
	case RECORD_ANY: break;
	}
	return tx_from_bytes(r, a, bytes) || block_from_bytes(r, a, bytes) ||
	       header_from_bytes(r, bytes) || bad(why, "not a transaction, block or header");
}

bool record_from_address(struct record *r, const char **why, struct bb_arena *a,
	struct bb_span address, const struct bb_network *n)
{
	struct bb_buf script = {0};
	bool good = bb_address_script(&script, why, address, n);

	r->doc = NULL;
	r->type = RECORD_ADDRESS;
	if (good)
		r->script = bb_arena_copy(a, BB_SPAN(script.data, script.len));
	bb_buf_free(&script);
	return good && (r->script.data || bad(why, "out of memory"));
}

/* A script's line: its bytes, its address, or both, which must then agree. */
static bool script_from_json(struct record *r, const char **why, struct bb_arena *a,
	const struct bb_json *doc, const struct bb_network *n)
{
	const struct bb_json *hex = bb_json_find(doc, "hex");
	const struct bb_json *address = bb_json_find(doc, "address");
	struct bb_span script;

	if (!hex && !address)
		return bad(why, "a script needs hex or address");
	if (hex && (hex->type != BB_JSON_STRING || !bb_hex_span(&script, hex->text, a)))
		return bad(why, "hex is odd or not hex");
	if (address && address->type != BB_JSON_STRING)
		return bad(why, "address is not a string");
	if (address && !record_from_address(r, why, a, address->text, n))
		return false;
	if (hex && address && !bb_span_equal(script, r->script))
		return bad(why, "hex and address do not agree");
	if (hex)
		r->script = script;
	return true;
}

/* What a line is: by its type, by its keys, or by the bytes in its hex. */
static enum record_type type_of(struct bb_arena *a, const struct bb_json *doc)
{
	const struct bb_json *type = bb_json_find(doc, "type");
	const struct bb_json *hex = bb_json_find(doc, "hex");
	struct bb_span bytes;
	struct record r;
	const char *why;

	if (bb_json_is(type, "script"))
		return RECORD_SCRIPT;
	if (bb_line_is_block(doc))
		return RECORD_BLOCK;
	if (bb_line_is_header(doc))
		return RECORD_HEADER;
	if (type || bb_json_find(doc, "vin"))
		return bb_line_is_tx(doc) ? RECORD_TX : RECORD_ANY;
	if (hex && hex->type == BB_JSON_STRING && bb_hex_span(&bytes, hex->text, a) &&
		record_from_bytes(&r, &why, a, bytes, RECORD_ANY))
		return r.type;
	return RECORD_ANY;
}

bool record_from_json(struct record *r, const char **why, struct bb_arena *a,
	const struct bb_json *doc, enum record_type type, const struct bb_network *n)
{
	bool good = false;

	if (type == RECORD_ANY)
		type = type_of(a, doc);
	else if (type != RECORD_ADDRESS && bb_json_find(doc, "type") && type_of(a, doc) != type)
		return bad(why, "a line of another type");
	switch (type) {
	case RECORD_TX: good = bb_txline_read(&r->tx, why, a, doc); break;
	case RECORD_BLOCK: good = bb_blockline_read(&r->block, why, a, doc); break;
	case RECORD_HEADER: good = bb_header_from_json(&r->header, why, a, doc); break;
	case RECORD_SCRIPT:
	case RECORD_ADDRESS: good = script_from_json(r, why, a, doc, n); break;
	case RECORD_ANY: *why = "not a transaction, block, header or script"; break;
	}
	r->type = type;
	r->doc = doc;
	return good;
}

void record_put_bytes(struct bb_buf *b, const struct record *r)
{
	switch (r->type) {
	case RECORD_TX: bb_put_tx(b, &r->tx.tx, true); break;
	case RECORD_BLOCK: bb_put_block(b, &r->block.block); break;
	case RECORD_HEADER: bb_put_header(b, &r->header); break;
	default: bb_put(b, r->script.data, r->script.len); break;
	}
}

/* Writing lines. */

static void member_type(struct bb_json_writer *w, const char *type)
{
	bb_json_key(w, "type");
	bb_json_str(w, type);
}

static void member_hex(
	struct bb_json_writer *w, struct record_writer *o, const struct record *r)
{
	o->bytes.len = 0;
	record_put_bytes(&o->bytes, r);
	w->buf->failed |= o->bytes.failed;
	bb_json_key(w, "hex");
	bb_json_hex(w, BB_SPAN(o->bytes.data, o->bytes.len));
}

static void others(
	struct bb_json_writer *w, const struct bb_json *doc, const char *const *known)
{
	if (doc)
		bb_json_others(w, doc, known);
}

static bool any_known(const struct bb_prevout *prevouts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (prevouts[i].known)
			return true;
	return false;
}

/* The members of inputs that the bytes do not hold, partial signatures among them. */
static void member_partial_inputs(struct bb_json_writer *w, const struct bb_json *vin)
{
	static const char *const known[] = {"txid", "vout", "prevout", "scriptsig",
		"scriptsig_asm", "witness", "is_coinbase", "sequence", "inner_redeemscript_asm",
		"inner_witnessscript_asm", NULL};
	const struct bb_json_writer before = *w;
	const size_t len = w->buf->len;
	bool any = false;

	bb_json_key(w, "vin");
	bb_json_open(w, '[');
	for (const struct bb_json *v = vin ? vin->child : NULL; v; v = v->next) {
		bb_json_open(w, '{');
		bb_json_others(w, v, known);
		any |= w->comma; /* something stands in the braces */
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
	if (!any) {
		*w = before;
		w->buf->len = len;
	}
}

static void put_tx(struct bb_json_writer *w, struct record_writer *o, const struct record *r)
{
	/* A stated fee stays where it cannot be computed. */
	static const char *const known[] = {"type", "hex", "txid", "wtxid", "version",
		"locktime", "vin", "vout", "size", "weight", "prevouts", "fee", NULL};
	static const char *const known_but_fee[] = {"type", "hex", "txid", "wtxid", "version",
		"locktime", "vin", "vout", "size", "weight", "prevouts", NULL};
	const struct bb_txline *l = &r->tx;

	member_type(w, "tx");
	if (o->lean) {
		member_hex(w, o, r);
		if (any_known(l->prevouts, l->tx.in_count))
			bb_json_prevouts(w, l->prevouts, l->tx.in_count);
		member_partial_inputs(w, l->vin);
	} else {
		bb_json_tx(w, &l->tx, l->prevouts, l->vin, o->network);
	}
	others(w, r->doc, l->all_known || bb_tx_is_coinbase(&l->tx) ? known : known_but_fee);
}

static void put_block(struct bb_json_writer *w, struct record_writer *o, const struct record *r)
{
	static const char *const known[] = {"type", "hex", "id", "version", "timestamp",
		"tx_count", "size", "weight", "merkle_root", "previousblockhash", "nonce",
		"bits", "difficulty", "tx", "prevouts", "height", "mediantime", NULL};
	static const char *const known_lean[] = {"type", "hex", "id", "version", "timestamp",
		"tx_count", "size", "weight", "merkle_root", "previousblockhash", "nonce",
		"bits", "difficulty", "tx", "prevouts", NULL};
	const struct bb_blockline *l = &r->block;

	member_type(w, "block");
	if (o->lean) {
		member_hex(w, o, r);
		if (l->all_known || any_known(l->prevouts, l->prevout_count))
			bb_json_prevouts(w, l->prevouts, l->prevout_count);
	} else {
		bb_json_block(w, l, o->network);
	}
	others(w, r->doc, o->lean ? known_lean : known);
}

static void put_header(
	struct bb_json_writer *w, struct record_writer *o, const struct record *r)
{
	static const char *const known[] = {"type", "hex", "id", "version", "timestamp",
		"merkle_root", "previousblockhash", "nonce", "bits", "difficulty", NULL};

	member_type(w, "header");
	if (o->lean)
		member_hex(w, o, r);
	else
		bb_json_header(w, &r->header);
	others(w, r->doc, known);
}

static void put_script(
	struct bb_json_writer *w, struct record_writer *o, const struct record *r)
{
	static const char *const known[] = {
		"type", "hex", "asm", "scripttype", "address", NULL};

	member_type(w, "script");
	member_hex(w, o, r);
	o->bytes.len = 0;
	bb_put_asm(&o->bytes, r->script);
	bb_json_key(w, "asm");
	bb_json_text(w, BB_SPAN(o->bytes.data, o->bytes.len));
	bb_json_key(w, "scripttype");
	bb_json_str(w, bb_script_type_name(bb_script_type(r->script)));
	o->bytes.len = 0;
	if (bb_put_address(&o->bytes, r->script, o->network)) {
		bb_json_key(w, "address");
		bb_json_text(w, BB_SPAN(o->bytes.data, o->bytes.len));
	}
	others(w, r->doc, known);
}

void record_put_line(struct bb_buf *out, struct record_writer *o, const struct record *r)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	switch (r->type) {
	case RECORD_TX: put_tx(&w, o, r); break;
	case RECORD_BLOCK: put_block(&w, o, r); break;
	case RECORD_HEADER: put_header(&w, o, r); break;
	default: put_script(&w, o, r);
	}
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}
