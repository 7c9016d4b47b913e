#include "relaypeers.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/lines.h"
#include "relaykeeper.h"

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

bool relaypeers_save(
	char why[RELAYPEERS_WHY], int keeper, const char *dir, const struct bb_addrbook *book)
{
	struct bb_buf text = {0};
	int err = ENOMEM;

	bb_addrbook_save(&text, book);
	if (!text.failed)
		err = relaykeeper_save(keeper, BB_SPAN(text.data, text.len));
	bb_buf_free(&text);
	return !err || refuse(why, dir, strerror(err));
}
