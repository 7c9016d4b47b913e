#ifndef BB_LEDGER_MAP_H
#define BB_LEDGER_MAP_H

/* The memory that a mapped file takes of this process. Its pages are the page cache's, but
 * those touched count as ours until they are let go; what is needed again is faulted in. */

#include <stdbool.h>
#include <stddef.h>

/* Where the file is mapped, and how far; false where that cannot be seen. */
bool bb_map_find(void **start, size_t *len, int fd);
void bb_map_let_go(void *start, size_t len);

#endif
