#ifndef TABLE_H
#define TABLE_H

/* What the drivers have in common: tables that print `name: N of M`, and what fails; and random
 * numbers that are the same every time. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/bytes.h"

struct table {
	const char *name;
	unsigned good, all;
};

static bool all_good = true;

static inline void row(struct table *t, bool good, const char *what)
{
	t->good += good;
	if (!good)
		printf("%s: row %u is wrong: %s\n", t->name, t->all, what);
	t->all++;
}

static inline void end(const struct table *t)
{
	printf("%s: %u of %u\n", t->name, t->good, t->all);
	fflush(stdout);
	all_good &= t->good == t->all;
}

/* splitmix64; set it to begin anew. */
static uint64_t state;

static inline uint64_t next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static inline unsigned below(unsigned n)
{
	return (unsigned)(next() % n);
}

static inline double milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Bytes. */

static inline struct bb_span span(const char *s)
{
	return BB_SPAN(s, strlen(s));
}

static inline struct bb_span filled(const struct bb_buf *b)
{
	return BB_SPAN(b->data, b->len);
}

static inline bool holds(const struct bb_buf *b, const char *s)
{
	return bb_span_equal(filled(b), span(s));
}

/* A line with `item` so many times in a list. */
static inline void put_list(
	struct bb_buf *b, const char *head, const char *item, size_t count, const char *tail)
{
	b->len = 0;
	bb_put_str(b, head);
	for (size_t i = 0; i < count; i++) {
		bb_put_str(b, i ? "," : "");
		bb_put_str(b, item);
	}
	bb_put_str(b, tail);
}

#endif
