#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/magic.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { ASAN = 1 };
#else
enum { ASAN = 0 };
#endif

/* A negative number stands for a call this architecture does not have; libseccomp then has
 * nothing to allow. */
static const int plain[] = {
	/* descriptors that are open already */
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
	SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(fadvise64), SCMP_SYS(fsync),
	SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(select), SCMP_SYS(pselect6),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(sysinfo),
	/* threads and locks */
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sigaltstack),
	/* who we are: asking changes nothing */
	SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid),
	/* signals, clocks, entropy, the exit */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(getrusage), SCMP_SYS(getrandom), SCMP_SYS(exit), SCMP_SYS(exit_group)};

static const int watching[] = {
	SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch)};

static const int writing[] = {SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(fstatfs)};

/* By name too: whether one is there, and may be read. */
static const int asking[] = {SCMP_SYS(newfstatat), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(fstatfs)};

static const int talking[] = {SCMP_SYS(connect), SCMP_SYS(accept4), SCMP_SYS(shutdown),
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(uname)};

static const int naming[] = {SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat)};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool allow(scmp_filter_ctx ctx, int call, const struct scmp_arg_cmp *when)
{
	int err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, when ? 1 : 0, when);

	return err == 0 || err == -EDOM; /* EDOM: no such call here */
}

static bool allow_all(scmp_filter_ctx ctx, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!allow(ctx, calls[i], NULL))
			return false;
	return true;
}

/* Calls that are harmless with some arguments only. */
static bool allow_some(scmp_filter_ctx ctx, unsigned rights)
{
	const struct {
		int call;
		struct scmp_arg_cmp when;
	} some[] = {
		{SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		{SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
		/* a thread, never a process; clone3 has its flags where no filter sees them */
		{SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)},
		/* abort(3) */
		{SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid())},
		/* fstat(3) and isatty(3) */
		{SCMP_SYS(newfstatat), SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH)},
		{SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, TCGETS)},
		{SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, F_GETFL)},
		/* asking for limits, never setting them */
		{SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0)},
	};
	const struct scmp_arg_cmp set_modes = SCMP_A1(SCMP_CMP_EQ, TCSETSF); /* tcsetattr(3) */

	for (size_t i = 0; i < COUNT(some); i++)
		if (!allow(ctx, some[i].call, &some[i].when))
			return false;
	return !(rights & BB_SANDBOX_TERMINAL) || allow(ctx, SCMP_SYS(ioctl), &set_modes);
}

/* Locks of records in a file held, as LMDB and the store take them. */
static bool allow_locks(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp take = SCMP_A1(SCMP_CMP_EQ, F_SETLK);
	const struct scmp_arg_cmp wait = SCMP_A1(SCMP_CMP_EQ, F_SETLKW);
	const struct scmp_arg_cmp ask = SCMP_A1(SCMP_CMP_EQ, F_GETLK);

	return allow(ctx, SCMP_SYS(fcntl), &take) && allow(ctx, SCMP_SYS(fcntl), &wait) &&
	       allow(ctx, SCMP_SYS(fcntl), &ask);
}

static bool has(unsigned rights, unsigned right)
{
	return (rights & right) == right;
}

