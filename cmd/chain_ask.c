/* bb-chain: questions, from arguments or from lines. */

#include <string.h>

#include "base/hex.h"
#include "bitcoin/address.h"
#include "chain_read.h"

static bool is_over(const struct chain *c)
{
	return c->out.error || (c->in.fail_fast && c->in.status);
}

static int answer_arguments(
	struct chain *c, bool (*answer)(struct chain *c, const struct asked *q))
{
	struct asked q = {0};

	while (q.number < c->arg_count && !is_over(c)) {
		q.name = c->args[q.number++];
		if (!answer(c, &q))
			break;
		bb_arena_reset(&c->arena);
		bb_sink_turn(&c->out);
	}
	return chain_end(c);
}

static int answer_lines(struct chain *c, bool (*answer)(struct chain *c, const struct asked *q))
{
	struct bb_span line;
	const char *why;

	bb_lines_tie(&c->in, &c->out);
	while (!c->out.error && bb_lines_read(&c->in, &line)) {
		struct asked q = {.line = c->in.number};
		if (!(q.doc = bb_json_parse(&c->arena, &why, line)))
			bb_lines_bad(&c->in, why);
		else if (!answer(c, &q))
			break;
		bb_arena_reset(&c->arena);
		bb_sink_turn(&c->out);
	}
	return bb_lines_close(&c->in, &c->out);
}

int chain_answer(struct chain *c, bool (*answer)(struct chain *c, const struct asked *q))
{
	const bool stdin_named = c->arg_count == 1 && strcmp(c->args[0], "-") == 0;

	chain_open(c, BB_STORE_READ);
	if (c->arg_count && !stdin_named)
		return answer_arguments(c, answer);
	return answer_lines(c, answer);
}

static void tell(struct chain *c, const struct asked *q, enum bb_status status, const char *why,
	bool doubtful)
{
	if (q->line)
		chain_error(c, q->line, status, "%s", why);
	else if (doubtful)
		chain_error(c, 0, status, "argument %zu: %s", q->number, why);
	else
		chain_error(c, 0, status, "%s: %s", q->name, why);
}

/* What is not what was asked for may be a secret that was typed in its place. */
bool chain_refuse(
	struct chain *c, const struct asked *q, enum bb_status status, const char *why)
{
	tell(c, q, status, why, !q->line && tool_is_doubtful(q->name, c->arg_count));
	return true;
}

bool chain_missing(struct chain *c, const struct asked *q, const char *why)
{
	if (chain_failed(c))
		return false;
	tell(c, q, BB_NO, why, false);
	return true;
}

bool chain_asked_txid(unsigned char txid[32], const char **why, const struct asked *q)
{
	const struct bb_json *v = q->doc ? bb_json_find(q->doc, "txid") : NULL;

	*why = q->doc && !v ? "txid is missing" : "not a txid";
	if (!q->doc)
		return chain_hash(txid, BB_SPAN(q->name, strlen(q->name)));
	return v && v->type == BB_JSON_STRING && chain_hash(txid, v->text);
}

static bool address_script(
	struct bb_span *script, const char **why, struct chain *c, struct bb_span address)
{
	struct bb_buf bytes = {0};
	bool good = bb_address_script(&bytes, why, address, &c->network);

	if (good) {
		*script = bb_arena_copy(&c->arena, BB_SPAN(bytes.data, bytes.len));
		good = script->data && !bytes.failed;
		*why = "out of memory";
	}
	bb_buf_free(&bytes);
	return good;
}

bool chain_asked_script(
	struct bb_span *script, const char **why, struct chain *c, const struct asked *q)
{
	const struct bb_json *hex, *address;

	if (!q->doc)
		return address_script(script, why, c, BB_SPAN(q->name, strlen(q->name)));
	hex = bb_json_find(q->doc, "scriptpubkey");
	address = bb_json_find(q->doc, "scriptpubkey_address");
	if (!address)
		address = bb_json_find(q->doc, "address");
	*why = hex ? "scriptpubkey is not hex" : "not an address";
	if (hex)
		return hex->type == BB_JSON_STRING && bb_hex_span(script, hex->text, &c->arena);
	if (address)
		return address->type == BB_JSON_STRING &&
		       address_script(script, why, c, address->text);
	*why = "neither address nor scriptpubkey";
	return false;
}
