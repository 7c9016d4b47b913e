/* A line goes to a signer that has keys for some of what seeds/ asks for: what other signers
 * told it is hostile. What it calls complete is valid, and a second time there is nothing to
 * do. */

#include <string.h>
#include <unistd.h>

#include "bitcoin/interpreter.h"
#include "fuzz.h"
#include "wallet/sign.h"

/* The secrets 1 and 2, and BIP 39's first example. */
static const char keys[] = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA\n"
			   "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87K7XCyj5v\n"
			   "abandon abandon abandon abandon abandon abandon abandon abandon "
			   "abandon abandon abandon "
			   "about\n";

static struct bb_signer *new_signer(void)
{
	static struct bb_keyring ring;
	char path[] = "/tmp/bb-fuzz-keys-XXXXXX";
	const struct bb_network *n = bb_network_find("regtest");
	struct bb_curve *curve = bb_curve_new();
	struct bb_signer *signer;
	const char *why = "";
	int fd = mkstemp(path);
	bool ok;

	DEMAND(curve && fd >= 0 && write(fd, keys, sizeof(keys) - 1) == sizeof(keys) - 1);
	ok = bb_keyring_load(&ring, &why, path, BB_SPAN(NULL, 0), curve, n);
	unlink(path);
	close(fd);
	DEMAND(ok);
	signer = bb_signer_new(&ring, curve, n);
	DEMAND(signer);
	bb_signer_scan(signer, 1);
	bb_signer_verify(signer);
	return signer;
}

static bool read_line(struct bb_txline *l, struct bb_arena *a, struct bb_span line)
{
	const char *why;
	const struct bb_json *doc = bb_json_parse(a, &why, line);

	return doc && bb_line_is_tx(doc) && bb_txline_read(l, &why, a, doc);
}

static bool valid(const struct bb_txline *l)
{
	struct bb_interpreter vm = {0};
	struct bb_sighash_cache cache;
	bool ok = true;

	bb_sighash_cache_init(&cache, &l->tx, l->prevouts);
	for (size_t i = 0; i < l->tx.in_count; i++)
		ok = ok && bb_verify_input(&vm, &cache, i, BB_VERIFY_CONSENSUS) == BB_SCRIPT_OK;
	bb_interpreter_free(&vm);
	return ok;
}

/* Nothing but scriptSigs and witnesses may change. */
static bool same_payment(const struct bb_tx *x, const struct bb_tx *y)
{
	bool same = x->version == y->version && x->locktime == y->locktime &&
		    x->in_count == y->in_count && x->out_count == y->out_count;

	for (size_t i = 0; same && i < x->in_count; i++)
		same = bb_outpoint_equal(&x->in[i].prevout, &y->in[i].prevout) &&
		       x->in[i].sequence == y->in[i].sequence;
	for (size_t i = 0; same && i < x->out_count; i++)
		same = x->out[i].value_sat == y->out[i].value_sat &&
		       bb_span_equal(x->out[i].script, y->out[i].script);
	return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bb_signer *signer;
	struct bb_arena arena = {0};
	struct bb_buf out = {0}, again = {0};
	struct bb_sign_report report, second;
	struct bb_txline before, l;
	const char *why = NULL;

	if (!signer)
		signer = new_signer();
	if (!read_line(&before, &arena, BB_SPAN(data, size)) || before.tx.in_count > 16)
		goto out;
	read_line(&l, &arena, BB_SPAN(data, size));
	if (!bb_sign_line(&out, &report, &why, signer, &l, &arena, -1)) {
		DEMAND(why && !out.len);
		goto out;
	}
	DEMAND(report.changed == (out.len > 0));
	DEMAND(report.complete <= before.tx.in_count);
	DEMAND(report.complete == before.tx.in_count || report.why);
	if (!report.changed)
		goto out;
	DEMAND(read_line(&l, &arena, BB_SPAN(out.data, out.len - 1)));
	DEMAND(same_payment(&before.tx, &l.tx));
	if (report.complete == l.tx.in_count && l.all_known)
		DEMAND(valid(&l));
	DEMAND(bb_sign_line(&again, &second, &why, signer, &l, &arena, -1));
	DEMAND(!second.changed && second.complete == report.complete);
out:
	bb_buf_free(&out);
	bb_buf_free(&again);
	bb_arena_free(&arena);
	return 0;
}
