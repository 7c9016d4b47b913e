#ifndef BB_CMD_RELAYTOOL_H
#define BB_CMD_RELAYTOOL_H

/* The other end of a hub's sockets for tools: lines are handed to a node that runs, and what it
 * says of each is printed. */

#include "base/lines.h"

/* Hand in every line of `in`, up to a window ahead of what is answered, and print the verdict
 * of each as it comes, with the number that the line has here. Takes the connection
 * (relaysock.h), closes everything and gives the exit status: 1 if one was refused or an
 * orphan, or there was none; 2 if one was malformed; 3, and how many had no verdict, if the
 * node goes away. */
int relaytool_lines(struct bb_lines *in, struct bb_sink *out, int fd);
/* Say something to the node before, which must be a whole line. False: it has gone. */
bool relaytool_say(int fd, const char *line);
/* Print whatever comes until it ends; the status is `end` then. Takes the connection. */
int relaytool_print(struct bb_lines *in, struct bb_sink *out, int fd, enum bb_status end);

#endif
