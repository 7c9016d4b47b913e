/* What a node has seen, and what is on its way to its ledger: against naive models. Each table
 * prints `name: N of M`, and what fails. */

#include <stdlib.h>

#include "net/outstanding.h"
#include "net/seen.h"
#include "table.h"

/* Seen, against a list. */

struct seen_model {
	unsigned char id[1000][32];
	size_t count;
};

static bool model_has(const struct seen_model *s, const unsigned char id[32])
{
	for (size_t i = 0; i < s->count; i++)
		if (memcmp(s->id[i], id, 32) == 0)
			return true;
	return false;
}

static bool model_add(struct seen_model *s, size_t most, const unsigned char id[32])
{
	if (model_has(s, id))
		return false;
	if (s->count == most)
		memmove(s->id, s->id + 1, --s->count * 32);
	memcpy(s->id[s->count++], id, 32);
	return true;
}

/* One of twice as many as fit. */
static void some_id(unsigned char id[32], size_t most)
{
	const unsigned n = below(2 * (unsigned)most + 1);

	memset(id, 0, 32);
	bb_set_le32(id + 4 * (n % 8), n);
}

static void seen(void)
{
	static const size_t sizes[] = {1, 2, 3, 31, 32, 33, 63, 64, 65, 100, 1000};
	static struct seen_model model;
	struct table t = {.name = "what was seen, against a list"};
	unsigned char id[32];

	state = 2;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct bb_seen s;
		model.count = 0;
		row(&t,
			bb_seen_init(&s, sizes[i]) && s.most == sizes[i] &&
				!bb_seen_has(&s, id),
			"new");
		for (unsigned step = 0; step < 3000; step++) {
			bool same;
			some_id(id, sizes[i]);
			if (below(2000) == 0) {
				bb_seen_clear(&s);
				model.count = 0;
			}
			same = bb_seen_has(&s, id) == model_has(&model, id);
			if (below(3))
				same &= bb_seen_add(&s, id) == model_add(&model, sizes[i], id);
			row(&t, same, "not as the list");
		}
		for (size_t k = 0; k < model.count; k++)
			row(&t, bb_seen_has(&s, model.id[k]), "lost");
		row(&t, s.count == model.count, "count");
		bb_seen_free(&s);
		row(&t, !bb_seen_has(&s, id), "freed");
	}
	end(&t);
}

/* Lines on their way, against a list that says the rules plainly. */

struct model_line {
	bool there, sent, suspect;
	unsigned alone;
	struct bb_owner who;
	char text[24];
};

enum { MODEL_LINES = 4000 };

struct way {
	struct bb_outstanding *o;
	struct model_line line[MODEL_LINES + 1]; /* by number */
	uint64_t last, ended;
	struct bb_buf out;
};

static size_t model_count(const struct way *w, bool sent_only, bool suspect_only)
{
	size_t n = 0;

	for (uint64_t i = 1; i <= w->last; i++)
		n += w->line[i].there && (!sent_only || w->line[i].sent) &&
		     (!suspect_only || w->line[i].suspect);
	return n;
}

/* The number of the one that may be sent now; 0: none. */
static uint64_t model_next(const struct way *w)
{
	const bool suspects = model_count(w, false, true);

	if (suspects && model_count(w, true, false))
		return 0;
	for (uint64_t i = 1; i <= w->last; i++)
		if (w->line[i].there && !w->line[i].sent && w->line[i].suspect == suspects)
			return i;
	return 0;
}

static bool same_owner(const struct bb_owner *a, const struct bb_owner *b)
{
	return a->tool == b->tool && a->who == b->who && a->line == b->line &&
	       memcmp(a->id, b->id, 32) == 0 && a->kind == b->kind;
}

static bool add_line(struct way *w)
{
	struct model_line *l = &w->line[++w->last];

	*l = (struct model_line){.there = true,
		.who = {.tool = below(2),
			.who = 1 + below(4),
			.line = next(),
			.kind = below(9)}};
	some_id(l->who.id, 100);
	snprintf(l->text, sizeof(l->text), "{\"n\":%u", below(100000));
	return bb_outstanding_add(w->o, &l->who, span(l->text)) == w->last;
}

/* Is what came out that line as it goes to the pipeline? */
static bool is_line(const struct way *w, uint64_t number)
{
	char whole[64];

	snprintf(whole, sizeof(whole), "%s,\"from\":\"%llu\"}\n", w->line[number].text,
		(unsigned long long)number);
	return holds(&w->out, whole);
}

static bool send_line(struct way *w)
{
	const uint64_t number = model_next(w);

	w->out.len = 0;
	if (!bb_outstanding_next(&w->out, w->o))
		return !number && !w->out.len;
	w->line[number].sent = true;
	return number && is_line(w, number);
}

static bool answer(struct way *w, uint64_t number)
{
	struct bb_owner who;
	struct model_line *l = &w->line[number <= MODEL_LINES ? number : 0];
	const bool asked = number <= w->last && l->there && l->sent;

	if (bb_outstanding_done(&who, w->o, number) != asked)
		return false;
	if (!asked)
		return true;
	l->there = false;
	w->ended++;
	return same_owner(&who, &l->who);
}

