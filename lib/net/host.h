#ifndef BB_NET_HOST_H
#define BB_NET_HOST_H

/* Hosts: IP addresses in their canonical form, or names; and who is likely to be the same. */

#include "net/message.h"

/* An IP address: its canonical form; false: it is none. */
bool bb_host_normal(char out[BB_HOST_MAX + 1], const char *host);
/* An IP address that means the same host everywhere: not this machine's, a private network's or
 * a link's. */
bool bb_host_public(const char *host);
/* Can there be a node at this IP address at all? Not at none, a group's, or everybody's. */
bool bb_host_is_one(const char *host);
/* A name as the DNS has them, and container networks with their underscores: in lower case. */
bool bb_host_name(char out[BB_HOST_MAX + 1], const char *text);
/* Either. */
bool bb_host_any(char out[BB_HOST_MAX + 1], const char *text);
/* Who has it has as many more as he likes: of a public IPv6 address the /64, else the address.
 */
void bb_host_site(char out[BB_HOST_MAX + 1], const char *host);
bool bb_host_same_site(const char *a, const char *b);
/* The network that it is of, as they are given to different owners: of a public IPv4 address
 * the /16, of an IPv6 one the /32, else the address (as Bitcoin Core without an asmap). */
void bb_host_group(char out[BB_HOST_MAX + 1], const char *host);
/* "host:port", "[v6]:port", or a host alone with the default port. */
bool bb_endpoint_parse(struct bb_net_address *out, const char *text, uint16_t default_port);

#endif
