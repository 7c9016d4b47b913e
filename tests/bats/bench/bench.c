/* Measures a tool against the bare work it cannot do without, both in turns:
 *
 *	bench validate NAME BB-VALIDATE FILE TARGET	valid transactions of the main network
 *	bench threads BB-VALIDATE FILE TARGET		-j2 against -j1
 *	bench keygen BB-KEYGEN COUNT TARGET
 *	bench sign NAME BB-SIGN KEYFILE FILE TARGET
 *	bench start NAME LIMIT_MS COMMAND...		with stdin as it is given, rewound
 *	bench memory BB-VALIDATE FILE			once, and ten times over
 *	bench mine KERNEL TARGET			a search of lib/mine
 *
 * Each prints one line. A ratio is the median of those of the rounds; of the CPU's time, user
 *and system, since others may use the machine; of the wall clock's time beside it. */

#include <fcntl.h>
#include <openssl/sha.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bare.h"
#include "mine/search.h"

enum { ROUNDS = 7, STARTS = 100, NONCES = 4000000 };

struct cost {
	double wall, cpu; /* seconds */
	long rss_kib;
};

static void die(const char *why, const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

/* Start a command whose output is dropped. */
static void begin(const char *const argv[])
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ))
		die("cannot run", argv[0]);
	posix_spawn_file_actions_destroy(&actions);
}

/* Wait for one; it must have succeeded. */
static struct cost end(void)
{
	struct rusage use;
	int status;

	if (wait4(-1, &status, 0, &use) < 0 || status != 0)
		die("failed", "a command");
	return (struct cost){
		.cpu = seconds(use.ru_utime) + seconds(use.ru_stime), .rss_kib = use.ru_maxrss};
}

/* Run so many of a command at once to their end; the cost of the last. */
static struct cost run_many(const char *const argv[], int count)
{
	const double start = now(CLOCK_MONOTONIC);
	struct cost c = {0};

	for (int i = 0; i < count; i++)
		begin(argv);
	for (int i = 0; i < count; i++)
		c = end();
	c.wall = now(CLOCK_MONOTONIC) - start;
	return c;
}

static struct cost run(const char *const argv[])
{
	lseek(0, 0, SEEK_SET);
	return run_many(argv, 1);
}

static struct cost run_bare(bool (*fn)(const void *arg), const void *arg)
{
	struct cost c = {.wall = now(CLOCK_MONOTONIC), .cpu = now(CLOCK_PROCESS_CPUTIME_ID)};

	if (!fn(arg))
		die("gave other results", "the bare work");
	c.cpu = now(CLOCK_PROCESS_CPUTIME_ID) - c.cpu;
	c.wall = now(CLOCK_MONOTONIC) - c.wall;
	return c;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t count)
{
	qsort(v, count, sizeof(*v), by_size);
	return v[count / 2];
}

static const char *met(bool good)
{
	return good ? "met" : "missed";
}

/* A command and the bare work in turns: the latter's share of the former's time. */
struct comparison {
	double cpu_ratio, wall_ratio, cpu, wall, other_cpu;
};

static struct comparison compare(
	const char *const argv[], bool (*fn)(const void *arg), const void *arg)
{
	double cpu_ratio[ROUNDS], wall_ratio[ROUNDS], cpu[ROUNDS], wall[ROUNDS], rest[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++) {
		struct cost a = run(argv), b = run_bare(fn, arg);
		cpu_ratio[i] = b.cpu / a.cpu;
		wall_ratio[i] = b.wall / a.wall;
		cpu[i] = a.cpu;
		wall[i] = a.wall;
		rest[i] = b.cpu;
	}
	return (struct comparison){median(cpu_ratio, ROUNDS), median(wall_ratio, ROUNDS),
		median(cpu, ROUNDS), median(wall, ROUNDS), median(rest, ROUNDS)};
}

static bool replay(const void *arg)
{
	return bare_replay(arg);
}

static bool pubkeys(const void *arg)
{
	return bare_pubkeys(*(const size_t *)arg);
}

