#ifndef BB_NET_FLOOD_INSIDE_H
#define BB_NET_FLOOD_INSIDE_H

/* Private to flood.c (transactions that come) and asks.c (whom they are asked of). */

#include "net/hub_inside.h"
#include "net/idtable.h"

enum { OTHERS = 4 };

/* Connections of those who announced it too: a sample of them, in which whom we called comes
 * first. */
struct others {
	uint64_t at[OTHERS], site[OTHERS];
	bool outbound[OTHERS];
	unsigned count, heard; /* in the sample; of whom it is one */
};

struct asks {
	struct bb_id_table table;
	struct ask *oldest, *newest;
	struct bb_buf
		called; /* struct due, in order: those that whom we called announced too */
};

/* A transaction that the ledger keeps until its parents come. */
struct orphan {
	struct bb_id_entry entry; /* txid */
	unsigned char wtxid[32];
	uint64_t from;
	struct others others; /* who have it with that witness, or another */
	struct orphan *next;
};

struct flood {
	struct asks asks;
	struct bb_id_table wtxids, txids;
	struct bb_seen refused; /* txids; whatever their witness */
	struct bb_seen given;	/* wtxids refused: with that witness */
	struct bb_id_table orphans;
	struct orphan *some_orphan; /* and so on */
	uint64_t orphans_ms, tip_ms;
};

/* flood.c */

/* Somebody has it; `news`: he did not say so before. Within a transaction of the store. */
void flood_consider(struct bb_hub *h, struct peer *p, const unsigned char txid[32], bool news);

/* asks.c */

bool asks_init(struct asks *a);
void asks_free(struct asks *a);
/* As one of several who could send what `from` is to send, or sent. */
void others_note(
	struct bb_hub *h, struct others *o, uint64_t from, const struct peer *p, bool news);
/* It is asked for already: of him too, if need be. */
bool asks_note(struct bb_hub *h, struct peer *p, const unsigned char txid[32], bool news);
/* Ask for it, when he is not to send too much already. */
void asks_begin(struct bb_hub *h, struct peer *p, const unsigned char txid[32]);
/* What was put together so far. */
void asks_send(struct bb_hub *h, struct peer *p);
/* Was it asked for there? Then *o are the others. */
bool asks_arrived(
	struct others *o, struct bb_hub *h, struct peer *p, const unsigned char txid[32]);
void asks_lacking(struct bb_hub *h, struct peer *p, const unsigned char txid[32]);
void asks_peer_gone(struct bb_hub *h, struct peer *p);
/* What was asked for too long ago. Returns when to look again. */
uint64_t asks_tick(struct bb_hub *h);
/* It sent half of what it was asked for: now the next of what it announced. */
void asks_more(struct bb_hub *h, struct peer *p);

#endif
