#include "wallet/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/hex.h"
#include "bitcoin/address.h"
#include "crypto/base58.h"
#include "crypto/bip39.h"

void bb_buf_wipe(struct bb_buf *b)
{
	bb_wipe(b->data, b->cap);
	bb_buf_free(b);
}

/* Encryption. */

enum { SALT = 16, NONCE = 12, TAG = 16 };

static const char kdf_name[] = "scrypt-32768-8-1"; /* N, r, p */
static const char cipher_name[] = "aes-256-gcm";

static bool stretch(struct bb_seal *seal, const unsigned char salt[SALT])
{
	const uint64_t n = 1 << 15, r = 8, p = 1;

	if (seal->ready && memcmp(seal->salt, salt, SALT) == 0)
		return true;
	seal->ready = EVP_PBE_scrypt((const char *)seal->passphrase.data, seal->passphrase.len,
			      salt, SALT, n, r, p, 64 << 20, seal->key32, 32) == 1;
	memcpy(seal->salt, salt, SALT);
	return seal->ready;
}

static bool gcm_encrypt(unsigned char *out, const unsigned char key32[32],
	const unsigned char nonce[NONCE], struct bb_span text)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;
	bool ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key32, nonce) == 1 &&
		  EVP_EncryptUpdate(ctx, out, &n, text.data, (int)text.len) == 1 &&
		  EVP_EncryptFinal_ex(ctx, out + n, &last) == 1 &&
		  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + text.len) == 1;

	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

/* `data` ends in the tag. */
static bool gcm_decrypt(unsigned char *out, const unsigned char key32[32],
	const unsigned char nonce[NONCE], struct bb_span data)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const size_t len = data.len - TAG;
	unsigned char tag[TAG];
	int n = 0, last = 0;
	bool ok;

	memcpy(tag, data.data + len, TAG);
	ok = ctx && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key32, nonce) == 1 &&
	     EVP_DecryptUpdate(ctx, out, &n, data.data, (int)len) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
	     EVP_DecryptFinal_ex(ctx, out + n, &last) == 1;
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}

bool bb_key_seal(struct bb_json_writer *w, struct bb_seal *seal, struct bb_span secret)
{
	unsigned char salt[SALT], nonce[NONCE], data[BB_SECRET_TEXT + TAG];

	if (secret.len > BB_SECRET_TEXT || !bb_random(nonce, NONCE) || !bb_random(salt, SALT))
		return false;
	/* One salt does for all lines of a run: the nonces keep them apart. */
	if (!stretch(seal, seal->ready ? seal->salt : salt) ||
		!gcm_encrypt(data, seal->key32, nonce, secret))
		return false;
	bb_json_key(w, "kdf");
	bb_json_str(w, kdf_name);
	bb_json_key(w, "salt");
	bb_json_hex(w, BB_SPAN(seal->salt, SALT));
	bb_json_key(w, "cipher");
	bb_json_str(w, cipher_name);
	bb_json_key(w, "nonce");
	bb_json_hex(w, BB_SPAN(nonce, NONCE));
	bb_json_key(w, "data");
	bb_json_hex(w, BB_SPAN(data, secret.len + TAG));
	return true;
}

/* A hex member of min to max bytes. */
static bool hex_member(unsigned char *out, size_t *len, const struct bb_json *line,
	const char *key, size_t min, size_t max)
{
	const struct bb_json *v = bb_json_find(line, key);

	if (!v || v->type != BB_JSON_STRING || v->text.len % 2)
		return false;
	*len = v->text.len / 2;
	return *len >= min && *len <= max && bb_hex_decode(out, v->text.data, *len);
}

bool bb_key_unseal(struct bb_buf *secret, const char **why, const struct bb_json *line,
	struct bb_seal *seal)
{
	unsigned char salt[SALT], nonce[NONCE], data[BB_SECRET_TEXT + TAG], *out;
	size_t len, data_len;

	*why = "malformed key line: unknown kdf or cipher";
	if (!bb_json_is(bb_json_find(line, "kdf"), kdf_name) ||
		!bb_json_is(bb_json_find(line, "cipher"), cipher_name))
		return false;
	*why = "malformed key line: salt, nonce or data";
	if (!hex_member(salt, &len, line, "salt", SALT, SALT) ||
		!hex_member(nonce, &len, line, "nonce", NONCE, NONCE) ||
		!hex_member(data, &data_len, line, "data", TAG + 1, sizeof(data)))
		return false;
	*why = "the key is encrypted: a passphrase is needed";
	if (!seal->passphrase.len)
		return false;
	*why = "out of memory";
	if (!(out = bb_buf_room(secret, BB_SECRET_TEXT)) || !stretch(seal, salt))
		return false;
	*why = "wrong passphrase, or the key line was changed";
	if (!gcm_decrypt(out, seal->key32, nonce, BB_SPAN(data, data_len))) {
		bb_wipe(out, BB_SECRET_TEXT);
		return false;
	}
	secret->len += data_len - TAG;
	return true;
}

