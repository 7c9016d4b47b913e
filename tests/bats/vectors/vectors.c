/* Answers questions of the BIPs' tables with libbb: a line in, a line out.
 *
 *	operation TAB argument TAB argument ...	->	the answer, or "false"
 *
 * Arguments that are bytes or text come as hex, so that a table's odd characters survive; an
 * absent one is "-". Parts of an answer are separated by one blank, bytes in it are hex. The
 * comparing is the tables' own business (tables.py). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "bitcoin/address.h"
#include "bitcoin/genesis.h"
#include "bitcoin/merkle.h"
#include "bitcoin/pow.h"
#include "bitcoin/retarget.h"
#include "bitcoin/script.h"
#include "bitcoin/sighash.h"
#include "crypto/base58.h"
#include "crypto/bech32.h"
#include "crypto/bip32.h"
#include "crypto/bip39.h"
#include "crypto/muhash.h"
#include "mine/search.h"

enum { ARGS_MAX = 48 };

struct call {
	struct bb_span text[ARGS_MAX]; /* as they came */
	size_t count;
	struct bb_arena arena;
	struct bb_curve *curve;
	struct bb_buf out; /* the answer */
};

static void die(const char *why)
{
	fprintf(stderr, "vectors: %s\n", why);
	exit(2);
}

static bool absent(const struct call *c, size_t i)
{
	return i >= c->count || bb_span_is(c->text[i], "-");
}

static struct bb_span bytes(struct call *c, size_t i)
{
	struct bb_span s;

	if (i >= c->count || !bb_hex_span(&s, c->text[i], &c->arena))
		die("argument is not hex");
	return s;
}

/* Exactly n bytes. */
static const unsigned char *fixed(struct call *c, size_t i, size_t n)
{
	struct bb_span s = bytes(c, i);

	if (s.len != n)
		die("argument has a wrong length");
	return s.data;
}

static const unsigned char *fixed_or_null(struct call *c, size_t i, size_t n)
{
	return absent(c, i) ? NULL : fixed(c, i, n);
}

static const char *string(struct call *c, size_t i)
{
	struct bb_span s = bytes(c, i);
	char *out = bb_arena_alloc(&c->arena, s.len + 1);

	if (!out)
		die("out of memory");
	if (s.len)
		memcpy(out, s.data, s.len);
	out[s.len] = '\0';
	return out;
}

static long long integer(struct call *c, size_t i)
{
	char digits[24] = {0}, *end;
	long long n;

	if (i >= c->count || c->text[i].len >= sizeof(digits))
		die("argument is not a number");
	memcpy(digits, c->text[i].data, c->text[i].len);
	n = strtoll(digits, &end, 10);
	if (*end || end == digits)
		die("argument is not a number");
	return n;
}

/* By name, or from the JSON of its parameters. */
static const struct bb_network *network(struct call *c, size_t i)
{
	const char *text = string(c, i), *why = "no such network";
	const struct bb_network *n = bb_network_find(text);
	const struct bb_json *doc;
	struct bb_network *custom;

	if (n)
		return n;
	custom = bb_arena_array(&c->arena, 1, sizeof(*custom));
	doc = bb_json_parse(&c->arena, &why, BB_SPAN(text, strlen(text)));
	if (!custom || !doc || !bb_network_parse(custom, &why, doc))
		die(why);
	return custom;
}

static void put_hex(struct call *c, const void *data, size_t len)
{
	bb_put_hex(&c->out, data, len);
}

static void put_bool(struct call *c, bool yes)
{
	bb_put_str(&c->out, yes ? "true" : "false");
}

static void base58_encode(struct call *c)
{
	struct bb_span s = bytes(c, 0);

	bb_base58_encode(&c->out, s.data, s.len);
}

static void base58_decode(struct call *c)
{
	unsigned char out[1024];
	size_t len;

	if (!bb_base58_decode(out, &len, sizeof(out), bytes(c, 0)))
		put_bool(c, false);
	else
		put_hex(c, out, len);
}

/* network address -> scriptPubKey */
static void address_script(struct call *c)
{
	struct bb_buf script = {0};
	const char *why;

	if (!bb_address_script(&script, &why, bytes(c, 1), network(c, 0)))
		put_bool(c, false);
	else
		put_hex(c, script.data, script.len);
	bb_buf_free(&script);
}

