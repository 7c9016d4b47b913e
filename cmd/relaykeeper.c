#include "relaykeeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/lines.h"
#include "base/sandbox.h"

/* A request is a length and as many bytes, or this; the answer is an errno. */
#define END UINT64_MAX

enum { PEERS_MAX = 64 << 20 }; /* bytes */

/* Both ways; neither side is ended by a signal. False: the other one has gone. */

static bool put(int fd, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len) {
		const ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static bool get(int fd, void *data, size_t len)
{
	unsigned char *p = data;

	while (len) {
		const ssize_t n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* The keeper. */

static int write_new(int dir, struct bb_span text)
{
	struct bb_sink file = {
		.fd = openat(dir, "peers.new",
			O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644)};
	int err;

	if (file.fd < 0)
		return errno;
	bb_put(&file.buf, text.data, text.len);
	err = file.buf.failed ? ENOMEM : bb_sink_flush(&file) ? 0 : file.error;
	bb_buf_free(&file.buf);
	return close(file.fd) != 0 && !err ? errno : err;
}

/* Under their name when they are whole. */
static int save(int dir, struct bb_span text)
{
	const int err = write_new(dir, text);

	return err || renameat(dir, "peers.new", dir, "peers") == 0 ? err : errno;
}

static int remove_sockets(int dir)
{
	const int gone = unlinkat(dir, "relay.sock", 0) == 0 ? 0 : errno;

	return unlinkat(dir, "chain.sock", 0) == 0 ? gone : errno;
}

/* False: it was the last request. */
static bool serve(int hub, int dir)
{
	unsigned char *text = NULL;
	uint64_t len;
	int err;

	if (!get(hub, &len, sizeof(len)))
		return false;
	if (len == END)
		err = remove_sockets(dir);
	else if (len > PEERS_MAX || !(text = malloc(len ? len : 1)) || !get(hub, text, len))
		return false;
	else
		err = save(dir, BB_SPAN(text, len));
	free(text);
	return put(hub, &err, sizeof(err)) && len != END;
}

/* It holds nothing else of the hub's: the folder's lock must end with that. */
static void keep(int hub, const char *path)
{
	const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	const struct bb_sandbox_path there = {
		path, BB_SANDBOX_READ | BB_SANDBOX_MAKE | BB_SANDBOX_REMOVE};
	int dir;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		signal(ends[i], SIG_IGN);
	prctl(PR_SET_NAME, "relay-keeper", 0, 0, 0); /* for ps and top */
	dup2(hub, STDIN_FILENO);
	closefrom(STDIN_FILENO + 1);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bb_sandbox_paths(&there, 1);
	bb_sandbox_enter(BB_SANDBOX_FOLDER);
	while (dir >= 0 && serve(STDIN_FILENO, dir))
		;
	_exit(0);
}

/* The hub's side. */

int relaykeeper_start(const char *dir)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -1;
	pid = fork();
	if (pid == 0)
		keep(ends[1], dir);
	close(ends[1]);
	if (pid > 0)
		return ends[0];
	close(ends[0]);
	return -1;
}

static int answer(int keeper, bool asked)
{
	int err;

	return asked && get(keeper, &err, sizeof(err)) ? err : EPIPE;
}

int relaykeeper_save(int keeper, struct bb_span peers)
{
	const uint64_t len = peers.len;

	return answer(keeper, put(keeper, &len, sizeof(len)) && put(keeper, peers.data, len));
}

int relaykeeper_end(int keeper)
{
	const uint64_t end = END;
	const int err = answer(keeper, put(keeper, &end, sizeof(end)));

	close(keeper);
	return err;
}
