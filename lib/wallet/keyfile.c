#include "wallet/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool bb_keyfile_open(struct bb_keyfile *f, const char **why, const char *path)
{
	struct stat st;

	*f = (struct bb_keyfile){.fd = STDIN_FILENO};
	if (strcmp(path, "-") != 0) {
		f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		*why = strerror(errno);
		if (f->fd < 0)
			return false;
		if (fstat(f->fd, &st) != 0 || (st.st_mode & (S_IRWXG | S_IRWXO)))
			f->exposed = "file is readable by others (chmod 600)";
		else if (st.st_uid != geteuid() && geteuid() != 0)
			f->exposed = "file belongs to another user";
	}
	*why = "out of memory";
	if ((f->buf = malloc(BB_KEY_LINE_MAX)))
		return true;
	bb_keyfile_close(f);
	return false;
}

void bb_keyfile_close(struct bb_keyfile *f)
{
	if (f->buf)
		bb_wipe(f->buf, BB_KEY_LINE_MAX);
	free(f->buf);
	if (f->fd > STDIN_FILENO)
		close(f->fd);
	*f = (struct bb_keyfile){.fd = -1};
}

/* One read(2) behind what is there; false at the end, *why set when it came by an error. */
static bool fill(struct bb_keyfile *f, const char **why)
{
	ssize_t n;

	memmove(f->buf, f->buf + f->at, f->len - f->at);
	f->len -= f->at;
	f->at = 0;
	do
		n = read(f->fd, f->buf + f->len, BB_KEY_LINE_MAX - f->len);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		*why = strerror(errno);
		f->len = 0;
	}
	f->ended = n <= 0;
	f->len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static void skip_line(struct bb_keyfile *f, const char **why)
{
	unsigned char *lf;

	do {
		f->at = f->len = 0;
		if (!fill(f, why))
			return;
	} while (!(lf = memchr(f->buf, '\n', f->len)));
	f->at = (size_t)(lf - f->buf) + 1;
}

static struct bb_span trim(struct bb_span s)
{
	while (s.len && memchr(" \t\r", s.data[s.len - 1], 3))
		s.len--;
	while (s.len && memchr(" \t\r", s.data[0], 3))
		s = BB_SPAN(s.data + 1, s.len - 1);
	return s;
}

bool bb_keyfile_next(struct bb_keyfile *f, struct bb_span *line, const char **why)
{
	*why = NULL;
	for (;;) {
		unsigned char *start = f->buf + f->at;
		size_t have = f->len - f->at;
		unsigned char *lf = have ? memchr(start, '\n', have) : NULL;

		if (lf || (f->ended && have)) {
			*line = BB_SPAN(start, lf ? (size_t)(lf - start) : have);
			f->at += line->len + (lf != NULL);
			f->number++;
			*line = trim(*line);
			if (line->len)
				return true;
		} else if (f->ended) {
			return false;
		} else if (have == BB_KEY_LINE_MAX) {
			f->number++;
			*why = "line too long";
			skip_line(f, why);
			return false;
		} else if (!fill(f, why) && *why) {
			f->number++;
			return false;
		}
	}
}

/* The keyring. */

static bool ring_add(struct bb_keyring *ring, const struct bb_secret *s)
{
	if (ring->count == ring->cap) {
		size_t cap = ring->cap ? 2 * ring->cap : 8;
		struct bb_secret *more = calloc(cap, sizeof(*more));
		if (!more)
			return false;
		if (ring->count) {
			memcpy(more, ring->secrets, ring->count * sizeof(*more));
			bb_wipe(ring->secrets, ring->count * sizeof(*more));
		}
		free(ring->secrets);
		ring->secrets = more;
		ring->cap = cap;
	}
	ring->secrets[ring->count++] = *s;
	return true;
}

bool bb_keyring_add(struct bb_keyring *ring, const char **why, struct bb_keyfile *f,
	struct bb_key_reader *r)
{
	const size_t before = ring->count;
	struct bb_span line;
	struct bb_key k;
	bool ok = true;

	ring->bad_line = 0;
	*why = f->exposed;
	if (f->exposed)
		return false;
	while (ok && bb_keyfile_next(f, &line, why)) {
		ok = bb_key_read(&k, why, r, line);
		if (ok && k.form != BB_KEY_XPUB && !ring_add(ring, &k.secret)) {
			*why = "out of memory";
			ok = false;
		}
		bb_wipe(&k, sizeof(k));
	}
	if (!ok || *why) {
		ring->bad_line = f->number;
		return false;
	}
	*why = "key file holds no secret";
	return ring->count > before;
}

bool bb_keyring_load(struct bb_keyring *ring, const char **why, const char *path,
	struct bb_span passphrase, const struct bb_curve *c, const struct bb_network *n)
{
	struct bb_key_reader r = {.curve = c, .network = n, .seal.passphrase = passphrase};
	struct bb_keyfile f;
	bool ok;

	ring->bad_line = 0;
	if (!bb_keyfile_open(&f, why, path))
		return false;
	ok = bb_keyring_add(ring, why, &f, &r);
	bb_keyfile_close(&f);
	bb_key_reader_free(&r);
	return ok;
}

void bb_keyring_free(struct bb_keyring *ring)
{
	if (ring->secrets)
		bb_wipe(ring->secrets, ring->cap * sizeof(*ring->secrets));
	free(ring->secrets);
	*ring = (struct bb_keyring){0};
}
