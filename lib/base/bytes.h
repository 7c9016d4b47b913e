#ifndef BB_BASE_BYTES_H
#define BB_BASE_BYTES_H

/* Byte spans, a bump allocator, a growing buffer, and readers and writers with hard bounds.
 *
 * Nothing here knows Bitcoin but its integers: little-endian and compact size. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes. Never owns. An empty span may have a NULL data. */
struct bb_span {
	const unsigned char *data;
	size_t len;
};

#define BB_SPAN(d, n) ((struct bb_span){(const unsigned char *)(d), (n)})
/* The bytes of a string literal, without its NUL. */
#define BB_LIT(s) ((struct bb_span){(const unsigned char *)("" s), sizeof(s) - 1})

bool bb_span_equal(struct bb_span a, struct bb_span b);
/* Is the span exactly the characters of this NUL-terminated string? */
static inline bool bb_span_is(struct bb_span a, const char *string)
{
	const size_t len = strlen(string); /* of a literal, known here */

	return a.len == len && memcmp(a.data, string, len) == 0;
}
/* ... or of one in a NULL-terminated list? */
bool bb_span_is_among(struct bb_span a, const char *const *strings);

/* Overwrite secrets; the compiler may not leave it out. */
void bb_wipe(void *p, size_t len);

/* A bump allocator: everything a record needs, freed at once. Zero-initialise.
 * bb_arena_reset keeps the memory for the next record, up to a few MiB. */
struct bb_arena {
	struct bb_arena_chunk *chunk;
	size_t used; /* of the newest chunk */
};

/* n bytes aligned for any type, uninitialised; NULL when memory is out (and only then). */
void *bb_arena_alloc(struct bb_arena *a, size_t n);
/* As above for an array, zeroed; NULL also when count * size overflows. */
void *bb_arena_array(struct bb_arena *a, size_t count, size_t size);
/* A copy of a span; data is NULL when memory is out. */
struct bb_span bb_arena_copy(struct bb_arena *a, struct bb_span s);
void bb_arena_reset(struct bb_arena *a);
/* Reset, and overwrite what was held: for secrets. */
void bb_arena_wipe(struct bb_arena *a);
void bb_arena_free(struct bb_arena *a);

/* A growing buffer. Zero-initialise; after a failed allocation `failed` is set, further
 * writes are dropped and the contents must not be used. */
struct bb_buf {
	unsigned char *data;
	size_t len, cap;
	bool failed;
};

/* Room for n more bytes: the place to write them (then add to len), or NULL. */
unsigned char *bb_buf_room(struct bb_buf *b, size_t n);
void bb_put(struct bb_buf *b, const void *data, size_t len);
void bb_put_str(struct bb_buf *b, const char *string);
void bb_put_u8(struct bb_buf *b, uint8_t v);
void bb_put_le16(struct bb_buf *b, uint16_t v);
void bb_put_le32(struct bb_buf *b, uint32_t v);
void bb_put_le64(struct bb_buf *b, uint64_t v);
/* Bitcoin's compact size: 1, 3, 5 or 9 bytes. */
void bb_put_compact(struct bb_buf *b, uint64_t v);
size_t bb_compact_len(uint64_t v);
void bb_buf_free(struct bb_buf *b);

/* Reads forward through a span. A read past the end gives zeros and sets `bad`, which stays
 * set: check once, at the end. */
struct bb_reader {
	const unsigned char *p, *end;
	bool bad;
};

struct bb_reader bb_reader(const void *data, size_t len);
size_t bb_left(const struct bb_reader *r);
uint8_t bb_get_u8(struct bb_reader *r);
uint16_t bb_get_le16(struct bb_reader *r);
uint32_t bb_get_le32(struct bb_reader *r);
uint64_t bb_get_le64(struct bb_reader *r);
/* A non-minimal encoding is bad, as in Bitcoin Core. */
uint64_t bb_get_compact(struct bb_reader *r);
/* The next n bytes, borrowed; an empty span and `bad` when there are fewer. */
struct bb_span bb_get_span(struct bb_reader *r, uint64_t n);

uint16_t bb_le16(const unsigned char p[2]);
uint32_t bb_le32(const unsigned char p[4]);
uint64_t bb_le64(const unsigned char p[8]);
uint32_t bb_be32(const unsigned char p[4]);
void bb_set_le32(unsigned char p[4], uint32_t v);
void bb_set_le64(unsigned char p[8], uint64_t v);
void bb_set_be32(unsigned char p[4], uint32_t v);

#endif
