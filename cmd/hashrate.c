#include "hashrate.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

enum { PERIOD_MS = 200, PATIENCE_MS = 1000 };

void hashrate_open(struct hashrate *r, const char *name)
{
	*r = (struct hashrate){.name = isatty(STDERR_FILENO) ? name : NULL};
}

void hashrate_start(
	struct hashrate *r, uint64_t hashes, int64_t height, const unsigned char target[32])
{
	double share = 0; /* of all hashes, that are good */

	for (int i = 0; i < 32; i++)
		share = (share + target[i]) / 256;
	r->height = height;
	r->expected = share > 0 ? 1 / share : 0;
	r->start_ms = r->drawn_ms = clock_ms();
	r->start_hashes = hashes;
}

/* "33.1 MH/s" */
static int put_rate(char *out, size_t size, double rate)
{
	static const char units[] = " kMGTP";
	int unit = 0;

	for (; rate >= 1000 && units[unit + 1]; rate /= 1000)
		unit++;
	return snprintf(out, size, "  %.1f %.*sH/s", rate, unit > 0, units + unit);
}

/* "2:10", "3:02:10", or days or years. */
static int put_time(char *out, size_t size, double seconds)
{
	const uint64_t s = seconds < 1e9 ? (uint64_t)seconds : 0;

	if (seconds >= 2 * 365.25 * 86400)
		return snprintf(out, size, "  a block in %.3g years", seconds / 365.25 / 86400);
	if (seconds >= 2 * 86400)
		return snprintf(out, size, "  a block in %.0f days", seconds / 86400);
	if (s >= 3600)
		return snprintf(out, size, "  a block in %" PRIu64 ":%02" PRIu64 ":%02" PRIu64,
			s / 3600, s / 60 % 60, s % 60);
	return snprintf(out, size, "  a block in %" PRIu64 ":%02" PRIu64, s / 60, s % 60);
}

static void draw(const struct hashrate *r, double rate)
{
	char text[256];
	size_t len = (size_t)snprintf(
		text, sizeof(text), "\r\033[K%s  height %" PRId64, r->name, r->height);

	len += (size_t)put_rate(text + len, sizeof(text) - len, rate);
	if (rate > 0) {
		len += (size_t)put_time(text + len, sizeof(text) - len, r->expected / rate);
		len += (size_t)snprintf(text + len, sizeof(text) - len, " on average");
	}
	if (write(STDERR_FILENO, text, len) < 0)
		return; /* a terminal that is gone needs no picture */
}

void hashrate_turn(struct hashrate *r, uint64_t hashes)
{
	uint64_t now, spent_ms;

	if (!r->name)
		return;
	now = clock_ms();
	spent_ms = now - r->start_ms;
	if (spent_ms < PATIENCE_MS || now - r->drawn_ms < PERIOD_MS)
		return;
	r->drawn_ms = now;
	r->shown = true;
	draw(r, (double)(hashes - r->start_hashes) * 1000 / (double)spent_ms);
}

void hashrate_hide(struct hashrate *r)
{
	if (r->shown && write(STDERR_FILENO, "\r\033[K", 4) == 4)
		r->shown = false;
}
