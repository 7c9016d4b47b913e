#include "bitcoin/genesis.h"

#include <string.h>

#include "base/hex.h"
#include "bitcoin/script.h"

#define TIMES "The Times 03/Jan/2009 Chancellor on brink of second bailout for banks"
/* Satoshi's key, as P2PK. */
#define SATOSHI                                                                                \
	"4104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb6"                 \
	"49f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac"
/* A key of zeros that nobody can sign with. */
#define NOBODY "21000000000000000000000000000000000000000000000000000000000000000000ac"

/* What the six differ in; all are version 1 and pay 50 bitcoins, which are no coin. */
static const struct genesis {
	const char *text;   /* the coinbase's last push */
	const char *script; /* whom it pays, hex */
	uint32_t time, bits, nonce;
} genesis[] = {
	{TIMES, SATOSHI, 1231006505, 0x1d00ffff, 2083236893}, /* main */
	{TIMES, SATOSHI, 1296688602, 0x1d00ffff, 414098458},  /* testnet3 */
	{"03/May/2024 000000000000000000001ebd58c244970b3aa9d783bb001011fbe8ea8e98e00e", NOBODY,
		1714777860, 0x1d00ffff, 393743547},	    /* testnet4 */
	{TIMES, SATOSHI, 1598918400, 0x1e0377ae, 52613770}, /* signet */
	{TIMES, SATOSHI, 1296688602, 0x207fffff, 2},	    /* regtest */
	{"bb barenet: every stage of a Bitcoin node is a line in a pipe", NOBODY, 1735862400,
		0x1e0fffff, 748237}, /* barenet */
};

/* 0x1d00ffff and 4, as Satoshi's program pushed them, and the text. */
static void put_script_sig(struct bb_buf *b, const char *text)
{
	bb_put(b, "\x04\xff\xff\x00\x1d\x01\x04", 7);
	bb_put_push(b, BB_SPAN(text, strlen(text)));
}

static void put_block(struct bb_buf *out, const struct genesis *g)
{
	unsigned char script[67];
	const size_t script_len = strlen(g->script) / 2;
	struct bb_buf script_sig = {0};
	struct bb_txin in = {.prevout.vout = UINT32_MAX, .sequence = BB_SEQUENCE_FINAL};
	struct bb_txout paid = {50 * BB_COIN, BB_SPAN(script, script_len)};
	struct bb_tx tx = {
		.version = 1, .in = &in, .in_count = 1, .out = &paid, .out_count = 1};
	struct bb_block block = {
		.header = {.version = 1, .time = g->time, .bits = g->bits, .nonce = g->nonce},
		.tx = &tx,
		.tx_count = 1,
	};

	bb_hex_decode(script, g->script, script_len);
	put_script_sig(&script_sig, g->text);
	in.script_sig = BB_SPAN(script_sig.data, script_sig.len);
	bb_tx_txid(block.header.merkle_root, &tx); /* of one, the root is itself */
	bb_put_block(out, &block);
	out->failed |= script_sig.failed;
	bb_buf_free(&script_sig);
}

bool bb_put_genesis(struct bb_buf *out, const struct bb_network *n)
{
	const size_t start = out->len;

	for (size_t i = 0; i < sizeof(genesis) / sizeof(*genesis); i++) {
		unsigned char hash[32];
		struct bb_header h;

		put_block(out, &genesis[i]);
		if (out->failed ||
			!bb_header_parse(&h, BB_SPAN(out->data + start, BB_HEADER_SIZE)))
			return false;
		bb_header_hash(hash, &h);
		if (memcmp(hash, n->genesis, 32) == 0)
			return true;
		out->len = start;
	}
	return false;
}
