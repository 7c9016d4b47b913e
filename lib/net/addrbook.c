#include "net/addrbook.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "crypto/curve.h"
#include "net/sorted.h"

enum {
	NAMED_WAIT_S = 1, /* before the second try; doubles with each failure */
	WAIT_S = 10,
	WAIT_MOST_S = 600,
	TRIES = 10,	       /* that fail in a row, before one never reached is forgotten */
	TRIES_REACHED = 100,   /* one that was reached once */
	GOOD_TRIES = 3,	       /* fewer failures than this, and it is still worth telling of */
	LATELY_S = 30 * 86400, /* as Bitcoin Core's ADDRMAN_HORIZON */
	EVICT_AMONG = 16,
	LINE_MAX_BYTES = 4096,
	WHY_MAX = 127,
};

/* Times of the file: far beyond any clock, and sums of them still fit. */
#define TIME_MAX (INT64_MAX / 4)

/* A host that told of others, and how many of them are in the book. */
struct source {
	char host[BB_HOST_MAX + 1];
	unsigned known;
};

struct known {
	struct bb_net_address at;
	int64_t tried, reached; /* seconds since 1970; 0: never */
	unsigned fails;		/* in a row */
	bool named;		/* by a person: never forgotten, and tried first */
	bool ours;		/* ourselves: never tried, never told */
	bool loaded;		/* from the file, and not tried since */
	struct source *from;	/* who told of it; NULL: a person, the file */
};

struct ban {
	char host[BB_HOST_MAX + 1];
	int64_t until;
	char why[WHY_MAX + 1];
};

struct bb_addrbook {
	struct bb_sorted known, sources, bans;
	uint64_t random;
	int64_t now; /* the latest that was told */
};

static int by_address(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	const int order = strcmp(x->at.host, y->at.host);

	return order ? order : (x->at.port > y->at.port) - (x->at.port < y->at.port);
}

static int by_source(const void *a, const void *b)
{
	return strcmp(((const struct source *)a)->host, ((const struct source *)b)->host);
}

static int by_ban(const void *a, const void *b)
{
	return strcmp(((const struct ban *)a)->host, ((const struct ban *)b)->host);
}

/* The book. */

struct bb_addrbook *bb_addrbook_new(void)
{
	struct bb_addrbook *b = calloc(1, sizeof(*b));

	if (!b || !bb_random(&b->random, sizeof(b->random))) {
		free(b);
		return NULL;
	}
	b->known.order = by_address;
	b->sources.order = by_source;
	b->bans.order = by_ban;
	return b;
}

void bb_addrbook_free(struct bb_addrbook *b)
{
	if (!b)
		return;
	bb_sorted_free(&b->known);
	bb_sorted_free(&b->sources);
	bb_sorted_free(&b->bans);
	free(b);
}

/* splitmix64, from a random seed. */
static size_t below(struct bb_addrbook *b, size_t n)
{
	uint64_t z = b->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (size_t)((z ^ (z >> 31)) % n);
}

static void hear_time(struct bb_addrbook *b, int64_t now)
{
	if (now > b->now)
		b->now = now;
}

/* Addresses. */

static struct known *find_known(const struct bb_addrbook *b, const struct bb_net_address *a)
{
	struct known key = {.at = {.port = a->port}};

	if (!bb_host_normal(key.at.host, a->host) && !bb_host_name(key.at.host, a->host))
		return NULL;
	return bb_sorted_find(&b->known, &key);
}

static void forget(struct bb_addrbook *b, struct known *k)
{
	if (k->from && --k->from->known == 0)
		bb_sorted_del(&b->sources, k->from);
	bb_sorted_del(&b->known, k);
}

/* Make room: forget the worst of a few taken at random, if it was never reached. Whoever sends
 * many addresses so pushes out some that nobody tried yet, and none that is known to be good.
 */
static bool evict(struct bb_addrbook *b)
{
	struct known *worst = NULL;

	for (unsigned i = 0; i < EVICT_AMONG; i++) {
		struct known *k = b->known.item[below(b, b->known.count)];
		if (k->named || k->reached)
			continue;
		if (!worst || k->fails > worst->fails ||
			(k->fails == worst->fails && k->at.time < worst->at.time))
			worst = k;
	}
	if (worst)
		forget(b, worst);
	return worst;
}

static struct source *find_source(const struct bb_addrbook *b, const char *host)
{
	struct source key;

	snprintf(key.host, sizeof(key.host), "%s", host);
	return bb_sorted_find(&b->sources, &key);
}

