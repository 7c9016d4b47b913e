#ifndef BB_NET_FETCH_INSIDE_H
#define BB_NET_FETCH_INSIDE_H

/* Private to fetch.c (what there is to be asked for), arrivals.c (headers that come), blocks.c
 * (which blocks, of whom) and serve.c (what others ask of ours). What is below is called within
 * a transaction of the store, unless it says else. */

#include "ledger/headers.h"
#include "net/hub_inside.h"
#include "net/idtable.h"
#include "net/presync.h"

enum {
	HEADERS_MS = 30000,		     /* for an answer */
	LEAD_MS = 60000,		     /* of one peer's headers alone */
	HEADERS_A_PEER = 2 * BB_HEADERS_MAX, /* on their way to the ledger */
	BLOCK_OWED_MS = 20000,		     /* nothing of what it owes, while others deliver */
	BLOCK_DEAD_MS = 60000,		     /* the same, whatever others do */
	TELL_MS = 25,			     /* between news of a tip */
	HEADERS_TOLD = 8,		     /* at once, unasked (MAX_BLOCKS_TO_ANNOUNCE) */
	TICK_MS = 200,			     /* while something is waited for */
	SERVE_MS = 10,			     /* until a peer may have taken what it was given */
	BLOCKS_KEPT = 8192,		     /* hashes remembered */
};

/* A block that is missing on the way to the best header. */
struct wanted {
	unsigned char id[32];
	int32_t height;
	enum { WANTED, CHOSEN, ASKED, HERE } state; /* here: on its way through the ledger */
	uint64_t from;				    /* the connection it is asked of */
	uint64_t asked_ms;
};

struct fetch {
	struct bb_best_header best;
	struct bb_id_table on_the_way; /* arrivals.c: headers that the ledger has not judged */
	struct bb_seen asked;	       /* blocks, ever */
	struct wanted *window, *next_window; /* BLOCKS_AHEAD each; in order of height */
	struct bb_missing_block *missing;
	size_t count;	   /* in the window */
	int32_t above;	   /* a block at this height is here already; 0: none */
	bool stale;	   /* the tree has changed since the window was made */
	uint64_t led_ms;   /* when one was asked for headers who may be the only one */
	uint64_t plan_ms;  /* when it may be made again */
	uint64_t made_ms;  /* when it was made */
	uint64_t stall_ms; /* how long the lowest may hold up the others */
	uint64_t block_ms; /* when anybody's last came */
	bool untold;	   /* the tip has moved since others were told */
	uint64_t told_ms;
	unsigned char told[32];
	struct bb_buf bytes, lacking; /* of a block; items that are not to be had */
};

static inline bool fetch_is_zero(const unsigned char id[32])
{
	static const unsigned char zero[32];

	return memcmp(id, zero, 32) == 0;
}

/* What came while its peer was not read from may be of a while that its clocks left out. */
static inline uint64_t fetch_since(const struct bb_hub *h, uint64_t ms)
{
	return h->now_ms > ms ? h->now_ms - ms : 0;
}

/* The last header of a peer that is in the tree and not known to be invalid. */
bool fetch_known_best(struct bb_node *out, struct bb_hub *h, struct peer *p);
/* For the headers that follow `after`, which may not be in the tree; NULL: what we have not.
 * Not while an answer is due. */
void fetch_ask_headers(struct bb_hub *h, struct peer *p, const unsigned char *after);

/* arrivals.c */

enum standing { UNKNOWN, ON_ITS_WAY, IN_TREE, INVALID };
/* What is known of a hash. *at, unless NULL: where it stands, of one in the tree or on its way.
 */
enum standing arrivals_look_up(
	struct bb_chain_point *at, struct bb_hub *h, const unsigned char id[32]);
void arrivals_take(struct bb_hub *h, struct peer *p, const struct bb_message *m);
/* More of them may be on their way now. */
void arrivals_go_on(struct bb_hub *h, struct peer *p);
/* The ledger has judged it. Without a transaction, as those that follow. */
void arrivals_judged(struct bb_hub *h, const unsigned char id[32]);
void arrivals_forget(struct peer *p);
void arrivals_free(struct fetch *f);

/* blocks.c */

bool blocks_new(struct fetch *f);
void blocks_free(struct fetch *f);
/* Ask for what is missing, of those who can be asked. */
void blocks_advance(struct bb_hub *h);
void blocks_verdict(
	struct bb_hub *h, const unsigned char id[32], bool refused, struct bb_span error);
/* Without a transaction. */
void blocks_peer_gone(struct bb_hub *h, const struct peer *p);
/* Those who hold up others, or give nothing. Without a transaction, too. */
void blocks_check_stall(struct bb_hub *h);
/* When to look again. */
uint64_t blocks_next(const struct bb_hub *h);

/* serve.c */

/* Tell others of the tip, if they were not told. */
void serve_tip(struct bb_hub *h);
/* What was asked for and not given yet; false: there is more to give, later. */
bool serve_waiting(struct bb_hub *h);

#endif
