#include "ledger/orphans.h"

#include <string.h>

enum { PARENT = 32, KEY = 65, AGE = 8 };

static const char ages[] = "orphan_age", total[] = "orphan_bytes";

static void count_bytes(struct bb_store *s, uint64_t more, uint64_t less)
{
	bb_store_set_number(s, total, bb_store_number(s, total) + more - less);
}

/* Remove the one with that key, which is the caller's, and that value, which the first write
 * makes void. */
static void drop(struct bb_store *s, struct bb_span key, struct bb_span value)
{
	const uint64_t len = value.len;
	unsigned char age[AGE];

	if (len < AGE) {
		bb_store_set_why(s, "the store is damaged: an orphan without an age");
		return;
	}
	bb_key64(age, bb_le64(value.data));
	count_bytes(s, 0, len - AGE);
	bb_store_del(s, BB_ORPHAN_AGE, BB_SPAN(age, AGE));
	bb_store_del(s, BB_ORPHANS, key);
}

static void drop_oldest(struct bb_store *s)
{
	unsigned char key[KEY];
	struct bb_span value;
	struct bb_cursor c;

	if (!bb_cursor_open(&c, s, BB_ORPHAN_AGE))
		return;
	if (bb_cursor_first(&c) && c.value.len == KEY) {
		memcpy(key, c.value.data, KEY);
		bb_cursor_close(&c);
		if (bb_store_get(&value, s, BB_ORPHANS, BB_SPAN(key, KEY))) {
			drop(s, BB_SPAN(key, KEY), value);
			return;
		}
	} else {
		bb_cursor_close(&c);
	}
	bb_store_set_why(s, "the store is damaged: an orphan's age without its orphan");
}

static bool too_many(struct bb_store *s, size_t more)
{
	const uint64_t count = bb_store_count(s, BB_ORPHANS);

	return count && (count >= BB_ORPHANS_MAX ||
				bb_store_number(s, total) + more > BB_ORPHAN_BYTES_MAX);
}

void bb_orphans_put(struct bb_store *s, const unsigned char parent[32],
	const unsigned char id[32], enum bb_orphan_kind kind, struct bb_span bytes)
{
	unsigned char key[KEY], age_key[AGE];
	struct bb_buf value = {0};
	uint64_t age;

	memcpy(key, parent, PARENT);
	memcpy(key + PARENT, id, 32);
	key[KEY - 1] = (unsigned char)kind;
	if (bb_store_has(s, BB_ORPHANS, BB_SPAN(key, KEY)))
		return;
	while (!s->why && too_many(s, bytes.len))
		drop_oldest(s);
	age = bb_store_number(s, ages) + 1;
	bb_put_le64(&value, age);
	bb_put(&value, bytes.data, bytes.len);
	if (value.failed) {
		bb_store_no_memory(s);
	} else {
		bb_store_set_number(s, ages, age);
		bb_store_put(s, BB_ORPHANS, BB_SPAN(key, KEY), BB_SPAN(value.data, value.len));
		bb_store_put(s, BB_ORPHAN_AGE, bb_key64(age_key, age), BB_SPAN(key, KEY));
		count_bytes(s, bytes.len, 0);
	}
	bb_buf_free(&value);
}

bool bb_orphans_take(struct bb_buf *bytes, struct bb_store *s, const unsigned char parent[32])
{
	unsigned char key[KEY];
	struct bb_cursor c;
	bool found;

	if (!bb_cursor_open(&c, s, BB_ORPHANS))
		return false;
	found = bb_cursor_seek(&c, BB_SPAN(parent, PARENT)) && c.key.len == KEY &&
		memcmp(c.key.data, parent, PARENT) == 0;
	if (found) {
		struct bb_span value = c.value;
		memcpy(key, c.key.data, KEY);
		bb_cursor_close(&c);
		if (value.len > AGE)
			bb_put(bytes, value.data + AGE, value.len - AGE);
		drop(s, BB_SPAN(key, KEY), value);
	} else {
		bb_cursor_close(&c);
	}
	if (bytes->failed)
		bb_store_no_memory(s);
	return found && !s->why;
}