/* network scriptPubKey -> address */
static void script_address(struct call *c)
{
	if (!bb_put_address(&c->out, bytes(c, 1), network(c, 0)))
		put_bool(c, false);
}

/* network key compressed(0,1) -> WIF */
static void wif_encode(struct call *c)
{
	bb_put_wif(&c->out, fixed(c, 1, 32), integer(c, 2) != 0, network(c, 0));
}

/* network WIF -> key compressed */
static void wif_decode(struct call *c)
{
	unsigned char key32[32];
	bool compressed;

	if (!bb_wif_decode(key32, &compressed, bytes(c, 1), network(c, 0))) {
		put_bool(c, false);
		return;
	}
	put_hex(c, key32, 32);
	bb_put_str(&c->out, compressed ? " 1" : " 0");
}

/* string -> kind hrp(text) values */
static void bech32_decode(struct call *c)
{
	unsigned char data5[128];
	char hrp[84];
	size_t len;
	enum bb_bech32 kind = bb_bech32_decode(hrp, data5, &len, bytes(c, 0));

	if (kind == BB_BECH32_BAD) {
		put_bool(c, false);
		return;
	}
	bb_put_str(&c->out, kind == BB_BECH32 ? "bech32 " : "bech32m ");
	bb_put_str(&c->out, hrp);
	bb_put_str(&c->out, " ");
	put_hex(c, data5, len);
}

/* hrp values kind -> string */
static void bech32_encode(struct call *c)
{
	struct bb_span data5 = bytes(c, 1);
	enum bb_bech32 kind = bb_span_is(c->text[2], "bech32") ? BB_BECH32 : BB_BECH32M;

	if (!bb_bech32_encode(&c->out, string(c, 0), data5.data, data5.len, kind))
		put_bool(c, false);
}

/* hrp address -> version program */
static void segwit_decode(struct call *c)
{
	unsigned version;
	unsigned char program[40];
	size_t len;
	char number[16];

	if (!bb_segwit_decode(&version, program, &len, string(c, 0), bytes(c, 1))) {
		put_bool(c, false);
		return;
	}
	snprintf(number, sizeof(number), "%u ", version);
	bb_put_str(&c->out, number);
	put_hex(c, program, len);
}

/* hrp version program -> address */
static void segwit_encode(struct call *c)
{
	if (!bb_segwit_encode(&c->out, string(c, 0), (unsigned)integer(c, 1), bytes(c, 2)))
		put_bool(c, false);
}

/* key compressed -> public key */
static void pubkey(struct call *c)
{
	unsigned char out65[65];
	size_t len = bb_key_pubkey(out65, c->curve, fixed(c, 0, 32), integer(c, 1) != 0);

	put_hex(c, out65, len);
}

static void ecdsa_sign(struct call *c)
{
	unsigned char der[72];
	size_t len = bb_ecdsa_sign(der, c->curve, fixed(c, 0, 32), fixed(c, 1, 32));

	put_hex(c, der, len);
}

/* DER hash public-key */
static void ecdsa_verify(struct call *c)
{
	put_bool(c, bb_ecdsa_verify(bytes(c, 0), fixed(c, 1, 32), bytes(c, 2)));
}

/* key message aux(or -) -> signature; 32 bytes by the form that the signer uses. */
static void schnorr_sign(struct call *c)
{
	const unsigned char *key32 = fixed(c, 0, 32), *aux32 = fixed_or_null(c, 2, 32);
	struct bb_span message = bytes(c, 1);
	unsigned char sig64[64];
	bool ok = message.len == 32
			  ? bb_schnorr_sign(sig64, c->curve, message.data, key32, aux32)
			  : bb_schnorr_sign_message(sig64, c->curve, message, key32, aux32);

	if (ok)
		put_hex(c, sig64, 64);
	else
		put_bool(c, false);
}

/* signature message x-only-key */
static void schnorr_verify(struct call *c)
{
	const unsigned char *sig64 = fixed(c, 0, 64), *xonly32 = fixed(c, 2, 32);
	struct bb_span message = bytes(c, 1);

	put_bool(c, message.len == 32 ? bb_schnorr_verify(sig64, message.data, xonly32)
				      : bb_schnorr_verify_message(sig64, message, xonly32));
}

