#ifndef BB_FUZZ_H
#define BB_FUZZ_H

/* What the fuzz targets share. Each one turns hostile bytes into calls of libbb and demands
 * what must hold whatever they are; a demand that fails aborts, and libFuzzer keeps the input.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEMAND(cond)                                                                           \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #cond);  \
			abort();                                                               \
		}                                                                              \
	} while (0)

static inline struct bb_span buf_span(const struct bb_buf *b)
{
	return BB_SPAN(b->data, b->len);
}

#endif