static void validate(char **arg)
{
	const char *const argv[] = {arg[1], "-n", "main", "-j", "1", arg[2], NULL};
	const double target = atof(arg[3]);
	struct bare b = {0};
	struct comparison c;

	if (!bare_record_validate(&b, arg[2]))
		die("holds a line that is not valid", arg[2]);
	c = compare(argv, replay, &b);
	printf("bb-validate -j1, %s: %.3f of the bare operations' speed (wall %.3f), target "
	       "%.2f %s; %.1f us an input, %.1f bare; %zu inputs, %zu operations: %zu ECDSA, "
	       "%zu Schnorr, %zu commitments; %zu not strict DER left out\n",
		arg[0], c.cpu_ratio, c.wall_ratio, target, met(c.cpu_ratio >= target),
		1e6 * c.cpu / (double)b.inputs, 1e6 * c.other_cpu / (double)b.inputs, b.inputs,
		b.count, b.of_kind[BARE_ECDSA], b.of_kind[BARE_SCHNORR], b.of_kind[BARE_TWEAK],
		b.lax);
	bare_free(&b);
}

/* The bare operations of a stream alone, for who compares something else with them. */
static void curve(char **arg)
{
	double cpu[ROUNDS];
	struct bare b = {0};

	if (!bare_record_validate(&b, arg[0]))
		die("holds a line that is not valid", arg[0]);
	for (size_t i = 0; i < ROUNDS; i++)
		cpu[i] = run_bare(replay, &b).cpu;
	printf("%.6f s, %zu operations\n", median(cpu, ROUNDS), b.count);
	bare_free(&b);
}

/* What a second thread can bring is what a second process does: one is measured beside the
 * other, since a machine's second processor may be a busy half of the first. */
static void threads(char **arg)
{
	const char *const one[] = {arg[0], "-n", "main", "-j", "1", arg[1], NULL};
	const char *const two[] = {arg[0], "-n", "main", "-j", "2", arg[1], NULL};
	const double target = atof(arg[2]);
	double speedup[ROUNDS], processes[ROUNDS], cpu[ROUNDS], s, p;

	for (size_t i = 0; i < ROUNDS; i++) {
		struct cost single = run(one), threaded = run(two), pair = run_many(one, 2);
		speedup[i] = single.wall / threaded.wall;
		processes[i] = 2 * single.wall / pair.wall;
		cpu[i] = threaded.cpu / single.cpu;
	}
	s = median(speedup, ROUNDS);
	p = median(processes, ROUNDS);
	printf("bb-validate -j2: %.2f times -j1, target %.2f %s; two processes at once on this "
	       "machine: %.2f times one; CPU time %.2f of -j1's\n",
		s, target, met(s >= target), p, median(cpu, ROUNDS));
}

static void keygen(char **arg)
{
	const char *const argv[] = {
		arg[0], "-n", "regtest", "--print-secret", "--count", arg[1], NULL};
	const double target = atof(arg[2]);
	const size_t count = strtoul(arg[1], NULL, 10);
	struct comparison c = compare(argv, pubkeys, &count);

	printf("bb-keygen: %.3f of libsecp256k1's speed (wall %.3f), target %.2f %s; %.1f us a "
	       "key, %.1f bare; %zu keys\n",
		c.cpu_ratio, c.wall_ratio, target, met(c.cpu_ratio >= target),
		1e6 * c.cpu / (double)count, 1e6 * c.other_cpu / (double)count, count);
}

static void sign(char **arg)
{
	const char *const argv[] = {arg[1], "-n", "regtest", "-k", arg[2], arg[3], NULL};
	const double target = atof(arg[4]);
	struct bare b = {0};
	struct comparison c;

	if (!bare_record_sign(&b, arg[3], arg[2]))
		die("holds a line that is not signed", arg[3]);
	c = compare(argv, replay, &b);
	printf("bb-sign, %s: %.3f of libsecp256k1's speed (wall %.3f), target %.2f %s; %.1f us "
	       "a "
	       "signature computed, %.1f bare; %zu lines, %zu signatures%s\n",
		arg[0], c.cpu_ratio, c.wall_ratio, target, met(c.cpu_ratio >= target),
		1e6 * c.cpu / (double)b.count, 1e6 * c.other_cpu / (double)b.count, b.lines,
		b.of_kind[BARE_SIGN] + b.of_kind[BARE_SCHNORR_SIGN],
		b.of_kind[BARE_SIGN] ? " with those for low R" : "");
	bare_free(&b);
}

