#ifndef BB_BITCOIN_GENESIS_H
#define BB_BITCOIN_GENESIS_H

#include "bitcoin/block.h"
#include "bitcoin/network.h"

/* The bytes of the network's genesis block appended to out; false for a custom network whose
 * genesis is not one of the six built in. */
bool bb_put_genesis(struct bb_buf *out, const struct bb_network *n);

#endif
