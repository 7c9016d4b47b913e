#include "relaysock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128, CONNECT_MS = 10000 };

static int refuse(char why[RELAYSOCK_WHY], int fd, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char why[RELAYSOCK_WHY], int fd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, RELAYSOCK_WHY, fmt, args);
	va_end(args);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Addresses. */

bool relaysock_address(struct bb_net_address *out, const struct sockaddr *from)
{
	*out = (struct bb_net_address){0};
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;
		out->port = ntohs(v4->sin_port);
		return inet_ntop(AF_INET, &v4->sin_addr, out->host, sizeof(out->host));
	}
	if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)from;
		const unsigned char *ip = v6->sin6_addr.s6_addr;
		out->port = ntohs(v6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			return inet_ntop(AF_INET, ip + 12, out->host, sizeof(out->host));
		return inet_ntop(AF_INET6, ip, out->host, sizeof(out->host));
	}
	return false;
}

socklen_t relaysock_sockaddr(struct sockaddr_storage *out, const struct bb_net_address *from)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, from->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(from->port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, from->host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(from->port);
		return sizeof(*v6);
	}
	return 0;
}

void relaysock_name(char out[BB_HOST_MAX + 16], const struct bb_net_address *a)
{
	const char *form = strchr(a->host, ':') ? "[%s]:%u" : "%s:%u";

	snprintf(out, BB_HOST_MAX + 16, form, a->host, (unsigned)a->port);
}

/* Listening. */

int relaysock_listen(char why[RELAYSOCK_WHY], const struct bb_net_address *at)
{
	struct sockaddr_storage sa;
	const socklen_t len = relaysock_sockaddr(&sa, at);
	char name[BB_HOST_MAX + 16];
	int fd, on = 1;

	relaysock_name(name, at);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(fd, (const struct sockaddr *)&sa, len) != 0 || listen(fd, BACKLOG) != 0)
		return refuse(why, fd, "listen at %.120s: %s", name, strerror(errno));
	return fd;
}

static bool unix_address(
	struct sockaddr_un *sa, char why[RELAYSOCK_WHY], const char *dir, const char *name)
{
	const size_t most = sizeof(sa->sun_path);

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if ((size_t)snprintf(sa->sun_path, most, "%s/%s", dir, name) < most)
		return true;
	refuse(why, -1, "%.120s/%s: the path of a socket is at most %zu bytes", dir, name,
		most - 1);
	return false;
}

/* A socket that was left behind goes; anything else of that name stays. */
static void remove_old(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
}

int relaysock_listen_unix(
	char why[RELAYSOCK_WHY], const char *dir, const char *name, mode_t mode)
{
	struct sockaddr_un sa;
	mode_t before;
	int fd, bound;

	if (!unix_address(&sa, why, dir, name))
		return -1;
	remove_old(sa.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	before = umask(0777 & ~mode);
	bound = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&sa, sizeof(sa));
	umask(before);
	if (bound != 0 || listen(fd, BACKLOG) != 0)
		return refuse(why, fd, "%.200s: %s", sa.sun_path, strerror(errno));
	return fd;
}

/* Connecting. */

int relaysock_connect_unix(char why[RELAYSOCK_WHY], const char *dir, const char *name)
{
	struct sockaddr_un sa;
	int fd;

	if (!unix_address(&sa, why, dir, name))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) != 0)
		return refuse(why, fd, "no node at %.180s: %s", sa.sun_path, strerror(errno));
	return fd;
}

/* 0, or what is wrong. */
static int finish_connect(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int err = 0;
	socklen_t len = sizeof(err);

	if (errno != EINPROGRESS)
		return errno;
	if (poll(&p, 1, CONNECT_MS) <= 0)
		return ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		return errno;
	return err;
}

static int connect_one(int *err, const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	*err = fd < 0 ? errno : 0;
	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0)
		*err = finish_connect(fd);
	if (!*err)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int relaysock_connect(char why[RELAYSOCK_WHY], const struct bb_net_address *to)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *all = NULL;
	char name[BB_HOST_MAX + 16], port[8];
	int fd = -1, err;

	relaysock_name(name, to);
	snprintf(port, sizeof(port), "%u", (unsigned)to->port);
	err = getaddrinfo(to->host, port, &hints, &all);
	if (err)
		return refuse(why, -1, "no node at %.120s: %s", name, gai_strerror(err));
	for (const struct addrinfo *a = all; a && fd < 0; a = a->ai_next)
		fd = connect_one(&err, a);
	freeaddrinfo(all);
	return fd >= 0 ? fd : refuse(why, -1, "no node at %.120s: %s", name, strerror(err));
}
