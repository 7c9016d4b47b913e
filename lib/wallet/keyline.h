#ifndef BB_WALLET_KEYLINE_H
#define BB_WALLET_KEYLINE_H

/* Key lines for the keys of a key file: addresses, paths, extended keys, descriptors. */

#include "wallet/descriptor.h"
#include "wallet/keyfile.h"

/* How the lines are wanted, and the line in work. Zero-initialise but for the first part. */
struct bb_keyline {
	const struct bb_network *network;
	const struct bb_curve *curve;
	bool type_given;
	enum bb_address_type type;
	bool account_given;
	uint32_t account;	/* for a master's default path */
	bool xpub;		/* an xpub in every line of an extended key */
	bool descriptor;	/* a descriptor in every line */
	bool secret_descriptor; /* with the secret key in it */

	/* The line without its closing brace, and the secret it belongs to. */
	struct bb_buf line;
	const char *secret_name; /* the member's name; NULL: there is none */
	struct bb_buf secret;

	struct bb_buf script, text; /* private */
};

void bb_keyline_free(struct bb_keyline *l);

/* The type wanted, else the one that the path, the key line's address or the form of the key
 * tells, else p2wpkh. `path` may be NULL. False with *why when the key does not take the type
 * or the line's address is not its own. */
bool bb_key_type(enum bb_address_type *out, const char **why, const struct bb_keyline *l,
	const struct bb_key *k, const struct bb_path *path);

/* Begin the line of a single key. */
bool bb_keyline_single(struct bb_keyline *l, const char **why, const struct bb_key *k,
	enum bb_address_type type);

/* The line for an extended key as a wallet: its first address (or the one its own key line
 * names, unless another type or account is wanted), the account's xpub, and the ranged
 * descriptor. With `change`, of the change chain. */
enum bb_chain { BB_CHAIN_OWN, BB_CHAIN_RECEIVE, BB_CHAIN_CHANGE };
bool bb_keyline_wallet(struct bb_keyline *l, const char **why, const struct bb_key *k,
	enum bb_address_type type, enum bb_chain chain);

/* The line that stands for the whole key, single or extended, of the type it tells. */
bool bb_keyline_own(struct bb_keyline *l, const char **why, const struct bb_key *k);
/* Take over from another line of the key what is neither secret nor made anew. */
void bb_keyline_others(struct bb_keyline *l, const struct bb_json *line);
/* The line of an encrypted key without its secret, as it stands. */
void bb_keyline_sealed(struct bb_keyline *l, const struct bb_json *line);

/* The lines of a path's range, one after the other. The owner wipes it. */
struct bb_key_range {
	const struct bb_key *key;
	enum bb_address_type type;
	struct bb_xkey parent; /* the key itself when no step is left */
	struct bb_path path;   /* of the next line */
	bool at_key, done;
};

/* A path that does not begin with m goes on from the key. False with *why. */
bool bb_key_range_begin(struct bb_key_range *r, const char **why, const struct bb_keyline *l,
	const struct bb_key *k, struct bb_span path);
/* Begin the next line; false at the end with *why NULL, or with *why. */
bool bb_key_range_next(struct bb_keyline *l, const char **why, struct bb_key_range *r);

#endif
