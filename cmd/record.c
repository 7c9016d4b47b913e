#include "record.h"

#include <string.h>

#include "base/hex.h"

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
