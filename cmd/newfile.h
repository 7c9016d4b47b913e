#ifndef BB_CMD_NEWFILE_H
#define BB_CMD_NEWFILE_H

/* A new file of secrets: of mode 0600, never over another, each line on the disk before it is
 * told of; and gone again when nothing was kept in it. */

#include <sys/types.h>

#include "base/lines.h"

struct newfile {
	struct bb_sink sink; /* append to its buffer */
	const char *path;    /* borrowed */
	off_t kept;	     /* bytes that are safe on the disk */
	int guard;	     /* private */
};

/* Create it, before the sandbox. BB_CALLER with *why when there is one of that name. */
enum bb_status newfile_open(struct newfile *f, const char **why, const char *path);
/* What has gathered, to the disk. False with *why. */
bool newfile_flush(struct newfile *f, const char **why);
/* What was not kept is cut off; with nothing kept, the file is removed. Wipes the buffer. */
void newfile_close(struct newfile *f);

#endif
