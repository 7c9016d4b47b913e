#include "net/message.h"

#include <string.h>

#include "base/hex.h"
#include "net/addrbook.h"

/* Of values in a line: an inventory of 50,000 objects of two members has three for each.
 * Without this the tree of 16 MiB of `[0,0,0` would take a gigabyte. */
enum { VALUES_MAX = 5 * BB_INV_MAX };
/* No block, and so no transaction, is of more bytes than of weight. */
enum { OBJECT_MAX = BB_MAX_BLOCK_WEIGHT };
/* On Bitcoin's wire a time is a uint32_t. */
#define TIME_MAX ((int64_t)UINT32_MAX)

struct parse {
	struct bb_message *m;
	const char **why;
	struct bb_arena *arena;
	const struct bb_json *line;
};

static bool malformed(const struct parse *p, const char *why)
{
	*p->why = why;
	return false;
}

/* Values. */

bool bb_get_wire_number(uint64_t *out, const struct bb_json *v)
{
	char text[16];
	unsigned char bytes[8];

	if (!v || v->type != BB_JSON_STRING || !v->text.len || v->text.len > sizeof(text))
		return false;
	memset(text, '0', sizeof(text));
	memcpy(text + sizeof(text) - v->text.len, v->text.data, v->text.len);
	if (!bb_hex_decode(bytes, text, sizeof(bytes)))
		return false;
	*out = (uint64_t)bb_be32(bytes) << 32 | bb_be32(bytes + 4);
	return true;
}

static bool get_hash(unsigned char out[32], const struct bb_json *v)
{
	return v && v->type == BB_JSON_STRING && bb_hash_decode(out, v->text);
}

static bool get_port(uint16_t *out, const struct bb_json *v, int64_t min)
{
	int64_t port;

	if (!bb_json_int(&port, v, min, UINT16_MAX))
		return false;
	*out = (uint16_t)port;
	return true;
}

/* As BIP 14's user agent: it ends up in logs and on terminals. */
bool bb_get_ascii(char *out, size_t size, const struct bb_json *v)
{
	if (!v || v->type != BB_JSON_STRING || v->text.len >= size)
		return false;
	for (size_t i = 0; i < v->text.len; i++)
		if (v->text.data[i] < ' ' || v->text.data[i] > '~')
			return false;
	if (v->text.len)
		memcpy(out, v->text.data, v->text.len);
	out[v->text.len] = '\0';
	return true;
}

static bool get_host(char out[BB_HOST_MAX + 1], const struct bb_json *v)
{
	char text[BB_HOST_MAX + 1];

	return bb_get_ascii(text, sizeof(text), v) && bb_host_normal(out, text);
}

/* The member that must be an array of at most so many; *first is its first value. */
static bool get_array(
	const struct bb_json **first, const struct parse *p, const char *key, size_t most)
{
	const struct bb_json *v = bb_json_find(p->line, key);

	if (!v || v->type != BB_JSON_ARRAY)
		return malformed(p, "a list is missing");
	if (v->count > most)
		return malformed(p, "too many items");
	*first = v->child;
	p->m->count = v->count;
	return true;
}

static void *array(const struct parse *p, size_t size)
{
	void *items = bb_arena_array(p->arena, p->m->count ? p->m->count : 1, size);

	if (!items)
		*p->why = "out of memory";
	return items;
}

/* Reading. */

static bool read_version(const struct parse *p)
{
	struct bb_version *v = &p->m->version;
	const struct bb_json *o = p->line;

	if (!bb_json_int(&v->protocol, bb_json_find(o, "protocol"), 1, INT32_MAX))
		return malformed(p, "version: no protocol");
	if (!bb_get_ascii(v->network, sizeof(v->network), bb_json_find(o, "network")))
		return malformed(p, "version: no network");
	if (!get_hash(v->genesis, bb_json_find(o, "genesis")))
		return malformed(p, "version: no genesis");
	if (!bb_get_ascii(v->agent, sizeof(v->agent), bb_json_find(o, "agent")))
		return malformed(p, "version: no agent");
	/* -1: not even the genesis block, as in Bitcoin Core. */
	if (!bb_json_int(&v->height, bb_json_find(o, "height"), -1, INT32_MAX))
		return malformed(p, "version: no height");
	if (!bb_get_wire_number(&v->nonce, bb_json_find(o, "nonce")))
		return malformed(p, "version: no nonce");
	if (!get_port(&v->listen, bb_json_find(o, "listen"), 0))
		return malformed(p, "version: no listen");
	if (!bb_get_wire_number(&v->services, bb_json_find(o, "services")))
		return malformed(p, "version: no services");
	return true;
}

