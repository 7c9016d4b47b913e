#include "relaypeers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/lines.h"

enum { FILE_MAX = 16 << 20 }; /* bytes */

static bool path_of(char path[PATH_MAX], const char *dir, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

static bool refuse(char why[RELAYPEERS_WHY], const char *dir, const char *reason)
{
	snprintf(why, RELAYPEERS_WHY, "%.700s/peers: %.200s", dir, reason);
	return false;
}

bool relaypeers_load(struct bb_addrbook *book, char why[RELAYPEERS_WHY], const char *dir)
{
	struct bb_buf text = {0};
	char path[PATH_MAX], words[64];
	const char *reason;
	size_t bad = 0;
	bool ok;

	if (!path_of(path, dir, "peers") || access(path, F_OK) != 0)
		return true;
	ok = bb_read_file(&text, &reason, path, FILE_MAX);
	if (ok)
		bad = bb_addrbook_load(book, BB_SPAN(text.data, text.len));
	bb_buf_free(&text);
	if (!ok)
		return refuse(why, dir, reason);
	snprintf(words, sizeof(words), "%zu lines cannot be read", bad);
	return !bad || refuse(why, dir, words);
}

static bool write_file(const char *path, struct bb_span text)
{
	struct bb_sink file = {
		.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
	bool ok;

	if (file.fd < 0)
		return false;
	bb_put(&file.buf, text.data, text.len);
	ok = bb_sink_flush(&file);
	if (!ok)
		errno = file.error;
	bb_buf_free(&file.buf);
	return close(file.fd) == 0 && ok;
}

bool relaypeers_save(char why[RELAYPEERS_WHY], const char *dir, const struct bb_addrbook *book)
{
	char path[PATH_MAX], new[PATH_MAX];
	struct bb_buf text = {0};
	bool ok;

	bb_addrbook_save(&text, book);
	errno = text.failed ? ENOMEM : ENAMETOOLONG;
	ok = !text.failed && path_of(path, dir, "peers") && path_of(new, dir, "peers.new") &&
	     write_file(new, BB_SPAN(text.data, text.len)) && rename(new, path) == 0;
	if (!ok)
		refuse(why, dir, strerror(errno));
	bb_buf_free(&text);
	return ok;
}
