#ifndef BB_NET_HUB_INSIDE_H
#define BB_NET_HUB_INSIDE_H

/* Private to hub.c (peers), handshake.c, limits.c (who is read from), evict.c (who has to go),
 * gossip.c (addresses), pipeline.c (lines to the ledger, and its word on them), tools.c,
 * flood.c, asks.c and announce.c (transactions that come and go), and fetch.c with its own
 * (headers and blocks, and what others ask of ours). */

#include "ledger/query.h"
#include "net/hub.h"
#include "net/outstanding.h"
#include "net/seen.h"

enum {
	BAN_SCORE = 100,
	BAN_SECONDS = 24 * 3600,
	HANDSHAKE_MS = 10000,
	PING_MS = 60000,
	PONG_MS = 120000,
	CHAIN_BYTES = 64 << 20, /* on the way through the pipeline, before peers are not read */
	CHAIN_LINES = 8192,
	PEER_QUEUE = 1 << 20, /* bytes to a peer, before it is served no more for a while */
	BLOCKS_A_PEER = 16,   /* in flight */
	BLOCKS_AHEAD = 1024,  /* of the tip: how far from it blocks are asked for */
	BLOCK_STALL_MS = 2000,
	TX_ASK_MS = 10000,     /* before another is asked */
	TOOL_QUEUE = 16 << 20, /* bytes to a tool, before it is not read, or watches no more */
};

struct peer {
	uint64_t connection;
	struct bb_net_address at;
	bool outbound, has_version, ready; /* the handshake: theirs came; both are done */
	bool gone;			   /* dropped; its memory stays until the next tick */
	struct bb_version version;
	uint64_t nonce; /* in our version to it */
	uint64_t site;	/* hub_key of its host's site; within a private network its own */
	uint64_t since_ms, ping_ms,
		heard_ms; /* ping_ms: when the unanswered one was sent; 0: none */
	uint64_t ping_nonce, pinged_ms,
		latency_ms; /* when one was sent last; its answer took */
	uint64_t latency_least_ms, tx_good_ms, block_good_ms; /* evict.c: 0: none yet */
	uint64_t probe_ms; /* it is in doubt since, until it answers; 0: it is not */
	unsigned score;
	double allowance;   /* lines it may still send; refilled with time */
	bool slowed;	    /* it has used them up */
	uint64_t choked_ms; /* it takes none of too much, since; 0: it does */
	size_t choked_at;   /* bytes there were, then */
	bool unread;	    /* for one of these, or: */
	bool paused;	    /* nobody is read from, since: */
	uint64_t paused_ms;
	uint64_t resumed_ms; /* when it was read from again */
	int64_t feefilter;   /* it wants none that pay less, satoshi per 1,000 vbytes */
	bool sendheaders;
	struct bb_seen knows; /* txids it has or was told of */
	/* gossip.c */
	bool told_addrs;	/* getaddr is answered once */
	double addrs_allowance; /* addresses it may still tell us */
	int64_t rate_told;	/* the last feefilter of ours */
	uint64_t rate_ms;
	/* announce.c, asks.c: txids, 32 bytes each */
	struct bb_buf tell;  /* to be announced to it */
	uint64_t tell_ms;    /* when; 0: there are none */
	struct bb_buf ask;   /* to be asked for in the next getdata */
	struct bb_buf later; /* it announced them, and has too many to send already */
	size_t txs_asked;    /* on their way from it */
	uint64_t tx_ms;	     /* when the last of those came */
	bool ask_mempool;    /* once we are as far as it is */
	uint64_t mempool_ms; /* when it last asked for ours; 0: never */
	bool mempool_asked;  /* and was not answered yet */
	/* fetch.c */
	unsigned char best[32]; /* the last header it told, all zero: none */
	bool syncing;		/* getheaders is on its way, since: */
	uint64_t headers_ms;
	unsigned char known[32]; /* the last of those that was found in the tree */
	bool asked;		 /* for headers, once */
	bool more;		 /* it has more of them than may be on their way at once */
	bool unconnected; /* it told of headers without parent, and was asked for these */
	struct bb_presync *presync; /* a chain that has to show its work first; NULL: none */
	bool presync_shown, presync_full;  /* it has; the last message of it was full */
	unsigned headers_in_flight;	   /* on the way to the ledger */
	unsigned blocks_in_flight, window; /* asked for; how many may be */
	uint64_t block_ms;		   /* when it sent the last one, or had to begin to */
	uint64_t rest_ms;		   /* others are asked until then */
	int32_t have, lacks; /* heights: up to there it has what we want; it said not to have */
	unsigned char told[32]; /* the last of ours that it was told, or has; all zero: none */
	struct bb_inv *serve;	/* getdata not answered yet */
	size_t serve_count, serve_at;
	struct headers_question *question; /* getheaders not answered yet; NULL: none */
	struct peer *next, *next_gone;
};

