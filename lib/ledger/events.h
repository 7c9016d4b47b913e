#ifndef BB_LEDGER_EVENTS_H
#define BB_LEDGER_EVENTS_H

/* What happened to the chain, numbered from 1, committed with the state it describes. */

#include "base/json.h"
#include "ledger/store.h"

enum bb_event_kind {
	BB_EVENT_CONNECTED = 1,
	BB_EVENT_DISCONNECTED,
	BB_EVENT_TIP, /* after one or more of those: the state others may rely on */
};

struct bb_event {
	uint64_t seq;
	enum bb_event_kind kind;
	unsigned char id[32];
	int32_t height;
};

void bb_event_put(struct bb_store *s, enum bb_event_kind kind, const unsigned char id[32],
	int32_t height);
/* The first event after `seq`; false: none yet (or s->why). */
bool bb_event_after(struct bb_event *e, struct bb_store *s, uint64_t seq);
/* {"type":"event","seq":..,"event":"connected","id":..,"height":..} and LF. */
void bb_put_event(struct bb_buf *out, const struct bb_event *e);

#endif
