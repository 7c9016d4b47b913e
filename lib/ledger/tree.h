#ifndef BB_LEDGER_TREE_H
#define BB_LEDGER_TREE_H

/* The block tree: every header that was accepted, each a node with a number, from 0, in order
 * of arrival. The genesis block is node 0.
 *
 * A block is linked once its data and those of all its ancestors are there. Candidates, what
 * could be the tip, are the linked nodes that are not known to be invalid and have no such
 * child; the best is the one with the most work, and of equals the one that was linked first
 * (Bitcoin Core's nSequenceId, kept over restarts). */

#include "bitcoin/check.h"
#include "ledger/store.h"

#define BB_NO_NODE UINT32_MAX

enum bb_node_status {
	BB_NODE_DATA = 1 << 0,	 /* `place` holds the block */
	BB_NODE_JUDGED = 1 << 1, /* was connected once: its scripts are valid */
	BB_NODE_FAILED = 1 << 2, /* found invalid, or told to be */
	BB_NODE_DOOMED = 1 << 3, /* an ancestor failed */
	BB_NODE_BAD = BB_NODE_FAILED | BB_NODE_DOOMED,
};

struct bb_node {
	uint32_t number;
	unsigned char id[32];
	struct bb_header header;
	int32_t height;
	unsigned char work[32]; /* of the chain up to it, little-endian number */
	uint32_t mtp;		/* median of its time and the ten before */
	uint32_t status;
	uint32_t prev, skip;	 /* nodes; BB_NO_NODE at genesis */
	uint32_t child, sibling; /* its first child; its parent's next one; or BB_NO_NODE */
	uint64_t linked;	 /* when, counted from 1; 0: not */
	struct bb_place place;
	uint32_t tx_count, weight;
};

/* False: no such node (or s->why). */
bool bb_tree_get(struct bb_node *out, struct bb_store *s, uint32_t number);
/* A node that another names: where it is missing, that is damage (s->why). */
bool bb_tree_named(struct bb_node *out, struct bb_store *s, uint32_t number);
bool bb_tree_find(struct bb_node *out, struct bb_store *s, const unsigned char id[32]);
/* Of the active chain. */
bool bb_tree_at(struct bb_node *out, struct bb_store *s, int32_t height);
bool bb_tree_tip(struct bb_node *out, struct bb_store *s);
bool bb_tree_is_active(struct bb_store *s, const struct bb_node *n);
/* The ancestor at that height, itself included; O(log n). */
bool bb_tree_ancestor(
	struct bb_node *out, struct bb_store *s, const struct bb_node *n, int32_t height);
/* The height that the node at `height` skips to, as Core's GetSkipHeight. */
int32_t bb_tree_skip_height(int32_t height);
/* The highest node that both chains have. */
bool bb_tree_fork(struct bb_node *out, struct bb_store *s, const struct bb_node *a,
	const struct bb_node *b);

/* What a block on top of `prev` has to fit: height and prev_times; NULL: the genesis block's.
 * expected_bits and `now` stay -1. */
bool bb_tree_claims(struct bb_block_claims *c, struct bb_store *s, const struct bb_node *prev);
/* The bits for a header of that time on top of `prev` (retarget.h). */
bool bb_tree_expected_bits(int64_t *out, struct bb_store *s, const struct bb_network *n,
	const struct bb_node *prev, uint32_t time);

/* Add a header that was found good under `prev` (NULL: genesis). *out is the new node; prev is
 * brought up to date. */
void bb_tree_add(struct bb_node *out, struct bb_store *s, struct bb_node *prev,
	const struct bb_header *h, const unsigned char id[32]);
/* Write back status, linked, place, tx_count, weight. */
void bb_tree_update(struct bb_store *s, const struct bb_node *n);

/* The node's data have come, and bb_tree_update has been told: link it if its parent is, and
 * then all that stand on it and have theirs, in the order in which these came; candidates
 * follow. `n` is brought up to date. */
void bb_tree_link(struct bb_store *s, struct bb_node *n);
/* Found invalid: marks it and dooms what stands on it; candidates follow. */
void bb_tree_fail(struct bb_store *s, struct bb_node *n);
/* Forget that it, what stands on it, and what it stands on were found invalid; other branches
 * of what it stands on stay so (ResetBlockFailureFlags). Candidates follow. */
void bb_tree_forgive(struct bb_store *s, struct bb_node *n);
/* The best candidate. */
bool bb_tree_best(struct bb_node *out, struct bb_store *s);

/* The active chain, by height: the caller connects and disconnects one by one. */
void bb_tree_extend(struct bb_store *s, const struct bb_node *n);
void bb_tree_retract(struct bb_store *s, const struct bb_node *tip);

#endif
