#include "keygen.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

enum { POOL_KEYS = 512 };

void keygen_report(struct keygen *g, const char *name, uint64_t number, const char *why)
{
	const bool named = name && strcmp(name, "-") != 0;
	char text[512];

	snprintf(text, sizeof(text), "%.300s: %s", named ? name : "", why);
	bb_lines_report(&g->in, number, BB_CALLER, named ? text : why, BB_SPAN(NULL, 0));
}

/* Keys. */

static bool print_range(struct keygen *g, const char **why, const struct bb_key *k)
{
	const struct bb_span path = BB_SPAN(g->derive, strlen(g->derive));
	struct bb_key_range range;
	bool ok = bb_key_range_begin(&range, why, &g->line, k, path);

	while (ok && !g->out.out.error) {
		ok = bb_key_range_next(&g->line, why, &range);
		if (ok)
			keyout_print(&g->out, &g->line);
	}
	ok = ok || (range.done && !*why);
	bb_wipe(&range, sizeof(range));
	return ok;
}

/* Both chains of a wallet. */
static bool print_chains(struct keygen *g, const char **why, const struct bb_key *k)
{
	enum bb_address_type type;

	if (!bb_key_type(&type, why, &g->line, k, NULL))
		return false;
	for (int chain = BB_CHAIN_RECEIVE; chain <= BB_CHAIN_CHANGE; chain++) {
		if (!bb_keyline_wallet(&g->line, why, k, type, (enum bb_chain)chain))
			return false;
		if (g->line.secret_descriptor) /* which says it all */
			g->line.secret_name = NULL;
		keyout_print(&g->out, &g->line);
	}
	return true;
}

static bool use_key(struct keygen *g, const char **why, const struct bb_key *k)
{
	*why = "an xpub holds no secret";
	if ((g->out.path || g->out.print_secret) && k->form == BB_KEY_XPUB)
		return false;
	if (g->out.path) {
		if (!bb_keyline_own(&g->line, why, k))
			return false;
		keyout_keep(&g->out, &g->line);
	}
	if (g->derive)
		return print_range(g, why, k);
	if (g->line.descriptor && k->secret.extended)
		return print_chains(g, why, k);
	if (!bb_keyline_own(&g->line, why, k))
		return false;
	if (g->again && k->line)
		bb_keyline_others(&g->line, k->line);
	keyout_print(&g->out, &g->line);
	return true;
}

/* Their entropy is fetched for many at once. */
void keygen_singles(struct keygen *g, int64_t count, bool uncompressed)
{
	unsigned char pool[POOL_KEYS][32];
	struct bb_key k = {.form = BB_KEY_WIF, .secret.compressed = !uncompressed};
	const char *why;

	while (count > 0 && !g->out.out.error) {
		const size_t n = count < POOL_KEYS ? (size_t)count : POOL_KEYS;
		if (!bb_random(pool, 32 * n))
			keyout_fail(&g->out, "new key", "the system gives no entropy");
		for (size_t i = 0; i < n; i++) {
			memcpy(k.secret.key32, pool[i], 32);
			k.pubkey_len = bb_key_pubkey(
				k.pubkey, g->reader.curve, pool[i], k.secret.compressed);
			if (!k.pubkey_len) /* once in 2^128 */
				continue;
			if (!bb_keyline_single(&g->line, &why, &k, g->line.type))
				keyout_fail(&g->out, "new key", why);
			keyout_keep(&g->out, &g->line);
			keyout_print(&g->out, &g->line);
			count--;
		}
	}
	bb_wipe(pool, sizeof(pool));
	bb_wipe(&k, sizeof(k));
}

static bool use_bytes(struct keygen *g, const char **why, struct bb_span bytes)
{
	struct bb_key k = {0};
	bool ok;

	ok = g->seed ? bb_key_from_seed(&k, why, &g->reader, bytes)
		     : bb_key_from_entropy(&k, why, &g->reader, bytes);
	ok = ok && use_key(g, why, &k);
	bb_wipe(&k, sizeof(k));
	return ok;
}

void keygen_mnemonics(struct keygen *g, int64_t count, size_t words)
{
	const size_t len = words * 4 / 3;
	unsigned char entropy[32];
	const char *why;

	while (count-- > 0 && !g->out.out.error) {
		if (!bb_random(entropy, len))
			keyout_fail(&g->out, "new key", "the system gives no entropy");
		if (!use_bytes(g, &why, BB_SPAN(entropy, len))) {
			keygen_report(g, NULL, 0, why);
			break;
		}
	}
	bb_wipe(entropy, sizeof(entropy));
}

/* Lines of files. */

/* A key line whose secret is encrypted: NULL for all else. */
static const struct bb_json *sealed_line(struct keygen *g, struct bb_span line)
{
	const char *why;
	const struct bb_json *object = line.data[0] == '{' ? bb_key_line(&why, &g->reader, line)
							   : NULL;

	return object && bb_key_is_sealed(object) ? object : NULL;
}

static bool is_hex(struct bb_span line)
{
	unsigned char byte;

	if (line.len % 2)
		return false;
	for (size_t i = 0; i < line.len; i += 2)
		if (!bb_hex_decode(&byte, line.data + i, 1))
			return false;
	return true;
}

static bool use_hex(struct keygen *g, const char **why, struct bb_span line)
{
	const size_t len = line.len / 2;
	unsigned char bytes[64];
	bool ok;

	*why = "a seed must be 16 to 64 bytes";
	if (len > sizeof(bytes))
		return false;
	*why = "entropy must be 16, 20, 24, 28 or 32 bytes (a BIP 32 seed needs --seed)";
	if (!g->seed && (len < 16 || len > 32 || len % 4))
		return false;
	bb_hex_decode(bytes, line.data, len);
	ok = use_bytes(g, why, BB_SPAN(bytes, len));
	bb_wipe(bytes, sizeof(bytes));
	return ok;
}

static bool use_line(
	struct keygen *g, const char **why, const struct bb_keyfile *f, struct bb_span line)
{
	const struct bb_json *sealed = g->again ? sealed_line(g, line) : NULL;
	struct bb_key k = {0};
	bool ok;

	*why = f->exposed;
	if (is_hex(line))
		return !f->exposed && use_hex(g, why, line);
	if (sealed) {
		bb_keyline_sealed(&g->line, sealed);
		keyout_print(&g->out, &g->line);
		return true;
	}
	ok = bb_key_read(&k, why, &g->reader, line);
	if (ok && f->exposed && k.form != BB_KEY_XPUB) {
		*why = f->exposed;
		ok = false;
	}
	ok = ok && use_key(g, why, &k);
	bb_wipe(&k, sizeof(k));
	return ok;
}

void keygen_file(struct keygen *g, struct bb_keyfile *f, const char *name)
{
	struct bb_span line;
	const char *why;

	while (!g->out.out.error && !(g->in.fail_fast && g->in.status)) {
		bool read = bb_keyfile_next(f, &line, &why);
		if (!read && !why)
			break;
		g->records++;
		if (!read || !use_line(g, &why, f, line))
			keygen_report(g, name, f->number, why);
		if (strcmp(name, "-") == 0)
			keyout_flush(&g->out);
	}
	bb_keyfile_close(f);
}