bool bb_key_is_sealed(const struct bb_json *line)
{
	return bb_json_find(line, "data") != NULL;
}

/* Files. */

bool bb_keyfile_open(struct bb_keyfile *f, const char **why, const char *path)
{
	struct stat st;

	*f = (struct bb_keyfile){.fd = STDIN_FILENO};
	if (strcmp(path, "-") != 0) {
		f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		*why = strerror(errno);
		if (f->fd < 0)
			return false;
		if (fstat(f->fd, &st) != 0 || (st.st_mode & (S_IRWXG | S_IRWXO)))
			f->exposed = "key file is readable by others (chmod 600)";
		else if (st.st_uid != geteuid() && geteuid() != 0)
			f->exposed = "key file belongs to another user";
	}
	*why = "out of memory";
	if ((f->buf = malloc(BB_KEY_LINE_MAX)))
		return true;
	bb_keyfile_close(f);
	return false;
}

void bb_keyfile_close(struct bb_keyfile *f)
{
	if (f->buf)
		bb_wipe(f->buf, BB_KEY_LINE_MAX);
	free(f->buf);
	if (f->fd > STDIN_FILENO)
		close(f->fd);
	*f = (struct bb_keyfile){.fd = -1};
}

/* One read(2) behind what is there; false at the end, *why set when it came by an error. */
static bool fill(struct bb_keyfile *f, const char **why)
{
	ssize_t n;

	memmove(f->buf, f->buf + f->at, f->len - f->at);
	f->len -= f->at;
	f->at = 0;
	do
		n = read(f->fd, f->buf + f->len, BB_KEY_LINE_MAX - f->len);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		*why = strerror(errno);
		f->len = 0;
	}
	f->ended = n <= 0;
	f->len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void skip_line(struct bb_keyfile *f, const char **why)
{
	unsigned char *lf;

	do {
		f->at = f->len = 0;
		if (!fill(f, why))
			return;
	} while (!(lf = memchr(f->buf, '\n', f->len)));
	f->at = (size_t)(lf - f->buf) + 1;
}

static struct bb_span trim(struct bb_span s)
{
	while (s.len && memchr(" \t\r", s.data[s.len - 1], 3))
		s.len--;
	while (s.len && memchr(" \t\r", s.data[0], 3))
		s = BB_SPAN(s.data + 1, s.len - 1);
	return s;
}

bool bb_keyfile_next(struct bb_keyfile *f, struct bb_span *line, const char **why)
{
	*why = NULL;
	for (;;) {
		unsigned char *start = f->buf + f->at;
		size_t have = f->len - f->at;
		unsigned char *lf = have ? memchr(start, '\n', have) : NULL;

		if (lf || (f->ended && have)) {
			*line = BB_SPAN(start, lf ? (size_t)(lf - start) : have);
			f->at += line->len + (lf != NULL);
			f->number++;
			*line = trim(*line);
			if (line->len)
				return true;
		} else if (f->ended) {
			return false;
		} else if (have == BB_KEY_LINE_MAX) {
			f->number++;
			*why = "line too long";
			skip_line(f, why);
			return false;
		} else if (!fill(f, why) && *why) {
			f->number++;
			return false;
		}
	}
}

/* The forms of a key. */

const char *bb_key_form_name(enum bb_key_form form)
{
	static const char *const name[] = {"wif", "xprv", "mnemonic", "xpub"};

	return name[form];
}

void bb_put_key_text(struct bb_buf *out, const struct bb_key *k, const struct bb_network *n)
{
	if (k->form == BB_KEY_WIF)
		bb_put_wif(out, k->secret.key32, k->secret.compressed, n);
	else if (k->form == BB_KEY_MNEMONIC)
		bb_put_str(out, k->words);
	else
		bb_xkey_encode(
			out, &k->secret.xkey, k->secret.xkey.is_private ? n->xprv : n->xpub);
}

