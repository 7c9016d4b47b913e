#include "bitcoin/network.h"

#include <ctype.h>
#include <string.h>

#include "base/hex.h"
#include "bitcoin/interpreter.h"
#include "bitcoin/tx.h"
#include "crypto/hash.h"

/* The built-in networks. Hashes and 256-bit numbers stand in the order in which they are held
 * (wire order, little-endian); values are Bitcoin Core 31's. */

#define LIMIT_32_BITS                                                                          \
	{                                                                                      \
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,  \
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,      \
			0xff, 0xff, 0xff, 0xff                                                 \
	}

/* What all test networks share. */
#define TEST_PREFIXES                                                                          \
	.base58_pubkey = 111, .base58_script = 196, .base58_secret = 239, .xpub = 0x043587cf,  \
	.xprv = 0x04358394, .coin_type = 1
/* What all but the classroom share: two weeks of ten minutes (BIP 94's limit where it binds).
 */
#define BITCOIN_TIMES                                                                          \
	.target_spacing = 600, .target_timespan = 14 * 24 * 60 * 60, .timewarp_limit = 600,    \
	.max_future = 2 * 60 * 60, .coinbase_maturity = 100
#define ALL_FROM_1                                                                             \
	.bip34_height = 1, .dersig_height = 1, .cltv_height = 1, .csv_height = 1,              \
	.segwit_height = 1