/* The extended key at `path` below k; false when a step gives none. */
static bool derive(struct call *c, struct bb_xkey *k, struct bb_span path)
{
	struct bb_path p;
	const char *why;
	size_t i;

	if (!bb_path_parse(&p, &why, path))
		die(why);
	for (i = 0; i < p.count; i++) {
		struct bb_xkey parent = *k;

		if (!bb_xkey_child(k, c->curve, &parent, p.step[i]))
			return false;
	}
	return true;
}

/* seed path version public(0,1) -> extended key */
static void xkey_of_seed(struct call *c)
{
	struct bb_xkey k;

	if (!bb_xkey_master(&k, c->curve, bytes(c, 0)) || !derive(c, &k, bytes(c, 1))) {
		put_bool(c, false);
		return;
	}
	if (integer(c, 3))
		bb_xkey_neuter(&k);
	bb_xkey_encode(&c->out, &k, (uint32_t)integer(c, 2));
}

/* extended-key path version -> extended key, of the same kind */
static void xkey_below(struct call *c)
{
	struct bb_xkey k;
	uint32_t version;

	if (!bb_xkey_decode(&k, &version, c->curve, bytes(c, 0)) || !derive(c, &k, bytes(c, 1)))
		put_bool(c, false);
	else
		bb_xkey_encode(&c->out, &k, (uint32_t)integer(c, 2));
}

/* extended-key -> version private public-key key(or -) */
static void xkey_decode(struct call *c)
{
	struct bb_xkey k;
	uint32_t version;
	char text[32];

	if (!bb_xkey_decode(&k, &version, c->curve, bytes(c, 0))) {
		put_bool(c, false);
		return;
	}
	snprintf(text, sizeof(text), "%08x %d ", (unsigned)version, k.is_private);
	bb_put_str(&c->out, text);
	put_hex(c, k.pubkey33, 33);
	bb_put_str(&c->out, " ");
	if (k.is_private)
		put_hex(c, k.key32, 32);
	else
		bb_put_str(&c->out, "-");
}

static void mnemonic_encode(struct call *c)
{
	if (!bb_mnemonic_encode(&c->out, bytes(c, 0)))
		put_bool(c, false);
}

static void mnemonic_decode(struct call *c)
{
	unsigned char entropy[32];
	size_t len;
	const char *why;

	if (!bb_mnemonic_decode(entropy, &len, &why, bytes(c, 0)))
		put_bool(c, false);
	else
		put_hex(c, entropy, len);
}

/* words passphrase -> seed */
static void mnemonic_seed(struct call *c)
{
	unsigned char seed[64];

	if (!bb_mnemonic_seed(seed, bytes(c, 0), bytes(c, 1)))
		put_bool(c, false);
	else
		put_hex(c, seed, 64);
}

static struct bb_tx transaction(struct call *c, size_t i)
{
	struct bb_tx tx;

	if (!bb_tx_parse(&tx, bytes(c, i), &c->arena))
		die("transaction does not parse");
	return tx;
}

/* tx index script-code hash-type -> hash in display order */
static void sighash_legacy(struct call *c)
{
	struct bb_tx tx = transaction(c, 0);
	unsigned char hash[32];
	char hex[64];

	bb_sighash_legacy(
		hash, &tx, (size_t)integer(c, 1), bytes(c, 2), (int32_t)integer(c, 3));
	bb_hash_encode(hex, hash);
	bb_put(&c->out, hex, 64);
}

/* A cache over the transaction of argument 0 and the prevouts of argument i on: scriptPubKey
 * and value in turn. */
static void cache(struct bb_sighash_cache *out, struct call *c, struct bb_tx *tx, size_t i)
{
	struct bb_prevout *prevouts;
	size_t k;

	*tx = transaction(c, 0);
	prevouts = bb_arena_array(&c->arena, tx->in_count, sizeof(*prevouts));
	if (!prevouts)
		die("out of memory");
	for (k = 0; k < tx->in_count; k++, i += 2) {
		prevouts[k].height = prevouts[k].mtp = prevouts[k].coinbase = -1;
		if (i + 1 >= c->count)
			continue;
		prevouts[k].known = true;
		prevouts[k].script = bytes(c, i);
		prevouts[k].value_sat = integer(c, i + 1);
	}
	bb_sighash_cache_init(out, tx, prevouts);
}

