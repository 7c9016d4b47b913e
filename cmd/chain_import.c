/* bb-chain import: blocks from files, in whatever order they stand there. */

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "blkfile.h"
#include "clock.h"
#include "intake.h"
#include "ledger/orphans.h"
#include "progress.h"
#include "waiting.h"

enum { COMMIT_SECONDS = 10 };

struct import {
	struct chain *chain;
	struct intake intake;
	char **files; /* NULL-terminated, and each, our own */
	size_t count;

	struct blkfile file; /* at hand */
	struct bb_lines lines;
	uint64_t lines_read; /* bytes of lines, of those before */
	struct progress progress;
	time_t committed;

	struct waiting waiting;
	struct arrival late; /* one that waited */
	struct blkfile old;  /* that it stands in */
	uint32_t old_file;
	struct bb_buf ids; /* whose children may come in */
	size_t orphans;	   /* in the ledger, at the start */
};

/* Told to end by a signal: no more is read, what was judged is committed, and then it ends as
 * the signal would have ended it. A second signal does not wait for that. */

static volatile sig_atomic_t stop_signal;

static void note_signal(int number)
{
	stop_signal = number;
}

static void catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	const struct sigaction act = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND};
	struct sigaction before;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
			sigaction(numbers[i], &act, NULL);
}

static bool is_over(struct import *m)
{
	m->intake.stop = m->intake.stop || stop_signal;
	return m->intake.stop;
}

/* The end, too, where it was told to. */
static void close_intake(struct import *m)
{
	intake_close(&m->intake);
	if (stop_signal)
		raise(stop_signal);
}

/* What to import. */

static void no_memory(const struct chain *c)
{
	tool_die(c->tool, BB_SYSTEM, "out of memory");
}

/* Takes the name over. */
static void add_file(struct import *m, char *name)
{
	char **files = name ? realloc(m->files, (m->count + 2) * sizeof(*files)) : NULL;

	if (!files)
		no_memory(m->chain);
	files[m->count++] = name;
	files[m->count] = NULL;
	m->files = files;
}

static int is_blk(const struct dirent *e)
{
	return fnmatch("blk*.dat", e->d_name, 0) == 0;
}

static void add_folder(struct import *m, const char *folder)
{
	struct dirent **found;
	const int n = scandir(folder, &found, is_blk, alphasort);

	if (n < 0)
		chain_error(
			m->chain, 0, BB_CALLER, "cannot open %s: %s", folder, strerror(errno));
	else if (!n)
		chain_error(m->chain, 0, BB_CALLER, "no blk*.dat in %s", folder);
	for (int i = 0; i < n; i++) {
		char *name = NULL;
		if (asprintf(&name, "%s/%s", folder, found[i]->d_name) < 0)
			name = NULL;
		add_file(m, name);
		free(found[i]);
	}
	if (n >= 0)
		free(found);
}

static void find_files(struct import *m)
{
	struct stat st;

	for (char **arg = m->chain->args; *arg; arg++)
		if (stat(*arg, &st) == 0 && S_ISDIR(st.st_mode))
			add_folder(m, *arg);
		else
			add_file(m, strdup(*arg));
	if (!m->chain->arg_count)
		add_file(m, strdup("-"));
}

/* Messages. */

static void hide_progress(void *arg)
{
	struct import *m = arg;

	progress_hide(&m->progress);
}

static const char *shown(const char *name)
{
	return strcmp(name, "-") == 0 ? "stdin" : name;
}

static void complain(struct import *m, enum bb_status status, const char *text)
{
	hide_progress(m);
	chain_error(m->chain, 0, status, "%s", text);
	if (m->chain->in.fail_fast)
		m->intake.stop = true;
}

static void broken(
	struct import *m, const char *name, uint64_t pos, uint64_t len, const char *why)
{
	char text[1024];

	snprintf(text, sizeof(text),
		"%.700s: at byte %" PRIu64 ": %s; %" PRIu64 " bytes passed over", shown(name),
		pos, why, len);
	complain(m, BB_CALLER, text);
}

/* A stretch of the file at hand. */
static void broken_here(struct import *m)
{
	const struct blkfile *f = &m->file;
	char why[128];

	snprintf(why, sizeof(why), "no block behind the magic of network %s (-n)",
		m->chain->network.name);
	broken(m, f->name, f->bad_pos, f->bad_len, f->no_magic ? why : f->bad);
}

static void cannot(struct import *m, const char *what, const char *name, const char *why,
	enum bb_status status)
{
	char text[1024];

	snprintf(text, sizeof(text), "cannot %s %.700s: %s", what, shown(name), why);
	complain(m, status, text);
}

/* Now and then, behind each. */

static time_t seconds(void)
{
	return (time_t)(clock_ms() / 1000);
}

static void turn(struct import *m)
{
	progress_turn(
		&m->progress, m->intake.records, m->file.read + m->lines_read + m->lines.bytes);
	if (seconds() - m->committed >= COMMIT_SECONDS) {
		intake_commit(&m->intake);
		m->committed = seconds();
	}
	is_over(m);
}

