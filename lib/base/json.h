#ifndef BB_BASE_JSON_H
#define BB_BASE_JSON_H

/* One line of JSON as a tree, and a writer. yajl does the lexing; what is added here: exact
 * integers, bounds, and the raw text of every value, so that what a tool does not know it can
 * pass on unchanged. */

#include "base/bytes.h"

enum bb_json_type {
	BB_JSON_NULL,
	BB_JSON_BOOL,
	BB_JSON_NUMBER,
	BB_JSON_STRING,
	BB_JSON_ARRAY,
	BB_JSON_OBJECT,
};

enum {
	BB_JSON_MAX_DEPTH = 64,
	/* Of one line, so that its tree stays in proportion to it: one for each 4 bytes, and a
	 * million besides, so that the worst block there can be, with 4 million empty witness
	 * items of 3 bytes each, is still a line. */
	BB_JSON_BYTES_A_VALUE = 4,
	BB_JSON_FREE_VALUES = 1 << 20,
	BB_JSON_MAX_VALUES = 8 << 20,
	BB_JSON_MAX_MEMBERS = 64 << 10, /* of bb_json_parse_members */
};

struct bb_json {
	enum bb_json_type type;
	bool truth;		     /* of a BOOL */
	struct bb_span key;	     /* in an object: decoded; else empty */
	struct bb_span text;	     /* of a STRING, decoded; of a NUMBER, its characters */
	struct bb_span raw;	     /* the value as it stands in the line */
	size_t count;		     /* members of an ARRAY or OBJECT */
	const struct bb_json *child; /* the first member */
	const struct bb_json *next;  /* the next member of the same parent */
};

/* Parse one line, which must be a single object. Spans borrow from the line or the arena.
 * Returns NULL with *why a static reason ("malformed JSON: ..."). RFC 8259; NaN, comments and
 * trailing text are errors. */
const struct bb_json *bb_json_parse(struct bb_arena *a, const char **why, struct bb_span line);

/* The same, for who looks at the line's own members only: what is in them is checked and
 * counted, but none of it kept, so that the tree is small whatever the line. */
const struct bb_json *bb_json_parse_members(
	size_t *values, struct bb_arena *a, const char **why, struct bb_span line);
/* So many values a line of that length may have. */
size_t bb_json_values_max(size_t line_len);

/* The member of that name, the last of several, as in jq; NULL when there is none. */
const struct bb_json *bb_json_get(const struct bb_json *object, const char *key);
/* As above, but a member that is null counts as absent. */
const struct bb_json *bb_json_find(const struct bb_json *object, const char *key);
/* In a walk over an object's members: keep this one in k->name if that is its key. The last of
 * equal keys stands; null counts as absent. */
#define BB_JSON_TAKE(k, v, name)                                                               \
	if (bb_span_is((v)->key, #name)) {                                                     \
		(k)->name = (v)->type == BB_JSON_NULL ? NULL : (v);                            \
		continue;                                                                      \
	}
bool bb_json_is(const struct bb_json *v, const char *string);
/* An integer without fraction or exponent that lies in [min, max]; else false. */
bool bb_json_int(int64_t *out, const struct bb_json *v, int64_t min, int64_t max);
/* The object without the members that the NULL-terminated list names; in the arena, and borrows
 * from the object. False: memory. */
bool bb_json_without(struct bb_json *out, struct bb_arena *a, const struct bb_json *object,
	const char *const *names);

/* The writer: appends to a buffer, puts the commas itself. Zero-initialise but for buf; one
 * writer may write many values, each followed by bb_json_end_line or the caller's own. */
struct bb_json_writer {
	struct bb_buf *buf;
	bool comma; /* a member stands before */
};

void bb_json_open(struct bb_json_writer *w, char bracket); /* '{' or '[' */
void bb_json_close(struct bb_json_writer *w, char bracket);
/* Before a value inside an object. The key is a literal: nothing in it is escaped. */
void bb_json_key_len(struct bb_json_writer *w, const char *key, size_t len);
static inline void bb_json_key(struct bb_json_writer *w, const char *key)
{
	bb_json_key_len(w, key, strlen(key)); /* of a literal, known here */
}
/* A key that came from a line. */
void bb_json_key_span(struct bb_json_writer *w, struct bb_span key);
void bb_json_str(struct bb_json_writer *w, const char *s);
void bb_json_text(struct bb_json_writer *w, struct bb_span utf8);
void bb_json_hex(struct bb_json_writer *w, struct bb_span bytes);
void bb_json_hash(struct bb_json_writer *w, const unsigned char hash[32]);
void bb_json_i64(struct bb_json_writer *w, int64_t v);
void bb_json_double(struct bb_json_writer *w, double v);
void bb_json_bool(struct bb_json_writer *w, bool v);
void bb_json_null(struct bb_json_writer *w);
/* A value as it stood in a line. */
void bb_json_raw(struct bb_json_writer *w, struct bb_span raw);
void bb_json_end_line(struct bb_json_writer *w);

/* Members: a key and its value. */
static inline void bb_json_member_i64(struct bb_json_writer *w, const char *key, int64_t v)
{
	bb_json_key(w, key);
	bb_json_i64(w, v);
}
static inline void bb_json_member_str(struct bb_json_writer *w, const char *key, const char *s)
{
	bb_json_key(w, key);
	bb_json_str(w, s);
}
static inline void bb_json_member_hex(
	struct bb_json_writer *w, const char *key, struct bb_span bytes)
{
	bb_json_key(w, key);
	bb_json_hex(w, bytes);
}
static inline void bb_json_member_hash(
	struct bb_json_writer *w, const char *key, const unsigned char hash[32])
{
	bb_json_key(w, key);
	bb_json_hash(w, hash);
}
/* One as it stood in a line. */
static inline void bb_json_member_raw(struct bb_json_writer *w, const struct bb_json *v)
{
	bb_json_key_span(w, v->key);
	bb_json_raw(w, v->raw);
}

/* All members but those named in the NULL-terminated list, unchanged, in order. */
void bb_json_others(
	struct bb_json_writer *w, const struct bb_json *object, const char *const *known);

#endif
