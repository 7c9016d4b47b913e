#ifndef BB_NET_MESSAGE_H
#define BB_NET_MESSAGE_H

/* What nodes say to each other: Bitcoin's messages, one to one, a line of JSON each
 * (bb-lines(5)). A line from a peer is read strictly, and what it holds is rebuilt before it
 * goes on: nothing else of it does. */

#include "base/json.h"
#include "bitcoin/block.h"

enum {
	BB_PEER_LINE_MAX = 16 << 20, /* bytes */
	BB_INV_MAX = 50000,	     /* items */
	BB_HEADERS_MAX = 2000,
	BB_ADDR_MAX = 1000,
	BB_LOCATOR_MAX = 101,
	BB_AGENT_MAX = 256, /* bytes */
	BB_HOST_MAX = 255,
	BB_NET_PROTOCOL = 1,
};
#define BB_SERVICE_NETWORK ((uint64_t)1) /* has all blocks */

enum bb_message_kind {
	BB_MSG_VERSION,
	BB_MSG_VERACK,
	BB_MSG_PING,
	BB_MSG_PONG,
	BB_MSG_GETADDR,
	BB_MSG_ADDR,
	BB_MSG_INV,
	BB_MSG_GETDATA,
	BB_MSG_NOTFOUND,
	BB_MSG_GETHEADERS,
	BB_MSG_HEADERS,
	BB_MSG_BLOCK,
	BB_MSG_TX,
	BB_MSG_SENDHEADERS,
	BB_MSG_FEEFILTER,
	BB_MSG_MEMPOOL,
};

enum bb_inv_kind { BB_INV_TX, BB_INV_BLOCK }; /* "tx" (by txid), "block" */
struct bb_inv {
	enum bb_inv_kind kind;
	unsigned char id[32];
};

struct bb_net_address {
	char host[BB_HOST_MAX +
		  1]; /* an IP address, in a message; a name too where a person gives it */
	uint16_t port;
	uint64_t services;
	int64_t time; /* last heard of, seconds since 1970 */
};

struct bb_version {
	int64_t protocol, height;
	char network[64];
	unsigned char genesis[32];
	char agent[BB_AGENT_MAX + 1];
	uint64_t nonce, services;
	uint16_t listen; /* the port where it listens; 0: nowhere */
};

/* Arrays lie in the arena. */
struct bb_message {
	enum bb_message_kind kind;
	struct bb_version version;
	uint64_t nonce; /* ping, pong */
	struct bb_net_address *addrs;
	struct bb_inv *items;	      /* inv, getdata, notfound */
	unsigned char (*locator)[32]; /* getheaders: the newest first */
	unsigned char stop[32];	      /* getheaders: all zero: as many as there are */
	struct bb_header *headers;
	size_t count;	      /* of the array that the kind has */
	struct bb_span bytes; /* block, tx: raw */
	int64_t rate_sat_kvb; /* feefilter */
};

/* Does a line of this type order the ledger about? Nodes never say that to each other. */
bool bb_message_is_order(const struct bb_json *type);

/* False with *why: malformed. A type that is not known gives *why NULL: pass it over. */
bool bb_message_parse(
	struct bb_message *m, const char **why, struct bb_arena *a, struct bb_span line);
/* And LF. */
void bb_put_message(struct bb_buf *out, const struct bb_message *m);
/* Values in lines: a 64-bit wire number, read from up to 16 hex digits and written as 16; a
 * string of printable ASCII that fits into `size` with its NUL. */
bool bb_get_wire_number(uint64_t *out, const struct bb_json *v);
void bb_put_wire_number(struct bb_json_writer *w, const char *key, uint64_t v);
bool bb_get_ascii(char *out, size_t size, const struct bb_json *v);
/* {"type":"tx","hex":..,"from":".."} and LF: what goes to the ledger. `from` may be NULL. */
void bb_put_object(
	struct bb_buf *out, enum bb_message_kind kind, struct bb_span bytes, const char *from);

#endif
