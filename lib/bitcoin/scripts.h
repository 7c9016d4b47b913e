#ifndef BB_BITCOIN_SCRIPTS_H
#define BB_BITCOIN_SCRIPTS_H

/* Many inputs' scripts, on any number of threads. */

#include "bitcoin/block.h"
#include "bitcoin/interpreter.h"

/* Run fn(arg, i, vm) for every i below count, on any threads, and return when all are done. */
struct bb_parallel {
	void (*run)(void *pool, void (*fn)(void *arg, size_t i, struct bb_interpreter *vm),
		void *arg, size_t count);
	void *pool;
};

enum { BB_RESULT_NONE = 0xff }; /* the prevouts to judge that input are not there */

/* Each input's own result, in input order. */
struct bb_script_results {
	unsigned char *result; /* enum bb_script_error, or BB_RESULT_NONE; in the arena */
	size_t count;
	/* The first that failed: its number among all, its transaction and input; SIZE_MAX when
	 * none did. */
	size_t failed, failed_tx, failed_input;
};

/* All inputs of the transactions but a block's coinbase: pass tx + 1. Prevouts in input order.
 * `known`: of each transaction, are its scripts known to be valid? Such inputs are
 * BB_SCRIPT_OK without being run; NULL: none is known. `only`: judge this input alone, unless
 * SIZE_MAX. `parallel` NULL: this thread alone, with vm. False when memory is out. */
bool bb_run_scripts(struct bb_script_results *out, struct bb_arena *a,
	struct bb_interpreter *vm, const struct bb_parallel *parallel, const struct bb_tx *tx,
	size_t tx_count, const struct bb_prevout *prevouts, const bool *known, size_t only,
	uint32_t flags);

#endif
