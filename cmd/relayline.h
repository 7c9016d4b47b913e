#ifndef BB_CMD_RELAYLINE_H
#define BB_CMD_RELAYLINE_H

/* Lines out of what a connection brings, which may come in pieces of any size. Each byte is
 * looked at once; a line that is too long is passed over without being held. */

#include <event2/buffer.h>

#include "base/bytes.h"

struct relayline {
	size_t max; /* bytes; set by the caller */
	/* Private. */
	size_t searched; /* of the line at hand: no LF up to there */
	size_t taken;	 /* the last one's, LF included, still to be dropped */
	bool skipping;	 /* the rest of one that was too long */
};

enum relayline_state { RELAYLINE_NONE, RELAYLINE_GOT, RELAYLINE_TOO_LONG };

/* The next line, without its LF, borrowed until the next call; NONE: more must come first. */
enum relayline_state relayline_next(
	struct relayline *l, struct bb_span *line, struct evbuffer *in);
/* The end of input ends the last line too. */
enum relayline_state relayline_last(
	struct relayline *l, struct bb_span *line, struct evbuffer *in);

#endif