static struct source *add_source(struct bb_addrbook *b, const char *host)
{
	struct source key = {0};

	snprintf(key.host, sizeof(key.host), "%s", host);
	return bb_sorted_add(&b->sources, &key, sizeof(key));
}

/* One more in the book. `from`: who told, to be counted; NULL: a person, the file. */
static bool add_known(struct bb_addrbook *b, const struct known *k, const char *from)
{
	struct source *source = from ? find_source(b, from) : NULL;
	struct known *added;

	if (source && source->known >= BB_ADDRBOOK_FROM_ONE)
		return false;
	/* What a person names there is room for in any case. */
	if (b->known.count >= BB_ADDRBOOK_MAX && !evict(b) && !k->named)
		return false;
	if (!(added = bb_sorted_add(&b->known, k, sizeof(*k))))
		return false;
	/* Only now: the one who told last may have been the evicted one's source, and gone. */
	if (from && !(source = find_source(b, from)) && !(source = add_source(b, from))) {
		bb_sorted_del(&b->known, added);
		return false;
	}
	if ((added->from = source))
		source->known++;
	return true;
}

bool bb_addrbook_add(
	struct bb_addrbook *b, const struct bb_net_address *a, const char *from, int64_t now)
{
	struct known k = {.at = *a, .named = !from}, *old;
	const bool ip = bb_host_normal(k.at.host, a->host);

	hear_time(b, now);
	if (!a->port || (ip && !bb_host_is_one(k.at.host)) ||
		(!ip && (from || !bb_host_name(k.at.host, a->host))))
		return false;
	/* Nobody outside has a say in whom we call within our own network. */
	if (from && bb_host_public(from) && !bb_host_public(k.at.host))
		return false;
	if (k.at.time > now)
		k.at.time = now;
	if (!(old = bb_sorted_find(&b->known, &k)))
		return add_known(b, &k, from);
	if (k.at.time > old->at.time) {
		old->at.time = k.at.time;
		old->at.services = k.at.services;
	}
	old->named |= !from;
	return true;
}

/* When it may be tried again. A time to come is a clock that was set back: it counts as none.
 */
static int64_t due(const struct known *k, int64_t now)
{
	int64_t wait = k->named ? NAMED_WAIT_S : WAIT_S;

	if (!k->tried || k->tried > now || (k->loaded && !k->fails))
		return 0;
	for (unsigned i = 1; i < k->fails && wait < WAIT_MOST_S; i++)
		wait *= 2;
	return k->tried + (wait < WAIT_MOST_S ? wait : WAIT_MOST_S);
}

/* Until when its host is banned; 0: it is not. */
static int64_t banned_until(const struct bb_addrbook *b, const char *host)
{
	struct ban key, *ban;

	bb_host_site(key.host, host);
	ban = bb_sorted_find(&b->bans, &key);
	return ban ? ban->until : 0;
}

/* Those a person named before those that were reached before the others. */
static unsigned worth(const struct known *k)
{
	return k->named ? 2 : k->reached && k->fails < GOOD_TRIES ? 1 : 0;
}

bool bb_addrbook_pick(struct bb_net_address *out, struct bb_addrbook *b, int64_t now,
	bool (*busy)(void *arg, const struct bb_net_address *a), void *arg)
{
	struct known *picked = NULL;
	size_t equals = 0;

	hear_time(b, now);
	for (size_t i = 0; i < b->known.count; i++) {
		struct known *k = b->known.item[i];
		if (k->ours || due(k, now) > now || (picked && worth(k) < worth(picked)) ||
			banned_until(b, k->at.host) > now || busy(arg, &k->at))
			continue;
		if (picked && worth(k) > worth(picked))
			equals = 0;
		/* The nth of equals replaces the one at hand once in n times. */
		if (below(b, ++equals) == 0)
			picked = k;
	}
	if (!picked)
		return false;
	picked->tried = now;
	picked->loaded = false;
	*out = picked->at;
	return true;
}

int64_t bb_addrbook_next(const struct bb_addrbook *b, int64_t now)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < b->known.count; i++) {
		const struct known *k = b->known.item[i];
		const int64_t banned = banned_until(b, k->at.host);
		int64_t at = due(k, now);
		if (banned > at)
			at = banned;
		if (!k->ours && at > now && at < next)
			next = at;
	}
	return next;
}

