#ifndef BB_BASE_SANDBOX_H
#define BB_BASE_SANDBOX_H

/* Give up what a filter does not need, before it reads its first byte of input (bb(7)).
 *
 * Call after the options are read, keys and outputs are open: what is held already stays
 * usable. Costs about 0.2 ms. Under AddressSanitizer nothing happens: its runtime needs what
 * is refused here. */

#include <stdbool.h>
#include <stddef.h>

enum {
	/* Read, write and poll on the descriptors held, memory that is not executable, threads,
	 * locks, clocks, entropy, and the exit. */
	BB_SANDBOX_FILTER = 0,
	/* And open files for reading, and ask for their sizes: for tools whose arguments are
	 * files. */
	BB_SANDBOX_READER = 1,
	/* And set the modes of a terminal held: to ask for a passphrase. */
	BB_SANDBOX_TERMINAL = 2,
	/* And read a store that is open already (ledger/store.h): open its files of blocks,
	 * hold a reader's place by a lock on a descriptor held, and wait for changes by
	 * inotify. */
	BB_SANDBOX_STORE = 4,
	/* And write such a store: make and open files, write at their places, sync them.
	 * Nothing can be removed or renamed. */
	BB_SANDBOX_STORE_WRITER = 8 | BB_SANDBOX_STORE,
	/* And open a store to read, once and again: its lock is a file that a reader writes. */
	BB_SANDBOX_STORE_OPENER = 16 | BB_SANDBOX_STORE | BB_SANDBOX_READER,
	/* And connect to others over IP, and let those in who come to sockets held; no socket
	 * of another kind, none that listens. */
	BB_SANDBOX_PEERS = 32,
	/* And make files, write, rename and remove them. */
	BB_SANDBOX_FOLDER = 64,
};

/* What is not on the list fails with EPERM from here on, in all threads, for good: no other
 * program, process, socket or file can be reached. False where the kernel refuses; the tool
 * then goes on as it was, since its answers do not depend on it. */
bool bb_sandbox_enter(unsigned rights);

/* What may be done with a path and all below it. */
enum bb_sandbox_use {
	BB_SANDBOX_READ = 1,
	BB_SANDBOX_WRITE = 2,  /* what is there */
	BB_SANDBOX_MAKE = 4,   /* and files that are not */
	BB_SANDBOX_REMOVE = 8, /* and rename */
};

struct bb_sandbox_path {
	const char *path; /* links are followed now */
	unsigned uses;
};

/* No other path can be opened, made or removed from here on, by this thread and those that it
 * starts, for good: call it before the first, and before bb_sandbox_enter, which tells how
 * those that are left may be used. A path that is not there is passed over, and will stay out
 * of reach. False where the kernel has no Landlock (Linux 5.13), or refuses: nothing has
 * happened then, and every path can be used as before. */
bool bb_sandbox_paths(const struct bb_sandbox_path *paths, size_t count);

/* For a process that will hold secrets, first thing in main: no core dump of it, and no other
 * process of the same user may trace it or read its memory. */
void bb_sandbox_hide(void);

#endif
