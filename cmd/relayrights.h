#ifndef BB_CMD_RELAYRIGHTS_H
#define BB_CMD_RELAYRIGHTS_H

/* What a hub may touch as long as it runs (bb(7)): its store, sockets, and what tells of name
 * servers; what else lies in its folder, above all wallets, is out of its reach. */

/* Only what is there can be left within reach: where a pipeline has yet to make the store, its
 * folders are made. */
void relayrights_prepare(int dir_fd);
/* All is open; give up the rest. Where the system cannot do it, nothing happens. */
void relayrights_drop(const char *dir);

#endif