void bb_addrbook_reached(struct bb_addrbook *b, const struct bb_net_address *a, int64_t now)
{
	struct known *k = find_known(b, a);

	hear_time(b, now);
	if (!k)
		return;
	k->reached = k->at.time = now;
	k->fails = 0;
	if (a->services)
		k->at.services = a->services;
}

bool bb_addrbook_failed(struct bb_addrbook *b, const struct bb_net_address *a)
{
	struct known *k = find_known(b, a);

	if (!k)
		return false;
	k->fails += k->fails < UINT16_MAX;
	if (!k->named && k->fails >= (k->reached ? TRIES_REACHED : TRIES))
		forget(b, k);
	else
		return k->named && k->fails == 1;
	return false;
}

void bb_addrbook_forget(struct bb_addrbook *b, const struct bb_net_address *a)
{
	struct known *k = find_known(b, a);

	if (k)
		k->ours = true;
}

/* Names are this node's own business, and so is what nobody reached though a person named it.
 */
static bool may_be_told(const struct bb_addrbook *b, const struct known *k)
{
	char host[BB_HOST_MAX + 1];

	return !k->ours && k->fails < GOOD_TRIES &&
	       (k->reached || (!k->named && k->at.time > b->now - LATELY_S)) &&
	       bb_host_normal(host, k->at.host) && banned_until(b, k->at.host) <= b->now;
}

size_t bb_addrbook_sample(struct bb_net_address *out, size_t most, struct bb_addrbook *b)
{
	size_t seen = 0, place;

	for (size_t i = 0; most && i < b->known.count; i++) {
		const struct known *k = b->known.item[i];
		if (!may_be_told(b, k))
			continue;
		/* Reservoir sampling: the nth is kept most times in n. */
		place = seen < most ? seen : below(b, seen + 1);
		seen++;
		if (place >= most)
			continue;
		out[place] = k->at;
		if (out[place].time > b->now)
			out[place].time = b->now;
	}
	return seen < most ? seen : most;
}

/* Bans. */

/* The one that ends first. */
static struct ban *soonest(const struct bb_addrbook *b)
{
	struct ban *first = b->bans.item[0];

	for (size_t i = 1; i < b->bans.count; i++) {
		struct ban *ban = b->bans.item[i];
		if (ban->until < first->until)
			first = ban;
	}
	return first;
}

/* Cut to what fits, between characters. */
static void set_why(struct ban *ban, struct bb_span why)
{
	size_t len = why.len < WHY_MAX ? why.len : WHY_MAX;

	while (len && len < why.len && (why.data[len] & 0xc0) == 0x80)
		len--;
	if (len)
		memcpy(ban->why, why.data, len);
	ban->why[len] = '\0';
}

static void ban_host(struct bb_addrbook *b, const char *host, int64_t until, struct bb_span why)
{
	struct ban key = {.until = until}, *ban;
	char normal[BB_HOST_MAX + 1];

	if (!bb_host_any(normal, host))
		return;
	bb_host_site(key.host, normal);
	if ((ban = bb_sorted_find(&b->bans, &key))) {
		if (until > ban->until) {
			ban->until = until;
			set_why(ban, why);
		}
		return;
	}
	set_why(&key, why);
	if (b->bans.count >= BB_BANS_MAX)
		bb_sorted_del(&b->bans, soonest(b));
	bb_sorted_add(&b->bans, &key, sizeof(key));
}

void bb_addrbook_ban(struct bb_addrbook *b, const char *host, int64_t until, const char *why)
{
	ban_host(b, host, until, BB_SPAN(why, strlen(why)));
}

static struct ban *find_ban(const struct bb_addrbook *b, const char *host)
{
	char normal[BB_HOST_MAX + 1];
	struct ban key;

	if (!bb_host_any(normal, host))
		return NULL;
	bb_host_site(key.host, normal);
	return bb_sorted_find(&b->bans, &key);
}

bool bb_addrbook_banned(struct bb_addrbook *b, const char *host, int64_t now)
{
	struct ban *ban = find_ban(b, host);

	hear_time(b, now);
	if (ban && ban->until <= now) {
		bb_sorted_del(&b->bans, ban);
		ban = NULL;
	}
	return ban;
}

/* The file. */

/* What is not there is 0. */
static bool number(int64_t *out, const struct bb_json *line, const char *key)
{
	const struct bb_json *v = bb_json_find(line, key);

	*out = 0;
	return !v || bb_json_int(out, v, 0, TIME_MAX);
}