static bool read_nothing(const struct parse *p)
{
	(void)p;
	return true;
}

static bool read_nonce(const struct parse *p)
{
	return bb_get_wire_number(&p->m->nonce, bb_json_find(p->line, "nonce")) ||
	       malformed(p, "no nonce of up to 16 hex digits");
}

static bool read_address(struct bb_net_address *a, const struct bb_json *v)
{
	return get_host(a->host, bb_json_find(v, "host")) &&
	       get_port(&a->port, bb_json_find(v, "port"), 1) &&
	       bb_json_int(&a->time, bb_json_find(v, "time"), 0, TIME_MAX) &&
	       bb_get_wire_number(&a->services, bb_json_find(v, "services"));
}

static bool read_addr(const struct parse *p)
{
	struct bb_net_address *a;
	const struct bb_json *v;

	if (!get_array(&v, p, "addrs", BB_ADDR_MAX) || !(a = array(p, sizeof(*a))))
		return false;
	p->m->addrs = a;
	for (; v; v = v->next)
		if (!read_address(a++, v))
			return malformed(p, "addr: not an address");
	return true;
}

static bool read_item(struct bb_inv *item, const struct bb_json *v)
{
	const struct bb_json *kind = bb_json_find(v, "kind");

	item->kind = bb_json_is(kind, "block") ? BB_INV_BLOCK : BB_INV_TX;
	return (item->kind == BB_INV_BLOCK || bb_json_is(kind, "tx")) &&
	       get_hash(item->id, bb_json_find(v, "id"));
}

static bool read_items(const struct parse *p)
{
	const struct bb_json *v;
	struct bb_inv *item;

	if (!get_array(&v, p, "items", BB_INV_MAX) || !(item = array(p, sizeof(*item))))
		return false;
	p->m->items = item;
	for (; v; v = v->next)
		if (!read_item(item++, v))
			return malformed(p, "an item lacks kind or id");
	return true;
}

static bool read_getheaders(const struct parse *p)
{
	const struct bb_json *v;
	unsigned char(*id)[32];

	if (!get_array(&v, p, "locator", BB_LOCATOR_MAX) || !(id = array(p, sizeof(*id))))
		return false;
	p->m->locator = id;
	for (; v; v = v->next)
		if (!get_hash(*id++, v))
			return malformed(p, "getheaders: locator has what is no hash");
	return get_hash(p->m->stop, bb_json_find(p->line, "stop")) ||
	       malformed(p, "getheaders: no stop");
}

static bool read_header(struct bb_header *h, const struct bb_json *v)
{
	unsigned char bytes[BB_HEADER_SIZE];

	return v->type == BB_JSON_STRING && v->text.len == 2 * sizeof(bytes) &&
	       bb_hex_decode(bytes, v->text.data, sizeof(bytes)) &&
	       bb_header_parse(h, BB_SPAN(bytes, sizeof(bytes)));
}

static bool read_headers(const struct parse *p)
{
	const struct bb_json *v;
	struct bb_header *h;

	if (!get_array(&v, p, "headers", BB_HEADERS_MAX) || !(h = array(p, sizeof(*h))))
		return false;
	p->m->headers = h;
	for (; v; v = v->next)
		if (!read_header(h++, v))
			return malformed(p, "headers: not 80 bytes of hex");
	return true;
}

