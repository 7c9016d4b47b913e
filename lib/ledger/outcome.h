#ifndef BB_LEDGER_OUTCOME_H
#define BB_LEDGER_OUTCOME_H

/* What became of what came: `result` of a verdict. */
enum bb_outcome {
	BB_OUTCOME_CONNECTED, /* it is part of the active chain now */
	BB_OUTCOME_SIDE,      /* kept; another chain has the more work, or came first */
	BB_OUTCOME_DUPLICATE, /* was there before */
	BB_OUTCOME_ORPHAN,    /* kept until its parent comes */
	BB_OUTCOME_ACCEPTED,  /* a header, a transaction, or what had to be done is done */
	BB_OUTCOME_REFUSED,
};
const char *bb_outcome_name(enum bb_outcome r);

#endif
