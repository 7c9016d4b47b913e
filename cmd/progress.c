#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

enum { PERIOD_MS = 200, PATIENCE_MS = 1000, BAR = 20 };

/* Bytes of the inputs that are regular files; 0 when one is not. */
static uint64_t total_size(char *const *files)
{
	uint64_t sum = 0;
	struct stat st;

	if (!files || !*files)
		return fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode)
			       ? (uint64_t)st.st_size
			       : 0;
	for (; *files; files++) {
		if (stat(*files, &st) != 0 || !S_ISREG(st.st_mode))
			return 0;
		sum += (uint64_t)st.st_size;
	}
	return sum;
}

void progress_start(struct progress *p, const char *name, char *const *files)
{
	*p = (struct progress){0};
	if (!isatty(STDOUT_FILENO))
		progress_count(p, name, "lines", total_size(files));
}

void progress_count(struct progress *p, const char *name, const char *unit, uint64_t total)
{
	*p = (struct progress){.unit = unit, .total = total, .start_ms = clock_ms()};
	if (isatty(STDERR_FILENO))
		p->name = name;
}

/* A number with its thousands apart. */
static void group(char out[32], uint64_t n)
{
	char digits[24];
	const int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
}

static int put_bar(char *out, size_t size, const struct progress *p, uint64_t bytes)
{
	const uint64_t share = bytes < p->total ? bytes * 100 / p->total : 100;
	char bar[BAR + 1];

	memset(bar, ' ', BAR);
	memset(bar, '=', share * BAR / 100);
	bar[BAR] = '\0';
	if (share < 100)
		bar[share * BAR / 100] = '>';
	return snprintf(out, size, "  [%s] %3" PRIu64 "%%", bar, share);
}

static void draw(const struct progress *p, uint64_t n, uint64_t bytes, uint64_t spent_ms)
{
	char text[256], count[32], rate[32];
	size_t len = (size_t)snprintf(text, sizeof(text), "\r\033[K%s", p->name);

	group(count, n);
	group(rate, n * 1000 / spent_ms);
	if (p->total)
		len += (size_t)put_bar(text + len, sizeof(text) - len, p, bytes);
	len += (size_t)snprintf(
		text + len, sizeof(text) - len, "  %s %s  %s/s", count, p->unit, rate);
	if (p->total > bytes && bytes) {
		const uint64_t left = spent_ms * (p->total - bytes) / bytes / 1000;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
			"  %" PRIu64 ":%02" PRIu64 " left", left / 60, left % 60);
	}
	if (write(STDERR_FILENO, text, len) < 0)
		return; /* a terminal that is gone needs no picture */
}

void progress_turn(struct progress *p, uint64_t count, uint64_t bytes)
{
	uint64_t now;

	if (!p->name)
		return;
	now = clock_ms();
	if (now - p->start_ms < PATIENCE_MS || now - p->drawn_ms < PERIOD_MS)
		return;
	p->drawn_ms = now;
	p->shown = true;
	draw(p, count, bytes, now - p->start_ms);
}

void progress_hide(struct progress *p)
{
	if (p->shown && write(STDERR_FILENO, "\r\033[K", 4) == 4)
		p->shown = false;
}