static const struct bb_network networks[] =
	{
		{
			.name = "main",
			.magic = 0xd9b4bef9,
			.port = 8333,
			.hrp = "bc",
			.base58_pubkey = 0,
			.base58_script = 5,
			.base58_secret = 128,
			.xpub = 0x0488b21e,
			.xprv = 0x0488ade4,
			.coin_type = 0,
			.genesis = {0x6f, 0xe2, 0x8c, 0x0a, 0xb6, 0xf1, 0xb3, 0x72, 0xc1, 0xa6,
				0xa2, 0x46, 0xae, 0x63, 0xf7, 0x4f, 0x93, 0x1e, 0x83, 0x65,
				0xe1, 0x5a, 0x08, 0x9c, 0x68, 0xd6, 0x19},
			.pow_limit = LIMIT_32_BITS,
			BITCOIN_TIMES,
			.halving_interval = 210000,
			.bip34_height = 227931,
			.bip34_hash = {0xb8, 0x08, 0x08, 0x9c, 0x75, 0x6a, 0xdd, 0x15, 0x91,
				0xb1, 0xd1, 0x7b, 0xab, 0x44, 0xbb, 0xa3, 0xfe, 0xd9, 0xe0,
				0x2f, 0x94, 0x2a, 0xb4, 0x89, 0x4b, 0x02},
			.dersig_height = 363725,
			.cltv_height = 388381,
			.csv_height = 419328,
			.segwit_height = 481824,
			.flag_exceptions =
				{
					{{0x22, 0x9c, 0x4f, 0xac, 0x88, 0xba, 0xb1, 0x94, 0xeb,
						 0x08, 0xf1, 0xa5, 0x28, 0xcc, 0x30, 0x8d, 0xed,
						 0x23, 0x97, 0xf4, 0xf4, 0xeb, 0x6e, 0x75, 0xdc,
						 0x02},
						0}, /* spends a P2SH output that fails BIP 16 */
					{{0xad, 0x95, 0xe3, 0xa1, 0x5e, 0xe5, 0xff, 0xd5, 0x85,
						 0xc5, 0xe8, 0x1d, 0x44, 0xb5, 0x6a, 0x98, 0x1e,
						 0x84, 0x2d, 0x5b, 0xc3, 0x14, 0x0f},
						BB_VERIFY_P2SH | BB_VERIFY_WITNESS},
				},
			.flag_exception_count = 2,
			.bip30_exceptions =
				{
					{91842, {0xec, 0xca, 0xe0, 0x00, 0xe3, 0xc8, 0xe4, 0xe0,
							0x93, 0x93, 0x63, 0x60, 0x43, 0x1f,
							0x3b, 0x76, 0x03, 0xc5, 0x63, 0xc1,
							0xff, 0x61, 0x81, 0x39, 0x0a, 0x4d,
							0x0a}},
					{91880, {0x21, 0xd7, 0x7c, 0xcb, 0x4c, 0x08, 0x38, 0x6a,
							0x04, 0xac, 0x01, 0x96, 0xae, 0x10,
							0xf6, 0xa1, 0xd2, 0xc2, 0xa3, 0x77,
							0x55, 0x8c, 0xa1, 0x90, 0xf1, 0x43,
							0x07}},
				},
			.bip30_exception_count = 2,
			.minimum_chain_work = {0x30, 0xa0, 0xa3, 0x53, 0x61, 0x36, 0x4c, 0x2f,
				0xf8, 0x50, 0x87, 0x12, 0x01},
		},
		{
			.name = "testnet3",
			.magic = 0x0709110b,
			.port = 18333,
			.hrp = "tb",
			TEST_PREFIXES,
			.genesis = {0x43, 0x49, 0x7f, 0xd7, 0xf8, 0x26, 0x95, 0x71, 0x08, 0xf4,
				0xa3, 0x0f, 0xd9, 0xce, 0xc3, 0xae, 0xba, 0x79, 0x97, 0x20,
				0x84, 0xe9, 0x0e, 0xad, 0x01, 0xea, 0x33, 0x09},
			.pow_limit = LIMIT_32_BITS,
			BITCOIN_TIMES,
			.min_difficulty = true,
			.halving_interval = 210000,
			.bip34_height = 21111,
			.bip34_hash = {0xf8, 0x8e, 0xcd, 0x99, 0x12, 0xd0, 0x0d, 0x3f, 0x5c,
				0x2a, 0x8e, 0x0f, 0x50, 0x41, 0x7d, 0x3e, 0x41, 0x5c, 0x75,
				0xb3, 0xab, 0xe5, 0x84, 0x34, 0x6d, 0xa9, 0xb3, 0x23},
			.dersig_height = 330776,
			.cltv_height = 581885,
			.csv_height = 770112,
			.segwit_height = 834624,
			.flag_exceptions = {{{0x05, 0xb1, 0x32, 0xa4, 0xf7, 0x4a, 0x87, 0x99,
						     0xa5, 0x7a, 0x42, 0x02, 0xd0, 0xee, 0xb0,
						     0x96, 0x12, 0xcc, 0x08, 0xd2, 0x95, 0x40,
						     0x1f, 0x00, 0x7c, 0x45, 0x30, 0xdd},
				0}},
			.flag_exception_count = 1,
			.minimum_chain_work = {0xb6, 0x14, 0x8d, 0x70, 0xf3, 0x49, 0xc6, 0xe1,
				0xdd, 0x17},
		},
		{
			.name = "testnet4",
			.magic = 0x283f161c,
			.port = 48333,
			.hrp = "tb",
			TEST_PREFIXES,
			.genesis = {0x43, 0xf0, 0x8b, 0xda, 0xb0, 0x50, 0xe3, 0x5b, 0x56, 0x7c,
				0x86, 0x4b, 0x91, 0xf4, 0x7f, 0x50, 0xae, 0x72, 0x5a, 0xe2,
				0xde, 0x53, 0xbc, 0xfb, 0xba, 0xf2, 0x84, 0xda},
			.pow_limit = LIMIT_32_BITS,
			BITCOIN_TIMES,
			.min_difficulty = true,
			.bip94 = true,
			.halving_interval = 210000,
			ALL_FROM_1,
			.minimum_chain_work = {0x04, 0x63, 0x08, 0x7d, 0x17, 0xd0, 0x15, 0xfe,
				0xa0, 0x09},
		},
		{
			.name = "signet",
			.magic = 0x40cf030a,
			.port = 38333,
			.hrp = "tb",
			TEST_PREFIXES,
			.genesis = {0xf6, 0x1e, 0xee, 0x3b, 0x63, 0xa3, 0x80, 0xa4, 0x77, 0xa0,
				0x63, 0xaf, 0x32, 0xb2, 0xbb, 0xc9, 0x7c, 0x9f, 0xf9, 0xf0,
				0x1f, 0x2c, 0x42, 0x25, 0xe9, 0x73, 0x98, 0x81, 0x08},
			.pow_limit = {[27] = 0xae, 0x77, 0x03},
			BITCOIN_TIMES,
			.halving_interval = 210000,
			ALL_FROM_1,
			.minimum_chain_work = {0xb8, 0xa4, 0xa0, 0x3e, 0x46, 0x0b},
			.signet_challenge = {0x51, 0x21, 0x03, 0xad, 0x5e, 0x0e, 0xda, 0xd1,
				0x8c, 0xb1, 0xf0, 0xfc, 0x0d, 0x28, 0xa3, 0xd4, 0xf1, 0xf3,
				0xe4, 0x45, 0x64, 0x03, 0x37, 0x48, 0x9a, 0xbb, 0x10, 0x40,
				0x4f, 0x2d, 0x1e, 0x08, 0x6b, 0xe4, 0x30, 0x21, 0x03, 0x59,
				0xef, 0x50, 0x21, 0x96, 0x4f, 0xe2, 0x2d, 0x6f, 0x8e, 0x05,
				0xb2, 0x46, 0x3c, 0x95, 0x40, 0xce, 0x96, 0x88, 0x3f, 0xe3,
				0xb2, 0x78, 0x76, 0x0f, 0x04, 0x8f, 0x51, 0x89, 0xf2, 0xe6,
				0xc4, 0x52, 0xae},
			.signet_challenge_len = 71,
		},
		{
			.name = "regtest",
			.magic = 0xdab5bffa,
			.port = 18444,
			.hrp = "bcrt",
			TEST_PREFIXES,
			.genesis = {0x06, 0x22, 0x6e, 0x46, 0x11, 0x1a, 0x0b, 0x59, 0xca, 0xaf,
				0x12, 0x60, 0x43, 0xeb, 0x5b, 0xbf, 0x28, 0xc3, 0x4f, 0x3a,
				0x5e, 0x33, 0x2a, 0x1f, 0xc7, 0xb2, 0xb7, 0x3c, 0xf1, 0x88,
				0x91, 0x0f},
			.pow_limit = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				0xff, 0xff, 0x7f},
			.target_spacing = 600,
			.target_timespan = 24 * 60 * 60,
			.timewarp_limit = 600,
			.max_future = 2 * 60 * 60,
			.coinbase_maturity = 100,
			.no_retarget = true,
			.min_difficulty = true,
			.halving_interval = 150,
			.bip34_height = 1,
			.dersig_height = 1,
			.cltv_height = 1,
			.csv_height = 1,
			.segwit_height = 0,
		},
		{
			.name = "barenet",
			.magic = 0xe7febabb,
			.port = 28333,
			.hrp = "bare",
			TEST_PREFIXES,
			.genesis = {0xfe, 0x85, 0x12, 0x32, 0x2d, 0x45, 0xa8, 0x77, 0xfe, 0x38,
				0x0f, 0xba, 0x36, 0xde, 0xde, 0xe6, 0x27, 0xe1, 0xd4, 0xd1,
				0xed, 0x5e, 0xe3, 0xee, 0xca, 0xa8, 0x4c, 0xdc, 0xda, 0x04},
			/* 0x1e0fffff */
			.pow_limit = {[27] = 0xff, 0xff, 0x0f},
			.target_spacing = 10,
			.target_timespan = 600,
			.timewarp_limit = 10,
			.max_future = 120,
			.coinbase_maturity = 10,
			.bip94 = true,
			.halving_interval = 2100,
			ALL_FROM_1,
		},
};

