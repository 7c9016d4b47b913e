#include "wallet/signkeys.h"

#include <stdlib.h>
#include <string.h>

#include "bitcoin/script.h"
#include "crypto/hash.h"

enum {
	BATCH = 20,	       /* keys derived at a time when scanning */
	MAX_SCANNED = 1 << 18, /* keys, over all chains, when no limit is asked for */
	MAX_STATED = 1 << 16,  /* keys kept that came from inputs' derivations */
	ACCOUNT_STEPS = 4,     /* from the master to a chain: purpose, coin, account, change */
	PAIRS = 1024,	       /* kept */
};

/* One name of one key. P2PKH and P2WPKH share names. */
struct name {
	uint32_t key; /* its place + 1; 0: free */
	uint32_t kind;
	unsigned char id[32];
};

/* A chain of an extended key that keys may lie on. */
struct chain {
	size_t secret;
	uint32_t step[BB_PATH_MAX];
	uint8_t steps;
	bool derived, done;
	bool ranged;	  /* else it goes on to the limit */
	uint32_t purpose; /* BIP 43's; 0: unknown */
	uint64_t next, last;
	struct bb_xkey node;
};

/* What signs for an x-only key. */
struct pair {
	bool made;
	unsigned char xonly32[32];
	struct bb_keypair pair;
};

struct bb_signkeys {
	const struct bb_keyring *ring;
	const struct bb_curve *curve;
	struct bb_signkey *key;
	size_t count, cap;
	size_t stated; /* of them */
	size_t tapped; /* those before have their P2TR name */
	struct name *name;
	size_t names, name_cap; /* a power of two, at most half full */
	struct chain *chain;
	size_t chains, chain_cap;
	size_t open; /* chains not done */
	size_t turn; /* the chain after the one scanned last */
	uint32_t limit;
	struct pair *pair; /* PAIRS of them, by their x-only key; NULL: not used yet */
};

/* An array that holds secrets, made larger: what it leaves behind is wiped. */
static void *grow(void *old, size_t *cap, size_t size)
{
	size_t wider = *cap ? 2 * *cap : 16;
	void *p = calloc(wider, size);

	if (!p)
		return NULL;
	if (old) {
		memcpy(p, old, *cap * size);
		bb_wipe(old, *cap * size);
		free(old);
	}
	*cap = wider;
	return p;
}

static enum bb_key_name name_kind(enum bb_key_name name)
{
	return name == BB_KEY_P2WPKH ? BB_KEY_P2PKH : name;
}

static size_t id_size(enum bb_key_name name)
{
	return name == BB_KEY_PUBKEY || name == BB_KEY_P2TR ? 32 : 20;
}

/* Where that name stands, or the free place where it would. */
static struct name *name_slot(
	const struct bb_signkeys *k, enum bb_key_name kind, const unsigned char *id)
{
	size_t at = (size_t)(bb_le64(id) ^ kind) & (k->name_cap - 1);

	while (k->name[at].key &&
		(k->name[at].kind != kind || memcmp(k->name[at].id, id, id_size(kind)) != 0))
		at = (at + 1) & (k->name_cap - 1);
	return &k->name[at];
}

static bool widen_names(struct bb_signkeys *k)
{
	const struct name *old = k->name;
	size_t old_cap = k->name_cap, cap = old_cap ? 2 * old_cap : 64;
	struct name *wider = calloc(cap, sizeof(*wider));

	if (!wider)
		return false;
	k->name = wider;
	k->name_cap = cap;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].key)
			*name_slot(k, old[i].kind, old[i].id) = old[i];
	free((void *)old);
	return true;
}

/* The first key of a name keeps it. */
static bool add_name(
	struct bb_signkeys *k, enum bb_key_name kind, const unsigned char *id, size_t key)
{
	struct name *n;

	if (2 * (k->names + 1) > k->name_cap && !widen_names(k))
		return false;
	n = name_slot(k, kind, id);
	if (n->key)
		return true;
	n->key = (uint32_t)key + 1;
	n->kind = kind;
	memcpy(n->id, id, id_size(kind));
	k->names++;
	return true;
}