/* Order: a block whose parent has not come waits by its place, and is read again when it has.
 */

static bool is_early(struct import *m, const struct arrival *a)
{
	return !a->why && !a->line && a->can_seek && !a->block.refusal &&
	       memcmp(a->block.id, m->chain->network.genesis, 32) != 0 &&
	       !intake_knows(&m->intake, a->block.block.header.prev);
}

static void wait_for_parent(struct import *m, const struct arrival *a)
{
	const struct place p = {a->file, (uint32_t)a->text.len, a->pos};

	if (!waiting_put(&m->waiting, a->block.block.header.prev, &p))
		complain(m, BB_SYSTEM,
			"out of memory: a block that came before its parent is lost");
}

/* Give the ledger one that waited; false when it cannot be read any more. */
static bool take_late(struct import *m, const struct place *p)
{
	const char *name = m->files[p->file], *why = "it has changed meanwhile";

	if (!m->old.opened || m->old_file != p->file) {
		blkfile_close(&m->old);
		m->old_file = p->file;
		if (!blkfile_open(&m->old, &why, name)) {
			cannot(m, "open", name, why, BB_SYSTEM);
			return false;
		}
	}
	intake_forget(&m->late);
	if (blkfile_at(&m->late.text, &m->old, p->pos, p->len))
		intake_prepare(&m->late);
	else
		m->late.why = why;
	if (m->late.why) {
		cannot(m, "read", name, why, BB_SYSTEM);
		return false;
	}
	intake_take(&m->intake, &m->late);
	turn(m);
	return true;
}

/* A block has come: so may its children, and theirs. */
static void take_children(struct import *m, const unsigned char parent[32])
{
	unsigned char id[32];
	struct place p;

	m->ids.len = 0;
	bb_put(&m->ids, parent, 32);
	for (size_t at = 0; at < m->ids.len && !m->ids.failed; at += 32) {
		memcpy(id, m->ids.data + at, 32);
		if (!m->waiting.count || m->intake.stop || !intake_knows(&m->intake, id))
			continue;
		while (!is_over(m) && waiting_take(&p, &m->waiting, id))
			if (take_late(m, &p))
				bb_put(&m->ids, m->late.block.id, 32);
	}
}

/* Orphans in the ledger. */
static size_t orphans(struct import *m)
{
	struct bb_node tip;

	bb_ledger_tip(&tip, &m->intake.ledger); /* within a transaction from here on */
	return bb_store_count(&m->chain->store, BB_ORPHANS);
}

/* Those whose parents never came: the ledger keeps as many as it keeps. */
static void take_orphans(struct import *m)
{
	const size_t now = orphans(m), grown = now > m->orphans ? now - m->orphans : 0;
	const size_t count = m->waiting.count + grown;
	char text[128];
	struct place p;

	for (size_t i = 0; i < BB_ORPHANS_MAX && !m->intake.stop; i++) {
		if (!waiting_any(&p, &m->waiting))
			break;
		take_late(m, &p);
	}
	if (!count)
		return;
	snprintf(text, sizeof(text), "%zu %s no parent here", count,
		count == 1 ? "block has" : "blocks have");
	complain(m, BB_NO, text);
}

/* Judging. */

static void judge(struct intake *k, struct arrival *a)
{
	struct import *m = k->arg;

	if (a->why && !a->line) {
		broken(m, a->name, a->pos - BLKFILE_FRAME, a->text.len + BLKFILE_FRAME, a->why);
		return;
	}
	if (is_early(m, a)) {
		k->records++;
		wait_for_parent(m, a);
	} else {
		intake_take(k, a);
		if (!a->why && a->kind == LEDGERLINE_BLOCK && m->waiting.count)
			take_children(m, a->block.id);
	}
	turn(m);
}

/* Reading. */

static void too_long(void *arg)
{
	struct import *m = arg;

	intake_line(&m->intake, BB_SPAN(NULL, 0), m->lines.number);
}

/* Before a read that will block: only here is a signal met that comes while it does. */
static void wait_for_lines(void *arg)
{
	struct import *m = arg;
	struct pollfd ready = {.fd = m->lines.fd, .events = POLLIN};

	while (!stop_signal && poll(&ready, 1, -1) < 0 && errno == EINTR)
		;
	if (stop_signal) {
		m->intake.stop = true;
		hide_progress(m);
		close_intake(m);
	}
}

/* Lines, from where the file stands: a pipe cannot be opened anew. */
static void import_lines(struct import *m, struct bb_span begun)
{
	struct bb_span line;

	m->lines = (struct bb_lines){.tool = m->chain->tool->name,
		.max_line = m->chain->in.max_line,
		.fail_fast = m->chain->in.fail_fast,
		.idle = wait_for_lines,
		.too_long = too_long,
		.arg = m,
		.opened = true,
		.fd = blkfile_hand_over(&m->file),
		.name = m->file.name};
	bb_put(&m->lines.buf, begun.data, begun.len);
	while (!is_over(m) && bb_lines_read(&m->lines, &line))
		intake_line(&m->intake, line, m->lines.number);
	intake_drain(&m->intake);
	m->lines_read += m->lines.bytes;
	bb_lines_status(&m->chain->in, (enum bb_status)bb_lines_close(&m->lines, NULL));
	m->lines = (struct bb_lines){0};
}

