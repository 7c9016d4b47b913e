#include "bitcoin/sighash.h"

#include <string.h>

#include "bitcoin/script.h"

void bb_sighash_cache_init(
	struct bb_sighash_cache *c, const struct bb_tx *tx, const struct bb_prevout *prevouts)
{
	c->tx = tx;
	c->prevouts = prevouts;
	c->all_known = true;
	for (size_t i = 0; i < tx->in_count; i++)
		c->all_known &= prevouts[i].known;
	c->have_single = c->have_double = c->have_spent = false;
}

static void add_outpoint(struct bb_sha256 *h, const struct bb_outpoint *o)
{
	bb_sha256_add(h, o->txid, 32);
	bb_sha256_add_le32(h, o->vout);
}

static void add_output(struct bb_sha256 *h, const struct bb_txout *o)
{
	bb_sha256_add_le64(h, (uint64_t)o->value_sat);
	bb_sha256_add_var(h, o->script);
}

/* The parts that BIP 143 and BIP 341 share: outpoints, sequences, outputs. */
static void fill_single(struct bb_sighash_cache *c)
{
	struct bb_sha256 prevouts, sequences, outputs;

	if (c->have_single)
		return;
	bb_sha256_init(&prevouts);
	bb_sha256_init(&sequences);
	bb_sha256_init(&outputs);
	for (size_t i = 0; i < c->tx->in_count; i++) {
		add_outpoint(&prevouts, &c->tx->in[i].prevout);
		bb_sha256_add_le32(&sequences, c->tx->in[i].sequence);
	}
	for (size_t i = 0; i < c->tx->out_count; i++)
		add_output(&outputs, &c->tx->out[i]);
	bb_sha256_end(c->prevouts_single, &prevouts);
	bb_sha256_end(c->sequences_single, &sequences);
	bb_sha256_end(c->outputs_single, &outputs);
	c->have_single = true;
}

static void fill_double(struct bb_sighash_cache *c)
{
	if (c->have_double)
		return;
	fill_single(c);
	bb_sha256(c->prevouts_double, c->prevouts_single, 32);
	bb_sha256(c->sequences_double, c->sequences_single, 32);
	bb_sha256(c->outputs_double, c->outputs_single, 32);
	c->have_double = true;
}

/* What taproot adds: the spent amounts and scripts. */
static void fill_spent(struct bb_sighash_cache *c)
{
	struct bb_sha256 amounts, scripts;

	if (c->have_spent)
		return;
	bb_sha256_init(&amounts);
	bb_sha256_init(&scripts);
	for (size_t i = 0; i < c->tx->in_count; i++) {
		bb_sha256_add_le64(&amounts, (uint64_t)c->prevouts[i].value_sat);
		bb_sha256_add_var(&scripts, c->prevouts[i].script);
	}
	bb_sha256_end(c->amounts_single, &amounts);
	bb_sha256_end(c->scripts_single, &scripts);
	c->have_spent = true;
}

void bb_sighash_cache_fill(struct bb_sighash_cache *c)
{
	fill_double(c);
	if (c->all_known)
		fill_spent(c);
}

/* Legacy. */

/* Where Core's walk stops at a push that runs past the end: after its opcode and length. The
 * script fails there anyway, but a signature checked before it has hashed just so much. */
static const unsigned char *broken_push(const unsigned char *op, const unsigned char *end)
{
	const size_t length_bytes = *op == OP_PUSHDATA1	  ? 1
				    : *op == OP_PUSHDATA2 ? 2
				    : *op == OP_PUSHDATA4 ? 4
							  : 0;

	op++;
	return (size_t)(end - op) >= length_bytes ? op + length_bytes : op;
}

/* The script code with its length, OP_CODESEPARATORs left out. */
static void add_script_code(struct bb_sha256 *h, struct bb_span script)
{
	struct bb_reader r = bb_reader(script.data, script.len);
	const unsigned char *from = r.p, *at = r.p;
	struct bb_op op;
	size_t separators = 0;

	for (; bb_script_next(&op, &r); at = r.p)
		separators += op.opcode == OP_CODESEPARATOR;
	if (r.bad)
		at = broken_push(at, r.end);
	bb_sha256_add_compact(h, script.len - separators);
	r = bb_reader(script.data, script.len);
	while (separators && bb_script_next(&op, &r)) {
		if (op.opcode != OP_CODESEPARATOR)
			continue;
		bb_sha256_add(h, from, (size_t)(r.p - 1 - from));
		from = r.p;
	}
	bb_sha256_add(h, from, (size_t)(at - from));
}