static bool add_names(struct bb_signkeys *k, size_t at)
{
	const struct bb_signkey *key = &k->key[at];
	unsigned char hash20[20], script22[22] = {OP_0, 20};

	bb_hash160(hash20, key->pubkey, key->pubkey_len);
	if (!add_name(k, BB_KEY_PUBKEY, key->pubkey + 1, at) ||
		!add_name(k, BB_KEY_P2PKH, hash20, at))
		return false;
	if (key->pubkey_len != 33)
		return true;
	memcpy(script22 + 2, hash20, 20);
	bb_hash160(hash20, script22, sizeof(script22));
	return add_name(k, BB_KEY_P2SH, hash20, at);
}

static bool add_key(struct bb_signkeys *k, const unsigned char key32[32], struct bb_span pubkey,
	bool stated)
{
	struct bb_signkey *key;

	if (k->count == k->cap) {
		if (k->cap >= UINT32_MAX / 2 || !(key = grow(k->key, &k->cap, sizeof(*key))))
			return false;
		k->key = key;
	}
	key = &k->key[k->count];
	memset(key, 0, sizeof(*key));
	memcpy(key->key32, key32, 32);
	memcpy(key->pubkey, pubkey.data, pubkey.len);
	key->pubkey_len = (uint8_t)pubkey.len;
	key->stated = stated;
	k->stated += stated;
	return add_names(k, k->count++);
}

/* Chains: where bb-keygen and other wallets put their keys. */

static bool derive(struct bb_xkey *out, const struct bb_curve *c, const struct bb_xkey *from,
	const uint32_t *step, size_t steps)
{
	struct bb_xkey parent;
	bool ok = true;

	*out = *from;
	for (size_t i = 0; ok && i < steps; i++) {
		parent = *out;
		ok = bb_xkey_child(out, c, &parent, step[i]);
	}
	bb_wipe(&parent, sizeof(parent));
	return ok;
}

static bool add_chain(struct bb_signkeys *k, size_t secret, const uint32_t *step, size_t steps,
	uint32_t purpose)
{
	struct chain *c;

	if (k->chains == k->chain_cap) {
		if (!(c = grow(k->chain, &k->chain_cap, sizeof(*c))))
			return false;
		k->chain = c;
	}
	c = &k->chain[k->chains++];
	*c = (struct chain){.secret = secret, .steps = (uint8_t)steps, .purpose = purpose};
	if (steps)
		memcpy(c->step, step, steps * sizeof(*step));
	k->open++;
	return true;
}

/* As above, unless this secret has it already. */
static bool add_new_chain(struct bb_signkeys *k, size_t secret, const uint32_t *step,
	size_t steps, uint32_t purpose)
{
	for (size_t i = k->chains; i-- > 0 && k->chain[i].secret == secret;)
		if (k->chain[i].steps == steps &&
			(!steps || memcmp(k->chain[i].step, step, steps * sizeof(*step)) == 0))
			return true;
	return add_chain(k, secret, step, steps, purpose);
}

/* The two chains of an account: the steps to it from the secret. */
static bool add_both_chains(struct bb_signkeys *k, size_t secret, const uint32_t *step,
	size_t steps, uint32_t purpose)
{
	uint32_t path[BB_PATH_MAX];

	if (steps >= BB_PATH_MAX)
		return true;
	if (steps)
		memcpy(path, step, steps * sizeof(*path));
	for (path[steps] = 0; path[steps] < 2; path[steps]++)
		if (!add_new_chain(k, secret, path, steps + 1, purpose))
			return false;
	return true;
}

/* The key at the path that a key line states, its chain, and the chains of its account: down
 * to the last hardened step. */
static bool add_stated_path(struct bb_signkeys *k, size_t secret)
{
	const struct bb_secret *s = &k->ring->secrets[secret];
	const uint32_t *step = s->origin.step + s->origin.count;
	const size_t steps = s->stated - s->origin.count;
	const uint32_t purpose = s->origin.step[0] & ~BB_HARDENED;
	size_t account = steps;
	struct bb_xkey own;
	bool ok;

	if (!steps)
		return true;
	while (account && !(step[account - 1] & BB_HARDENED))
		account--;
	ok = !derive(&own, k->curve, &s->xkey, step, steps) ||
	     add_key(k, own.key32, BB_SPAN(own.pubkey33, 33), false);
	bb_wipe(&own, sizeof(own));
	if (ok && account < steps)
		ok = add_new_chain(k, secret, step, steps - 1, purpose);
	if (ok && account + 1 != steps)
		ok = add_both_chains(k, secret, step, account, purpose);
	return ok;
}

/* The chains of the first account of one purpose, as far as this key lies above them; *any is
 * set if it does. */
