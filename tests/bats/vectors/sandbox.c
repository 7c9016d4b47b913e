/* What is left of a process's rights: sandbox none | hub DIR, then lines `WHAT PATH` on
 * standard input, each tried and answered with `WHAT PATH: ok` or why not. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../cmd/relayrights.h"
#include "base/sandbox.h"

/* What this system can do, seen by a process that is not needed any more. */
static bool can(bool paths)
{
	int status;
	const pid_t pid = fork();

	if (pid == 0) {
		if (paths)
			_exit(!bb_sandbox_paths(NULL, 0));
		bb_sandbox_enter(BB_SANDBOX_FILTER);
		_exit(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

static int try_open(const char *path, int flags)
{
	const int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? -1 : close(fd);
}

static int try_unix(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(sa.sun_path, path, sizeof(sa.sun_path) - 1);
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&sa, sizeof(sa));
}

static int try_listen(void)
{
	const struct sockaddr_in any = {.sin_family = AF_INET};
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&any, sizeof(any));
}

/* An address that refuses is one that can be reached. */
static int try_connect(void)
{
	const struct sockaddr_in nobody = {.sin_family = AF_INET,
		.sin_port = htons(1),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && (connect(fd, (const struct sockaddr *)&nobody, sizeof(nobody)) == 0 ||
				  errno == ECONNREFUSED)
		       ? 0
		       : -1;
}

static int attempt(const char *what, char *path)
{
	char *const nothing[] = {path, NULL};

	if (strcmp(what, "read") == 0)
		return try_open(path, O_RDONLY);
	if (strcmp(what, "write") == 0)
		return try_open(path, O_RDWR);
	if (strcmp(what, "append") == 0)
		return try_open(path, O_WRONLY);
	if (strcmp(what, "make") == 0)
		return try_open(path, O_RDWR | O_CREAT | O_EXCL);
	if (strcmp(what, "list") == 0)
		return try_open(path, O_RDONLY | O_DIRECTORY);
	if (strcmp(what, "remove") == 0)
		return unlink(path);
	if (strcmp(what, "unix") == 0)
		return try_unix(path);
	if (strcmp(what, "listen") == 0)
		return try_listen();
	if (strcmp(what, "connect") == 0)
		return try_connect();
	if (strcmp(what, "fork") == 0)
		return fork() < 0 ? -1 : 0;
	if (strcmp(what, "run") == 0)
		return execve(path, nothing, nothing);
	if (strcmp(what, "kill") == 0)
		return kill(getppid(), 0);
	errno = EINVAL;
	return -1;
}

int main(int argc, char **argv)
{
	char line[4096], *path;

	if (argc == 2 && strcmp(argv[1], "none") == 0) {
		printf("%s%s\n", can(true) ? "paths " : "", can(false) ? "calls" : "");
		return 0;
	}
	if (argc != 3 || strcmp(argv[1], "hub") != 0)
		return 2;
	if (chdir(argv[2]) != 0)
		return 3;
	relayrights_prepare(open(".", O_RDONLY | O_DIRECTORY));
	relayrights_drop(".");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		path = line + strcspn(line, " ");
		if (*path)
			*path++ = '\0';
		printf("%s %s: %s\n", line, path,
			attempt(line, path) == 0 ? "ok" : strerror(errno));
		fflush(stdout);
	}
	return 0;
}