/* BIP 32's version bytes and SLIP 132's, on networks with Bitcoin's. */
static bool version_known(uint32_t *purpose, uint32_t version, const struct bb_network *n)
{
	static const struct {
		uint32_t net, version, purpose; /* net: the xpub of the networks it is for */
	} slip132[] = {
		{0x0488b21e, 0x049d7cb2, 49}, /* ypub */
		{0x0488b21e, 0x049d7878, 49}, /* yprv */
		{0x0488b21e, 0x04b24746, 84}, /* zpub */
		{0x0488b21e, 0x04b2430c, 84}, /* zprv */
		{0x043587cf, 0x044a5262, 49}, /* upub */
		{0x043587cf, 0x044a4e28, 49}, /* uprv */
		{0x043587cf, 0x045f1cf6, 84}, /* vpub */
		{0x043587cf, 0x045f18bc, 84}, /* vprv */
	};

	*purpose = 0;
	if (version == n->xpub || version == n->xprv)
		return true;
	for (size_t i = 0; i < sizeof(slip132) / sizeof(*slip132); i++) {
		if (slip132[i].net != n->xpub || slip132[i].version != version)
			continue;
		*purpose = slip132[i].purpose;
		return true;
	}
	return false;
}

static void set_extended(struct bb_key *out)
{
	out->secret.extended = true;
	out->secret.origin.count = 0;
	bb_xkey_fingerprint(out->secret.fingerprint, &out->secret.xkey);
}

/* A WIF or an extended key. */
static bool read_base58(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span text)
{
	struct bb_secret *s = &out->secret;
	unsigned char payload[80];
	uint32_t version;
	size_t len;
	bool known, same;

	if (bb_wif_decode(s->key32, &s->compressed, text, r->network)) {
		out->form = BB_KEY_WIF;
		out->pubkey_len = bb_key_pubkey(out->pubkey, r->curve, s->key32, s->compressed);
		*why = "not a key";
		return out->pubkey_len != 0;
	}
	known = bb_base58check_decode(payload, &len, sizeof(payload), text);
	same = known && payload[0] == r->network->base58_secret;
	bb_wipe(payload, sizeof(payload));
	*why = "not a key: neither WIF, extended key nor mnemonic";
	if (!known || (len != BB_BIP32_SIZE && len != 33 && len != 34))
		return false;
	*why = same ? "malformed WIF" : "key is of another network";
	if (len != BB_BIP32_SIZE)
		return false;
	*why = "malformed extended key";
	if (!bb_xkey_decode(&s->xkey, &version, r->curve, text))
		return false;
	*why = "key is of another network";
	if (!version_known(&out->purpose, version, r->network))
		return false;
	out->form = s->xkey.is_private ? BB_KEY_XPRV : BB_KEY_XPUB;
	set_extended(out);
	return true;
}

static bool read_mnemonic(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span text)
{
	struct bb_buf words = {0};
	unsigned char entropy[32], seed[64];
	size_t len;
	bool ok = false;

	if (!bb_mnemonic_decode(entropy, &len, why, text))
		goto out;
	*why = "out of memory";
	if (!bb_buf_room(&words, BB_SECRET_TEXT) ||
		!bb_mnemonic_encode(&words, BB_SPAN(entropy, len)) ||
		words.len >= sizeof(out->words))
		goto out;
	memcpy(out->words, words.data, words.len);
	out->words[words.len] = '\0';
	*why = "mnemonic or its passphrase gives no seed (is it UTF-8?)";
	if (!bb_mnemonic_seed(seed, BB_SPAN(words.data, words.len), r->mnemonic_passphrase) ||
		!bb_xkey_master(&out->secret.xkey, r->curve, BB_SPAN(seed, 64)))
		goto out;
	out->form = BB_KEY_MNEMONIC;
	set_extended(out);
	ok = true;
out:
	bb_wipe(entropy, sizeof(entropy));
	bb_wipe(seed, sizeof(seed));
	bb_buf_wipe(&words);
	return ok;
}

/* Do the first steps of the path lead from the master to this key, as far as it tells? */
static bool leads_to(
	const struct bb_path *path, const unsigned char fingerprint[4], const struct bb_xkey *x)
{
	return x->depth && path->count >= x->depth && path->step[x->depth - 1] == x->index &&
	       (x->depth > 1 || memcmp(fingerprint, x->parent, 4) == 0);
}

static void set_origin(struct bb_secret *s, const unsigned char fingerprint[4],
	const struct bb_path *path, size_t count)
{
	memcpy(s->fingerprint, fingerprint, 4);
	s->origin = *path;
	s->origin.count = count;
	s->origin.last = count ? path->step[count - 1] : 0;
}

static bool path_of(struct bb_path *out, struct bb_span text)
{
	const char *why;

	return bb_path_parse(out, &why, text) &&
	       (!out->count || out->last == out->step[out->count - 1]);
}

