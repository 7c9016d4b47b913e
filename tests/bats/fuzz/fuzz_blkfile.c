/* A file of blocks that may be broken, read in pieces of any size, with or without a key:
 * every byte of it is a block's, passed over with a reason, or blank; and no whole block is
 * passed over.
 *
 *	byte 0	0x01: there is a key
 *	byte 1	the most that one read gives; 0: as much as is asked for
 *	2 to 9	the key
 *	then	the file, as it reads under the key; ff 00 00 00 stands for the magic, so that
 *		mutations find it
 *
 * read(2) is wrapped for that. */

#include <fcntl.h>
#include <unistd.h>

#include "../../../cmd/blkfile.h"
#include "bitcoin/block.h"
#include "fuzz.h"

enum { HEAD = 10, KEY = 8, MAGIC = 0xdab5bffa };

static size_t read_most; /* 0: all */

ssize_t __real_read(int fd, void *buf, size_t count);
ssize_t __wrap_read(int fd, void *buf, size_t count);

ssize_t __wrap_read(int fd, void *buf, size_t count)
{
	return __real_read(fd, buf, read_most && read_most < count ? read_most : count);
}

/* Names in a folder of this process alone. */
static char folder[] = "/tmp/bb-fuzz-blkfile-XXXXXX";
static char file_name[64], key_name[64];

static void remove_folder(void)
{
	unlink(file_name);
	unlink(key_name);
	rmdir(folder);
}

static void make_folder(void)
{
	DEMAND(mkdtemp(folder));
	atexit(remove_folder);
	snprintf(file_name, sizeof(file_name), "%s/blk00000.dat", folder);
	snprintf(key_name, sizeof(key_name), "%s/xor.dat", folder);
}

static void write_file(const char *name, struct bb_span bytes)
{
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	DEMAND(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
	close(fd);
}

static void expand_magic(struct bb_buf *file)
{
	for (size_t i = 0; i + 4 <= file->len; i++)
		if (bb_le32(file->data + i) == 0xff)
			bb_set_le32(file->data + i, MAGIC);
}

static void hide(struct bb_buf *file, const unsigned char key[KEY])
{
	for (size_t i = 0; i < file->len; i++)
		file->data[i] ^= key[i % KEY];
}

/* A frame with a whole block in it. */
static bool holds_block(struct bb_span plain, size_t at)
{
	struct bb_arena a = {0};
	struct bb_block block;
	size_t len;
	bool good;

	if (plain.len - at < BLKFILE_FRAME || bb_le32(plain.data + at) != MAGIC)
		return false;
	len = bb_le32(plain.data + at + 4);
	if (len < BLKFILE_MIN || len > BLKFILE_MAX || len > plain.len - at - BLKFILE_FRAME)
		return false;
	good = bb_block_parse(&block, BB_SPAN(plain.data + at + BLKFILE_FRAME, len), &a);
	bb_arena_free(&a);
	return good;
}

static void check_blank(struct bb_span raw, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		DEMAND(raw.data[from] == 0);
}

static void check_passed_over(struct bb_span plain, const struct blkfile *f)
{
	DEMAND(f->bad_len > 0 && f->bad_pos + f->bad_len <= plain.len);
	for (uint64_t at = f->bad_pos; at < f->bad_pos + f->bad_len; at++)
		DEMAND(!holds_block(plain, at));
}

static void check_block(
	struct blkfile *f, struct bb_span plain, struct bb_span block, uint64_t pos)
{
	struct bb_buf again = {0};

	DEMAND(pos + block.len <= plain.len);
	DEMAND(bb_span_equal(block, BB_SPAN(plain.data + pos, block.len)));
	DEMAND(bb_le32(plain.data + pos - BLKFILE_FRAME) == MAGIC);
	DEMAND(bb_le32(plain.data + pos - 4) == block.len);
	DEMAND(blkfile_at(&again, f, pos, block.len));
	DEMAND(bb_span_equal(buf_span(&again), BB_SPAN(plain.data + pos, block.len)));
	DEMAND(!blkfile_at(&again, f, pos, plain.len - pos + 1));
	bb_buf_free(&again);
}

static void read_all(struct bb_span plain, struct bb_span raw, size_t piece)
{
	struct blkfile f = {.magic = MAGIC};
	struct bb_span block, begun;
	const char *why = NULL;
	uint64_t pos, at = 0;

	DEMAND(blkfile_open(&f, &why, file_name));
	read_most = piece; /* of the key, all */
	if (blkfile_is_lines(&begun, &f)) {
		DEMAND(bb_span_equal(begun, BB_SPAN(raw.data, begun.len)) && begun.len);
		blkfile_free(&f);
		return;
	}
	while (blkfile_next(&block, &pos, &why, &f)) {
		const uint64_t from = f.bad ? f.bad_pos : pos - BLKFILE_FRAME;
		DEMAND(from >= at);
		check_blank(raw, at, from);
		if (f.bad)
			check_passed_over(plain, &f);
		else
			check_block(&f, plain, block, pos);
		at = f.bad ? f.bad_pos + f.bad_len : pos + block.len;
	}
	DEMAND(!why && f.read == plain.len);
	check_blank(raw, at, plain.len);
	blkfile_free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bb_buf plain = {0}, raw = {0};

	if (size < HEAD)
		return 0;
	if (!file_name[0])
		make_folder();
	bb_put(&plain, data + HEAD, size - HEAD);
	expand_magic(&plain);
	bb_put(&raw, plain.data, plain.len);
	unlink(key_name);
	if (data[0] & 1) {
		hide(&raw, data + 2);
		write_file(key_name, BB_SPAN(data + 2, KEY));
	}
	write_file(file_name, buf_span(&raw));
	read_all(buf_span(&plain), buf_span(&raw), data[1]);
	read_most = 0;
	bb_buf_free(&plain);
	bb_buf_free(&raw);
	return 0;
}