static void import_blocks(struct import *m, uint32_t number)
{
	struct blkfile *f = &m->file;
	struct bb_span block;
	const char *why;
	uint64_t pos;

	while (!is_over(m) && blkfile_next(&block, &pos, &why, f) && !is_over(m)) {
		struct arrival *a = intake_room(&m->intake);
		if (f->bad) {
			broken_here(m);
			continue;
		}
		a->name = f->name;
		a->file = number;
		a->pos = pos;
		a->can_seek = f->can_seek;
		bb_put(&a->text, block.data, block.len);
		intake_send(&m->intake);
	}
	if (!is_over(m) && why)
		cannot(m, "read", f->name, why, BB_SYSTEM);
}

static void import_file(struct import *m, uint32_t number)
{
	const char *name = m->files[number];
	struct bb_span begun;
	const char *why;

	if (!blkfile_open(&m->file, &why, name)) {
		if (!is_over(m))
			cannot(m, "open", name, why, BB_CALLER);
		return;
	}
	if (blkfile_is_lines(&begun, &m->file))
		import_lines(m, begun);
	else
		import_blocks(m, number);
	blkfile_close(&m->file);
}

/* Bytes of all files; 0 where one has no size. */
static uint64_t total_size(const struct import *m)
{
	uint64_t sum = 0;
	struct stat st;

	for (size_t i = 0; i < m->count; i++) {
		if (stat(m->files[i], &st) != 0 || !S_ISREG(st.st_mode))
			return 0;
		sum += (uint64_t)st.st_size;
	}
	return sum;
}

static void import_all(struct import *m)
{
	m->committed = seconds();
	m->orphans = orphans(m);
	m->file.stop = &stop_signal;
	catch_signals();
	for (size_t i = 0; i < m->count && !is_over(m); i++)
		import_file(m, (uint32_t)i);
	intake_drain(&m->intake);
	if (!is_over(m))
		take_orphans(m);
	hide_progress(m);
}

static void close_all(struct import *m)
{
	blkfile_free(&m->file);
	blkfile_free(&m->old);
	intake_free(&m->late);
	waiting_free(&m->waiting);
	bb_buf_free(&m->ids);
	for (size_t i = 0; i < m->count; i++)
		free(m->files[i]);
	free(m->files);
}

/* Is there anything in a file that may be for this network? What can be read but once is
 * believed to be. `tell`: say what is there instead. */
static bool may_be_ours(struct import *m, uint32_t number, bool tell)
{
	const char *name = m->files[number], *why;
	struct bb_span block;
	struct stat st;
	bool ours = false;
	uint64_t pos;

	if (strcmp(name, "-") == 0 || (stat(name, &st) == 0 && !S_ISREG(st.st_mode)))
		return true;
	if (!blkfile_open(&m->file, &why, name)) {
		if (tell)
			cannot(m, "open", name, why, BB_CALLER);
		return false;
	}
	ours = blkfile_is_lines(&block, &m->file);
	while (!ours && blkfile_next(&block, &pos, &why, &m->file)) {
		ours = !m->file.bad;
		if (!ours && tell)
			broken_here(m);
	}
	blkfile_close(&m->file);
	return ours;
}

/* A new store for blocks of another network would but stand in the way of the right call. */
static bool worth_a_store(struct import *m)
{
	bool ours = false;

	if (!m->chain->dir || chain_is_made(m->chain))
		return true;
	for (size_t i = 0; i < m->count && !ours; i++)
		ours = may_be_ours(m, (uint32_t)i, false);
	for (size_t i = 0; i < m->count && !ours; i++)
		may_be_ours(m, (uint32_t)i, true);
	m->file.read = 0;
	return ours;
}

/* It writes its own way, so that no node can do it for it. */
static void open_store(struct chain *c)
{
	char why[BB_STORE_MESSAGE];

	if (chain_open_to(why, c, BB_STORE_ALONE))
		return;
	if (chain_node(c) >= 0)
		tool_die(c->tool, BB_SYSTEM,
			"%s; import needs the store alone: stop the node first (bb-node stop)",
			why);
	tool_die(c->tool, BB_SYSTEM, "%s", why);
}

int chain_import(struct chain *c)
{
	struct import m = {.chain = c};

	m.intake = (struct intake){.chain = c,
		.refused_only = true,
		.judge = judge,
		.arg = &m,
		.speak = hide_progress};
	m.late.intake = &m.intake;
	m.file.magic = m.old.magic = c->network.magic;
	find_files(&m);
	progress_count(&m.progress, c->tool->name, "blocks", total_size(&m));
	if (m.count && worth_a_store(&m)) {
		open_store(c);
		if (intake_open(&m.intake)) {
			import_all(&m);
			close_intake(&m);
		}
	}
	if (m.count && !m.intake.records && !c->in.status)
		chain_error(c, 0, BB_NO, "no input");
	close_all(&m);
	return chain_end(c);
}