/* "[d34db33f/84h/1h/0h]xpub..." (BIP 380). */
static bool read_with_origin(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span text)
{
	const unsigned char *end = memchr(text.data, ']', text.len);
	unsigned char fingerprint[4];
	struct bb_path path = {0};
	size_t len;

	*why = "malformed key origin";
	if (!end || (len = (size_t)(end - text.data)) < 9 || (len > 9 && text.data[9] != '/') ||
		!bb_hex_decode(fingerprint, text.data + 1, 4))
		return false;
	if (len > 9 && !path_of(&path, BB_SPAN(text.data + 10, len - 10)))
		return false;
	if (!read_base58(out, why, r, BB_SPAN(end + 1, text.len - len - 1)))
		return false;
	*why = "key origin does not belong to the key";
	if (!out->secret.extended || path.count != out->secret.xkey.depth)
		return false;
	if (!path.count)
		return memcmp(fingerprint, out->secret.fingerprint, 4) == 0;
	if (!leads_to(&path, fingerprint, &out->secret.xkey))
		return false;
	set_origin(&out->secret, fingerprint, &path, path.count);
	return true;
}

static bool read_text(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span text)
{
	*why = "not a key";
	if (!text.len)
		return false;
	if (text.data[0] == '[')
		return read_with_origin(out, why, r, text);
	if (memchr(text.data, ' ', text.len) || memchr(text.data, '\t', text.len))
		return read_mnemonic(out, why, r, text);
	return read_base58(out, why, r, text);
}

bool bb_secret_derive(struct bb_xkey *out, struct bb_xkey *account, size_t *account_depth,
	const char **why, const struct bb_secret *s, const struct bb_curve *c,
	const uint32_t *step, size_t count)
{
	const size_t known = s->origin.count;
	struct bb_xkey next;
	bool ok = false;

	*why = "path does not lead through the key";
	if (count < known ||
		(known && memcmp(step, s->origin.step, known * sizeof(*step)) != 0))
		return false;
	*out = s->xkey;
	if (account)
		*account = *out;
	if (account_depth)
		*account_depth = known;
	for (size_t i = known; i < count; i++) {
		*why = "a hardened step needs the secret key, and an xpub has none";
		if ((step[i] & BB_HARDENED) && !out->is_private)
			goto out;
		*why = "path leads to no key";
		if (!bb_xkey_child(&next, c, out, step[i]))
			goto out;
		*out = next;
		if (account && (step[i] & BB_HARDENED))
			*account = next;
		if (account_depth && (step[i] & BB_HARDENED))
			*account_depth = i + 1;
	}
	ok = true;
out:
	bb_wipe(&next, sizeof(next));
	return ok;
}

/* What the line says of where its key comes from. */
static bool read_line_origin(struct bb_key *out, const char **why, struct bb_key_reader *r,
	const struct bb_json *line)
{
	const struct bb_json *path = bb_json_find(line, "path");
	struct bb_secret *s = &out->secret;
	unsigned char fingerprint[4];
	bool has_fingerprint = bb_json_find(line, "fingerprint") != NULL, own;
	struct bb_xkey leaf;
	size_t len;

	*why = "malformed key line: fingerprint is not 8 hex digits";
	if (has_fingerprint && !hex_member(fingerprint, &len, line, "fingerprint", 4, 4))
		return false;
	*why = "malformed key line: path";
	if (path && (path->type != BB_JSON_STRING || !path_of(&out->path, path->text)))
		return false;
	out->has_path = path && (has_fingerprint || s->extended);
	if (!s->extended) {
		if (out->has_path)
			memcpy(s->fingerprint, fingerprint, 4);
		return true;
	}
	own = !has_fingerprint || memcmp(fingerprint, s->fingerprint, 4) == 0;
	*why = out->form == BB_KEY_MNEMONIC ? "mnemonic with this passphrase has another "
					      "fingerprint (was it made with a "
					      "BIP 39 passphrase?)"
					    : "fingerprint and path do not lead to the key";
	if (!own && !(path && leads_to(&out->path, fingerprint, &s->xkey)))
		return false;
	if (!own)
		set_origin(s, fingerprint, &out->path, s->xkey.depth);
	if (!path)
		return true;
	if (!bb_secret_derive(
		    &leaf, NULL, NULL, why, s, r->curve, out->path.step, out->path.count))
		return false;
	memcpy(out->pubkey, leaf.pubkey33, 33);
	out->pubkey_len = 33;
	bb_wipe(&leaf, sizeof(leaf));
	return true;
}

