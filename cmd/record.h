#ifndef BB_CMD_RECORD_H
#define BB_CMD_RECORD_H

/* What bb-decode and bb-encode turn into each other: one thing that has bytes. */

#include "bitcoin/blockline.h"
#include "tool.h"

enum record_type {
	RECORD_ANY, /* as its bytes or keys tell */
	RECORD_TX,
	RECORD_BLOCK,
	RECORD_HEADER,
	RECORD_SCRIPT,
	RECORD_ADDRESS, /* a script, by its address */
};

struct record {
	enum record_type type;	   /* one of the five */
	const struct bb_json *doc; /* the line it came from, or NULL */
	struct bb_txline tx;
	struct bb_blockline block;
	struct bb_header header;
	struct bb_span script;
};

/* The argument of --type; exits 2 when it is none. */
enum record_type record_type(const struct tool *t, const char *name);

/* From bytes: of a type, or of the first of transaction, block, header that they are. */
bool record_from_bytes(struct record *r, const char **why, struct bb_arena *a,
	struct bb_span bytes, enum record_type type);
/* From a line of JSON, of either form. */
bool record_from_json(struct record *r, const char **why, struct bb_arena *a,
	const struct bb_json *doc, enum record_type type, const struct bb_network *n);
/* From an address. */
bool record_from_address(struct record *r, const char **why, struct bb_arena *a,
	struct bb_span address, const struct bb_network *n);
/* Its bytes again. */
void record_put_bytes(struct bb_buf *b, const struct record *r);

/* How lines are wanted. Zero-initialise but for the first part. */
struct record_writer {
	const struct bb_network *network;
	bool lean;

	struct bb_buf bytes; /* private; free it */
};
/* Its line. Of the line it came from, what is not made new is kept. */
void record_put_line(struct bb_buf *out, struct record_writer *o, const struct record *r);

#endif
