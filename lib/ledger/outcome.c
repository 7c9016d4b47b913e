#include "ledger/outcome.h"

const char *bb_outcome_name(enum bb_outcome r)
{
	switch (r) {
	case BB_OUTCOME_CONNECTED: return "connected";
	case BB_OUTCOME_SIDE: return "side";
	case BB_OUTCOME_DUPLICATE: return "duplicate";
	case BB_OUTCOME_ORPHAN: return "orphan";
	case BB_OUTCOME_ACCEPTED: return "accepted";
	case BB_OUTCOME_REFUSED: return "refused";
	}
	return "";
}
