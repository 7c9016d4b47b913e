#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

	for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++)
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

/* Files: a filter sees how they are opened, never which. */
static bool allow_files(scmp_filter_ctx ctx, unsigned rights)
{
	const struct scmp_arg_cmp reading = SCMP_A2(
		SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
	const struct scmp_arg_cmp appending = SCMP_A2(
		SCMP_CMP_MASKED_EQ, O_ACCMODE | O_TRUNC, O_WRONLY);

	if ((rights & (BB_SANDBOX_READER | BB_SANDBOX_STORE)) &&
		!allow(ctx, SCMP_SYS(openat), &reading))
		return false;
	if ((rights & BB_SANDBOX_READER) && !allow(ctx, SCMP_SYS(newfstatat), NULL))
		return false;
	if ((rights & BB_SANDBOX_STORE) &&
		(!allow_locks(ctx) ||
			!allow_all(ctx, watching, sizeof(watching) / sizeof(*watching))))
		return false;
	return (rights & BB_SANDBOX_STORE_WRITER) != BB_SANDBOX_STORE_WRITER ||
	       (allow(ctx, SCMP_SYS(openat), &appending) &&
		       allow_all(ctx, writing, sizeof(writing) / sizeof(*writing)));
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
	ok = allow_all(ctx, plain, sizeof(plain) / sizeof(*plain)) && allow_some(ctx, rights) &&
	     allow_files(ctx, rights) &&
	     seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	     seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && seccomp_load(ctx) == 0;
	seccomp_release(ctx);
	return ok;
}

void bb_sandbox_hide(void)
{
	if (ASAN)
		return;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}
