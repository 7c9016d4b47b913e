#ifndef BB_CMD_RELAYSOCK_H
#define BB_CMD_RELAYSOCK_H

/* Sockets, as a node's hub and those who speak with it open them. What is opened does not
 * block, and is closed in a program that takes this one's place. */

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "net/addrbook.h"

enum { RELAYSOCK_WHY = 256 };

/* The address of a socket, a mapped one as the IPv4 address it is. False: neither IPv4 nor 6.
 */
bool relaysock_address(struct bb_net_address *out, const struct sockaddr *from);
/* 0: it is a name, not an IP address. */
socklen_t relaysock_sockaddr(struct sockaddr_storage *out, const struct bb_net_address *from);
/* "host:port", for people. */
void relaysock_name(char out[BB_HOST_MAX + 16], const struct bb_net_address *a);

/* All give a descriptor, or -1 with the reason. */
int relaysock_listen(char why[RELAYSOCK_WHY], const struct bb_net_address *at);
/* DIR/NAME; one that nobody listens at any more must be gone. */
int relaysock_listen_unix(
	char why[RELAYSOCK_WHY], const char *dir, const char *name, mode_t mode);
int relaysock_connect_unix(char why[RELAYSOCK_WHY], const char *dir, const char *name);
/* Names too; waits for the answers. */
int relaysock_connect(char why[RELAYSOCK_WHY], const struct bb_net_address *to);

#endif
