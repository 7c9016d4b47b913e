#ifndef BB_NET_OUTSTANDING_H
#define BB_NET_OUTSTANDING_H

/* Lines on their way through the ledger's pipeline: each is kept until its verdict, so that a
 * pipeline that dies loses none. What was on its way at a death is sent again one at a time:
 * the line that kills is then alone, and at its second death alone it is dropped.
 *
 * A line is known by its number, from 1, which it carries as `from` ("123"). */

#include "base/bytes.h"

struct bb_owner {	      /* who sent it, to find him when the verdict comes */
	bool tool;	      /* else a peer */
	uint64_t who;	      /* number of the connection, which may have gone */
	uint64_t line;	      /* a tool's own line number */
	unsigned char id[32]; /* of a tx, block or header; all zero: a package */
	unsigned kind;	      /* the hub's own */
};

struct bb_outstanding;
struct bb_outstanding *bb_outstanding_new(void);
void bb_outstanding_free(struct bb_outstanding *o);

/* Keep a line without its `from`: an object's members up to but without the closing brace, so
 * that `,"from":"123"}` and LF end it. Returns its number; 0: memory. */
uint64_t bb_outstanding_add(
	struct bb_outstanding *o, const struct bb_owner *who, struct bb_span line);
/* The next to be sent now: appended to `out` as a whole line; false: none may be sent now. */
bool bb_outstanding_next(struct bb_buf *out, struct bb_outstanding *o);
/* The verdict on it came. False: nobody asked. The owner is told. */
bool bb_outstanding_done(struct bb_owner *who, struct bb_outstanding *o, uint64_t number);
/* The pipeline died: everything sent and not answered will be sent again. Those dropped,
 * because they were alone at two deaths, are handed out one by one by bb_outstanding_dropped.
 */
void bb_outstanding_died(struct bb_outstanding *o);
bool bb_outstanding_dropped(struct bb_owner *who, struct bb_buf *line,
	struct bb_outstanding *o); /* as it was sent */
/* Of those that will have a verdict: sent or not, not the dropped. */
size_t bb_outstanding_count(const struct bb_outstanding *o);
size_t bb_outstanding_bytes(const struct bb_outstanding *o);

#endif
