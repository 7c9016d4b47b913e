#ifndef BB_LEDGER_STORE_INSIDE_H
#define BB_LEDGER_STORE_INSIDE_H

/* What store.c, store_open.c and table.c share; nobody else's. */

#include "ledger/store.h"

/* Bytes of DIR/lock: two are locked, the third is written. */
enum bb_lock { BB_LOCK_WRITER, BB_LOCK_CREATOR, BB_LOCK_NEWS };

enum { BB_PATH_SHOWN = 140 };

/* The first failure, of DIR's `below`. */
void bb_store_fail(struct bb_store *s, const char *below, const char *why);
/* Was it done? MDB_NOTFOUND is an answer; everything else is a failure of the store. */
bool bb_store_done(struct bb_store *s, int err);
const char *bb_store_reason(const struct bb_store *s, int err);

/* A transaction that reads. */
bool bb_store_snapshot(MDB_txn **txn, struct bb_store *s);

/* How far the committed pages go. */
struct bb_extent {
	int fd;
	uint64_t pages;
	uint32_t page_size;
};
struct bb_extent bb_store_extent(struct bb_store *s);
/* Lengthen the file over pages that were never written (extent.h), so that whoever opens it
 * next sees at once that nothing is missing. Only while no other process can write. */
void bb_store_fill(struct bb_store *s);

void bb_close_fd(int *fd);

#endif
