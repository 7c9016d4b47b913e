#include "relayrights.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sandbox.h"

/* In the folder. Who reads a store takes a place in its lock; a mempool that is found damaged
 * is made anew, and its lock with it. */
static const struct bb_sandbox_path ours[] = {
	{"chain", BB_SANDBOX_READ},
	{"chain/lock.mdb", BB_SANDBOX_READ | BB_SANDBOX_WRITE},
	{"blocks", BB_SANDBOX_READ},
	{"mempool", BB_SANDBOX_READ | BB_SANDBOX_MAKE},
};

/* Name servers and hosts, and where the first's file may be a link to, which is replaced when
 * they change; and what opening a store asks the system. */
static const struct bb_sandbox_path systems[] = {
	{"/etc/resolv.conf", BB_SANDBOX_READ},
	{"/etc/hosts", BB_SANDBOX_READ},
	{"/run/systemd/resolve", BB_SANDBOX_READ},
	{"/run/NetworkManager", BB_SANDBOX_READ},
	{"/run/resolvconf", BB_SANDBOX_READ},
	{"/proc/self/maps", BB_SANDBOX_READ},
	{"/proc/sys/kernel/random/boot_id", BB_SANDBOX_READ},
};

enum {
	OURS = sizeof(ours) / sizeof(*ours),
	SYSTEMS = sizeof(systems) / sizeof(*systems),
};

void relayrights_prepare(int dir_fd)
{
	static const char *const folders[] = {"chain", "blocks", "mempool"};
	bool made = true;
	int lock;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		made = mkdirat(dir_fd, folders[i], 0777) == 0 && made;
	(void)made; /* what is not there stays out of reach */
	lock = openat(dir_fd, "chain/lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC, 0660);
	if (lock >= 0)
		close(lock);
}

void relayrights_drop(const char *dir)
{
	struct bb_sandbox_path paths[OURS + SYSTEMS];
	char text[OURS][PATH_MAX];
	size_t count = 0;

	for (size_t i = 0; i < OURS; i++) {
		snprintf(text[i], sizeof(text[i]), "%s/%s", dir, ours[i].path);
		paths[count++] = (struct bb_sandbox_path){text[i], ours[i].uses};
	}
	for (size_t i = 0; i < SYSTEMS; i++)
		paths[count++] = systems[i];
	bb_sandbox_paths(paths, count);
	bb_sandbox_enter(BB_SANDBOX_STORE_OPENER | BB_SANDBOX_PEERS);
}