/* Inputs other than the signed one, 41 bytes each, gathered so that the hash is fed in large
 * pieces: a transaction of many inputs is hashed once for each of them. */
static void add_other_inputs(
	struct bb_sha256 *h, const struct bb_tx *tx, size_t from, size_t to, bool keep_sequence)
{
	unsigned char piece[100][41];
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		unsigned char *p = piece[n++];
		memcpy(p, tx->in[i].prevout.txid, 32);
		bb_set_le32(p + 32, tx->in[i].prevout.vout);
		p[36] = 0;
		bb_set_le32(p + 37, keep_sequence ? tx->in[i].sequence : 0);
		if (n == 100) {
			bb_sha256_add(h, piece, sizeof(piece));
			n = 0;
		}
	}
	bb_sha256_add(h, piece, n * 41);
}

unsigned bb_sighash_class(int32_t hash_type)
{
	const int base = hash_type & 0x1f;

	return (hash_type & BB_SIGHASH_ANYONECANPAY ? 3 : 0) +
	       (base == BB_SIGHASH_NONE		   ? 1
		       : base == BB_SIGHASH_SINGLE ? 2
						   : 0);
}

void bb_sighash_end(unsigned char out[32], const struct bb_sha256 *start, int32_t hash_type)
{
	struct bb_sha256 h = *start;

	bb_sha256_add_le32(&h, (uint32_t)hash_type);
	bb_sha256d_end(out, &h);
}

bool bb_sighash_legacy_start(struct bb_sha256 *h, const struct bb_tx *tx, size_t index,
	struct bb_span script_code, int32_t hash_type)
{
	const bool anyone = hash_type & BB_SIGHASH_ANYONECANPAY;
	const bool none = (hash_type & 0x1f) == BB_SIGHASH_NONE;
	const bool single = (hash_type & 0x1f) == BB_SIGHASH_SINGLE;
	const bool keep_sequence = !none && !single;
	static const struct bb_txout blank = {.value_sat = -1};
	size_t outputs = none ? 0 : single ? index + 1 : tx->out_count;

	if (index >= tx->in_count || (single && index >= tx->out_count))
		return false;
	bb_sha256_init(h);
	bb_sha256_add_le32(h, tx->version);
	bb_sha256_add_compact(h, anyone ? 1 : tx->in_count);
	if (!anyone)
		add_other_inputs(h, tx, 0, index, keep_sequence);
	add_outpoint(h, &tx->in[index].prevout);
	add_script_code(h, script_code);
	bb_sha256_add_le32(h, tx->in[index].sequence);
	if (!anyone)
		add_other_inputs(h, tx, index + 1, tx->in_count, keep_sequence);
	bb_sha256_add_compact(h, outputs);
	for (size_t i = 0; i < outputs; i++)
		add_output(h, single && i != index ? &blank : &tx->out[i]);
	bb_sha256_add_le32(h, tx->locktime);
	return true;
}

void bb_sighash_legacy(unsigned char out[32], const struct bb_tx *tx, size_t index,
	struct bb_span script_code, int32_t hash_type)
{
	struct bb_sha256 h;

	if (bb_sighash_legacy_start(&h, tx, index, script_code, hash_type)) {
		bb_sighash_end(out, &h, hash_type);
	} else {
		memset(out, 0, 32);
		out[0] = 1; /* the number one, little-endian: an old bug, now a rule */
	}
}

/* Segwit version 0. */

void bb_sighash_v0_start(struct bb_sha256 *h, struct bb_sighash_cache *c, size_t index,
	struct bb_span script_code, int64_t value_sat, int32_t hash_type)
{
	static const unsigned char zero[32];
	const struct bb_tx *tx = c->tx;
	const bool anyone = hash_type & BB_SIGHASH_ANYONECANPAY;
	const bool none = (hash_type & 0x1f) == BB_SIGHASH_NONE;
	const bool single = (hash_type & 0x1f) == BB_SIGHASH_SINGLE;
	unsigned char one_output[32];
	const unsigned char *outputs = zero;

	fill_double(c);
	if (!none && !single) {
		outputs = c->outputs_double;
	} else if (single && index < tx->out_count) {
		bb_sha256_init(h);
		add_output(h, &tx->out[index]);
		bb_sha256d_end(one_output, h);
		outputs = one_output;
	}
	bb_sha256_init(h);
	bb_sha256_add_le32(h, tx->version);
	bb_sha256_add(h, anyone ? zero : c->prevouts_double, 32);
	bb_sha256_add(h, anyone || none || single ? zero : c->sequences_double, 32);
	add_outpoint(h, &tx->in[index].prevout);
	bb_sha256_add_var(h, script_code);
	bb_sha256_add_le64(h, (uint64_t)value_sat);
	bb_sha256_add_le32(h, tx->in[index].sequence);
	bb_sha256_add(h, outputs, 32);
	bb_sha256_add_le32(h, tx->locktime);
}

