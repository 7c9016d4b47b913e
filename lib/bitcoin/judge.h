#ifndef BB_BITCOIN_JUDGE_H
#define BB_BITCOIN_JUDGE_H

/* The verdict on one line: every rule that the line itself gives the means to judge. */

#include "bitcoin/blockline.h"
#include "bitcoin/detail.h"
#include "bitcoin/scripts.h"

struct bb_verdict {
	unsigned char id[32]; /* txid or block hash */
	bool valid;
	char error[160];	     /* Core's whole reject reason, "" when valid */
	char detail[BB_DETAIL_SIZE]; /* its debug text, or "" */
	bool has_input;		     /* a script failed: script_error and input tell which */
	size_t input; /* among all inputs that spend (a block's coinbase has none) */
	enum bb_script_error script_error;
	unsigned unjudged; /* bits of enum bb_unjudged */
	/* Each input's own result, in the arena; NULL when no script was run. */
	unsigned char *results; /* enum bb_script_error, or BB_RESULT_NONE */
	size_t result_count;
};

struct bb_judge {
	const struct bb_network *network;
	struct bb_interpreter *vm;	    /* this thread's */
	struct bb_arena *arena;		    /* of the line */
	const struct bb_parallel *parallel; /* for blocks; NULL: this thread alone */
	bool partial;			    /* judge what can be judged without all prevouts */
	bool line_flags;		    /* the line's own `flags` and `input` count */
	bool every_input;		    /* run all scripts, whatever was found before */
};

/* A loose transaction, under today's rules. False with *why for a line whose `flags` or `input`
 * are malformed (line_flags only). */
bool bb_judge_tx(struct bb_verdict *v, const char **why, const struct bb_judge *j,
	const struct bb_txline *l);
/* The script results of a transaction under two sets of flags at once, for a mark: NULL or the
 * reject reason under consensus and under policy (standardness included). Reasons lie in the
 * arena. */
void bb_judge_mark(const char **consensus, const char **standard, const struct bb_judge *j,
	const struct bb_txline *l);
void bb_judge_block(
	struct bb_verdict *v, const struct bb_judge *j, const struct bb_blockline *l);

/* SHA-256 over LE64 value, compact size and script of each prevout: what a mark's results rest
 * on. */
void bb_prevouts_hash(unsigned char out[32], const struct bb_prevout *prevouts, size_t count);

/* Members of a verdict: error, detail, script_error and input, as far as there are any; and
 * what was left unjudged. */
void bb_json_failure(struct bb_json_writer *w, const struct bb_verdict *v);
void bb_json_unjudged(struct bb_json_writer *w, unsigned unjudged);
/* The verdict as a line. `from` is raw JSON or empty; has_id false for a malformed line. */
void bb_put_verdict(struct bb_buf *out, const struct bb_verdict *v, uint64_t line,
	struct bb_span from, bool has_id);

#endif