static bool add_account(
	struct bb_signkeys *k, size_t secret, bool *any, uint32_t purpose, uint32_t coin_type)
{
	const struct bb_secret *s = &k->ring->secrets[secret];
	const size_t depth = s->origin.count;
	uint32_t path[ACCOUNT_STEPS] = {
		purpose | BB_HARDENED, coin_type | BB_HARDENED, BB_HARDENED};

	if (depth > ACCOUNT_STEPS || depth != s->xkey.depth)
		return true;
	for (; path[3] < 2; path[3]++) {
		if (memcmp(path, s->origin.step, depth * sizeof(*path)) != 0)
			continue;
		*any = true;
		if (!add_new_chain(k, secret, path + depth, ACCOUNT_STEPS - depth, purpose))
			return false;
	}
	return true;
}

static bool add_chains(struct bb_signkeys *k, size_t secret, uint32_t coin_type)
{
	static const uint32_t purposes[] = {84, 86, 49, 44};
	const struct bb_secret *s = &k->ring->secrets[secret];
	uint32_t purpose = 0;
	bool standard = false;

	if (!add_stated_path(k, secret))
		return false;
	for (size_t i = 0; i < 4; i++)
		if (!add_account(k, secret, &standard, purposes[i], coin_type))
			return false;
	/* Any other account key, or chain: its own children. */
	if (s->origin.count && s->origin.count == s->xkey.depth)
		purpose = s->origin.step[0] & ~BB_HARDENED;
	if (s->xkey.depth == ACCOUNT_STEPS && !standard &&
		!add_new_chain(k, secret, NULL, 0, purpose))
		return false;
	if (s->xkey.depth > ACCOUNT_STEPS || (s->xkey.depth >= ACCOUNT_STEPS - 1 && standard))
		return true;
	return add_both_chains(k, secret, NULL, 0, purpose);
}

static bool add_secret(struct bb_signkeys *k, size_t i, uint32_t coin_type)
{
	const struct bb_secret *s = &k->ring->secrets[i];
	unsigned char pubkey[65];
	size_t len;

	if (s->extended && !s->xkey.is_private)
		return true;
	if (s->extended)
		return add_key(k, s->xkey.key32, BB_SPAN(s->xkey.pubkey33, 33), false) &&
		       add_chains(k, i, coin_type);
	len = bb_key_pubkey(pubkey, k->curve, s->key32, s->compressed);
	return !len || add_key(k, s->key32, BB_SPAN(pubkey, len), false);
}

struct bb_signkeys *bb_signkeys_new(
	const struct bb_keyring *ring, const struct bb_curve *c, const struct bb_network *n)
{
	struct bb_signkeys *k = calloc(1, sizeof(*k));
	bool ok = k != NULL;

	if (!ok)
		return NULL;
	k->ring = ring;
	k->curve = c;
	ok = widen_names(k);
	for (size_t i = 0; ok && i < ring->count; i++)
		ok = add_secret(k, i, n->coin_type);
	if (!ok) {
		bb_signkeys_free(k);
		return NULL;
	}
	k->limit = BB_SCAN_DEFAULT;
	if (k->chains > MAX_SCANNED / BB_SCAN_DEFAULT)
		k->limit = MAX_SCANNED / k->chains > BATCH ? (uint32_t)(MAX_SCANNED / k->chains)
							   : BATCH;
	return k;
}

void bb_signkeys_free(struct bb_signkeys *k)
{
	if (!k)
		return;
	if (k->key)
		bb_wipe(k->key, k->cap * sizeof(*k->key));
	if (k->chain)
		bb_wipe(k->chain, k->chain_cap * sizeof(*k->chain));
	if (k->pair)
		bb_wipe(k->pair, PAIRS * sizeof(*k->pair));
	free(k->key);
	free(k->chain);
	free(k->name);
	free(k->pair);
	free(k);
}

void bb_signkeys_scan(struct bb_signkeys *k, uint32_t limit)
{
	k->limit = limit;
}

bool bb_signkeys_derive(struct bb_signkeys *k, const struct bb_path *path)
{
	bool any = false;

	for (size_t i = 0; i < k->ring->count; i++) {
		const struct bb_secret *s = &k->ring->secrets[i];
		const size_t from = s->origin.count;
		struct chain *c;
		if (!s->extended || !s->xkey.is_private || path->count <= from ||
			memcmp(path->step, s->origin.step, from * sizeof(*path->step)) != 0)
			continue;
		if (!add_chain(k, i, path->step + from, path->count - from - 1,
			    path->step[0] & ~BB_HARDENED))
			return false;
		c = &k->chain[k->chains - 1];
		c->ranged = any = true;
		c->next = path->step[path->count - 1];
		c->last = path->last;
	}
	return any;
}

