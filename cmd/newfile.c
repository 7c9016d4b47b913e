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
 * input, makes the file, hands it over, and waits to hear whether it is kept; otherwise it
 * removes it, also when the first ends without a word. There is no moment at which only the
 * first knows of the file. */

enum { KEEP = 'k', REMOVE = 'r' };

/* A message with a descriptor. */
struct parcel {
	struct msghdr head;
	struct iovec body;
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} rights;
};

static void wrap(struct parcel *p, int *err)
{
	memset(p, 0, sizeof(*p));
	p->body = (struct iovec){err, sizeof(*err)};
	p->head = (struct msghdr){.msg_iov = &p->body,
		.msg_iovlen = 1,
		.msg_control = p->rights.room,
		.msg_controllen = sizeof(p->rights.room)};
}

/* The file, or with -1 why there is none. */
static bool hand_over(int to, int fd, int err)
{
	struct parcel p;
	struct cmsghdr *c;

	wrap(&p, &err);
	if (fd < 0) {
		p.head.msg_controllen = 0;
	} else {
		c = CMSG_FIRSTHDR(&p.head);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(to, &p.head, MSG_NOSIGNAL) == sizeof(err);
}

/* -1: there is none, errno tells why. */
static int take_over(int from)
{
	struct parcel p;
	struct cmsghdr *c;
	int fd = -1, err = EPIPE;
	ssize_t n;

	wrap(&p, &err);
	do
		n = recvmsg(from, &p.head, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = n == sizeof(err) ? CMSG_FIRSTHDR(&p.head) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	errno = err;
	return fd;
}

static int make_file(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0 || fchmod(fd, 0600) == 0)
		return fd;
	err = errno;
	close(fd);
	unlink(path);
	errno = err;
	return -1;
}

static void guard(int peer, const char *path)
{
	const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	char verdict = REMOVE;
	int fd;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		signal(ends[i], SIG_IGN);
	for (int std = STDIN_FILENO; std <= STDERR_FILENO; std++)
		close(std);
	fd = make_file(path);
	if (!hand_over(peer, fd, errno) || fd < 0) {
		if (fd >= 0)
			unlink(path);
		_exit(0);
	}
	close(fd);
	while (read(peer, &verdict, 1) < 0 && errno == EINTR)
		;
	if (verdict != KEEP)
		unlink(path);
	_exit(0);
}

/* It makes the file. False: there is none, errno tells why. */
static bool post_guard(struct newfile *f)
{
	int ends[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		guard(ends[1], f->path);
	}
	close(ends[1]);
	if (pid > 0)
		f->sink.fd = take_over(ends[0]);
	if (f->sink.fd >= 0) {
		f->guard = ends[0];
		return true;
	}
	err = errno;
	close(ends[0]);
	errno = err;
	return false;
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
	*f = (struct newfile){.sink.fd = -1, .path = path, .guard = -1};
	if (!post_guard(f)) {
		*why = errno == EEXIST ? "exists already, and is not overwritten"
				       : strerror(errno);
		return errno == EEXIST ? BB_CALLER : BB_SYSTEM;
	}
	if (sync_name(path))
		return BB_OK;
	*why = strerror(errno);
	tell_guard(f, REMOVE);
	close(f->sink.fd);
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
