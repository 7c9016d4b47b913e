#ifndef BB_CMD_INTAKE_H
#define BB_CMD_INTAKE_H

/* Blocks, headers, transactions and packages on their way into the ledger. The calling thread
 * reads them; any thread makes them ready, some ahead: parses, hashes, does what CheckBlock
 * does; the calling thread judges them in order. Verdicts gather in the chain's sink, and leave
 * it only behind the commit they tell of. */

#include "arrivaltx.h"
#include "chain.h"
#include "ledgerline.h"
#include "team.h"

/* One on its way. */
struct arrival {
	/* Set by whoever reads it. */
	struct bb_buf text; /* a line, or a block's bytes */
	uint64_t line;	    /* the line's number; 0: these are bytes */
	const char *name;   /* of the file the bytes came from */
	uint32_t file;	    /* its number, for who counts them */
	uint64_t pos;	    /* the block's first byte in it */
	bool can_seek;	    /* it can be read there again */
	const char *why;    /* NULL, or why it is malformed */

	/* When it is ready. */
	enum ledgerline kind;
	struct bb_header header;
	struct arrivaltx tx;
	struct bb_incoming block;
	bool marked; /* a block */
	struct bb_known_scripts mark;
	struct bb_span from;	  /* raw, or empty */
	unsigned char target[32]; /* of an order: the block */

	/* Private. */
	struct intake *intake;
	struct bb_arena arena;
	struct bb_buf bytes; /* of a block that came as fields */
	struct job job;
};

struct intake {
	/* Set by the caller. */
	struct chain *chain;
	bool events;	   /* told behind each commit */
	bool refused_only; /* of verdicts, tell these; what is malformed is an error */
	bool orders;	   /* lines may invalidate and reconsider */
	/* Judges one that is ready; NULL: intake_take. */
	void (*judge)(struct intake *k, struct arrival *a);
	void *arg;
	void (*speak)(void *arg); /* before anything is written; may be NULL */

	/* To be read. */
	struct bb_ledger ledger;
	bool stop;	  /* no more: the store or the output failed, or --fail-fast */
	uint64_t records; /* judged */

	/* Private. */
	struct team *team;
	struct arrival *ring;
	size_t depth, first, count, bytes;
	size_t waiting; /* bytes of transactions judged and not committed */
	bool failed;
	uint64_t told; /* the last event */
};

/* Opens the ledger in the store, which is open to write, and starts the threads; false when one
 * failed, which is then told. */
bool intake_open(struct intake *k);
/* A place for the next one; judges older ones when there is none. */
struct arrival *intake_room(struct intake *k);
/* What was put there is on its way. */
void intake_send(struct intake *k);
/* A line, of that number; its data NULL: it was too long. */
void intake_line(struct intake *k, struct bb_span line, uint64_t number);
/* Judge all that are on their way. */
void intake_drain(struct intake *k);

/* Make one ready here and now. */
void intake_prepare(struct arrival *a);
void intake_forget(struct arrival *a); /* empty it, for another */
void intake_free(struct arrival *a);
/* Give it to the ledger, and gather the verdict. */
void intake_take(struct intake *k, struct arrival *a);
/* The same for a verdict that was had otherwise. */
void intake_tell(struct intake *k, const struct arrival *a, const struct bb_verdict *v,
	enum bb_outcome r);
/* Everything judged to the disk, then tell it. */
void intake_commit(struct intake *k);
/* The store has failed: what it did not commit is not told. */
void intake_failed(struct intake *k);
/* Does the block tree have it? */
bool intake_knows(struct intake *k, const unsigned char id[32]);
/* Drain, commit, close. */
void intake_close(struct intake *k);

#endif
