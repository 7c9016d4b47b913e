#include "ledger/extent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The form of LMDB 0.9 on disk, in the machine's own byte order and word size. */
enum {
	HEAD = 16, /* of a page: number, pad, flags at 10, lower and upper at 12 and 14 */
	META_MAGIC = 0,
	META_VERSION = 4,
	VERSION = 1,
	META_TABLE = 24, /* in a meta page behind the head: two tables */
	META_TXN = 128,
	TABLE_SIZE = 48,
	TABLE_ROOT = 40,
	NODE_HEAD = 8, /* low and high half, flags, key's length; then the key, the value */
	BRANCH = 0x01, /* of pages */
	LEAF = 0x02,
	BIG = 0x01, /* of nodes: the value lies in pages of its own */
	SUBTABLE = 0x02,
	MAX_DEPTH = 32,
};

static const uint32_t lmdb_magic = 0xbeefc0de;

struct walk {
	int fd;
	uint32_t page_size;
	uint64_t pages; /* in the file */
	uint64_t left;	/* that may still be met: one met again belongs to a damaged file */
};

static uint16_t get16(const unsigned char *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t get32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static ssize_t read_at(int fd, unsigned char *out, size_t len, uint64_t at)
{
	ssize_t n;

	do
		n = pread(fd, out, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n;
}

static bool read_page(const struct walk *w, unsigned char *page, uint64_t number)
{
	return number < w->pages && read_at(w->fd, page, w->page_size, number * w->page_size) ==
					    (ssize_t)w->page_size;
}

static bool walk_page(struct walk *w, uint64_t number, unsigned depth);

static bool walk_root(struct walk *w, const unsigned char *table, unsigned depth)
{
	const uint64_t root = get64(table + TABLE_ROOT);

	return root == UINT64_MAX || walk_page(w, root, depth);
}

/* Of a value in pages of its own: they are not read, only counted. */
static bool check_big(const struct walk *w, const unsigned char *value, uint32_t size)
{
	const uint64_t first = get64(value);
	const uint64_t pages = (HEAD - 1 + (uint64_t)size) / w->page_size + 1;

	return first < w->pages && pages <= w->pages - first;
}

static bool walk_node(
	struct walk *w, const unsigned char *page, const unsigned char *node, unsigned depth)
{
	const unsigned char *end = page + w->page_size;
	const uint32_t low = get16(node) | (uint32_t)get16(node + 2) << 16;
	const uint16_t flags = get16(node + 4);
	const unsigned char *value = node + NODE_HEAD + get16(node + 6);

	if (get16(page + 10) & BRANCH)
		return walk_page(w, low | (uint64_t)flags << 32, depth + 1);
	if (flags & SUBTABLE)
		return value + TABLE_SIZE <= end && walk_root(w, value, depth + 1);
	if (flags & BIG)
		return value + sizeof(uint64_t) <= end && check_big(w, value, low);
	return value + low <= end;
}

static bool walk_nodes(struct walk *w, const unsigned char *page, unsigned depth)
{
	const uint16_t flags = get16(page + 10), lower = get16(page + 12);
	bool ok = (flags & (BRANCH | LEAF)) && lower >= HEAD && lower <= w->page_size;

	for (uint32_t i = HEAD; ok && i < lower; i += 2) {
		const uint16_t at = get16(page + i);
		ok = at >= lower && at <= w->page_size - NODE_HEAD &&
		     walk_node(w, page, page + at, depth);
	}
	return ok;
}

static bool walk_page(struct walk *w, uint64_t number, unsigned depth)
{
	unsigned char *page;
	bool ok;

	if (depth > MAX_DEPTH || !w->left--)
		return false;
	page = malloc(w->page_size);
	ok = page && read_page(w, page, number) && walk_nodes(w, page, depth);
	free(page);
	return ok;
}

enum bb_extent_head bb_extent_head(int fd)
{
	unsigned char meta[HEAD + META_TABLE + 4];
	uint32_t page_size = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (read_at(fd, meta, sizeof(meta), page_size) != (ssize_t)sizeof(meta))
			return BB_HEAD_SHORT;
		if (get32(meta + HEAD + META_MAGIC) != lmdb_magic ||
			get32(meta + HEAD + META_VERSION) != VERSION)
			return BB_HEAD_ALIEN;
		page_size = get32(meta + HEAD + META_TABLE);
		if (page_size < 256 || page_size > 65536 || (page_size & (page_size - 1)))
			return BB_HEAD_ALIEN;
	}
	return bb_extent_short(fd, 2, page_size) ? BB_HEAD_SHORT : BB_HEAD_GOOD;
}

bool bb_extent_short(int fd, uint64_t pages, uint32_t page_size)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (uint64_t)st.st_size / page_size < pages;
}

bool bb_extent_whole(int fd, uint64_t txn, uint32_t page_size)
{
	struct walk w = {.fd = fd, .page_size = page_size};
	unsigned char *meta = malloc(page_size);
	struct stat st;
	bool ok = meta && fstat(fd, &st) == 0;

	if (ok)
		w.pages = w.left = (uint64_t)st.st_size / page_size;
	/* Transactions take turns with the two meta pages. */
	ok = ok && read_page(&w, meta, txn & 1) && get64(meta + HEAD + META_TXN) == txn;
	for (unsigned i = 0; ok && i < 2; i++)
		ok = walk_root(&w, meta + HEAD + META_TABLE + i * TABLE_SIZE, 0);
	free(meta);
	return ok;
}