const struct bb_network *bb_network_at(size_t i)
{
	return i < sizeof(networks) / sizeof(*networks) ? &networks[i] : NULL;
}

const struct bb_network *bb_network_find(const char *name)
{
	const struct bb_network *n;

	for (size_t i = 0; (n = bb_network_at(i)); i++)
		if (strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

/* Parameters from JSON: each key a field and the form it has. */

enum form {
	BASE, /* already taken in */
	NAME,
	FLAG,
	NUMBER, /* u32 or i32 from `min` to INT32_MAX */
	HASH,	/* display order */
	WORK,	/* a 256-bit number, as hex with leading zeros */
	MAGIC,	/* four bytes as on the wire */
	PORT,
	HRP,
	BASE58,	    /* [pubkey, script, secret] and, maybe, "xpub", "xprv" as 4 bytes each */
	EXCEPTIONS, /* [{"hash":, "flags":"P2SH,WITNESS"}] */
	REPEATS,    /* [{"height":, "hash":}] */
	CHALLENGE,
};

struct parameter {
	const char *key;
	enum form form;
	size_t offset;
	int64_t min;
	const char *wrong;
};

#define PARAMETER(key, form, min, is)                                                          \
	{                                                                                      \
#key, form, offsetof(struct bb_network, key), min, #key " is not " is          \
	}
#define HEIGHT	"a height"
#define SECONDS "a whole number of seconds"
#define TRUTH	"true or false"

/* In the order in which they are written. */
static const struct parameter parameters[] = {
	{"base", BASE, 0, 0, ""},
	PARAMETER(name, NAME, 0, "a short name"),
	PARAMETER(magic, MAGIC, 0, "4 bytes of hex"),
	PARAMETER(port, PORT, 1, "a port"),
	PARAMETER(hrp, HRP, 0, "a short lower-case prefix"),
	{"base58", BASE58, 0, 0, "base58 is not [pubkey, script, secret, xpub?, xprv?]"},
	PARAMETER(coin_type, NUMBER, 0, "a number of BIP 44"),
	PARAMETER(genesis, HASH, 0, "a hash"),
	PARAMETER(pow_limit, WORK, 0, "32 bytes of hex"),
	PARAMETER(target_spacing, NUMBER, 1, SECONDS),
	PARAMETER(target_timespan, NUMBER, 1, SECONDS),
	PARAMETER(no_retarget, FLAG, 0, TRUTH),
	PARAMETER(min_difficulty, FLAG, 0, TRUTH),
	PARAMETER(bip94, FLAG, 0, TRUTH),
	PARAMETER(timewarp_limit, NUMBER, 0, SECONDS),
	PARAMETER(max_future, NUMBER, 0, SECONDS),
	PARAMETER(halving_interval, NUMBER, 1, "a number of blocks"),
	PARAMETER(coinbase_maturity, NUMBER, 0, "a number of blocks"),
	PARAMETER(bip34_height, NUMBER, 0, HEIGHT),
	PARAMETER(bip34_hash, HASH, 0, "a hash"),
	PARAMETER(dersig_height, NUMBER, 0, HEIGHT),
	PARAMETER(cltv_height, NUMBER, 0, HEIGHT),
	PARAMETER(csv_height, NUMBER, 0, HEIGHT),
	PARAMETER(segwit_height, NUMBER, 0, HEIGHT),
	{"script_flag_exceptions", EXCEPTIONS, 0, 0,
		"script_flag_exceptions is not up to 4 objects with hash and flags"},
	PARAMETER(bip30_exceptions, REPEATS, 0, "up to 2 objects with height and hash"),
	PARAMETER(minimum_chain_work, WORK, 0, "32 bytes of hex"),
	PARAMETER(signet_challenge, CHALLENGE, 0, "hex of at most 256 bytes"),
};

static bool get_hash(unsigned char hash[32], const struct bb_json *v)
{
	return v && v->type == BB_JSON_STRING && bb_hash_decode(hash, v->text);
}

static bool get_be32(uint32_t *out, const struct bb_json *v)
{
	unsigned char bytes[4];

	if (!v || v->type != BB_JSON_STRING || v->text.len != 8 ||
		!bb_hex_decode(bytes, v->text.data, 4))
		return false;
	*out = bb_be32(bytes);
	return true;
}

/* The wire's four bytes are held as their little-endian number. */
static bool get_magic(uint32_t *out, const struct bb_json *v)
{
	uint32_t be;
	unsigned char bytes[4];

	if (!get_be32(&be, v))
		return false;
	bb_set_be32(bytes, be);
	*out = bb_le32(bytes);
	return true;
}

/* It names the folder of a node too, so it must be a plain word. */
static bool get_name(char name[32], const struct bb_json *v)
{
	if (v->type != BB_JSON_STRING || !v->text.len || v->text.len > 31)
		return false;
	for (size_t i = 0; i < v->text.len; i++) {
		unsigned char c = v->text.data[i];
		if (!isalnum(c) && c != '-' && c != '_')
			return false;
	}
	memset(name, 0, 32);
	memcpy(name, v->text.data, v->text.len);
	return true;
}

static bool get_hrp(char hrp[16], const struct bb_json *v)
{
	if (v->type != BB_JSON_STRING || !v->text.len || v->text.len > 15)
		return false;
	for (size_t i = 0; i < v->text.len; i++) {
		unsigned char c = v->text.data[i];
		if (c < 33 || c > 126 || (c >= 'A' && c <= 'Z'))
			return false;
	}
	memset(hrp, 0, 16);
	memcpy(hrp, v->text.data, v->text.len);
	return true;
}

static bool get_base58(struct bb_network *n, const struct bb_json *v)
{
	unsigned char *prefixes[] = {&n->base58_pubkey, &n->base58_script, &n->base58_secret};
	const struct bb_json *item = v->child;
	int64_t number;

	if (v->type != BB_JSON_ARRAY || (v->count != 3 && v->count != 5))
		return false;
	for (size_t i = 0; i < 3; i++, item = item->next) {
		if (!bb_json_int(&number, item, 0, 255))
			return false;
		*prefixes[i] = (unsigned char)number;
	}
	return v->count == 3 || (get_be32(&n->xpub, item) && get_be32(&n->xprv, item->next));
}

static bool get_exceptions(struct bb_network *n, const struct bb_json *v)
{
	const size_t max = sizeof(n->flag_exceptions) / sizeof(*n->flag_exceptions);
	struct bb_flag_exception *e = n->flag_exceptions;

	if (v->type != BB_JSON_ARRAY || v->count > max)
		return false;
	memset(e, 0, sizeof(n->flag_exceptions));
	n->flag_exception_count = v->count;
	for (const struct bb_json *item = v->child; item; item = item->next, e++) {
		const struct bb_json *flags = bb_json_find(item, "flags");
		if (!get_hash(e->hash, bb_json_find(item, "hash")) || !flags ||
			flags->type != BB_JSON_STRING ||
			!bb_flags_parse(&e->flags, flags->text))
			return false;
	}
	return true;
}

static bool get_repeats(struct bb_network *n, const struct bb_json *v)
{
	const size_t max = sizeof(n->bip30_exceptions) / sizeof(*n->bip30_exceptions);
	size_t i = 0;
	int64_t height;

	if (v->type != BB_JSON_ARRAY || v->count > max)
		return false;
	memset(n->bip30_exceptions, 0, sizeof(n->bip30_exceptions));
	n->bip30_exception_count = v->count;
	for (const struct bb_json *item = v->child; item; item = item->next, i++) {
		if (!get_hash(n->bip30_exceptions[i].hash, bb_json_find(item, "hash")) ||
			!bb_json_int(&height, bb_json_find(item, "height"), 0, INT32_MAX))
			return false;
		n->bip30_exceptions[i].height = (int32_t)height;
	}
	return true;
}

static bool get_challenge(struct bb_network *n, const struct bb_json *v)
{
	size_t len = v->text.len / 2;

	memset(n->signet_challenge, 0, sizeof(n->signet_challenge));
	if (v->type != BB_JSON_STRING || v->text.len % 2 || len > sizeof(n->signet_challenge) ||
		!bb_hex_decode(n->signet_challenge, v->text.data, len))
		return false;
	n->signet_challenge_len = len;
	return true;
}

/* A custom signet's own magic (BIP 325); no work is known to lie behind it. */
static void follow_challenge(struct bb_network *n)
{
	unsigned char hash[32];
	struct bb_sha256 h;

	bb_sha256_init(&h);
	bb_sha256_add_var(&h, BB_SPAN(n->signet_challenge, n->signet_challenge_len));
	bb_sha256d_end(hash, &h);
	n->magic = bb_le32(hash);
	memset(n->minimum_chain_work, 0, sizeof(n->minimum_chain_work));
}

static bool set_parameter(
	struct bb_network *n, const struct parameter *p, const struct bb_json *v)
{
	unsigned char *field = (unsigned char *)n + p->offset;
	int64_t number = 0;

	switch (p->form) {
	case BASE: return true;
	case NAME: return get_name(n->name, v);
	case FLAG: memcpy(field, &v->truth, sizeof(v->truth)); return v->type == BB_JSON_BOOL;
	case NUMBER: {
		bool good = bb_json_int(&number, v, p->min, INT32_MAX);
		memcpy(field, &(int32_t){(int32_t)number}, 4);
		return good;
	}
	case HASH:
	case WORK: return get_hash(field, v);
	case MAGIC: return get_magic(&n->magic, v);
	case PORT: {
		bool good = bb_json_int(&number, v, p->min, UINT16_MAX);
		n->port = (uint16_t)number;
		return good;
	}
	case HRP: return get_hrp(n->hrp, v);
	case BASE58: return get_base58(n, v);
	case EXCEPTIONS: return get_exceptions(n, v);
	case REPEATS: return get_repeats(n, v);
	case CHALLENGE: return get_challenge(n, v);
	}
	return false;
}

static const struct parameter *find_parameter(struct bb_span key)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++)
		if (bb_span_is(key, parameters[i].key))
			return &parameters[i];
	return NULL;
}

