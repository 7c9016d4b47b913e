#ifndef BB_CMD_RELAYTOOL_H
#define BB_CMD_RELAYTOOL_H

/* The other end of a hub's sockets for tools: lines are handed to a node that runs, and what it
 * says of each is printed. */

#include "base/lines.h"

/* What is no success, beside what is refused. */
enum { RELAYTOOL_ORPHANS = 1 /* a block that waits for its parent */ };

/* Hand in every line of `in` that is for the ledger, up to a window ahead of what is answered,
 * with fail_fast one at a time, and print a verdict for each, in order, with the number that
 * the line has here. Takes the connection (relaysock.h), closes everything and gives the exit
 * status: 1 if one was refused, or there was none; 2 if one was malformed; 3, and how many had
 * no verdict, if the node goes away. */
int relaytool_lines(struct bb_lines *in, struct bb_sink *out, int fd, unsigned failures);
/* The same of one line, whatever it is, that comes from nowhere: its verdict has no number. The
 * status is raised in `in`, which stays open. */
void relaytool_order(struct bb_lines *in, struct bb_sink *out, int fd, struct bb_span line);
/* Say something to the node before, which must be a whole line. False: it has gone. */
bool relaytool_say(int fd, const char *line);
/* Print whatever comes until it ends; the status is `end` then. Takes the connection. */
int relaytool_print(struct bb_lines *in, struct bb_sink *out, int fd, enum bb_status end);

#endif
