#include "ledgerline.h"

#include "bitcoin/blockline.h"
#include "bitcoin/txline.h"
#include "tool.h"

static bool find_kind(enum ledgerline *kind, const struct bb_json *doc, bool orders)
{
	const struct bb_json *type = bb_json_find(doc, "type");

	if (bb_line_is_block(doc))
		*kind = LEDGERLINE_BLOCK;
	else if (bb_line_is_tx(doc) || bb_json_is(type, "package"))
		*kind = LEDGERLINE_TX;
	else if (bb_line_is_header(doc))
		*kind = LEDGERLINE_HEADER;
	else if (orders && bb_json_is(type, "invalidate"))
		*kind = LEDGERLINE_INVALIDATE;
	else if (orders && bb_json_is(type, "reconsider"))
		*kind = LEDGERLINE_RECONSIDER;
	else
		return false;
	return true;
}

const struct bb_json *ledgerline_read(enum ledgerline *kind, struct bb_span *from,
	const char **why, struct bb_arena *a, struct bb_span line, bool orders)
{
	const struct bb_json *doc = bb_json_parse(a, why, line), *sender;

	*from = BB_SPAN(NULL, 0);
	if (!doc && tool_is_hex(line))
		*why = "malformed JSON (hex goes through bb-decode first)";
	if (!doc)
		return NULL;
	if ((sender = bb_json_get(doc, "from")))
		*from = sender->raw;
	if (find_kind(kind, doc, orders))
		return doc;
	*why = "neither a transaction, a package, a block nor a header";
	return NULL;
}