static const struct bb_network *find_base(const struct bb_json *name)
{
	const struct bb_network *n;

	if (!name)
		return bb_network_find("regtest");
	for (size_t i = 0; (n = bb_network_at(i)); i++)
		if (bb_json_is(name, n->name))
			return n;
	return NULL;
}

bool bb_network_parse(struct bb_network *out, const char **why, const struct bb_json *object)
{
	const struct bb_network *base = find_base(bb_json_get(object, "base"));
	const struct bb_json *challenge = bb_json_get(object, "signet_challenge");

	*why = "base is not a network's name";
	if (!base)
		return false;
	*out = *base;
	memset(out->name, 0, sizeof(out->name));
	memcpy(out->name, "custom", 6);
	/* The challenge first: a magic or a work that is stated stands against it. */
	*why = "signet_challenge is not hex of at most 256 bytes";
	if (challenge && !get_challenge(out, challenge))
		return false;
	if (challenge && out->signet_challenge_len)
		follow_challenge(out);
	for (const struct bb_json *v = object->child; v; v = v->next) {
		const struct parameter *p = find_parameter(v->key);
		*why = p ? p->wrong : "unknown parameter";
		if (!p || !set_parameter(out, p, v))
			return false;
	}
	*why = "target_timespan is shorter than target_spacing";
	return out->target_timespan >= out->target_spacing;
}

