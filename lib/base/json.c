#include "base/json.h"

#include <stdio.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/hex.h"

/* Parsing: yajl's callbacks append to the tree. */

struct parse {
	struct bb_arena *arena;
	struct bb_span line;
	yajl_handle yajl;
	const char *why;
	struct bb_json *root;
	struct bb_json *open[BB_JSON_MAX_DEPTH]; /* the containers around this place */
	struct bb_json *last[BB_JSON_MAX_DEPTH]; /* the newest member of each */
	struct bb_json within; /* stands for all that lies deeper than what is kept */
	size_t depth, kept_depth;
	size_t values, values_max, kept, kept_max;
	size_t token_end; /* where the last token ended */
	struct bb_span key;
};

/* Bytes that came out of yajl's own buffer must be copied; those of the line need not. */
static struct bb_span keep(struct parse *p, const unsigned char *s, size_t len)
{
	if (s >= p->line.data && s < p->line.data + p->line.len)
		return BB_SPAN(s, len);
	return bb_arena_copy(p->arena, BB_SPAN(s, len));
}

/* Blanks and what separates members. */
static bool is_between(unsigned char c)
{
	return c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The token that was just lexed, as it stands in the line. */
static struct bb_span token(struct parse *p)
{
	size_t start = p->token_end;
	size_t end = yajl_get_bytes_consumed(p->yajl);

	while (start < end && is_between(p->line.data[start]))
		start++;
	p->token_end = end;
	return BB_SPAN(p->line.data + start, end - start);
}

static bool is_kept(const struct parse *p)
{
	return p->depth <= p->kept_depth;
}

static struct bb_json *append(struct parse *p, enum bb_json_type type)
{
	struct bb_json *v;

	if (++p->values > p->values_max || (is_kept(p) && ++p->kept > p->kept_max)) {
		p->why = "malformed JSON: too many values";
		return NULL;
	}
	if (!is_kept(p)) {
		token(p);
		return &p->within;
	}
	if (!(v = bb_arena_array(p->arena, 1, sizeof(*v)))) {
		p->why = "out of memory";
		return NULL;
	}
	v->type = type;
	v->raw = token(p);
	v->key = p->key;
	p->key = BB_SPAN(NULL, 0);
	if (p->depth) {
		struct bb_json *parent = p->open[p->depth - 1];
		if (parent->count++)
			p->last[p->depth - 1]->next = v;
		else
			parent->child = v;
		p->last[p->depth - 1] = v;
	} else {
		p->root = v;
	}
	return v;
}

static int on_null(void *ctx)
{
	return append(ctx, BB_JSON_NULL) != NULL;
}

static int on_bool(void *ctx, int truth)
{
	struct bb_json *v = append(ctx, BB_JSON_BOOL);

	if (v)
		v->truth = truth;
	return v != NULL;
}

static int on_number(void *ctx, const char *s, size_t len)
{
	struct bb_json *v = append(ctx, BB_JSON_NUMBER);

	if (v && is_kept(ctx))
		v->text = keep(ctx, (const unsigned char *)s, len);
	return v != NULL;
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	struct bb_json *v = append(ctx, BB_JSON_STRING);

	if (!is_kept(ctx))
		return 1;
	if (v)
		v->text = keep(ctx, s, len);
	return v && (v->text.data || !len);
}

static int on_key(void *ctx, const unsigned char *s, size_t len)
{
	struct parse *p = ctx;

	token(p);
	if (!is_kept(p))
		return 1;
	p->key = keep(p, s, len);
	return p->key.data || !len;
}

static int on_open(struct parse *p, enum bb_json_type type)
{
	struct bb_json *v = append(p, type);

	if (v && p->depth == BB_JSON_MAX_DEPTH) {
		p->why = "malformed JSON: nested too deeply";
		return 0;
	}
	if (v)
		p->open[p->depth++] = v;
	return v != NULL;
}

static int on_object(void *ctx)
{
	return on_open(ctx, BB_JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return on_open(ctx, BB_JSON_ARRAY);
}

static int on_close(void *ctx)
{
	struct parse *p = ctx;
	struct bb_span end = token(p);
	struct bb_json *v = p->open[--p->depth];

	if (v != &p->within)
		v->raw.len = (size_t)(end.data + end.len - v->raw.data);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_array,
	.yajl_end_array = on_close,
};

static const struct bb_json *parse(
	struct parse *p, struct bb_arena *a, const char **why, struct bb_span line)
{
	yajl_status status;

	p->arena = a;
	p->line = line;
	p->values_max = bb_json_values_max(line.len);
	/* yajl passes over these two as white space; in JSON they can stand nowhere. */
	*why = "malformed JSON";
	if (line.len &&
		(memchr(line.data, '\v', line.len) || memchr(line.data, '\f', line.len)))
		return NULL;
	*why = "out of memory";
	if (!(p->yajl = yajl_alloc(&callbacks, NULL, p)))
		return NULL;
	status = yajl_parse(p->yajl, line.data, line.len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(p->yajl);
	yajl_free(p->yajl);
	if (status != yajl_status_ok)
		*why = p->why ? p->why : "malformed JSON";
	else if (!p->root || p->root->type != BB_JSON_OBJECT)
		*why = "malformed JSON: not an object";
	else
		return p->root;
	return NULL;
}

size_t bb_json_values_max(size_t line_len)
{
	const size_t fair = BB_JSON_FREE_VALUES + line_len / BB_JSON_BYTES_A_VALUE;

	return fair < BB_JSON_MAX_VALUES ? fair : BB_JSON_MAX_VALUES;
}

const struct bb_json *bb_json_parse(struct bb_arena *a, const char **why, struct bb_span line)
{
	struct parse p = {.kept_depth = BB_JSON_MAX_DEPTH, .kept_max = BB_JSON_MAX_VALUES};

	return parse(&p, a, why, line);
}

const struct bb_json *bb_json_parse_members(
	size_t *values, struct bb_arena *a, const char **why, struct bb_span line)
{
	struct parse p = {.kept_depth = 1, .kept_max = BB_JSON_MAX_MEMBERS};
	const struct bb_json *root = parse(&p, a, why, line);

	*values = p.values;
	return root;
}

const struct bb_json *bb_json_get(const struct bb_json *object, const char *key)
{
	const struct bb_json *found = NULL;
	size_t len = strlen(key);

	if (!object || object->type != BB_JSON_OBJECT)
		return NULL;
	for (const struct bb_json *v = object->child; v; v = v->next)
		if (v->key.len == len && memcmp(v->key.data, key, len) == 0)
			found = v;
	return found;
}

const struct bb_json *bb_json_find(const struct bb_json *object, const char *key)
{
	const struct bb_json *v = bb_json_get(object, key);

	return v && v->type != BB_JSON_NULL ? v : NULL;
}

bool bb_json_is(const struct bb_json *v, const char *string)
{
	return v && v->type == BB_JSON_STRING && bb_span_is(v->text, string);
}

bool bb_json_int(int64_t *out, const struct bb_json *v, int64_t min, int64_t max)
{
	bool negative;
	uint64_t n = 0, limit;

	if (!v || v->type != BB_JSON_NUMBER)
		return false;
	negative = v->text.data[0] == '-';
	limit = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	for (size_t i = negative; i < v->text.len; i++) {
		unsigned digit = v->text.data[i] - (unsigned)'0';
		if (digit > 9 || n > (limit - digit) / 10)
			return false;
		n = 10 * n + digit;
	}
	*out = negative ? (int64_t)(0 - n) : (int64_t)n;
	return *out >= min && *out <= max;
}

bool bb_json_without(struct bb_json *out, struct bb_arena *a, const struct bb_json *object,
	const char *const *names)
{
	struct bb_json *copy = bb_arena_array(a, object->count + 1, sizeof(*copy));
	size_t n = 0;

	if (!copy)
		return false;
	for (const struct bb_json *v = object->child; v; v = v->next) {
		if (bb_span_is_among(v->key, names))
			continue;
		copy[n] = *v;
		copy[n].next = NULL;
		if (n)
			copy[n - 1].next = &copy[n];
		n++;
	}
	*out = *object;
	out->child = n ? copy : NULL;
	out->count = n;
	return true;
}

/* Writing. */

static void before_value(struct bb_json_writer *w)
{
	if (w->comma)
		bb_put_u8(w->buf, ',');
	w->comma = true;
}

void bb_json_open(struct bb_json_writer *w, char bracket)
{
	before_value(w);
	bb_put_u8(w->buf, (uint8_t)bracket);
	w->comma = false;
}

void bb_json_close(struct bb_json_writer *w, char bracket)
{
	bb_put_u8(w->buf, (uint8_t)bracket);
	w->comma = true;
}

/* Room for a value of at most n bytes behind its comma, which is written; NULL without memory.
 * What most lines consist of goes through here in one piece. */
static unsigned char *value_room(struct bb_json_writer *w, size_t n)
{
	unsigned char *p = bb_buf_room(w->buf, n + 1);

	if (p && w->comma) {
		*p++ = ',';
		w->buf->len++;
	}
	w->comma = true;
	return p;
}

void bb_json_key_len(struct bb_json_writer *w, const char *key, size_t len)
{
	unsigned char *p = value_room(w, len + 3);

	if (p) {
		p[0] = '"';
		memcpy(p + 1, key, len);
		memcpy(p + 1 + len, "\":", 2);
		w->buf->len += len + 3;
	}
	w->comma = false;
}

static void put_quoted(struct bb_buf *b, struct bb_span s)
{
	size_t done = 0;

	bb_put_u8(b, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = s.data[i];
		char escape[8];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		bb_put(b, s.data + done, i - done);
		done = i + 1;
		snprintf(escape, sizeof(escape), c >= 0x20 ? "\\%c" : "\\u%04x", c);
		bb_put_str(b, escape);
	}
	bb_put(b, s.data + done, s.len - done);
	bb_put_u8(b, '"');
}

void bb_json_key_span(struct bb_json_writer *w, struct bb_span key)
{
	before_value(w);
	put_quoted(w->buf, key);
	bb_put_u8(w->buf, ':');
	w->comma = false;
}

void bb_json_text(struct bb_json_writer *w, struct bb_span utf8)
{
	before_value(w);
	put_quoted(w->buf, utf8);
}

void bb_json_str(struct bb_json_writer *w, const char *s)
{
	bb_json_text(w, BB_SPAN(s, strlen(s)));
}

void bb_json_hex(struct bb_json_writer *w, struct bb_span bytes)
{
	const size_t len = 2 * bytes.len;
	unsigned char *p = value_room(w, len + 2);

	if (p) {
		p[0] = '"';
		bb_hex_encode((char *)p + 1, bytes.data, bytes.len);
		p[1 + len] = '"';
		w->buf->len += len + 2;
	}
}

void bb_json_hash(struct bb_json_writer *w, const unsigned char hash[32])
{
	unsigned char *p = value_room(w, 66);

	if (p) {
		p[0] = p[65] = '"';
		bb_hash_encode((char *)p + 1, hash);
		w->buf->len += 66;
	}
}

void bb_json_i64(struct bb_json_writer *w, int64_t v)
{
	uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char text[20], *digit = text + sizeof(text);
	size_t len;

	before_value(w);
	do
		*--digit = (char)('0' + rest % 10);
	while (rest /= 10);
	len = (size_t)(text + sizeof(text) - digit);
	if (v < 0)
		bb_put_u8(w->buf, '-');
	bb_put(w->buf, digit, len);
}

void bb_json_double(struct bb_json_writer *w, double v)
{
	char text[40];

	before_value(w);
	bb_put(w->buf, text, (size_t)snprintf(text, sizeof(text), "%.16g", v));
}

void bb_json_bool(struct bb_json_writer *w, bool v)
{
	before_value(w);
	bb_put_str(w->buf, v ? "true" : "false");
}

void bb_json_null(struct bb_json_writer *w)
{
	before_value(w);
	bb_put_str(w->buf, "null");
}

void bb_json_raw(struct bb_json_writer *w, struct bb_span raw)
{
	before_value(w);
	bb_put(w->buf, raw.data, raw.len);
}

void bb_json_end_line(struct bb_json_writer *w)
{
	bb_put_u8(w->buf, '\n');
	w->comma = false;
}

void bb_json_others(
	struct bb_json_writer *w, const struct bb_json *object, const char *const *known)
{
	for (const struct bb_json *v = object->child; v; v = v->next)
		if (!bb_span_is_among(v->key, known))
			bb_json_member_raw(w, v);
}