/* tx index script-code value hash-type -> hash */
static void sighash_v0(struct call *c)
{
	struct bb_sighash_cache s;
	struct bb_tx tx;
	unsigned char hash[32];

	cache(&s, c, &tx, c->count);
	bb_sighash_v0(hash, &s, (size_t)integer(c, 1), bytes(c, 2), integer(c, 3),
		(int32_t)integer(c, 4));
	put_hex(c, hash, 32);
}

/* tx -> hashPrevouts hashSequence hashOutputs of BIP 143 */
static void midstates_v0(struct call *c)
{
	struct bb_sighash_cache s;
	struct bb_tx tx;

	cache(&s, c, &tx, c->count);
	bb_sighash_cache_fill(&s);
	put_hex(c, s.prevouts_double, 32);
	bb_put_str(&c->out, " ");
	put_hex(c, s.sequences_double, 32);
	bb_put_str(&c->out, " ");
	put_hex(c, s.outputs_double, 32);
}

/* tx index hash-type prevouts... -> hash of a key path spend without annex */
static void sighash_taproot(struct call *c)
{
	struct bb_sighash_cache s;
	struct bb_tx tx;
	struct bb_taproot_context context = {.codesep = 0xffffffff};
	unsigned char hash[32];

	cache(&s, c, &tx, 3);
	if (!bb_sighash_taproot(
		    hash, &s, (size_t)integer(c, 1), (uint8_t)integer(c, 2), &context))
		put_bool(c, false);
	else
		put_hex(c, hash, 32);
}

/* tx prevouts... -> amounts outputs prevouts scripts sequences of BIP 341 */
static void midstates_taproot(struct call *c)
{
	struct bb_sighash_cache s;
	struct bb_tx tx;
	size_t i;

	cache(&s, c, &tx, 1);
	bb_sighash_cache_fill(&s);
	const unsigned char *hashes[] = {s.amounts_single, s.outputs_single, s.prevouts_single,
		s.scripts_single, s.sequences_single};
	for (i = 0; i < 5; i++) {
		if (i)
			bb_put_str(&c->out, " ");
		put_hex(c, hashes[i], 32);
	}
}

/* version script -> hash */
static void tapleaf(struct call *c)
{
	unsigned char hash[32];

	bb_tapleaf_hash(hash, (uint8_t)integer(c, 0), bytes(c, 1));
	put_hex(c, hash, 32);
}

static void tapbranch(struct call *c)
{
	unsigned char hash[32];

	bb_tapbranch_hash(hash, fixed(c, 0, 32), fixed(c, 1, 32));
	put_hex(c, hash, 32);
}

/* internal-key root(or -) -> output-key parity */
static void taproot_output(struct call *c)
{
	unsigned char output[32];
	bool odd;

	if (!bb_taproot_output(output, &odd, fixed(c, 0, 32), fixed_or_null(c, 1, 32))) {
		put_bool(c, false);
		return;
	}
	put_hex(c, output, 32);
	bb_put_str(&c->out, odd ? " 1" : " 0");
}

/* output-key parity internal-key tweak */
static void taproot_commits(struct call *c)
{
	put_bool(c, bb_taproot_commits(fixed(c, 0, 32), integer(c, 1) != 0, fixed(c, 2, 32),
			    fixed(c, 3, 32)));
}

/* key root(or -) -> key */
static void taproot_key(struct call *c)
{
	unsigned char key32[32];

	memcpy(key32, fixed(c, 0, 32), 32);
	if (!bb_taproot_key(key32, c->curve, fixed_or_null(c, 1, 32)))
		put_bool(c, false);
	else
		put_hex(c, key32, 32);
}

/* type hash20, key33 or program -> scriptPubKey */
static void output_script(struct call *c)
{
	struct bb_buf b = {0};

	if (bb_span_is(c->text[0], "p2pkh"))
		bb_put_p2pkh(&b, fixed(c, 1, 20));
	else if (bb_span_is(c->text[0], "p2sh"))
		bb_put_p2sh(&b, fixed(c, 1, 20));
	else
		bb_put_witness(&b, (unsigned)integer(c, 0), bytes(c, 1));
	put_hex(c, b.data, b.len);
	bb_buf_free(&b);
}

