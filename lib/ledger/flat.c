#include "ledger/flat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char cut_short[] = "is cut short", missing[] = "is missing",
		  misplaced[] = "has no block where the store says";

struct file_name {
	char text[24];
};

static struct file_name file_name(uint32_t file)
{
	struct file_name name;

	snprintf(name.text, sizeof(name.text), "blk%05u.dat", (unsigned)file);
	return name;
}

static bool fail(const char **why, const char *reason)
{
	*why = reason;
	return false;
}

static bool fail_errno(const char **why)
{
	return fail(why, strerror(errno));
}

static bool fail_in(struct bb_flat *f, const char **why, uint32_t file, const char *words)
{
	snprintf(f->text, sizeof(f->text), "%s %s", file_name(file).text, words);
	return fail(why, f->text);
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void bb_flat_init(struct bb_flat *f, int dir_fd, uint32_t magic)
{
	*f = (struct bb_flat){.dir_fd = dir_fd, .magic = magic, .write_fd = -1, .read_fd = -1};
}

void bb_flat_close(struct bb_flat *f)
{
	close_file(&f->write_fd);
	close_file(&f->read_fd);
}

void bb_flat_seek(struct bb_flat *f, uint32_t file, uint32_t end)
{
	f->file = file;
	f->end = end;
	f->dirty = false;
	f->trimmed = false;
}

static bool sync_file(struct bb_flat *f, const char **why)
{
	return !f->dirty || fdatasync(f->write_fd) == 0 || fail_errno(why);
}

/* The file that `end` is in, open for writing. One without anything committed may be the rest
 * of a crash, whose name never reached the disk. */
static bool open_end(struct bb_flat *f, const char **why)
{
	const int fresh = f->end ? 0 : O_CREAT;

	if (f->write_fd >= 0 && f->write_file == f->file)
		return true;
	close_file(&f->write_fd);
	f->write_fd = openat(
		f->dir_fd, file_name(f->file).text, O_WRONLY | O_CLOEXEC | fresh, 0660);
	f->write_file = f->file;
	if (f->write_fd < 0)
		return errno == ENOENT && f->end ? fail_in(f, why, f->file, missing)
						 : fail_errno(why);
	return true;
}

/* Cut off what a crash left behind the end. */
static bool trim(struct bb_flat *f, const char **why)
{
	struct stat st;

	if (fstat(f->write_fd, &st) != 0)
		return fail_errno(why);
	if (st.st_size < (off_t)f->end)
		return fail_in(f, why, f->file, cut_short);
	if (st.st_size > (off_t)f->end && ftruncate(f->write_fd, (off_t)f->end) != 0)
		return fail_errno(why);
	if (!f->end)
		f->made = true;
	f->trimmed = true;
	return true;
}

static bool next_file(struct bb_flat *f, const char **why)
{
	if (!sync_file(f, why))
		return false;
	f->file++;
	f->end = 0;
	f->trimmed = false;
	return true;
}

static bool write_at(int fd, const char **why, struct bb_span bytes, off_t at)
{
	while (bytes.len) {
		ssize_t n = pwrite(fd, bytes.data, bytes.len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno(why);
		bytes = BB_SPAN(bytes.data + n, bytes.len - (size_t)n);
		at += n;
	}
	return true;
}

bool bb_flat_append(
	struct bb_place *p, struct bb_flat *f, const char **why, struct bb_span block)
{
	unsigned char frame[BB_FLAT_FRAME];

	if (block.len > BB_FLAT_MAX - BB_FLAT_FRAME)
		return fail(why, "a block is too long for a file of blocks");
	if (f->end && f->end + BB_FLAT_FRAME + block.len > BB_FLAT_MAX && !next_file(f, why))
		return false;
	if (!f->trimmed && (!open_end(f, why) || !trim(f, why)))
		return false;
	bb_set_le32(frame, f->magic);
	bb_set_le32(frame + 4, (uint32_t)block.len);
	if (!write_at(f->write_fd, why, BB_SPAN(frame, sizeof(frame)), (off_t)f->end) ||
		!write_at(f->write_fd, why, block, (off_t)f->end + BB_FLAT_FRAME))
		return false;
	*p = (struct bb_place){f->file, f->end + BB_FLAT_FRAME, (uint32_t)block.len};
	f->end += BB_FLAT_FRAME + (uint32_t)block.len;
	f->dirty = true;
	return true;
}

bool bb_flat_sync(struct bb_flat *f, const char **why)
{
	if (!sync_file(f, why))
		return false;
	if (f->dirty && f->made && fsync(f->dir_fd) != 0)
		return fail_errno(why);
	if (f->dirty)
		f->made = false;
	f->dirty = false;
	return true;
}

static bool open_for_read(struct bb_flat *f, const char **why, uint32_t file)
{
	if (f->read_fd >= 0 && f->read_file == file)
		return true;
	close_file(&f->read_fd);
	f->read_fd = openat(f->dir_fd, file_name(file).text, O_RDONLY | O_CLOEXEC);
	f->read_file = file;
	if (f->read_fd < 0)
		return errno == ENOENT ? fail_in(f, why, file, missing) : fail_errno(why);
	return true;
}

static bool read_at(
	struct bb_flat *f, const char **why, unsigned char *out, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pread(f->read_fd, out, len, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? fail_errno(why) : fail_in(f, why, f->read_file, cut_short);
		out += n;
		len -= (size_t)n;
		at += n;
	}
	return true;
}

/* Does a frame of just this length stand before the place? */
static bool check_frame(struct bb_flat *f, const char **why, const struct bb_place *p)
{
	unsigned char frame[BB_FLAT_FRAME];

	if (!read_at(f, why, frame, sizeof(frame), (off_t)p->pos - BB_FLAT_FRAME))
		return false;
	if (bb_le32(frame) != f->magic || bb_le32(frame + 4) != p->len)
		return fail_in(f, why, p->file, misplaced);
	return true;
}

bool bb_flat_read(struct bb_buf *out, struct bb_flat *f, const char **why,
	const struct bb_place *p, uint32_t offset, uint32_t len)
{
	unsigned char *room;

	if (p->pos < BB_FLAT_FRAME || p->len > BB_FLAT_MAX || p->pos > BB_FLAT_MAX - p->len ||
		offset > p->len || len > p->len - offset)
		return fail_in(f, why, p->file, misplaced);
	if (!open_for_read(f, why, p->file) || !check_frame(f, why, p))
		return false;
	room = bb_buf_room(out, len);
	if (!room)
		return fail(why, "out of memory");
	if (!read_at(f, why, room, len, (off_t)p->pos + offset))
		return false;
	out->len += len;
	return true;
}