static bool read_line_secret(struct bb_key *out, const char **why, struct bb_key_reader *r,
	const struct bb_json *line)
{
	struct bb_buf text = {0};
	bool ok;

	if (bb_key_is_sealed(line)) {
		ok = bb_key_unseal(&text, why, line, &r->seal) &&
		     read_text(out, why, r, BB_SPAN(text.data, text.len));
		bb_buf_wipe(&text);
		return ok;
	}
	for (int form = BB_KEY_WIF; form <= BB_KEY_XPUB; form++) {
		const struct bb_json *v = bb_json_find(line, bb_key_form_name(form));
		if (!v)
			continue;
		*why = "malformed key line: the key is not a string";
		if (v->type != BB_JSON_STRING)
			return false;
		if (form == BB_KEY_MNEMONIC)
			return read_mnemonic(out, why, r, v->text);
		*why = "malformed key line: wif, xprv or xpub is something else";
		return read_base58(out, why, r, v->text) && (int)out->form == form;
	}
	*why = "key line holds no secret and no xpub";
	return false;
}

const struct bb_json *bb_key_line(
	const char **why, struct bb_key_reader *r, struct bb_span line)
{
	const struct bb_json *object, *type;

	bb_arena_wipe(&r->arena);
	if (!(object = bb_json_parse(&r->arena, why, line)))
		return NULL;
	type = bb_json_find(object, "type");
	*why = "not a key line";
	return !type || bb_json_is(type, "key") ? object : NULL;
}

bool bb_key_read(
	struct bb_key *out, const char **why, struct bb_key_reader *r, struct bb_span line)
{
	unsigned char pubkey[65];
	size_t len;

	*out = (struct bb_key){0};
	line = trim(line);
	if (!line.len || line.data[0] != '{')
		return read_text(out, why, r, line);
	if (!(out->line = bb_key_line(why, r, line)) ||
		!read_line_secret(out, why, r, out->line) ||
		!read_line_origin(out, why, r, out->line))
		return false;
	if (!out->pubkey_len || !bb_json_find(out->line, "pubkey"))
		return true;
	*why = "malformed key line: pubkey";
	if (!hex_member(pubkey, &len, out->line, "pubkey", 33, 65))
		return false;
	*why = "pubkey does not belong to the key";
	return bb_span_equal(BB_SPAN(pubkey, len), BB_SPAN(out->pubkey, out->pubkey_len));
}

void bb_key_reader_free(struct bb_key_reader *r)
{
	bb_arena_wipe(&r->arena);
	bb_arena_free(&r->arena);
	bb_wipe(&r->seal, sizeof(r->seal));
}

/* The keyring. */

static bool ring_add(struct bb_keyring *ring, const struct bb_secret *s)
{
	if (ring->count == ring->cap) {
		size_t cap = ring->cap ? 2 * ring->cap : 8;
		struct bb_secret *more = calloc(cap, sizeof(*more));
		if (!more)
			return false;
		if (ring->count) {
			memcpy(more, ring->secrets, ring->count * sizeof(*more));
			bb_wipe(ring->secrets, ring->count * sizeof(*more));
		}
		free(ring->secrets);
		ring->secrets = more;
		ring->cap = cap;
	}
	ring->secrets[ring->count++] = *s;
	return true;
}

bool bb_keyring_load(struct bb_keyring *ring, const char **why, const char *path,
	struct bb_span passphrase, const struct bb_curve *c, const struct bb_network *n)
{
	struct bb_key_reader r = {.curve = c,
		.network = n,
		.seal.passphrase = passphrase,
		.mnemonic_passphrase = ring->mnemonic_passphrase};
	const size_t before = ring->count;
	struct bb_keyfile f;
	struct bb_span line;
	struct bb_key k;
	bool ok = false;

	ring->bad_line = 0;
	if (!bb_keyfile_open(&f, why, path))
		return false;
	*why = f.exposed;
	if (f.exposed)
		goto out;
	while (bb_keyfile_next(&f, &line, why)) {
		if (!bb_key_read(&k, why, &r, line))
			goto bad;
		*why = "out of memory";
		if (k.form != BB_KEY_XPUB && !ring_add(ring, &k.secret))
			goto bad;
	}
	if (*why)
		goto bad;
	*why = "key file holds no secret";
	ok = ring->count > before;
	goto out;
bad:
	ring->bad_line = f.number;
out:
	bb_wipe(&k, sizeof(k));
	bb_keyfile_close(&f);
	bb_key_reader_free(&r);
	return ok;
}

void bb_keyring_free(struct bb_keyring *ring)
{
	if (ring->secrets)
		bb_wipe(ring->secrets, ring->cap * sizeof(*ring->secrets));
	free(ring->secrets);
	*ring = (struct bb_keyring){0};
}