static void hash160(struct call *c)
{
	struct bb_span s = bytes(c, 0);
	unsigned char hash[20];

	bb_hash160(hash, s.data, s.len);
	put_hex(c, hash, 20);
}

/* network -> its parameters as JSON */
static void network_json(struct call *c)
{
	struct bb_json_writer w = {.buf = &c->out};

	bb_json_open(&w, '{');
	bb_json_network(&w, network(c, 0));
	bb_json_close(&w, '}');
}

/* network network -> are they the same in everything? */
static void network_equal(struct call *c)
{
	put_bool(c, memcmp(network(c, 0), network(c, 1), sizeof(struct bb_network)) == 0);
}

/* network -> block */
static void genesis(struct call *c)
{
	struct bb_buf block = {0};

	if (bb_put_genesis(&block, network(c, 0)))
		put_hex(c, block.data, block.len);
	else
		put_bool(c, false);
	bb_buf_free(&block);
}

/* bits -> the work they stand for */
static void work(struct call *c)
{
	unsigned char number[32];
	char hex[64];

	bb_work_from_bits(number, (uint32_t)integer(c, 0));
	bb_hash_encode(hex, number);
	bb_put(&c->out, hex, 64);
}

/* The header that the arguments from 3 on give for a height, in pairs of height and header. */
static bool header_at(void *arg, int64_t height, struct bb_header *out)
{
	struct call *c = arg;

	for (size_t i = 3; i + 1 < c->count; i += 2)
		if (integer(c, i) == height)
			return bb_header_parse(out, bytes(c, i + 1));
	return false;
}

/* network height time (height header)... -> the bits of what follows that height */
static void next_bits(struct call *c)
{
	const struct bb_ancestry chain = {header_at, c};
	uint32_t bits;
	char number[16];

	if (!bb_next_bits(
		    &bits, network(c, 0), &chain, integer(c, 1), (uint32_t)integer(c, 2))) {
		put_bool(c, false);
		return;
	}
	snprintf(number, sizeof(number), "%08x", (unsigned)bits);
	bb_put_str(&c->out, number);
}

/* index hashes -> branch */
static void merkle_branch(struct call *c)
{
	struct bb_span hashes = bytes(c, 1);
	const size_t count = hashes.len / 32, depth = bb_merkle_depth(count);
	unsigned char(*leaf)[32] = bb_arena_array(&c->arena, count, 32);
	unsigned char(*branch)[32] = bb_arena_array(&c->arena, depth, 32);

	if (!leaf || !branch)
		die("out of memory");
	memcpy(leaf, hashes.data, count * 32);
	bb_merkle_branch(branch, leaf, count, (size_t)integer(c, 0));
	put_hex(c, branch, depth * 32);
}

/* Each element of a list of LE16 lengths and bytes. */
static void each_element(struct bb_muhash *m, struct bb_span list,
	void (*act)(struct bb_muhash *m, struct bb_span element))
{
	struct bb_reader r = bb_reader(list.data, list.len);

	while (bb_left(&r))
		act(m, bb_get_span(&r, bb_get_le16(&r)));
	if (r.bad)
		die("list is cut short");
}

/* elements put in, elements taken out -> hash in display order */
static void muhash(struct call *c)
{
	struct bb_muhash *m = bb_muhash_new();
	unsigned char hash[32];
	char hex[64];

	if (!m)
		die("out of memory");
	each_element(m, bytes(c, 0), bb_muhash_insert);
	each_element(m, bytes(c, 1), bb_muhash_remove);
	if (!bb_muhash_end(hash, m))
		die("out of memory");
	bb_muhash_free(m);
	bb_hash_encode(hex, hash);
	bb_put(&c->out, hex, 64);
}

/* -> the names of the kernels that this processor can use */
static void kernels(struct call *c)
{
	const struct bb_kernel *k;

	for (unsigned i = 0; (k = bb_kernel_at(i)); i++)
		if (k->usable()) {
			bb_put_str(&c->out, k->name);
			bb_put_str(&c->out, " ");
		}
}