void bb_sighash_v0(unsigned char out[32], struct bb_sighash_cache *c, size_t index,
	struct bb_span script_code, int64_t value_sat, int32_t hash_type)
{
	struct bb_sha256 h;

	bb_sighash_v0_start(&h, c, index, script_code, value_sat, hash_type);
	bb_sighash_end(out, &h, hash_type);
}

/* Taproot. */

static void single_output(
	unsigned char out[32], struct bb_single_output *kept, const struct bb_txout *output)
{
	struct bb_sha256 h;

	if (!kept || !kept->have) {
		bb_sha256_init(&h);
		add_output(&h, output);
		bb_sha256_end(out, &h);
		if (!kept)
			return;
		memcpy(kept->hash, out, 32);
		kept->have = true;
	}
	memcpy(out, kept->hash, 32);
}

bool bb_sighash_taproot(unsigned char out[32], struct bb_sighash_cache *c, size_t index,
	uint8_t hash_type, const struct bb_taproot_context *t)
{
	const struct bb_tx *tx = c->tx;
	const bool anyone = hash_type & BB_SIGHASH_ANYONECANPAY;
	const uint8_t output_type = hash_type == BB_SIGHASH_DEFAULT ? BB_SIGHASH_ALL
								    : hash_type & 3;
	unsigned char one_output[32];
	struct bb_sha256 h;

	if (hash_type > 3 && (hash_type < 0x81 || hash_type > 0x83))
		return false;
	if (!c->all_known || (output_type == BB_SIGHASH_SINGLE && index >= tx->out_count))
		return false;
	fill_single(c);
	fill_spent(c);
	bb_tagged_init(&h, "TapSighash");
	bb_sha256_add(&h, (unsigned char[]){0 /* epoch */, hash_type}, 2);
	bb_sha256_add_le32(&h, tx->version);
	bb_sha256_add_le32(&h, tx->locktime);
	if (!anyone) {
		bb_sha256_add(&h, c->prevouts_single, 32);
		bb_sha256_add(&h, c->amounts_single, 32);
		bb_sha256_add(&h, c->scripts_single, 32);
		bb_sha256_add(&h, c->sequences_single, 32);
	}
	if (output_type == BB_SIGHASH_ALL)
		bb_sha256_add(&h, c->outputs_single, 32);
	bb_sha256_add(
		&h, (unsigned char[]){(unsigned char)(2 * t->tapscript + t->has_annex)}, 1);
	if (anyone) {
		add_outpoint(&h, &tx->in[index].prevout);
		bb_sha256_add_le64(&h, (uint64_t)c->prevouts[index].value_sat);
		bb_sha256_add_var(&h, c->prevouts[index].script);
		bb_sha256_add_le32(&h, tx->in[index].sequence);
	} else {
		bb_sha256_add_le32(&h, (uint32_t)index);
	}
	if (t->has_annex)
		bb_sha256_add(&h, t->annex_hash, 32);
	if (output_type == BB_SIGHASH_SINGLE) {
		single_output(one_output, t->single, &tx->out[index]);
		bb_sha256_add(&h, one_output, 32);
	}
	if (t->tapscript) {
		bb_sha256_add(&h, t->leaf_hash, 32);
		bb_sha256_add(&h, "\x00", 1); /* key version */
		bb_sha256_add_le32(&h, t->codesep);
	}
	bb_sha256_end(out, &h);
	return true;
}

void bb_tapleaf_hash(unsigned char out[32], uint8_t leaf_version, struct bb_span script)
{
	struct bb_sha256 h;

	bb_tagged_init(&h, "TapLeaf");
	bb_sha256_add(&h, &leaf_version, 1);
	bb_sha256_add_var(&h, script);
	bb_sha256_end(out, &h);
}

void bb_tapbranch_hash(
	unsigned char out[32], const unsigned char a[32], const unsigned char b[32])
{
	const bool sorted = memcmp(a, b, 32) < 0;
	struct bb_sha256 h;

	bb_tagged_init(&h, "TapBranch");
	bb_sha256_add(&h, sorted ? a : b, 32);
	bb_sha256_add(&h, sorted ? b : a, 32);
	bb_sha256_end(out, &h);
}
