#ifndef BB_NET_ADDRBOOK_H
#define BB_NET_ADDRBOOK_H

/* The nodes that are heard of: gossip, what a person names, what was reached before; and who is
 * banned. Bounded whatever peers send; kept in a file of lines, DIR/peers:
 *
 *	{"type":"peer","host":"..","port":N,"services":"..","time":N,"tried":N,"reached":N,"fails":N}
 *	{"type":"ban","host":"..","until":N,"why":".."}
 */

#include "base/bytes.h"
#include "net/host.h"

enum {
	BB_ADDRBOOK_MAX = 4096,
	BB_ADDRBOOK_FROM_ONE = 512, /* of them, heard of by one host */
	BB_BANS_MAX = 4096,	    /* when it is full, the ban that ends first makes room */
};

struct bb_addrbook;
struct bb_addrbook *bb_addrbook_new(void); /* NULL: memory, or no randomness */
void bb_addrbook_free(struct bb_addrbook *b);

/* Lines that cannot be read are passed over and counted. Names are not saved, and not read. */
size_t bb_addrbook_load(struct bb_addrbook *b, struct bb_span text);
void bb_addrbook_save(struct bb_buf *out, const struct bb_addrbook *b);

/* Heard of. `from`: the host that told; NULL: a person, for whom names are allowed. Times from
 * the future are taken down to `now`. False: it is not one to keep (not routable from elsewhere
 * is kept, of a teller who is there himself: private networks are what tests and classrooms
 * have). */
bool bb_addrbook_add(
	struct bb_addrbook *b, const struct bb_net_address *a, const char *from, int64_t now);
/* One to connect to now, that `busy` does not know as connected, tried a while ago (a back-off
 * that doubles from 1 s for those a person named and from 10 s else, to 10 minutes; none for
 * those of the file that answered last time), not banned; false: none. Random among those of
 * equal worth. Marks it tried. */
bool bb_addrbook_pick(struct bb_net_address *out, struct bb_addrbook *b, int64_t now,
	bool (*busy)(void *arg, const struct bb_net_address *a), void *arg);
/* After a pick that found none: when one more may be tried, always after `now`, seconds since
 * 1970; INT64_MAX: never. */
int64_t bb_addrbook_next(const struct bb_addrbook *b, int64_t now);
void bb_addrbook_reached(struct bb_addrbook *b, const struct bb_net_address *a, int64_t now);
/* True: a person named it, and it answered last time, or this is the first. */
bool bb_addrbook_failed(struct bb_addrbook *b, const struct bb_net_address *a);
/* It is ourselves: never tried, told or saved again, however often it is heard of. */
void bb_addrbook_forget(struct bb_addrbook *b, const struct bb_net_address *a);
/* Up to `most` to tell others of, at random, reached or heard of lately; returns how many. */
size_t bb_addrbook_sample(struct bb_net_address *out, size_t most, struct bb_addrbook *b);

/* Bans are of sites. */
void bb_addrbook_ban(struct bb_addrbook *b, const char *host, int64_t until, const char *why);
bool bb_addrbook_banned(struct bb_addrbook *b, const char *host, int64_t now);

#endif
