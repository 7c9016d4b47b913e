#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wallet/seal.h"

/* The sandbox lets nobody remove a file, and should not. So a second process, which reads no
 * input, waits to hear whether this one is kept, and otherwise removes it: also when the first
 * ends without a word. */

enum { KEEP = 'k', REMOVE = 'r' };

static void guard(int peer, const char *path)
{
	const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	char verdict = REMOVE;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		signal(ends[i], SIG_IGN);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		close(fd);
	while (read(peer, &verdict, 1) < 0 && errno == EINTR)
		;
	if (verdict != KEEP)
		unlink(path);
	_exit(0);
}

static bool post_guard(struct newfile *f)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		close(f->sink.fd);
		guard(ends[1], f->path);
	}
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	else
		f->guard = ends[0];
	return pid > 0;
}

/* Returns when the guard has done so: then it ends. */
static void tell_guard(struct newfile *f, char verdict)
{
	char nothing;

	if (write(f->guard, &verdict, 1) == 1)
		while (read(f->guard, &nothing, 1) < 0 && errno == EINTR)
			;
	close(f->guard);
	f->guard = -1;
}

/* The file's name, too, must survive a loss of power. */
static bool sync_name(const char *path)
{
	char *copy = strdup(path);
	int dir = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = dir < 0 || fsync(dir) == 0 || errno == EINVAL; /* it may be unreadable */

	if (dir >= 0)
		close(dir);
	free(copy);
	return ok;
}

enum bb_status newfile_open(struct newfile *f, const char **why, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	*f = (struct newfile){.sink.fd = fd, .path = path, .guard = -1};
	*why = errno == EEXIST ? "exists already, and is not overwritten" : strerror(errno);
	if (fd < 0)
		return errno == EEXIST ? BB_CALLER : BB_SYSTEM;
	/* The guard first: the disk takes its time. */
	if (fchmod(fd, 0600) == 0 && post_guard(f) && sync_name(path))
		return BB_OK;
	*why = strerror(errno);
	if (f->guard >= 0)
		tell_guard(f, REMOVE);
	else
		unlink(path);
	return BB_SYSTEM;
}

/* Back to whole lines. */
static void cut(const struct newfile *f)
{
	int failed = ftruncate(f->sink.fd, f->kept);

	(void)failed; /* what is left over is no line */
}

bool newfile_flush(struct newfile *f, const char **why)
{
	if (!f->sink.buf.len)
		return true;
	if (bb_sink_flush(&f->sink) && fdatasync(f->sink.fd) != 0)
		f->sink.error = errno;
	if (f->sink.error) {
		*why = strerror(f->sink.error);
		return false;
	}
	f->kept = lseek(f->sink.fd, 0, SEEK_CUR);
	if (f->guard >= 0)
		tell_guard(f, KEEP);
	return true;
}

void newfile_close(struct newfile *f)
{
	if (f->guard >= 0)
		tell_guard(f, REMOVE);
	else if (f->sink.error)
		cut(f);
	close(f->sink.fd);
	bb_buf_wipe(&f->sink.buf);
}
