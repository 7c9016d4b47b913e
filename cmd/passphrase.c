#include "passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "wallet/keyfile.h"

struct bb_span passphrase_span(const struct passphrase *p)
{
	return BB_SPAN(p->text, p->len);
}

/* A line, byte by byte; false when it is too long, or at the end before any byte. */
static bool read_line(struct passphrase *p, int fd)
{
	unsigned char c;
	ssize_t n;

	p->len = 0;
	for (;;) {
		n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || c == '\n')
			break;
		if (p->len == PASSPHRASE_MAX)
			return false;
		p->text[p->len++] = c;
	}
	if (p->len && p->text[p->len - 1] == '\r')
		p->len--;
	p->given = n > 0 || (n == 0 && p->len);
	return p->given;
}

void passphrase_from_fd(
	const struct tool *t, struct passphrase *p, const char *option, const char *number)
{
	int fd = (int)tool_number(t, option, number, 0, 1 << 20);

	if (!read_line(p, fd))
		tool_die(t, BB_CALLER, "%s: no passphrase of at most %d bytes there", option,
			PASSPHRASE_MAX);
}

void passphrase_from_file(const struct tool *t, struct passphrase *p, const char *path)
{
	const char *name = tool_safe_name(path, 1);
	struct bb_keyfile f;
	const char *why;

	if (!bb_keyfile_open(&f, &why, path))
		tool_die(t, BB_CALLER, "%s: %s", name, why);
	if (f.exposed)
		tool_die(t, BB_CALLER, "%s: %s", name, f.exposed);
	if (!read_line(p, f.fd))
		tool_die(t, BB_CALLER, "%s: no passphrase of at most %d bytes there", name,
			PASSPHRASE_MAX);
	bb_keyfile_close(&f);
}

int passphrase_terminal(void)
{
	return open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	(void)n; /* a terminal that cannot be written to shows no prompt */
}

static bool ask_once(struct passphrase *p, const char **why, int fd, const char *prompt)
{
	struct termios before, quiet;
	bool ok;

	*why = "terminal does not hide its echo";
	if (tcgetattr(fd, &before) != 0)
		return false;
	quiet = before;
	/* ISIG too: a signal would leave the terminal without echo. */
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	if (tcsetattr(fd, TCSAFLUSH, &quiet) != 0)
		return false;
	say(fd, prompt);
	ok = read_line(p, fd);
	tcsetattr(fd, TCSAFLUSH, &before);
	say(fd, "\n");
	*why = "no passphrase was given";
	return ok && p->len && !memchr(p->text, 'C' & 0x1f, p->len);
}

bool passphrase_ask(
	struct passphrase *p, const char **why, int terminal, const char *prompt, bool twice)
{
	struct passphrase again = {0};
	bool ok;

	*why = "a passphrase is needed, and there is no terminal to ask for it "
	       "(--passphrase-fd, --passphrase-file)";
	if (terminal < 0)
		return false;
	ok = ask_once(p, why, terminal, prompt);
	if (ok && twice) {
		ok = ask_once(&again, why, terminal, "The same again: ");
		if (ok && !bb_span_equal(passphrase_span(p), passphrase_span(&again))) {
			*why = "the passphrases differ";
			ok = false;
		}
	}
	bb_wipe(&again, sizeof(again));
	return ok;
}

bool passphrase_answer(const char **why, struct bb_key_reader *reader)
{
	const struct passphrase_prompt *p = reader->arg;

	if (!passphrase_ask(p->passphrase, why, p->terminal, "Passphrase: ", false))
		return false;
	reader->seal.passphrase = passphrase_span(p->passphrase);
	return true;
}