/* And back to JSON. */

static void put_be32(struct bb_json_writer *w, uint32_t v)
{
	unsigned char bytes[4];

	bb_set_be32(bytes, v);
	bb_json_hex(w, BB_SPAN(bytes, 4));
}

static void put_base58(struct bb_json_writer *w, const struct bb_network *n)
{
	bb_json_open(w, '[');
	bb_json_i64(w, n->base58_pubkey);
	bb_json_i64(w, n->base58_script);
	bb_json_i64(w, n->base58_secret);
	put_be32(w, n->xpub);
	put_be32(w, n->xprv);
	bb_json_close(w, ']');
}

static void put_exceptions(struct bb_json_writer *w, const struct bb_network *n)
{
	bb_json_open(w, '[');
	for (size_t i = 0; i < n->flag_exception_count; i++) {
		struct bb_buf names = {0};
		bb_put_flags(&names, n->flag_exceptions[i].flags);
		bb_json_open(w, '{');
		bb_json_key(w, "hash");
		bb_json_hash(w, n->flag_exceptions[i].hash);
		bb_json_key(w, "flags");
		bb_json_text(w, BB_SPAN(names.data, names.len));
		bb_json_close(w, '}');
		w->buf->failed |= names.failed;
		bb_buf_free(&names);
	}
	bb_json_close(w, ']');
}