static bool is_exhausted(const struct bb_signkeys *k, const struct chain *c)
{
	return c->ranged ? c->next > c->last : c->next >= k->limit;
}

static void chain_done(struct bb_signkeys *k, struct chain *c)
{
	c->done = true;
	k->open--;
	bb_wipe(&c->node, sizeof(c->node));
}

/* The next keys of a chain into the index. */
static bool scan_chain(struct bb_signkeys *k, struct chain *c)
{
	struct bb_xkey child;
	bool ok = true;

	if (is_exhausted(k, c) ||
		(!c->derived && !derive(&c->node, k->curve, &k->ring->secrets[c->secret].xkey,
					c->step, c->steps))) {
		chain_done(k, c);
		return true;
	}
	c->derived = true;
	for (int i = 0; ok && i < BATCH && !is_exhausted(k, c); i++, c->next++)
		if (bb_xkey_child(&child, k->curve, &c->node, (uint32_t)c->next))
			ok = add_key(k, child.key32, BB_SPAN(child.pubkey33, 33), false);
	bb_wipe(&child, sizeof(child));
	if (is_exhausted(k, c))
		chain_done(k, c);
	return ok;
}

/* Some more keys: of the chains of that purpose as long as they last, then of all. */
static bool scan_more(struct bb_signkeys *k, enum bb_key_name name)
{
	static const uint32_t purposes[] = {[BB_KEY_P2PKH] = 44,
		[BB_KEY_P2WPKH] = 84,
		[BB_KEY_P2SH] = 49,
		[BB_KEY_P2TR] = 86};

	if (!k->open)
		return false;
	for (int any = 0; any < 2; any++)
		for (size_t i = 0; i < k->chains; i++) {
			struct chain *c = &k->chain[(k->turn + i) % k->chains];
			if (c->done || (!any && c->purpose != purposes[name]))
				continue;
			k->turn = (size_t)(c - k->chain) + 1;
			return scan_chain(k, c);
		}
	return false;
}

/* The keys that an input's derivations state. */

/* From which step on does the path lead down from this secret? */
static bool below_secret(size_t *from, const struct bb_secret *s,
	const unsigned char fingerprint[4], const struct bb_path *path)
{
	unsigned char own[4];

	if (!s->extended || !s->xkey.is_private)
		return false;
	*from = s->origin.count;
	if (memcmp(s->fingerprint, fingerprint, 4) == 0 && path->count >= *from &&
		memcmp(path->step, s->origin.step, *from * sizeof(*path->step)) == 0)
		return true;
	if (!*from) /* then its fingerprint is its own */
		return false;
	*from = 0;
	bb_xkey_fingerprint(own, &s->xkey);
	return memcmp(own, fingerprint, 4) == 0;
}

/* Taken only if the path leads to the very key that is stated. */
static bool add_stated(struct bb_signkeys *k, const struct bb_pair *derivation)
{
	const unsigned char *x = derivation->key.data + (derivation->key.len != 32);
	unsigned char fingerprint[4];
	struct bb_path path;
	struct bb_xkey child;
	size_t from;
	bool ok = true;

	if (name_slot(k, BB_KEY_PUBKEY, x)->key ||
		!bb_derivation_parse(fingerprint, &path, derivation->value))
		return true;
	for (size_t i = 0; i < k->ring->count; i++) {
		const struct bb_secret *s = &k->ring->secrets[i];
		if (!below_secret(&from, s, fingerprint, &path) ||
			!derive(&child, k->curve, &s->xkey, path.step + from,
				path.count - from) ||
			memcmp(child.pubkey33 + 1, x, 32) != 0)
			continue;
		ok = add_key(k, child.key32, BB_SPAN(child.pubkey33, 33), true);
		break;
	}
	bb_wipe(&child, sizeof(child));
	return ok;
}

/* So that a long stream does not fill the memory: the keys that inputs stated go. */
static bool forget_stated(struct bb_signkeys *k)
{
	size_t kept = 0;
	bool ok = true;

	memset(k->name, 0, k->name_cap * sizeof(*k->name));
	k->names = k->tapped = k->stated = 0;
	for (size_t i = 0; i < k->count; i++)
		if (!k->key[i].stated)
			k->key[kept++] = k->key[i];
	bb_wipe(k->key + kept, (k->count - kept) * sizeof(*k->key));
	k->count = kept;
	for (size_t i = 0; ok && i < kept; i++)
		ok = add_names(k, i);
	return ok;
}