/* Files: a filter sees how they are opened, never which. */
static bool allow_files(scmp_filter_ctx ctx, unsigned rights)
{
	const struct scmp_arg_cmp reading = SCMP_A2(
		SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
	const struct scmp_arg_cmp appending = SCMP_A2(
		SCMP_CMP_MASKED_EQ, O_ACCMODE | O_TRUNC, O_WRONLY);
	const struct scmp_arg_cmp locking = SCMP_A2(
		SCMP_CMP_MASKED_EQ, O_ACCMODE | O_TRUNC, O_RDWR);

	if (rights & (BB_SANDBOX_READER | BB_SANDBOX_STORE) &&
		!allow(ctx, SCMP_SYS(openat), &reading))
		return false;
	if (rights & BB_SANDBOX_READER && !allow(ctx, SCMP_SYS(newfstatat), NULL))
		return false;
	if (has(rights, BB_SANDBOX_STORE) &&
		!(allow_locks(ctx) && allow_all(ctx, watching, COUNT(watching))))
		return false;
	if (has(rights, BB_SANDBOX_STORE_WRITER) &&
		!(allow(ctx, SCMP_SYS(openat), &appending) &&
			allow_all(ctx, writing, COUNT(writing))))
		return false;
	if (has(rights, BB_SANDBOX_STORE_OPENER) &&
		!(allow(ctx, SCMP_SYS(openat), &locking) &&
			allow_all(ctx, asking, COUNT(asking))))
		return false;
	return !has(rights, BB_SANDBOX_FOLDER) ||
	       (allow(ctx, SCMP_SYS(openat), NULL) && allow_all(ctx, naming, COUNT(naming)));
}

static bool allow_peers(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp v4 = SCMP_A0(SCMP_CMP_EQ, AF_INET);
	const struct scmp_arg_cmp v6 = SCMP_A0(SCMP_CMP_EQ, AF_INET6);
	const struct scmp_arg_cmp set_flags = SCMP_A1(SCMP_CMP_EQ, F_SETFL);
	const struct scmp_arg_cmp get_close = SCMP_A1(SCMP_CMP_EQ, F_GETFD);
	const struct scmp_arg_cmp set_close = SCMP_A1(SCMP_CMP_EQ, F_SETFD);
	const struct scmp_arg_cmp waiting = SCMP_A1(SCMP_CMP_EQ, FIONREAD);

	return allow(ctx, SCMP_SYS(socket), &v4) && allow(ctx, SCMP_SYS(socket), &v6) &&
	       allow(ctx, SCMP_SYS(fcntl), &set_flags) &&
	       allow(ctx, SCMP_SYS(fcntl), &get_close) &&
	       allow(ctx, SCMP_SYS(fcntl), &set_close) &&
	       allow(ctx, SCMP_SYS(ioctl), &waiting) && allow_all(ctx, talking, COUNT(talking));
}

bool bb_sandbox_enter(unsigned rights)
{
	scmp_filter_ctx ctx;
	bool ok;

	if (ASAN)
		return true;
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!ctx)
		return false;
	/* ENOSYS makes the C library fall back on clone. */
	ok = allow_all(ctx, plain, COUNT(plain)) && allow_some(ctx, rights) &&
	     allow_files(ctx, rights) && (!has(rights, BB_SANDBOX_PEERS) || allow_peers(ctx)) &&
	     seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	     seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && seccomp_load(ctx) == 0;
	seccomp_release(ctx);
	return ok;
}

/* Paths, by Landlock: the calls have no wrappers in the C library, and its headers may be older
 * than the kernel. */

/* Since ABI 3; and since 2 a file may be linked or renamed into another folder, if that right
 * is given, which we do not. */
#define TRUNCATE ((uint64_t)1 << 14)
#define FILE_RIGHTS                                                                            \
	((uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |                \
		    LANDLOCK_ACCESS_FS_WRITE_FILE))
#define FOLDER_RIGHTS                                                                          \
	((uint64_t)(LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR |              \
		    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |            \
		    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                \
		    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |              \
		    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM))

/* What this kernel can refuse; 0: nothing. */
static uint64_t refusable(void)
{
	const long abi = syscall(
		SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1)
		return 0;
	return FILE_RIGHTS | FOLDER_RIGHTS | (abi >= 3 ? TRUNCATE : 0);
}

static uint64_t rights_of(unsigned uses)
{
	uint64_t rights = 0;

	if (uses & BB_SANDBOX_READ)
		rights |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	if (uses & (BB_SANDBOX_WRITE | BB_SANDBOX_MAKE))
		rights |= LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE;
	if (uses & BB_SANDBOX_MAKE)
		rights |= LANDLOCK_ACCESS_FS_MAKE_REG;
	if (uses & BB_SANDBOX_REMOVE)
		rights |= LANDLOCK_ACCESS_FS_REMOVE_FILE;
	return rights;
}

/* A rule is of the file as it is now. /proc makes its files anew when they are asked for, but
 * not while somebody has them open: there the descriptor stays. */
static void let_go(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0 || fs.f_type != PROC_SUPER_MAGIC)
		close(fd);
}

static bool add_path(int rules, const struct bb_sandbox_path *p, uint64_t can)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights_of(p->uses) & can,
		.parent_fd = open(p->path, O_PATH | O_CLOEXEC)};
	struct stat st;
	bool ok;

	if (rule.parent_fd < 0)
		return true;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_RIGHTS | TRUNCATE;
	/* A pipe or socket is of no path, and can be opened anyway. */
	ok = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0 ||
	     errno == EBADFD;
	let_go(rule.parent_fd);
	return ok;
}

bool bb_sandbox_paths(const struct bb_sandbox_path *paths, size_t count)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs = ASAN ? 0 : refusable()};
	bool ok = true;
	int rules;

	if (!all.handled_access_fs)
		return false;
	rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (rules < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		ok = ok && add_path(rules, &paths[i], all.handled_access_fs);
	ok = ok && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	     syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	close(rules);
	return ok;
}

void bb_sandbox_hide(void)
{
	if (ASAN)
		return;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}