static void start(char **arg)
{
	const double limit_ms = atof(arg[1]);
	double wall[STARTS], ms;

	for (size_t i = 0; i < STARTS; i++)
		wall[i] = run((const char *const *)arg + 2).wall;
	ms = 1e3 * median(wall, STARTS);
	printf("%s, start to exit with one line: %.2f ms, limit %.0f ms %s; median of %d\n",
		arg[0], ms, limit_ms, met(ms < limit_ms), STARTS);
}

static void memory(char **arg)
{
	const char *f = arg[1];
	const char *const once[] = {arg[0], "-n", "main", "-j", "2", f, NULL};
	const char *const ten[] = {
		arg[0], "-n", "main", "-j", "2", f, f, f, f, f, f, f, f, f, f, NULL};
	long small = run(once).rss_kib, large = run(ten).rss_kib;
	struct stat st;

	if (stat(f, &st) != 0)
		die("cannot be read", f);
	/* Threads meet their batches in other orders: some MiB come and go. */
	printf("bb-validate -j2, memory: %.1f MiB over %.1f MiB of lines, %.1f MiB over ten "
	       "times that: %s\n",
		(double)small / 1024, (double)st.st_size / (1 << 20), (double)large / 1024,
		large - small < st.st_size / 1024 ? "flat" : "grows");
}

/* No hash is as small as the target: all nonces are tried. */
static bool search_all(const void *arg)
{
	const unsigned char header[80] = {0}, target[32] = {0};
	const struct bb_kernel *k = arg;
	struct bb_search s;
	uint32_t nonce = 0;

	bb_search_init(&s, header, target);
	return !k->search(&s, &nonce, NONCES);
}

/* The same, by OpenSSL's fastest functions for messages. */
static bool hash_all(const void *arg)
{
	unsigned char header[80] = {0}, hash[32];
	const unsigned char target[32] = {0};

	(void)arg;
	for (uint32_t nonce = 0; nonce < NONCES; nonce++) {
		SHA256_CTX ctx;

		memcpy(header + 76, &nonce, 4);
		SHA256_Init(&ctx);
		SHA256_Update(&ctx, header, 80);
		SHA256_Final(hash, &ctx);
		SHA256_Init(&ctx);
		SHA256_Update(&ctx, hash, 32);
		SHA256_Final(hash, &ctx);
		if (memcmp(hash, target, 32) == 0)
			return false;
	}
	return true;
}

static void mine(char **arg)
{
	const struct bb_kernel *k = bb_kernel_find(arg[0]);
	const double target = atof(arg[1]);
	double ratio[ROUNDS], cpu[ROUNDS], plain[ROUNDS], r;

	if (!k || !k->usable()) {
		printf("mine, %s: not on this processor\n", arg[0]);
		return;
	}
	for (size_t i = 0; i < ROUNDS; i++) {
		cpu[i] = run_bare(search_all, k).cpu;
		plain[i] = run_bare(hash_all, NULL).cpu;
		ratio[i] = plain[i] / cpu[i];
	}
	r = median(ratio, ROUNDS);
	printf("mine, %s: %.1f MH/s a core, %.2f times a plain OpenSSL loop's %.1f, "
	       "target %.1f %s%s\n",
		k->name, 1e-6 * NONCES / median(cpu, ROUNDS), r,
		1e-6 * NONCES / median(plain, ROUNDS), target, met(r >= target),
		k == bb_kernel_best() ? "; this one is used" : "");
}

int main(int argc, char **argv)
{
	const struct {
		const char *name;
		int args;
		void (*fn)(char **arg);
	} modes[] = {{"validate", 4, validate}, {"threads", 3, threads}, {"keygen", 3, keygen},
		{"sign", 5, sign}, {"start", 3, start}, {"memory", 2, memory},
		{"mine", 2, mine}, {"curve", 1, curve}};

	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(*modes); i++)
		if (strcmp(argv[1], modes[i].name) == 0 && argc - 2 >= modes[i].args) {
			modes[i].fn(argv + 2);
			return 0;
		}
	die("wrong call", argc > 1 ? argv[1] : "bench");
}
