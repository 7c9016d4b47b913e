#include "blkfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bitcoin/block.h"

enum {
	READ_SIZE = 1 << 20,
	FRAME = BLKFILE_FRAME,
	KEY = 8,
	/* Bytes that may be tried in vain: so many, and so many for each that was read. Broken
	 * files come nowhere near it; hostile ones would take the square of their size. */
	TRIED_ALWAYS = 64 << 20,
	TRIED_SHARE = 8,
};

/* Bytes. */

/* The file's own bytes against those that its key hides; the same both ways. */
static void apply_key(unsigned char *p, size_t len, const struct blkfile *f, uint64_t pos)
{
	unsigned char turned[KEY];
	uint64_t key, word;

	for (size_t i = 0; i < KEY; i++)
		turned[i] = f->key[(pos + i) % KEY];
	memcpy(&key, turned, KEY);
	if (!key)
		return;
	for (; len >= KEY; p += KEY, len -= KEY) {
		memcpy(&word, p, KEY);
		word ^= key;
		memcpy(p, &word, KEY);
	}
	for (size_t i = 0; i < len; i++)
		p[i] ^= turned[i];
}

static size_t left(const struct blkfile *f)
{
	return f->buf.len - f->at;
}

static const unsigned char *here(const struct blkfile *f)
{
	return f->buf.data + f->at;
}

static uint64_t position(const struct blkfile *f)
{
	return f->base + f->at;
}

static bool is_stopped(const struct blkfile *f)
{
	return f->stop && *f->stop;
}

/* One read, behind what is there. */
static void fill(struct blkfile *f)
{
	unsigned char *room;
	ssize_t n;

	if (f->at) {
		f->buf.len -= f->at;
		memmove(f->buf.data, f->buf.data + f->at, f->buf.len);
		f->base += f->at;
		f->at = 0;
	}
	room = bb_buf_room(&f->buf, READ_SIZE);
	do
		n = room && !is_stopped(f) ? read(f->fd, room, READ_SIZE) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0 || !room)
		f->why = room ? strerror(errno) : "out of memory";
	f->ended = n <= 0;
	if (n <= 0)
		return;
	apply_key(room, (size_t)n, f, f->base + f->buf.len);
	f->buf.len += (size_t)n;
	f->read += (uint64_t)n;
}

/* Are there n bytes? Reads until there are, or the file ends. */
static bool have(struct blkfile *f, size_t n)
{
	while (left(f) < n && !f->ended)
		fill(f);
	return left(f) >= n;
}

/* Space that was set aside and not used: zeros in the file, under whatever key. */
static bool is_blank(const struct blkfile *f, size_t offset)
{
	return here(f)[offset] == f->key[(position(f) + offset) % KEY];
}

/* Frames. */

static bool is_magic(const struct blkfile *f, const unsigned char *p)
{
	return bb_le32(p) == f->magic;
}

/* The next magic in some bytes, or NULL. */
static const unsigned char *find_magic(
	const struct blkfile *f, const unsigned char *p, size_t len)
{
	unsigned char magic[4];

	bb_set_le32(magic, f->magic);
	return len < 4 ? NULL : memmem(p, len, magic, 4);
}

static bool is_block(struct blkfile *f, struct bb_span bytes)
{
	struct bb_block block;
	bool ok;

	if (f->tried > TRIED_ALWAYS + TRIED_SHARE * (f->base + f->buf.len))
		return false;
	ok = bb_block_parse(&block, bytes, &f->arena);
	bb_arena_reset(&f->arena);
	f->tried += ok ? 0 : bytes.len;
	return ok;
}

/* A length may lie. It is believed when another frame, blank space or the end follows, and none
 * begins inside; else if what it frames is a block. */
static bool is_framed_well(struct blkfile *f, size_t len)
{
	const size_t whole = FRAME + len;
	const bool more = have(f, whole + 4);
	const struct bb_span block = BB_SPAN(here(f) + FRAME, len);

	if (!find_magic(f, block.data, len) && (left(f) == whole || is_blank(f, whole) ||
						       (more && is_magic(f, here(f) + whole))))
		return true;
	return is_block(f, block);
}

