#include "bytestream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 256 << 10, GUESS_SIZE = 4 << 20, MAX_RECORD = 32 << 20, FRAME = 8 };

static struct bb_span left(const struct bytestream *s)
{
	return BB_SPAN(s->buf.data + s->at, s->buf.len - s->at);
}

/* One read, behind what is there; `idle` is called before one that could block. */
static void fill(struct bytestream *s)
{
	struct pollfd ready = {.fd = s->fd, .events = POLLIN};
	unsigned char *room;
	ssize_t n;

	if (s->at) {
		s->buf.len -= s->at;
		memmove(s->buf.data, s->buf.data + s->at, s->buf.len);
		s->at = 0;
	}
	if (poll(&ready, 1, 0) == 0)
		s->idle(s->arg);
	room = bb_buf_room(&s->buf, READ_SIZE);
	do
		n = room ? read(s->fd, room, READ_SIZE) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0 || !room)
		s->failed(s->arg, room ? strerror(errno) : "out of memory");
	s->ended = n <= 0;
	s->buf.len += n > 0 ? (size_t)n : 0;
}

/* Are there n bytes? Reads until there are, or the stream ends. */
static bool have(struct bytestream *s, size_t n)
{
	while (left(s).len < n && !s->ended)
		fill(s);
	return left(s).len >= n;
}

/* The length of the record that begins here; 0 when it is not whole. */
static size_t record_len(struct bytestream *s, enum record_type type)
{
	struct bb_reader r = bb_reader(left(s).data, left(s).len);
	struct bb_tx tx;
	uint64_t txs = type != RECORD_HEADER;
	bool good = true;

	if (type != RECORD_TX)
		bb_get_span(&r, BB_HEADER_SIZE);
	if (type == RECORD_BLOCK)
		txs = bb_get_compact(&r);
	for (; txs && good; txs--)
		good = bb_tx_read(&tx, &r, &s->arena, true);
	bb_arena_reset(&s->arena);
	return good && !r.bad ? left(s).len - bb_left(&r) : 0;
}

static bool is_framed(struct bytestream *s)
{
	return have(s, 4) && bb_le32(left(s).data) == s->magic;
}

/* What a stream holds, by its start. A header may look like a transaction without inputs, so
 * the larger is tried first. */
static enum record_type guess(struct bytestream *s)
{
	have(s, GUESS_SIZE);
	if (record_len(s, RECORD_BLOCK) > BB_HEADER_SIZE + 1)
		return RECORD_BLOCK;
	if (left(s).len % BB_HEADER_SIZE == 0)
		return RECORD_HEADER;
	return RECORD_TX;
}

static bool next_bare(struct bb_span *bytes, const char **why, struct bytestream *s)
{
	size_t len;

	while (!(len = record_len(s, s->type)) && !s->ended && left(s).len < s->max)
		have(s, left(s).len + 1);
	*bytes = BB_SPAN(left(s).data, len);
	if (!len && left(s).len)
		*why = "what follows is no whole record";
	s->at += len;
	return len;
}

static bool next_framed(struct bb_span *bytes, const char **why, struct bytestream *s)
{
	size_t len;

	/* Core sets space aside in zeros. */
	while (!is_framed(s) && left(s).len && left(s).data[0] == 0)
		s->at++;
	if (!left(s).len)
		return false;
	*why = "what follows is no block behind this network's magic";
	if (!is_framed(s) || !have(s, FRAME))
		return false;
	*why = "a block too long";
	if ((len = bb_le32(left(s).data + 4)) > s->max)
		return false;
	*why = "a block cut short";
	if (!have(s, FRAME + len))
		return false;
	*why = NULL;
	*bytes = BB_SPAN(left(s).data + FRAME, len);
	s->at += FRAME + len;
	return true;
}

bool bytestream_open(struct bytestream *s, const char **why, const char *name)
{
	s->fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
	s->at = s->buf.len = 0;
	s->ended = s->begun = false;
	*why = strerror(errno);
	return s->fd >= 0;
}

/* Is it framed, and what does it hold? */
static void begin(struct bytestream *s)
{
	s->begun = true;
	s->max = s->max && s->max < MAX_RECORD ? s->max : MAX_RECORD;
	s->type = s->asked;
	s->framed = (s->asked == RECORD_ANY || s->asked == RECORD_BLOCK) && is_framed(s);
	if (s->asked == RECORD_ANY)
		s->type = s->framed ? RECORD_BLOCK : guess(s);
}

bool bytestream_next(struct bb_span *bytes, const char **why, struct bytestream *s)
{
	*why = NULL;
	if (!s->begun)
		begin(s);
	return s->framed ? next_framed(bytes, why, s) : next_bare(bytes, why, s);
}

void bytestream_close(struct bytestream *s)
{
	if (s->fd > STDIN_FILENO)
		close(s->fd);
}

void bytestream_free(struct bytestream *s)
{
	bb_buf_free(&s->buf);
	bb_arena_free(&s->arena);
}