static void add_all_stated(struct bb_signkeys *k, struct bb_partial *input)
{
	bool ok = k->stated < MAX_STATED || forget_stated(k);

	input->derived = true;
	for (size_t i = 0; ok && i < input->derivations.count; i++)
		ok = add_stated(k, &input->derivations.pair[i]);
}

/* P2TR names cost a point multiplication each, so they wait until one is looked for. */
static bool name_outputs(struct bb_signkeys *k)
{
	unsigned char output32[32];
	bool odd;

	for (; k->tapped < k->count; k->tapped++)
		if (bb_taproot_output(output32, &odd, k->key[k->tapped].pubkey + 1, NULL) &&
			!add_name(k, BB_KEY_P2TR, output32, k->tapped))
			return false;
	return true;
}

static const struct bb_signkey *indexed(
	struct bb_signkeys *k, enum bb_key_name name, const unsigned char *id)
{
	uint32_t at;

	if (name == BB_KEY_P2TR && !name_outputs(k))
		return NULL;
	at = name_slot(k, name_kind(name), id)->key;
	return at ? &k->key[at - 1] : NULL;
}

const struct bb_signkey *bb_signkeys_find(struct bb_signkeys *k, enum bb_key_name name,
	const unsigned char *id, struct bb_partial *input)
{
	const struct bb_signkey *key = indexed(k, name, id);

	if (!key && !input->derived) {
		add_all_stated(k, input);
		key = indexed(k, name, id);
	}
	while (!key && scan_more(k, name))
		key = indexed(k, name, id);
	return key;
}

/* Does the whole public key belong to it, and not its X alone? */
static bool owns_pubkey(
	const struct bb_signkeys *k, const struct bb_signkey *key, struct bb_span pubkey)
{
	unsigned char full[65];

	if (pubkey.len == key->pubkey_len)
		return memcmp(key->pubkey, pubkey.data, pubkey.len) == 0;
	return bb_key_pubkey(full, k->curve, key->key32, pubkey.len == 33) == pubkey.len &&
	       memcmp(full, pubkey.data, pubkey.len) == 0;
}

const struct bb_signkey *bb_signkeys_find_pubkey(
	struct bb_signkeys *k, struct bb_span pubkey, struct bb_partial *input)
{
	const struct bb_signkey *key;

	if (pubkey.len != 33 && pubkey.len != 65)
		return NULL;
	key = bb_signkeys_find(k, BB_KEY_PUBKEY, pubkey.data + 1, input);
	return key && owns_pubkey(k, key, pubkey) ? key : NULL;
}

/* Pairs. */

/* Its place, where another may stand. */
static struct pair *pair_slot(struct bb_signkeys *k, const unsigned char xonly32[32])
{
	if (!k->pair && !(k->pair = calloc(PAIRS, sizeof(*k->pair))))
		return NULL;
	return &k->pair[bb_le64(xonly32) % PAIRS];
}

static bool is_pair_of(const struct pair *p, const unsigned char xonly32[32])
{
	return p->made && memcmp(p->xonly32, xonly32, 32) == 0;
}

const struct bb_keypair *bb_signkeys_pair(struct bb_signkeys *k, const struct bb_signkey *key)
{
	const unsigned char *xonly32 = key->pubkey + 1;
	struct pair *p = pair_slot(k, xonly32);

	if (!p)
		return NULL;
	if (!is_pair_of(p, xonly32)) {
		memcpy(p->xonly32, xonly32, 32);
		p->made = bb_keypair_make(&p->pair, k->curve, key->key32);
	}
	return p->made ? &p->pair : NULL;
}

const struct bb_keypair *bb_signkeys_output_pair(struct bb_signkeys *k,
	const struct bb_signkey *key, const unsigned char output32[32],
	const unsigned char *root32)
{
	struct pair *p = pair_slot(k, output32);

	if (!p)
		return NULL;
	if (!is_pair_of(p, output32)) {
		memcpy(p->xonly32, output32, 32);
		p->made = bb_keypair_make(&p->pair, k->curve, key->key32) &&
			  bb_keypair_taproot(&p->pair, k->curve, root32);
	}
	return p->made ? &p->pair : NULL;
}