static bool read_object(const struct parse *p)
{
	const struct bb_json *v = bb_json_find(p->line, "hex");

	if (!v || v->type != BB_JSON_STRING || !v->text.len)
		return malformed(p, "no hex");
	if (v->text.len > 2 * OBJECT_MAX)
		return malformed(p, "larger than any block");
	return bb_hex_span(&p->m->bytes, v->text, p->arena) ||
	       malformed(p, "hex is odd or not hex");
}

static bool read_feefilter(const struct parse *p)
{
	return bb_json_int(&p->m->rate_sat_kvb, bb_json_find(p->line, "feerate"), 0,
		       BB_MAX_MONEY) ||
	       malformed(p, "feefilter: no feerate");
}

/* Writing. */

void bb_put_wire_number(struct bb_json_writer *w, const char *key, uint64_t v)
{
	unsigned char bytes[8];

	bb_set_be32(bytes, (uint32_t)(v >> 32));
	bb_set_be32(bytes + 4, (uint32_t)v);
	bb_json_member_hex(w, key, BB_SPAN(bytes, sizeof(bytes)));
}

static void put_nothing(struct bb_json_writer *w, const struct bb_message *m)
{
	(void)w;
	(void)m;
}

static void put_version(struct bb_json_writer *w, const struct bb_message *m)
{
	const struct bb_version *v = &m->version;

	bb_json_member_i64(w, "protocol", v->protocol);
	bb_json_member_str(w, "network", v->network);
	bb_json_member_hash(w, "genesis", v->genesis);
	bb_json_member_str(w, "agent", v->agent);
	bb_json_member_i64(w, "height", v->height);
	bb_put_wire_number(w, "nonce", v->nonce);
	bb_json_member_i64(w, "listen", v->listen);
	bb_put_wire_number(w, "services", v->services);
}

static void put_nonce(struct bb_json_writer *w, const struct bb_message *m)
{
	bb_put_wire_number(w, "nonce", m->nonce);
}

