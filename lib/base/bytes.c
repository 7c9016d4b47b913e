#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

bool bb_span_equal(struct bb_span a, struct bb_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bb_span_is_among(struct bb_span a, const char *const *strings)
{
	while (*strings)
		if (bb_span_is(a, *strings++))
			return true;
	return false;
}

void bb_wipe(void *p, size_t len)
{
	if (len)
		explicit_bzero(p, len);
}

/* The arena: a list of chunks, newest first, each at least twice the one before. */

struct bb_arena_chunk {
	struct bb_arena_chunk *older;
	size_t cap;
	_Alignas(max_align_t) unsigned char data[];
};

enum { FIRST_CHUNK = 32 << 10, KEPT_CHUNK = 8 << 20 };

static bool arena_grow(struct bb_arena *a, size_t n)
{
	size_t cap = a->chunk ? a->chunk->cap : FIRST_CHUNK / 2;
	struct bb_arena_chunk *c;

	cap = cap > SIZE_MAX / 4 ? cap : cap * 2;
	if (cap < n)
		cap = n;
	if (cap > SIZE_MAX - sizeof(*c) || !(c = malloc(sizeof(*c) + cap)))
		return false;
	c->older = a->chunk;
	c->cap = cap;
	a->chunk = c;
	a->used = 0;
	return true;
}

void *bb_arena_alloc(struct bb_arena *a, size_t n)
{
	const size_t align = _Alignof(max_align_t);
	void *p;

	if (n > SIZE_MAX - align)
		return NULL;
	n = (n + align - 1) / align * align;
	if ((!a->chunk || a->chunk->cap - a->used < n) && !arena_grow(a, n))
		return NULL;
	p = a->chunk->data + a->used;
	a->used += n;
	return p;
}

void *bb_arena_array(struct bb_arena *a, size_t count, size_t size)
{
	void *p;

	if (size && count > SIZE_MAX / size)
		return NULL;
	if ((p = bb_arena_alloc(a, count * size)))
		memset(p, 0, count * size);
	return p;
}

struct bb_span bb_arena_copy(struct bb_arena *a, struct bb_span s)
{
	unsigned char *p = bb_arena_alloc(a, s.len ? s.len : 1);

	if (p && s.len)
		memcpy(p, s.data, s.len);
	return BB_SPAN(p, s.len);
}

static void drop_older(struct bb_arena_chunk *c)
{
	while (c) {
		struct bb_arena_chunk *older = c->older;
		free(c);
		c = older;
	}
}

void bb_arena_reset(struct bb_arena *a)
{
	if (!a->chunk)
		return;
	drop_older(a->chunk->older);
	a->chunk->older = NULL;
	a->used = 0;
	if (a->chunk->cap > KEPT_CHUNK)
		bb_arena_free(a);
}

void bb_arena_wipe(struct bb_arena *a)
{
	for (struct bb_arena_chunk *c = a->chunk; c; c = c->older)
		bb_wipe(c->data, c->cap);
	bb_arena_reset(a);
}

void bb_arena_free(struct bb_arena *a)
{
	drop_older(a->chunk);
	*a = (struct bb_arena){0};
}

/* The buffer. */

unsigned char *bb_buf_room(struct bb_buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : 256;
	unsigned char *p;

	if (b->failed)
		return NULL;
	if (b->cap - b->len >= n && b->data)
		return b->data + b->len;
	if (n > SIZE_MAX / 4 - b->len)
		goto fail;
	while (cap - b->len < n)
		cap *= 2;
	if (!(p = realloc(b->data, cap)))
		goto fail;
	b->data = p;
	b->cap = cap;
	return p + b->len;
fail:
	b->failed = true;
	return NULL;
}

void bb_put(struct bb_buf *b, const void *data, size_t len)
{
	unsigned char *p = bb_buf_room(b, len);

	if (p && len) {
		memcpy(p, data, len);
		b->len += len;
	}
}

void bb_put_str(struct bb_buf *b, const char *string)
{
	bb_put(b, string, strlen(string));
}

void bb_put_u8(struct bb_buf *b, uint8_t v)
{
	bb_put(b, &v, 1);
}

void bb_put_le16(struct bb_buf *b, uint16_t v)
{
	bb_put(b, (unsigned char[]){v & 0xff, v >> 8}, 2);
}

void bb_put_le32(struct bb_buf *b, uint32_t v)
{
	unsigned char p[4];

	bb_set_le32(p, v);
	bb_put(b, p, 4);
}

void bb_put_le64(struct bb_buf *b, uint64_t v)
{
	unsigned char p[8];

	bb_set_le64(p, v);
	bb_put(b, p, 8);
}

void bb_put_compact(struct bb_buf *b, uint64_t v)
{
	if (v < 253) {
		bb_put_u8(b, (uint8_t)v);
	} else if (v <= 0xffff) {
		bb_put_u8(b, 253);
		bb_put_le16(b, (uint16_t)v);
	} else if (v <= 0xffffffff) {
		bb_put_u8(b, 254);
		bb_put_le32(b, (uint32_t)v);
	} else {
		bb_put_u8(b, 255);
		bb_put_le64(b, v);
	}
}

size_t bb_compact_len(uint64_t v)
{
	return v < 253 ? 1 : v <= 0xffff ? 3 : v <= 0xffffffff ? 5 : 9;
}

void bb_buf_free(struct bb_buf *b)
{
	free(b->data);
	*b = (struct bb_buf){0};
}

/* The reader. */

struct bb_reader bb_reader(const void *data, size_t len)
{
	const unsigned char *p = len ? data : (const unsigned char *)"";

	return (struct bb_reader){.p = p, .end = p + len};
}

size_t bb_left(const struct bb_reader *r)
{
	return (size_t)(r->end - r->p);
}

struct bb_span bb_get_span(struct bb_reader *r, uint64_t n)
{
	struct bb_span s = {r->p, (size_t)n};

	if (n > bb_left(r)) {
		r->bad = true;
		r->p = r->end;
		return BB_SPAN(r->end, 0);
	}
	r->p += n;
	return s;
}

uint8_t bb_get_u8(struct bb_reader *r)
{
	struct bb_span s = bb_get_span(r, 1);

	return s.len ? s.data[0] : 0;
}

uint16_t bb_get_le16(struct bb_reader *r)
{
	struct bb_span s = bb_get_span(r, 2);

	return s.len ? bb_le16(s.data) : 0;
}

uint32_t bb_get_le32(struct bb_reader *r)
{
	struct bb_span s = bb_get_span(r, 4);

	return s.len ? bb_le32(s.data) : 0;
}

uint64_t bb_get_le64(struct bb_reader *r)
{
	struct bb_span s = bb_get_span(r, 8);

	return s.len ? bb_le64(s.data) : 0;
}

uint64_t bb_get_compact(struct bb_reader *r)
{
	uint8_t first = bb_get_u8(r);
	uint64_t v = first, least = 0;

	if (first == 253) {
		v = bb_get_le16(r);
		least = 253;
	} else if (first == 254) {
		v = bb_get_le32(r);
		least = 0x10000;
	} else if (first == 255) {
		v = bb_get_le64(r);
		least = 0x100000000;
	}
	if (v < least)
		r->bad = true;
	return r->bad ? 0 : v;
}

uint16_t bb_le16(const unsigned char p[2])
{
	return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t bb_le32(const unsigned char p[4])
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t bb_le64(const unsigned char p[8])
{
	return bb_le32(p) | (uint64_t)bb_le32(p + 4) << 32;
}

uint32_t bb_be32(const unsigned char p[4])
{
	return p[3] | (uint32_t)p[2] << 8 | (uint32_t)p[1] << 16 | (uint32_t)p[0] << 24;
}

void bb_set_le32(unsigned char p[4], uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

void bb_set_le64(unsigned char p[8], uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> 8 * i);
}

void bb_set_be32(unsigned char p[4], uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[3 - i] = (unsigned char)(v >> 8 * i);
}