/* Is there a whole block behind its frame here? NULL, or what is wrong. */
static const char *check_frame(size_t *len, struct blkfile *f)
{
	if (!have(f, 4) || !is_magic(f, here(f)))
		return "no block behind this network's magic";
	if (!have(f, FRAME))
		return "a block cut short";
	*len = bb_le32(here(f) + 4);
	if (*len < BLKFILE_MIN || *len > BLKFILE_MAX)
		return "a length that no block has";
	if (!have(f, FRAME + *len))
		return "a block cut short, or a length that lies";
	return is_framed_well(f, *len) ? NULL : "what is framed is no block";
}

/* From something broken on to the next frame that holds a block, or the end. */
static void pass_over(struct blkfile *f)
{
	const unsigned char *magic;
	size_t len;

	f->bad_pos = position(f);
	do {
		f->at++;
		while (!(magic = find_magic(f, here(f), left(f))) && !f->ended) {
			/* but for a magic of which the last bytes are still to come */
			if (left(f) > 3)
				f->at = f->buf.len - 3;
			fill(f);
		}
		f->at = magic ? (size_t)(magic - f->buf.data) : f->buf.len;
	} while (magic && check_frame(&len, f));
	f->bad_len = position(f) - f->bad_pos;
}

bool blkfile_next(struct bb_span *block, uint64_t *pos, const char **why, struct blkfile *f)
{
	size_t len;

	/* Under some keys a magic begins with what looks blank. */
	while (have(f, 1) && is_blank(f, 0) && !(have(f, 4) && is_magic(f, here(f))))
		f->at++;
	*block = BB_SPAN(NULL, 0);
	*why = f->why;
	if (!left(f))
		return false;
	if ((f->bad = check_frame(&len, f))) {
		f->no_magic = left(f) < 4 || !is_magic(f, here(f));
		pass_over(f);
		return true;
	}
	*pos = position(f) + FRAME;
	*block = BB_SPAN(here(f) + FRAME, len);
	f->at += FRAME + len;
	return true;
}

/* Files. */

/* The key beside it, if there is one. */
static bool read_key(struct blkfile *f, const char **why, const char *name)
{
	const char *slash = strrchr(name, '/');
	const int folder = slash ? (int)(slash - name) + 1 : 0;
	unsigned char more[KEY + 1];
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%.*sxor.dat", folder, name) >= PATH_MAX) {
		*why = strerror(ENAMETOOLONG);
		return false;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return true;
	n = fd >= 0 ? read(fd, more, sizeof(more)) : -1;
	if (fd >= 0)
		close(fd);
	if (n != KEY) {
		*why = "xor.dat beside it is no key of 8 bytes that can be read";
		return false;
	}
	memcpy(f->key, more, KEY);
	return true;
}

/* Pipes have names, too. */
static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

bool blkfile_open(struct blkfile *f, const char **why, const char *name)
{
	const bool is_stdin = strcmp(name, "-") == 0;

	f->name = name;
	f->at = f->buf.len = 0;
	f->base = f->tried = 0;
	f->ended = f->can_seek = false;
	f->bad = f->why = NULL;
	memset(f->key, 0, KEY);
	if (!is_stdin && !read_key(f, why, name))
		return false;
	f->fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	f->opened = f->fd >= 0;
	*why = strerror(errno);
	f->can_seek = !is_stdin && f->opened && is_regular(f->fd);
	return f->opened;
}

bool blkfile_is_lines(struct bb_span *bytes, struct blkfile *f)
{
	if (have(f, 4) && is_magic(f, here(f)))
		return false;
	if (!left(f) || (here(f)[0] ^ f->key[0]) != '{')
		return false;
	apply_key(f->buf.data, f->buf.len, f, 0);
	*bytes = BB_SPAN(f->buf.data, f->buf.len);
	return true;
}

int blkfile_hand_over(struct blkfile *f)
{
	f->opened = false;
	return f->fd;
}

bool blkfile_at(struct bb_buf *out, struct blkfile *f, uint64_t pos, size_t len)
{
	unsigned char *room = bb_buf_room(out, len);
	size_t done = 0;
	ssize_t n = 1;

	while (room && n > 0 && done < len) {
		n = pread(f->fd, room + done, len - done, (off_t)(pos + done));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			done += (size_t)n;
	}
	if (!room || done < len)
		return false;
	apply_key(room, len, f, pos);
	out->len += len;
	return true;
}

void blkfile_close(struct blkfile *f)
{
	if (f->opened && f->fd > STDIN_FILENO)
		close(f->fd);
	f->opened = false;
}

void blkfile_free(struct blkfile *f)
{
	blkfile_close(f);
	bb_buf_free(&f->buf);
	bb_arena_free(&f->arena);
}