static void put_addr(struct bb_json_writer *w, const struct bb_message *m)
{
	bb_json_key(w, "addrs");
	bb_json_open(w, '[');
	for (size_t i = 0; i < m->count; i++) {
		bb_json_open(w, '{');
		bb_json_member_str(w, "host", m->addrs[i].host);
		bb_json_member_i64(w, "port", m->addrs[i].port);
		bb_json_member_i64(w, "time", m->addrs[i].time);
		bb_put_wire_number(w, "services", m->addrs[i].services);
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
}

static void put_items(struct bb_json_writer *w, const struct bb_message *m)
{
	bb_json_key(w, "items");
	bb_json_open(w, '[');
	for (size_t i = 0; i < m->count; i++) {
		bb_json_open(w, '{');
		bb_json_member_str(w, "kind", m->items[i].kind == BB_INV_TX ? "tx" : "block");
		bb_json_member_hash(w, "id", m->items[i].id);
		bb_json_close(w, '}');
	}
	bb_json_close(w, ']');
}

static void put_getheaders(struct bb_json_writer *w, const struct bb_message *m)
{
	bb_json_key(w, "locator");
	bb_json_open(w, '[');
	for (size_t i = 0; i < m->count; i++)
		bb_json_hash(w, m->locator[i]);
	bb_json_close(w, ']');
	bb_json_member_hash(w, "stop", m->stop);
}

static void put_headers(struct bb_json_writer *w, const struct bb_message *m)
{
	struct bb_buf bytes = {0};

	bb_json_key(w, "headers");
	bb_json_open(w, '[');
	for (size_t i = 0; i < m->count; i++) {
		bytes.len = 0;
		bb_put_header(&bytes, &m->headers[i]);
		bb_json_hex(w, BB_SPAN(bytes.data, bytes.len));
	}
	bb_json_close(w, ']');
	w->buf->failed |= bytes.failed;
	bb_buf_free(&bytes);
}

static void put_bytes(struct bb_json_writer *w, const struct bb_message *m)
{
	bb_json_member_hex(w, "hex", m->bytes);
}

static void put_feefilter(struct bb_json_writer *w, const struct bb_message *m)
{
	bb_json_member_i64(w, "feerate", m->rate_sat_kvb);
}

/* Both. */

static const struct kind {
	const char *type;
	bool (*read)(const struct parse *p);
	void (*put)(struct bb_json_writer *w, const struct bb_message *m);
} kinds[] = {
	[BB_MSG_VERSION] = {"version", read_version, put_version},
	[BB_MSG_VERACK] = {"verack", read_nothing, put_nothing},
	[BB_MSG_PING] = {"ping", read_nonce, put_nonce},
	[BB_MSG_PONG] = {"pong", read_nonce, put_nonce},
	[BB_MSG_GETADDR] = {"getaddr", read_nothing, put_nothing},
	[BB_MSG_ADDR] = {"addr", read_addr, put_addr},
	[BB_MSG_INV] = {"inv", read_items, put_items},
	[BB_MSG_GETDATA] = {"getdata", read_items, put_items},
	[BB_MSG_NOTFOUND] = {"notfound", read_items, put_items},
	[BB_MSG_GETHEADERS] = {"getheaders", read_getheaders, put_getheaders},
	[BB_MSG_HEADERS] = {"headers", read_headers, put_headers},
	[BB_MSG_BLOCK] = {"block", read_object, put_bytes},
	[BB_MSG_TX] = {"tx", read_object, put_bytes},
	[BB_MSG_SENDHEADERS] = {"sendheaders", read_nothing, put_nothing},
	[BB_MSG_FEEFILTER] = {"feefilter", read_feefilter, put_feefilter},
	[BB_MSG_MEMPOOL] = {"mempool", read_nothing, put_nothing},
};
enum { KINDS = sizeof(kinds) / sizeof(*kinds) };

/* Can there be more values in it than in any message? Each but the root stands behind a comma
 * or is the first in a container; those in strings are counted too. */
static bool has_too_many_values(struct bb_span line)
{
	size_t count = 1;

	if (line.len / 2 < VALUES_MAX)
		return false;
	for (size_t i = 0; i < line.len; i++) {
		const unsigned char c = line.data[i];
		count += (c == ',') + (c == '[') + (c == '{');
	}
	return count > VALUES_MAX;
}

bool bb_message_is_order(const struct bb_json *type)
{
	return bb_json_is(type, "invalidate") || bb_json_is(type, "reconsider");
}

bool bb_message_parse(
	struct bb_message *m, const char **why, struct bb_arena *a, struct bb_span line)
{
	struct parse p = {.m = m, .why = why, .arena = a};
	const struct bb_json *type;
	size_t i = 0;

	*m = (struct bb_message){0};
	if (line.len > BB_PEER_LINE_MAX)
		return malformed(&p, "line too long");
	if (has_too_many_values(line))
		return malformed(&p, "too many items");
	if (!(p.line = bb_json_parse(a, why, line)))
		return false;
	type = bb_json_find(p.line, "type");
	if (!type || type->type != BB_JSON_STRING)
		return malformed(&p, "no type");
	while (i < KINDS && !bb_span_is(type->text, kinds[i].type))
		i++;
	if (i == KINDS)
		return malformed(&p, bb_message_is_order(type) ? "an order" : NULL);
	m->kind = (enum bb_message_kind)i;
	return kinds[i].read(&p);
}

void bb_put_message(struct bb_buf *out, const struct bb_message *m)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", kinds[m->kind].type);
	kinds[m->kind].put(&w, m);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}

void bb_put_object(
	struct bb_buf *out, enum bb_message_kind kind, struct bb_span bytes, const char *from)
{
	struct bb_json_writer w = {.buf = out};

	bb_json_open(&w, '{');
	bb_json_member_str(&w, "type", kind == BB_MSG_HEADERS ? "header" : kinds[kind].type);
	bb_json_member_hex(&w, "hex", bytes);
	if (from)
		bb_json_member_str(&w, "from", from);
	bb_json_close(&w, '}');
	bb_json_end_line(&w);
}
