#include "wallet/utxos.h"

#include <stdlib.h>
#include <string.h>

bool bb_utxos_add(struct bb_utxos *u, const struct bb_utxo *coin)
{
	bb_put(&u->buf, coin, sizeof(*coin));
	u->coin = (struct bb_utxo *)(void *)u->buf.data;
	u->count = u->buf.len / sizeof(*coin);
	return !u->buf.failed;
}

void bb_utxos_free(struct bb_utxos *u)
{
	bb_buf_free(&u->buf);
	*u = (struct bb_utxos){0};
}

static int compare_outpoints(const struct bb_outpoint *a, const struct bb_outpoint *b)
{
	int order = memcmp(a->txid, b->txid, 32);

	return order ? order : a->vout < b->vout ? -1 : a->vout > b->vout;
}

static int by_outpoint(const void *x, const void *y)
{
	const struct bb_utxo *a = x, *b = y;
	int order = compare_outpoints(&a->outpoint, &b->outpoint);

	return order ? order : a->line < b->line ? -1 : a->line > b->line;
}

static bool same_coin(const struct bb_utxo *a, const struct bb_utxo *b)
{
	return a->prevout.value_sat == b->prevout.value_sat &&
	       bb_span_equal(a->prevout.script, b->prevout.script);
}

void bb_utxos_settle(struct bb_utxos *u, void (*differs)(void *arg, uint64_t line), void *arg)
{
	size_t kept = 0, next;

	if (u->count)
		qsort(u->coin, u->count, sizeof(*u->coin), by_outpoint);
	for (size_t i = 0; i < u->count; i = next) {
		const struct bb_utxo first = u->coin[i];
		bool disputed = false;
		for (next = i + 1; next < u->count &&
				   bb_outpoint_equal(&first.outpoint, &u->coin[next].outpoint);
			next++) {
			if (same_coin(&first, &u->coin[next]))
				continue;
			disputed = true;
			differs(arg, u->coin[next].line);
		}
		if (!disputed)
			u->coin[kept++] = first;
	}
	u->count = kept;
}

int64_t bb_utxos_tip(const struct bb_utxos *u)
{
	int64_t tip = -1;

	for (size_t i = 0; i < u->count; i++)
		if (u->coin[i].prevout.height > tip)
			tip = u->coin[i].prevout.height;
	return tip;
}

/* The first of an outpoint, or NULL. */
static struct bb_utxo *find(const struct bb_utxos *u, const struct bb_outpoint *outpoint)
{
	size_t low = 0, high = u->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_outpoints(&u->coin[middle].outpoint, outpoint) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < u->count && bb_outpoint_equal(&u->coin[low].outpoint, outpoint)
		       ? &u->coin[low]
		       : NULL;
}

bool bb_utxos_keep(struct bb_utxos *u, const struct bb_outpoint **missing,
	const struct bb_outpoint *outpoints, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct bb_utxo *coin = find(u, &outpoints[i]);
		*missing = &outpoints[i];
		if (!coin)
			return false;
		coin->wanted = true;
	}
	for (size_t i = 0; i < u->count; i++)
		if (u->coin[i].wanted)
			u->coin[kept++] = u->coin[i];
	u->count = kept;
	return true;
}

size_t bb_utxos_drop_immature(
	struct bb_utxos *u, int64_t *value_sat, int64_t tip, const struct bb_network *n)
{
	const size_t before = u->count;
	size_t kept = 0;

	*value_sat = 0;
	for (size_t i = 0; i < before; i++) {
		const struct bb_utxo *c = &u->coin[i];
		if (bb_utxo_is_mature(c, tip, n))
			u->coin[kept++] = *c;
		else if (__builtin_add_overflow(*value_sat, c->prevout.value_sat, value_sat))
			*value_sat = INT64_MAX;
	}
	u->count = kept;
	return before - kept;
}

static int by_line(const void *x, const void *y)
{
	const struct bb_utxo *a = x, *b = y;

	if (a->confirmed != b->confirmed)
		return a->confirmed ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

void bb_utxos_by_line(struct bb_utxos *u)
{
	if (u->count)
		qsort(u->coin, u->count, sizeof(*u->coin), by_line);
}