static void put_repeats(struct bb_json_writer *w, const struct bb_network *n)
{
	bb_json_open(w, '[');
	for (size_t i = 0; i < n->bip30_exception_count; i++) {
		bb_json_open(w, '{');
		bb_json_key(w, "height");
		bb_json_i64(w, n->bip30_exceptions[i].height);
		bb_json_key(w, "hash");
		bb_json_hash(w, n->bip30_exceptions[i].hash);
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
}

static void put_parameter(
	struct bb_json_writer *w, const struct bb_network *n, const struct parameter *p)
{
	const unsigned char *field = (const unsigned char *)n + p->offset;
	unsigned char magic[4];
	int32_t number;
	bool truth;

	switch (p->form) {
	case BASE: bb_json_str(w, "regtest"); break;
	case NAME: bb_json_str(w, n->name); break;
	case FLAG:
		memcpy(&truth, field, sizeof(truth));
		bb_json_bool(w, truth);
		break;
	case NUMBER:
		memcpy(&number, field, 4);
		bb_json_i64(w, number);
		break;
	case HASH:
	case WORK: bb_json_hash(w, field); break;
	case MAGIC:
		bb_set_le32(magic, n->magic);
		bb_json_hex(w, BB_SPAN(magic, 4));
		break;
	case PORT: bb_json_i64(w, n->port); break;
	case HRP: bb_json_str(w, n->hrp); break;
	case BASE58: put_base58(w, n); break;
	case EXCEPTIONS: put_exceptions(w, n); break;
	case REPEATS: put_repeats(w, n); break;
	case CHALLENGE:
		bb_json_hex(w, BB_SPAN(n->signet_challenge, n->signet_challenge_len));
		break;
	}
}

void bb_json_network(struct bb_json_writer *w, const struct bb_network *n)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(*parameters); i++) {
		bb_json_key(w, parameters[i].key);
		put_parameter(w, n, &parameters[i]);
	}
}

int64_t bb_subsidy(const struct bb_network *n, int64_t height)
{
	uint64_t halvings = (uint64_t)height / (uint64_t)n->halving_interval;

	return halvings < 64 ? 50 * BB_COIN >> halvings : 0;
}
