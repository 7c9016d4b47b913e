#ifndef BB_CMD_PAYMENTS_H
#define BB_CMD_PAYMENTS_H

/* The outputs of a transaction, as bb-mktx's command line asks for them. */

#include "tool.h"
#include "wallet/txbuild.h"

enum payment_kind { PAY_ADDRESS, PAY_SCRIPT, PAY_DATA };

struct payment {
	enum payment_kind kind;
	const char
		*text; /* ADDRESS=AMOUNT, HEX=AMOUNT, HEX; what a sweep pays to has no amount */
};

/* Where the outputs go. All exit 2 over what is malformed or makes no sense. */
struct payments {
	const struct tool *tool;
	const struct bb_network *network;
	struct bb_arena *arena;
};

/* To b's outputs, in their order. */
void payments_read(const struct payments *p, struct bb_txbuild *b,
	const struct payment *payments, size_t count);
/* The scriptPubKey of an option's address. */
struct bb_span payments_address(
	const struct payments *p, const char *option, struct bb_span address);
/* "2.5" satoshi per virtual byte: satoshi per 1,000 of them, exactly. */
int64_t payments_fee_rate(const struct tool *t, const char *text);
/* TXID:VOUT */
struct bb_outpoint payments_outpoint(const struct tool *t, const char *text);

#endif
