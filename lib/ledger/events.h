#ifndef BB_LEDGER_EVENTS_H
#define BB_LEDGER_EVENTS_H

/* What happened to the chain and to the mempool, numbered in one row from 1, each committed
 * with the state it describes: the chain's for ever, of the mempool's the last
 * BB_POOL_EVENTS_KEPT. Where a mempool was lost with its events, their numbers are not given
 * again. */

#include "base/json.h"
#include "ledger/store.h"

enum bb_event_kind {
	BB_EVENT_CONNECTED = 1,
	BB_EVENT_DISCONNECTED,
	BB_EVENT_TIP,	   /* after one or more of those: the state others may rely on */
	BB_EVENT_ACCEPTED, /* a transaction, into the mempool */
	BB_EVENT_REPLACED, /* by another that spends the same and pays more */
	BB_EVENT_REMOVED,
};

static inline bool bb_event_of_chain(enum bb_event_kind kind)
{
	return kind <= BB_EVENT_TIP;
}

enum { BB_POOL_EVENTS_KEPT = 100000 };

/* Why a transaction left the mempool (Core's MemPoolRemovalReason). */
enum bb_removal {
	BB_REMOVAL_EXPIRY,
	BB_REMOVAL_SIZELIMIT, /* the mempool was full, and others paid more */
	BB_REMOVAL_REORG,     /* no longer possible in the next block */
	BB_REMOVAL_BLOCK,     /* mined */
	BB_REMOVAL_CONFLICT,  /* a block holds another that spends the same */
	BB_REMOVAL_REPLACED,
};

struct bb_event {
	uint64_t seq;
	enum bb_event_kind kind;
	unsigned char id[32]; /* a block's, or a txid */
	int32_t height;	      /* of a block */
	enum bb_removal reason;
	unsigned char by[32]; /* of one replaced: the txid of who took the place; of one removed
				 for BB_REMOVAL_BLOCK or _CONFLICT: the block */
};

void bb_event_put(struct bb_store *s, enum bb_event_kind kind, const unsigned char id[32],
	int32_t height);
/* Of the mempool; `reason` and `by` where the kind has them. */
void bb_event_put_tx(struct bb_store *s, enum bb_event_kind kind, const unsigned char txid[32],
	enum bb_removal reason, const unsigned char *by);
/* The number of the last event; 0: there is none. */
uint64_t bb_event_last(struct bb_store *s);
/* The first event after `seq`; false: none yet (or s->why). */
bool bb_event_after(struct bb_event *e, struct bb_store *s, uint64_t seq);
/* {"type":"event","seq":..,"event":"connected","id":..,"height":..} and LF; of a transaction
 * "txid", "reason" (of one removed or replaced), "by". */
void bb_put_event(struct bb_buf *out, const struct bb_event *e);

#endif
