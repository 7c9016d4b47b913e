#include "fault.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/lines.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { ASAN = 1 }; /* tells of a fall itself, and better */
#else
enum { ASAN = 0 };
#endif

/* For the handler. */
static const struct bb_store *store;
static char words[160];
static size_t words_len;

/* Of the instruction that fell; 0 where we do not know how to tell. */
static uintptr_t instruction(const ucontext_t *u)
{
#if defined(__x86_64__)
	return (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return u->uc_mcontext.pc;
#else
	(void)u;
	return 0;
#endif
}

/* Where the program or library is loaded that has this address; NULL: none has. */
static const void *base_of(uintptr_t address)
{
	Dl_info info;

	return dladdr((const void *)address, &info) ? info.dli_fbase : NULL;
}

/* What is read of a page leads LMDB anywhere. */
static bool is_in_lmdb(uintptr_t at)
{
	const void *lmdb = base_of((uintptr_t)mdb_cursor_get);

	return lmdb && base_of(at) == lmdb && base_of((uintptr_t)fault_catch) != lmdb;
}

static bool is_within(const void *address, const void *map, size_t len)
{
	const uintptr_t at = (uintptr_t)address, from = (uintptr_t)map;

	return from && at >= from && at - from < len;
}

/* Whoever reads a value that is longer than the file. */
static bool is_in_map(const void *address)
{
	return is_within(address, store->map, store->map_len) ||
	       is_within(address, store->pool_map, store->pool_map_len);
}

static noreturn void end(void)
{
	if (store->writing)
		bb_store_doubt_pool(store);
	if (write(STDERR_FILENO, words, words_len) < 0)
		_exit(BB_SYSTEM);
	_exit(BB_SYSTEM);
}

static void fallen(int number, siginfo_t *info, void *context)
{
	/* Sent by somebody, or our own: by default, as soon as this returns. */
	if (info->si_code <= 0 || (!store->in_lmdb && !is_in_map(info->si_addr) &&
					  !is_in_lmdb(instruction(context)))) {
		raise(number);
		return;
	}
	end();
}

void fault_catch(const char *tool, const struct bb_store *s)
{
	const struct sigaction act = {
		.sa_sigaction = fallen, .sa_flags = SA_SIGINFO | (int)SA_RESETHAND};

	store = s;
	words_len = (size_t)snprintf(words, sizeof(words),
		"{\"type\":\"error\",\"tool\":\"%.32s\",\"error\":\"fell while it read the "
		"store, which may be damaged\"}\n",
		tool);
	if (ASAN)
		return;
	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

/* Of LMDB's own, about what it found; it would abort. */
static void failed(MDB_env *env, const char *assertion)
{
	(void)env;
	(void)assertion;
	end();
}

void fault_watch(const struct bb_store *s)
{
	mdb_env_set_assert(s->env, failed);
	if (s->pool_env)
		mdb_env_set_assert(s->pool_env, failed);
}
