#ifndef BB_CMD_FAULT_H
#define BB_CMD_FAULT_H

/* LMDB believes the pages it reads. Where these are damaged, or the disk fails to give them, it
 * may fall, which then is an error line and status 3. Any other fault is our own, and takes its
 * usual way.
 *
 * The first is to be called before the store is opened, which must stay where it is, the second
 * behind that. */

#include "ledger/store.h"

void fault_catch(const char *tool, const struct bb_store *s);
void fault_watch(const struct bb_store *s);

#endif