/* kernel header target first-nonce count -> the first good nonce */
static void search(struct call *c)
{
	const struct bb_kernel *k = bb_kernel_find(string(c, 0));
	uint32_t nonce = (uint32_t)integer(c, 3);
	const uint32_t first = nonce;
	struct bb_search s;
	char number[16];

	if (!k || !k->usable())
		die("no such kernel");
	bb_search_init(&s, fixed(c, 1, 80), fixed(c, 2, 32));
	if (k->search(&s, &nonce, (uint64_t)integer(c, 4))) {
		snprintf(number, sizeof(number), "%u", (unsigned)nonce);
		bb_put_str(&c->out, number);
	} else if (nonce == first) {
		put_bool(c, false);
	} else {
		die("no nonce was found, and it changed");
	}
}

static const struct {
	const char *name;
	void (*run)(struct call *c);
} operations[] = {
	{"base58-encode", base58_encode},
	{"base58-decode", base58_decode},
	{"address-script", address_script},
	{"script-address", script_address},
	{"wif-encode", wif_encode},
	{"wif-decode", wif_decode},
	{"bech32-decode", bech32_decode},
	{"bech32-encode", bech32_encode},
	{"segwit-decode", segwit_decode},
	{"segwit-encode", segwit_encode},
	{"pubkey", pubkey},
	{"ecdsa-sign", ecdsa_sign},
	{"ecdsa-verify", ecdsa_verify},
	{"schnorr-sign", schnorr_sign},
	{"schnorr-verify", schnorr_verify},
	{"xkey-of-seed", xkey_of_seed},
	{"xkey-below", xkey_below},
	{"xkey-decode", xkey_decode},
	{"mnemonic-encode", mnemonic_encode},
	{"mnemonic-decode", mnemonic_decode},
	{"mnemonic-seed", mnemonic_seed},
	{"sighash-legacy", sighash_legacy},
	{"sighash-v0", sighash_v0},
	{"midstates-v0", midstates_v0},
	{"sighash-taproot", sighash_taproot},
	{"midstates-taproot", midstates_taproot},
	{"tapleaf", tapleaf},
	{"tapbranch", tapbranch},
	{"taproot-output", taproot_output},
	{"taproot-commits", taproot_commits},
	{"taproot-key", taproot_key},
	{"output-script", output_script},
	{"hash160", hash160},
	{"network-json", network_json},
	{"network-equal", network_equal},
	{"genesis", genesis},
	{"work", work},
	{"next-bits", next_bits},
	{"merkle-branch", merkle_branch},
	{"muhash", muhash},
	{"kernels", kernels},
	{"search", search},
};

/* Split at the tabs; the first field is the operation. */
static struct bb_span split(struct call *c, struct bb_span line)
{
	struct bb_span operation = {0};
	size_t start = 0, i, field = 0;

	c->count = 0;
	for (i = 0; i <= line.len; i++) {
		if (i < line.len && line.data[i] != '\t')
			continue;
		if (field++ == 0)
			operation = BB_SPAN(line.data, i);
		else if (c->count < ARGS_MAX)
			c->text[c->count++] = BB_SPAN(line.data + start, i - start);
		else
			die("too many arguments");
		start = i + 1;
	}
	return operation;
}

static void answer(struct call *c, struct bb_span line)
{
	struct bb_span operation = split(c, line);
	size_t i, count = sizeof(operations) / sizeof(operations[0]);

	for (i = 0; i < count && !bb_span_is(operation, operations[i].name); i++)
		;
	if (i == count)
		die("no such operation");
	c->out.len = 0;
	operations[i].run(c);
	if (c->out.failed)
		die("out of memory");
	fwrite(c->out.data, 1, c->out.len, stdout);
	putchar('\n');
	bb_arena_reset(&c->arena);
}

int main(void)
{
	struct call c = {.curve = bb_curve_new()};
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (!c.curve)
		die("no curve");
	setvbuf(stdout, NULL, _IOLBF, 0); /* the asker waits for each answer */
	while ((len = getline(&line, &cap, stdin)) > 0) {
		if (line[len - 1] == '\n')
			len--;
		answer(&c, BB_SPAN(line, (size_t)len));
	}
	free(line);
	bb_buf_free(&c.out);
	bb_arena_free(&c.arena);
	bb_curve_free(c.curve);
	return ferror(stdin) || fflush(stdout) != 0 ? 2 : 0;
}