static bool services(uint64_t *out, const struct bb_json *line)
{
	const struct bb_json *v = bb_json_find(line, "services");

	*out = 0;
	return !v || bb_get_wire_number(out, v);
}

static bool load_peer(struct bb_addrbook *b, const struct bb_json *line)
{
	char host[BB_HOST_MAX + 1];
	struct known k = {.loaded = true};
	int64_t port, fails;

	if (!bb_get_ascii(host, sizeof(host), bb_json_find(line, "host")) ||
		!bb_host_normal(k.at.host, host) || !bb_host_is_one(k.at.host) ||
		!bb_json_int(&port, bb_json_find(line, "port"), 1, UINT16_MAX) ||
		!services(&k.at.services, line) || !number(&k.at.time, line, "time") ||
		!number(&k.tried, line, "tried") || !number(&k.reached, line, "reached") ||
		!number(&fails, line, "fails"))
		return false;
	k.at.port = (uint16_t)port;
	k.fails = fails < UINT16_MAX ? (unsigned)fails : UINT16_MAX;
	return bb_sorted_find(&b->known, &k) || add_known(b, &k, NULL);
}

static bool load_ban(struct bb_addrbook *b, const struct bb_json *line)
{
	const struct bb_json *why = bb_json_find(line, "why");
	char text[BB_HOST_MAX + 1], host[BB_HOST_MAX + 1];
	struct bb_span span = {0};
	int64_t until;

	if (!bb_get_ascii(text, sizeof(text), bb_json_find(line, "host")) ||
		!bb_host_any(host, text) ||
		!bb_json_int(&until, bb_json_find(line, "until"), 0, INT64_MAX))
		return false;
	if (why && why->type == BB_JSON_STRING)
		span = why->text;
	ban_host(b, host, until, span);
	return true;
}

static bool load_line(struct bb_addrbook *b, struct bb_arena *a, struct bb_span line)
{
	const struct bb_json *object, *type;
	const char *why;

	if (line.len > LINE_MAX_BYTES || !(object = bb_json_parse(a, &why, line)))
		return false;
	type = bb_json_find(object, "type");
	if (bb_json_is(type, "peer"))
		return load_peer(b, object);
	return bb_json_is(type, "ban") && load_ban(b, object);
}

size_t bb_addrbook_load(struct bb_addrbook *b, struct bb_span text)
{
	struct bb_arena arena = {0};
	size_t unread = 0;

	while (text.len) {
		const unsigned char *lf = memchr(text.data, '\n', text.len);
		const size_t len = lf ? (size_t)(lf - text.data) : text.len;
		if (len)
			unread += !load_line(b, &arena, BB_SPAN(text.data, len));
		bb_arena_reset(&arena);
		text = BB_SPAN(text.data + len + (lf != NULL), text.len - len - (lf != NULL));
	}
	bb_arena_free(&arena);
	return unread;
}

static void save_peer(struct bb_json_writer *w, const struct known *k)
{
	bb_json_open(w, '{');
	bb_json_member_str(w, "type", "peer");
	bb_json_member_str(w, "host", k->at.host);
	bb_json_member_i64(w, "port", k->at.port);
	bb_put_wire_number(w, "services", k->at.services);
	bb_json_member_i64(w, "time", k->at.time);
	bb_json_member_i64(w, "tried", k->tried);
	bb_json_member_i64(w, "reached", k->reached);
	bb_json_member_i64(w, "fails", k->fails);
	bb_json_close(w, '}');
	bb_json_end_line(w);
}

static void save_ban(struct bb_json_writer *w, const struct ban *ban)
{
	bb_json_open(w, '{');
	bb_json_member_str(w, "type", "ban");
	bb_json_member_str(w, "host", ban->host);
	bb_json_member_i64(w, "until", ban->until);
	bb_json_member_str(w, "why", ban->why);
	bb_json_close(w, '}');
	bb_json_end_line(w);
}

void bb_addrbook_save(struct bb_buf *out, const struct bb_addrbook *b)
{
	struct bb_json_writer w = {.buf = out};
	char host[BB_HOST_MAX + 1];

	/* A name is given anew with each start; what it stands for may have changed. */
	for (size_t i = 0; i < b->known.count; i++) {
		const struct known *k = b->known.item[i];
		if (!k->ours && bb_host_normal(host, k->at.host))
			save_peer(&w, k);
	}
	for (size_t i = 0; i < b->bans.count; i++) {
		const struct ban *ban = b->bans.item[i];
		if (ban->until > b->now)
			save_ban(&w, ban);
	}
}
