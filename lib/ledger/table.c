/* Tables: entries, walks, numbers. */

#include "ledger/map.h"
#include "ledger/store.h"
#include "ledger/store_inside.h"

/* Entries. */

static bool usable(struct bb_store *s)
{
	if (!s->txn)
		bb_store_fail(s, "/chain", "no transaction is open");
	return !s->why;
}

/* NULL: of a mempool that is not there, or, to a reader, of another tip. */
static MDB_txn *txn_of(const struct bb_store *s, enum bb_table t)
{
	if (!bb_table_of_pool(t))
		return s->txn;
	return s->writing || s->pool_fits || t == BB_POOL_EVENTS ? s->pool_txn : NULL;
}

static bool readable(struct bb_store *s, enum bb_table t)
{
	return usable(s) && txn_of(s, t);
}

static bool writable(struct bb_store *s, enum bb_table t, struct bb_span key)
{
	if (!s->writing)
		bb_store_fail(s, "/chain", "the store is open for reading");
	else if (!key.len || key.len > (size_t)mdb_env_get_maxkeysize(s->env))
		bb_store_fail(s, "/chain", "a key is empty or too long");
	return readable(s, t);
}

/* Pages that were read on the way to a write have been copied, and will hardly be read again.
 * Those of the mempool will. */
static void wrote(struct bb_store *s, enum bb_table t)
{
	enum { MANY = 1 << 13 };

	if (bb_table_of_pool(t))
		s->pool_writes++;
	else if (++s->writes % MANY == 0)
		bb_map_let_go(s->map, s->map_len);
}

static MDB_val val(struct bb_span s)
{
	return (MDB_val){.mv_size = s.len, .mv_data = (void *)s.data};
}

static struct bb_span span(const MDB_val *v)
{
	return BB_SPAN(v->mv_data, v->mv_size);
}

bool bb_store_get(
	struct bb_span *value, struct bb_store *s, enum bb_table t, struct bb_span key)
{
	MDB_val k = val(key), v;

	if (!readable(s, t) || !key.len ||
		!BB_LMDB(s, t, mdb_get(txn_of(s, t), s->table[t], &k, &v)))
		return false;
	*value = span(&v);
	return true;
}

bool bb_store_has(struct bb_store *s, enum bb_table t, struct bb_span key)
{
	struct bb_span ignored;

	return bb_store_get(&ignored, s, t, key);
}

void bb_store_put(struct bb_store *s, enum bb_table t, struct bb_span key, struct bb_span value)
{
	MDB_val k = val(key), v = val(value);

	if (writable(s, t, key) && BB_LMDB(s, t, mdb_put(txn_of(s, t), s->table[t], &k, &v, 0)))
		wrote(s, t);
}

bool bb_store_del(struct bb_store *s, enum bb_table t, struct bb_span key)
{
	MDB_val k = val(key);

	if (!writable(s, t, key) ||
		!BB_LMDB(s, t, mdb_del(txn_of(s, t), s->table[t], &k, NULL)))
		return false;
	wrote(s, t);
	return true;
}

void bb_store_empty(struct bb_store *s, enum bb_table t)
{
	if (t == BB_POOL_SCRIPTS)
		bb_script_rows_drop(s);
	if (writable(s, t, BB_LIT("all")) &&
		BB_LMDB(s, t, mdb_drop(txn_of(s, t), s->table[t], 0)))
		wrote(s, t);
}

uint64_t bb_store_count(struct bb_store *s, enum bb_table t)
{
	MDB_stat st;

	if (!readable(s, t) || !BB_LMDB(s, t, mdb_stat(txn_of(s, t), s->table[t], &st)))
		return 0;
	return st.ms_entries;
}

bool bb_cursor_open(struct bb_cursor *c, struct bb_store *s, enum bb_table t)
{
	*c = (struct bb_cursor){.store = s, .table = t};
	if (!readable(s, t))
		return !s->why; /* a walk over nothing */
	return BB_LMDB(s, t, mdb_cursor_open(txn_of(s, t), s->table[t], &c->at));
}

void bb_cursor_close(struct bb_cursor *c)
{
	if (c->at)
		mdb_cursor_close(c->at);
	c->at = NULL;
}

static bool move(struct bb_cursor *c, struct bb_span key, MDB_cursor_op op)
{
	MDB_val k = val(key), v;

	if (!c->at || !usable(c->store) ||
		!BB_LMDB(c->store, c->table, mdb_cursor_get(c->at, &k, &v, op)))
		return false;
	c->key = span(&k);
	c->value = span(&v);
	return true;
}

bool bb_cursor_seek(struct bb_cursor *c, struct bb_span key)
{
	return move(c, key, key.len ? MDB_SET_RANGE : MDB_FIRST);
}

bool bb_cursor_first(struct bb_cursor *c)
{
	return move(c, BB_SPAN(NULL, 0), MDB_FIRST);
}

bool bb_cursor_last(struct bb_cursor *c)
{
	return move(c, BB_SPAN(NULL, 0), MDB_LAST);
}

bool bb_cursor_next(struct bb_cursor *c)
{
	return move(c, BB_SPAN(NULL, 0), MDB_NEXT);
}

void bb_cursor_put(struct bb_cursor *c, struct bb_span key, struct bb_span value)
{
	MDB_val k = val(key), v = val(value);

	if (c->at && writable(c->store, c->table, key) &&
		BB_LMDB(c->store, c->table, mdb_cursor_put(c->at, &k, &v, 0)))
		wrote(c->store, c->table);
}

bool bb_cursor_del(struct bb_cursor *c, struct bb_span key)
{
	if (!c->at || !writable(c->store, c->table, key) || !move(c, key, MDB_SET_KEY) ||
		!BB_LMDB(c->store, c->table, mdb_cursor_del(c->at, 0)))
		return false;
	wrote(c->store, c->table);
	return true;
}

/* Numbers. */

uint64_t bb_store_number(struct bb_store *s, const char *word)
{
	struct bb_span v;

	if (!bb_store_get(&v, s, BB_META, BB_SPAN(word, strlen(word))))
		return 0;
	if (v.len != 8) {
		bb_store_fail(s, "/chain", "a number is damaged");
		return 0;
	}
	return bb_le64(v.data);
}

void bb_store_set_number(struct bb_store *s, const char *word, uint64_t v)
{
	unsigned char bytes[8];

	bb_set_le64(bytes, v);
	bb_store_put(s, BB_META, BB_SPAN(word, strlen(word)), BB_SPAN(bytes, 8));
}

struct bb_span bb_key64(unsigned char key[8], uint64_t v)
{
	bb_set_be32(key, (uint32_t)(v >> 32));
	bb_set_be32(key + 4, (uint32_t)v);
	return BB_SPAN(key, 8);
}

uint64_t bb_be64(const unsigned char p[8])
{
	return (uint64_t)bb_be32(p) << 32 | bb_be32(p + 4);
}