struct claim; /* tools.c: a line's own `from` */
struct tool {
	uint64_t connection, lines, waiting; /* lines read; verdicts to come */
	bool watch, ended, paused;
	bool trusted;		    /* its orders are passed on */
	bool stuck;		    /* it watches and does not read: closed at the next tick */
	struct claim *first, *last; /* of lines that wait */
	size_t claimed;		    /* bytes of these */
	struct tool *next;
};

struct flood; /* flood.c */
struct fetch; /* fetch.c */

struct bb_hub {
	struct bb_hub_config c;
	struct bb_store *store; /* NULL: not there yet */
	unsigned reading;	/* hub_begin within hub_begin */
	struct peer *peers, *gone;
	struct tool *tools;
	struct bb_net_address *connecting;
	size_t connecting_count;
	struct bb_outstanding *out;
	bool chain_up;
	bool chain_probed; /* it has not answered yet: nothing is sent */
	bool rewound; /* pipeline.c: blocks were disconnected, and the new tip was not told yet
		       */
	bool untold;  /* announce.c: some that wait may not have been told of */
	bool full;    /* the pipeline has so much to do that nobody is read from */
	uint64_t now_ms;
	int64_t now_s;
	uint64_t mempool_ms;	/* not to tell anybody of all that waits before */
	uint64_t gossip_ms;	/* gossip_tick's last */
	uint64_t connect_ms;	/* not to look for somebody to connect to before */
	uint64_t secret;	/* hub_key's */
	uint64_t random;	/* for delays and choices; no secret rests on it */
	unsigned char tip[32];	/* the last one told; all zero: none */
	int64_t height;		/* its */
	struct bb_seen refused; /* block hashes not worth asking for */
	struct bb_seen gossip;	/* addresses passed on lately */
	struct bb_arena arena;	/* of the line at hand */
	struct bb_buf buf;	/* of the lines to send */
	struct flood *flood;
	struct fetch *fetch;
};

/* hub.c */

struct peer *hub_peer(struct bb_hub *h, uint64_t connection); /* NULL: gone */
void hub_send(struct bb_hub *h, struct peer *p, const struct bb_message *m);
/* The first of those txids as items, taken out of the buffer. */
void hub_send_txids(struct bb_hub *h, struct peer *p, enum bb_message_kind kind,
	struct bb_buf *txids, size_t count);
/* Misbehaved: at BAN_SCORE it is dropped and its host banned. True: it is gone. */
bool hub_blame(struct bb_hub *h, struct peer *p, unsigned score, const char *why);
void hub_drop(struct bb_hub *h, struct peer *p, const char *why);
/* Is it still there? If not, it is dropped in seconds. */
void hub_probe(struct bb_hub *h, struct peer *p);
/* Hand an object of a peer to the ledger. `id`: its txid or hash. False: memory. */
bool hub_to_chain(struct bb_hub *h, struct peer *p, enum bb_message_kind kind,
	const unsigned char id[32], struct bb_span bytes);
/* Open and end a transaction of the store around what reads it, also within another; false:
 * there is none, or it failed (then it is logged, and the hub goes on without until it is given
 * one anew by bb_hub_store). */
