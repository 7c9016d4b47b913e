#include "keys.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sandbox.h"

void keys_room(const struct tool *t, struct keys *k, int argc)
{
	*k = (struct keys){.prompt = {&k->passphrase, -1}};
	if (!(k->names = calloc((size_t)argc, sizeof(*k->names))))
		tool_die(t, BB_SYSTEM, "out of memory");
}

void keys_check_stdin(
	const struct tool *t, const struct keys *k, char *const *files, const char *input)
{
	bool other = !*files, keys = false;

	while (*files)
		other |= strcmp(*files++, "-") == 0;
	for (size_t i = 0; i < k->count; i++)
		keys |= strcmp(k->names[i], "-") == 0;
	if (other && keys)
		tool_usage(t, "-k -: the %s must then come from files", input);
}

void keys_open(const struct tool *t, struct keys *k)
{
	const char *why;

	if (!(k->file = calloc(k->count, sizeof(*k->file))))
		tool_die(t, BB_SYSTEM, "out of memory");
	for (size_t i = 0; i < k->count; i++)
		if (!bb_keyfile_open(&k->file[i], &why, k->names[i]))
			tool_die(t, BB_CALLER, "%s: %s", tool_safe_name(k->names[i], 1), why);
	if (!k->passphrase.given)
		k->prompt.terminal = passphrase_terminal();
}

unsigned keys_rights(const struct keys *k)
{
	return k->prompt.terminal >= 0 ? BB_SANDBOX_TERMINAL : 0;
}

void keys_load(const struct tool *t, struct keys *k, struct bb_curve *curve,
	const struct bb_network *n)
{
	struct bb_key_reader reader = {
		.curve = curve,
		.network = n,
		.seal.passphrase = passphrase_span(&k->passphrase),
		.mnemonic_passphrase = passphrase_span(&k->mnemonic_passphrase),
		.ask = k->prompt.terminal >= 0 ? passphrase_answer : NULL,
		.arg = &k->prompt,
	};
	const char *why;

	for (size_t i = 0; i < k->count; i++) {
		const char *file = k->names[i];
		const bool ok = bb_keyring_add(&k->ring, &why, &k->file[i], &reader);
		if (!ok && k->ring.bad_line)
			tool_die(t, BB_CALLER, "%s: line %llu: %s", file,
				(unsigned long long)k->ring.bad_line, why);
		if (!ok)
			tool_die(t, BB_CALLER, "%s: %s", file, why);
		bb_keyfile_close(&k->file[i]);
	}
	if (k->prompt.terminal >= 0)
		close(k->prompt.terminal);
	bb_key_reader_free(&reader);
	bb_wipe(&k->passphrase, sizeof(k->passphrase));
	bb_wipe(&k->mnemonic_passphrase, sizeof(k->mnemonic_passphrase));
}

void keys_free(struct keys *k)
{
	bb_keyring_free(&k->ring);
	free(k->file);
	free(k->names);
}
