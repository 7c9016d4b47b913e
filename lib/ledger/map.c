#include "ledger/map.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

bool bb_map_find(void **start, size_t *len, int fd)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uintptr_t from, to;
	unsigned major_dev, minor_dev;
	uintmax_t inode;
	struct stat st;
	char line[512];
	bool found = false;

	if (!maps)
		return false;
	/* from-to rights offset major:minor inode path */
	while (!found && fstat(fd, &st) == 0 && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*x %x:%x %ju", &from, &to,
				&major_dev, &minor_dev, &inode) == 5 &&
			inode == st.st_ino && makedev(major_dev, minor_dev) == st.st_dev;
	fclose(maps);
	if (found) {
		*start = (void *)from;
		*len = to - from;
	}
	return found;
}

void bb_map_let_go(void *start, size_t len)
{
	madvise(start, len, MADV_DONTNEED);
}