bool hub_begin(struct bb_hub *h);
void hub_end(struct bb_hub *h);
void hub_log(struct bb_hub *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t hub_random(struct bb_hub *h);
/* The buffer of the lines to send, empty. */
struct bb_buf *hub_buf(struct bb_hub *h);
/* A number that tells nothing of others. */
uint64_t hub_nonce(struct bb_hub *h);
/* One for that text, that nobody else knows. */
uint64_t hub_key(const struct bb_hub *h, const char *text);

/* limits.c: who is read from, and how much he may send. */

/* What answering it cost, in lines of those that it may send. */
void limits_charge(struct bb_hub *h, struct peer *p, double lines);
/* Whether anybody is to be read from changes with what is on its way. */
void limits_pressure(struct bb_hub *h);
/* A new peer. */
void limits_begin(struct bb_hub *h, struct peer *p);
/* Who asks and does not take the answers is not heard until he does. */
void limits_check_queue(struct bb_hub *h, struct peer *p);
/* False: it is dropped. */
bool limits_tick(struct bb_hub *h, struct peer *p, double seconds);

/* evict.c */

/* Let somebody go who called us, to make room for another; false: all of them are worth more.
 */
bool evict_one(struct bb_hub *h);

/* handshake.c */

void handshake_send_version(struct bb_hub *h, struct peer *p);
/* A message before both are done. */
void handshake_message(struct bb_hub *h, struct peer *p, const struct bb_message *m);
/* Is it the node at that address? */
bool handshake_is_at(const struct peer *p, const struct bb_net_address *a);

/* gossip.c: addresses, and whom to connect to. */

void gossip_ready(struct bb_hub *h, struct peer *p);
void gossip_addr(struct bb_hub *h, struct peer *p, const struct bb_message *m);
void gossip_getaddr(struct bb_hub *h, struct peer *p);
/* Connections to make. Returns when there may be one, at the latest. */
uint64_t gossip_tick(struct bb_hub *h);

/* pipeline.c */

/* A line but for its `from` and what closes it. False: memory. */
bool pipeline_add(struct bb_hub *h, const struct bb_owner *who, struct bb_span line);
/* The store's tip is told of, if it was not. */
void pipeline_check_tip(struct bb_hub *h);

/* tools.c */

struct tool *tools_find(struct bb_hub *h, uint64_t connection);
void tools_close(struct bb_hub *h, struct tool *t);
/* The connection has gone. False: it is no tool's. */
bool tools_closed(struct bb_hub *h, uint64_t connection);
bool tools_watched(const struct bb_hub *h);
void tools_watch(struct bb_hub *h, struct bb_span lines);
void tools_verdict(struct bb_hub *h, const struct bb_owner *who, const struct bb_json *verdict);
/* Its line is dropped. */
void tools_killed(struct bb_hub *h, const struct bb_owner *who);
/* Read from those that may go on, and from no others. */
void tools_read(struct bb_hub *h);
void tools_tick(struct bb_hub *h);
void tools_free(struct bb_hub *h);

/* flood.c: transactions that come: each asked for from one at a time, handed in once. */

bool flood_new(struct bb_hub *h);
void flood_free(struct bb_hub *h);
void flood_ready(struct bb_hub *h, struct peer *p);
void flood_tip(struct bb_hub *h);
/* Items of other kinds are passed over, here and in fetch.c. */
void flood_inv(struct bb_hub *h, struct peer *p, const struct bb_inv *items, size_t count);
void flood_notfound(struct bb_hub *h, struct peer *p, const struct bb_inv *items, size_t count);
void flood_tx(struct bb_hub *h, struct peer *p, struct bb_span bytes);
/* The ledger's word on a transaction of a peer: `result` and `error` of the verdict. An
 * orphan's missing parents are asked for from who sent it. */
void flood_verdict(struct bb_hub *h, const struct bb_owner *who, struct bb_span result,
	struct bb_span error);
void flood_peer_gone(struct bb_hub *h, struct peer *p);
uint64_t flood_tick(struct bb_hub *h);

/* announce.c: told once to each peer. */

void announce(struct bb_hub *h, const unsigned char txid[32]); /* it waits in the mempool */
/* The same of one whose block was disconnected. Peers may have been told of it when they could
 * not fetch it, or have lost it with that block: it is told anew. */
void announce_again(struct bb_hub *h, const unsigned char txid[32]);
void announce_mempool(struct bb_hub *h, struct peer *p); /* it asks for what waits */
/* A pipeline that died may have committed what it did not tell any more. */
void announce_review(struct bb_hub *h);
uint64_t announce_tick(struct bb_hub *h);

/* fetch.c: headers first, then blocks, from several at once; and what peers ask of ours. */

bool fetch_new(struct bb_hub *h);
void fetch_free(struct bb_hub *h);
void fetch_ready(struct bb_hub *h, struct peer *p); /* a handshake is done: ask for headers */
void fetch_headers(struct bb_hub *h, struct peer *p, const struct bb_message *m);
void fetch_inv(struct bb_hub *h, struct peer *p, const struct bb_inv *items, size_t count);
void fetch_block(struct bb_hub *h, struct peer *p, struct bb_span bytes);
void fetch_notfound(struct bb_hub *h, struct peer *p, const struct bb_inv *items, size_t count);
void fetch_getheaders(struct bb_hub *h, struct peer *p, const struct bb_message *m);
void fetch_getdata(struct bb_hub *h, struct peer *p, const struct bb_message *m); /* tx too */
void fetch_verdict(struct bb_hub *h, const struct bb_owner *who, struct bb_span result,
	struct bb_span error);
void fetch_tip(struct bb_hub *h, const unsigned char id[32]); /* an event: tell the others */
/* Blocks that were refused, and what stands on them, may be good now. */
void fetch_forgive(struct bb_hub *h);
void fetch_peer_gone(struct bb_hub *h, struct peer *p);
uint64_t fetch_tick(struct bb_hub *h);

#endif
