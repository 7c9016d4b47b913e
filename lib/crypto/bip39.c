#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <uninorm.h>
#include <unistr.h>

#include "crypto/bip39.h"
#include "crypto/bip39_english.h"
#include "crypto/hash.h"

enum {
	ENTROPY_MIN = 16,
	ENTROPY_MAX = 32,
	WORD_BITS = 11,
	WORDS_MAX = 24,
	SENTENCE_MAX = WORDS_MAX * (ENGLISH_WORD_MAX + 1),
	TEXT_MAX = 65536,
	SEED_ROUNDS = 2048,
};

/* The index of a word: eleven bits, the first in the highest place of its byte. */
static unsigned get_bits(const unsigned char *p, size_t at)
{
	unsigned v = 0;

	for (size_t i = at; i < at + WORD_BITS; i++)
		v = v << 1 | (p[i / 8] >> (7 - i % 8) & 1);
	return v;
}

static void set_bits(unsigned char *p, size_t at, unsigned v)
{
	for (size_t i = 0; i < WORD_BITS; i++) {
		unsigned bit = v >> (WORD_BITS - 1 - i) & 1;

		p[(at + i) / 8] |= bit << (7 - (at + i) % 8);
	}
}

bool bb_mnemonic_encode(struct bb_buf *out, struct bb_span entropy)
{
	unsigned char bits[ENTROPY_MAX + 32];
	size_t count = entropy.len * 3 / 4; /* 33 bits of 3 words for every 32 of entropy */

	if (entropy.len < ENTROPY_MIN || entropy.len > ENTROPY_MAX || entropy.len % 4)
		return false;
	/* At once, so that no half of a sentence stays behind when the buffer grows. */
	if (!bb_buf_room(out, SENTENCE_MAX))
		return false;
	memcpy(bits, entropy.data, entropy.len);
	bb_sha256(bits + entropy.len, entropy.data, entropy.len);
	for (size_t i = 0; i < count; i++) {
		if (i)
			bb_put_u8(out, ' ');
		bb_put_str(out, english[get_bits(bits, i * WORD_BITS)]);
	}
	bb_wipe(bits, sizeof(bits));
	return !out->failed;
}

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word off the front of the text; empty at the end. */
static struct bb_span next_word(struct bb_span *text)
{
	struct bb_span word;

	while (text->len && is_space(*text->data))
		text->data++, text->len--;
	word = BB_SPAN(text->data, 0);
	while (text->len && !is_space(*text->data))
		text->data++, text->len--, word.len++;
	return word;
}

/* A word's place in the list, or -1. */
static int find_word(struct bb_span word)
{
	int low = 0, high = ENGLISH_WORDS;
	char text[ENGLISH_WORD_MAX + 1] = {0};

	if (word.len > ENGLISH_WORD_MAX)
		return -1;
	memcpy(text, word.data, word.len);
	while (low < high) {
		int middle = (low + high) / 2,
		    order = memcmp(text, english[middle], sizeof(text));

		if (!order) {
			low = middle;
			break;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	bb_wipe(text, sizeof(text));
	return low < high ? low : -1;
}

/* The words' bits: entropy, then checksum. */
static bool read_words(unsigned char bits[ENTROPY_MAX + 1], size_t *count, const char **why,
	struct bb_span words)
{
	struct bb_span word;

	for (*count = 0; (word = next_word(&words)).len; ++*count) {
		int index = find_word(word);

		if (index < 0) {
			*why = "mnemonic has a word that is not in the list";
			return false;
		}
		if (*count < WORDS_MAX)
			set_bits(bits, *count * WORD_BITS, (unsigned)index);
	}
	if (*count < 12 || *count > WORDS_MAX || *count % 3) {
		*why = "mnemonic must have 12, 15, 18, 21 or 24 words";
		return false;
	}
	return true;
}

bool bb_mnemonic_decode(
	unsigned char entropy[32], size_t *len, const char **why, struct bb_span words)
{
	unsigned char bits[ENTROPY_MAX + 1] = {0}, hash[32];
	size_t count;
	bool ok = read_words(bits, &count, why, words);

	if (ok) {
		unsigned shift = 8 - (unsigned)count / 3; /* a checksum of 4 to 8 bits */

		*len = count * 4 / 3;
		bb_sha256(hash, bits, *len);
		ok = bits[*len] >> shift == hash[0] >> shift;
		if (ok)
			memcpy(entropy, bits, *len);
		else
			*why = "mnemonic checksum does not match";
	}
	bb_wipe(bits, sizeof(bits));
	return ok;
}

static bool is_ascii(struct bb_span s)
{
	while (s.len && *s.data < 0x80)
		s.data++, s.len--;
	return !s.len;
}

/* A copy in NFKD, which the caller wipes. ASCII is its own, and need not pass through a
 * library that leaves copies behind. */
static bool put_nfkd(struct bb_buf *out, struct bb_span text)
{
	uint8_t *normal;
	size_t len;

	if (text.len > TEXT_MAX)
		return false;
	if (is_ascii(text)) {
		bb_put(out, text.data, text.len);
		return !out->failed;
	}
	if (u8_check(text.data, text.len)) /* the first bad byte */
		return false;
	normal = u8_normalize(UNINORM_NFKD, text.data, text.len, NULL, &len);
	if (!normal)
		return false;
	bb_put(out, normal, len);
	bb_wipe(normal, len);
	free(normal);
	return !out->failed;
}

/* One space between words, none around them: in place, for it only gets shorter. */
static void fold_spaces(struct bb_buf *b)
{
	struct bb_span rest = BB_SPAN(b->data, b->len), word;
	size_t len = 0;

	while ((word = next_word(&rest)).len) {
		if (len)
			b->data[len++] = ' ';
		memmove(b->data + len, word.data, word.len);
		len += word.len;
	}
	b->len = len;
}

static void wipe_free(struct bb_buf *b)
{
	bb_wipe(b->data, b->cap);
	bb_buf_free(b);
}

bool bb_mnemonic_seed(unsigned char seed[64], struct bb_span words, struct bb_span passphrase)
{
	struct bb_buf sentence = {0}, salt = {0};
	bool ok;

	bb_put_str(&salt, "mnemonic");
	ok = put_nfkd(&sentence, words) && put_nfkd(&salt, passphrase);
	if (ok) {
		fold_spaces(&sentence);
		ok = PKCS5_PBKDF2_HMAC((const char *)sentence.data, (int)sentence.len,
			salt.data, (int)salt.len, SEED_ROUNDS, EVP_sha512(), 64, seed);
	}
	wipe_free(&sentence);
	wipe_free(&salt);
	return ok;
}
