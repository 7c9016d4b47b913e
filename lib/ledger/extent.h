#ifndef BB_LEDGER_EXTENT_H
#define BB_LEDGER_EXTENT_H

/* Has an LMDB file been cut short? LMDB maps it, and whoever reads a map behind the file's end
 * is killed, so that has to be known before.
 *
 * The file's length alone does not tell: pages at the end that were taken and freed again in
 * one transaction are never written, and so a good file may be shorter than its meta page says.
 */

#include <stdbool.h>
#include <stdint.h>

/* What its two meta pages look like, from their first bytes. */
enum bb_extent_head { BB_HEAD_GOOD, BB_HEAD_SHORT, BB_HEAD_ALIEN };
enum bb_extent_head bb_extent_head(int fd);
/* Is the file shorter than its `pages` pages? */
bool bb_extent_short(int fd, uint64_t pages, uint32_t page_size);
/* Does all that this transaction's tables refer to lie inside the file? Reads every branch and
 * leaf, by read(2). A reader's transaction of that number must be open, so that they stay. */
bool bb_extent_whole(int fd, uint64_t txn, uint32_t page_size);

#endif