/* What was alone at two deaths comes out, once, and nothing else. */
static bool die(struct way *w)
{
	const bool alone = model_count(w, true, false) == 1;
	struct bb_owner who;

	bb_outstanding_died(w->o);
	for (uint64_t i = 1; i <= w->last; i++) {
		struct model_line *l = &w->line[i];
		if (!l->there || !l->sent)
			continue;
		l->sent = false;
		l->suspect = true;
		l->alone += alone;
		if (l->alone < 2)
			continue;
		l->there = false;
		w->ended++;
		w->out.len = 0;
		if (!bb_outstanding_dropped(&who, &w->out, w->o) || !is_line(w, i) ||
			!same_owner(&who, &l->who))
			return false;
	}
	return !bb_outstanding_dropped(&who, &w->out, w->o);
}

static bool same_size(const struct way *w)
{
	size_t bytes = 0;

	for (uint64_t i = 1; i <= w->last; i++)
		bytes += w->line[i].there ? strlen(w->line[i].text) : 0;
	return bb_outstanding_bytes(w->o) == bytes &&
	       bb_outstanding_count(w->o) == model_count(w, false, false);
}

static bool step(struct way *w)
{
	switch (below(40)) {
	case 0: return die(w);
	case 1: return answer(w, next());
	case 2: return same_size(w);
	default: break;
	}
	switch (below(3)) {
	case 0: return w->last == MODEL_LINES || add_line(w);
	case 1: return send_line(w);
	default: return answer(w, w->last ? 1 + next() % w->last : 1);
	}
}

/* Send and answer what is left, in any order. */
static bool drain(struct way *w)
{
	bool good = true;

	while (good && bb_outstanding_count(w->o)) {
		good &= send_line(w);
		for (uint64_t i = w->last; i; i--)
			if (w->line[i].sent && w->line[i].there && below(2))
				good &= answer(w, i);
	}
	return good && w->ended == w->last && same_size(w);
}

static void on_the_way(void)
{
	static struct way w;
	struct table t = {.name = "lines on their way, against a list"};

	for (unsigned round = 0; round < 40; round++) {
		state = 3 + round;
		w = (struct way){.o = bb_outstanding_new(), .out = w.out};
		for (unsigned i = 0; i < 250; i++)
			row(&t, step(&w), "not as the list");
		row(&t, drain(&w), "what is left does not come out");
		bb_outstanding_free(w.o);
	}
	bb_buf_free(&w.out);
	end(&t);
}

static uint64_t add_numbered(struct bb_outstanding *o, uint64_t line)
{
	const struct bb_owner who = {.tool = true, .who = 1, .line = line};

	return bb_outstanding_add(o, &who, BB_LIT("{\"type\":\"tx\",\"hex\":\"00\""));
}

/* 1, 2 and 3 are on their way at a death, 2 kills; 4 comes later. */
static void a_killer(void)
{
	struct table t = {.name = "a line that kills"};
	struct bb_outstanding *o = bb_outstanding_new();
	struct bb_buf b = {0};
	struct bb_owner who;

	for (uint64_t i = 1; i <= 3; i++)
		row(&t, add_numbered(o, i) == i && bb_outstanding_next(&b, o), "sent");
	bb_outstanding_died(o);
	row(&t, add_numbered(o, 4) == 4, "one more");
	row(&t, bb_outstanding_next(&b, o) && !bb_outstanding_next(&b, o), "1 goes alone");
	row(&t, !bb_outstanding_done(&who, o, 3), "3 is not sent again yet");
	row(&t, bb_outstanding_done(&who, o, 1) && who.line == 1, "1 is answered");
	for (unsigned deaths = 1; deaths <= 2; deaths++) {
		row(&t, bb_outstanding_next(&b, o) && !bb_outstanding_next(&b, o), "2 alone");
		row(&t, !bb_outstanding_dropped(&who, &b, o), "not dropped yet");
		bb_outstanding_died(o);
	}
	row(&t, bb_outstanding_count(o) == 2 && !bb_outstanding_done(&who, o, 2), "it is out");
	b.len = 0;
	row(&t,
		bb_outstanding_dropped(&who, &b, o) && who.line == 2 &&
			holds(&b, "{\"type\":\"tx\",\"hex\":\"00\",\"from\":\"2\"}\n"),
		"it is named");
	row(&t, !bb_outstanding_dropped(&who, &b, o), "once");
	b.len = 0;
	row(&t, bb_outstanding_next(&b, o) && !bb_outstanding_next(&b, o), "3 goes alone");
	row(&t, bb_outstanding_done(&who, o, 3) && who.line == 3, "3 is answered");
	row(&t, bb_outstanding_next(&b, o) && bb_outstanding_done(&who, o, 4), "then 4");
	row(&t, !bb_outstanding_count(o) && !bb_outstanding_bytes(o), "nothing is left");
	bb_outstanding_free(o);
	bb_buf_free(&b);
	end(&t);
}

/* Many at once: the oldest answered last. */
static void many(void)
{
	enum { LINES = 100000 };
	struct table t = {.name = "100,000 lines on their way"};
	struct bb_outstanding *o = bb_outstanding_new();
	struct bb_buf b = {0};
	struct bb_owner who;
	const double start = milliseconds();
	bool good = true;

	for (uint64_t i = 1; i <= LINES; i++) {
		b.len = 0;
		good &= add_numbered(o, i) == i && bb_outstanding_next(&b, o);
	}
	row(&t, good && bb_outstanding_count(o) == LINES, "they are sent");
	for (uint64_t i = LINES; i; i--)
		good &= bb_outstanding_done(&who, o, i) && who.line == i;
	row(&t, good && !bb_outstanding_count(o), "they are answered");
	row(&t, milliseconds() - start < 2000, "in time");
	bb_outstanding_free(o);
	bb_buf_free(&b);
	end(&t);
}

int main(void)
{
	seen();
	on_the_way();
	a_killer();
	many();
	return !all_good;
}
