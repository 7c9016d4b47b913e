# bb: Bitcoin as Unix filters.  Targets: all check demo bench asan fuzz lint install clean

VERSION = 0.1.0
PREFIX ?= /usr/local
BUILD ?= build
BIN ?= bin
MAKEFLAGS += -j$(shell nproc)

CC ?= cc
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wno-missing-field-initializers
override CPPFLAGS += -Ilib -D_GNU_SOURCE -DOPENSSL_API_COMPAT=0x10101000L \
	-DOPENSSL_SUPPRESS_DEPRECATED -DBB_VERSION='"$(VERSION)"'
override CFLAGS += -std=c11 -pthread $(WARN) $(SANITIZE)
override LDFLAGS += -pthread $(SANITIZE)
LDLIBS = -lsecp256k1 -lcrypto -lyajl -lunistring -lseccomp -llmdb
# Sockets are the relay's alone.
$(BIN)/bb-relay $(BUILD)/asan/bin/bb-relay: LDLIBS += -levent_core -levent_extra

LAYERS = base crypto bitcoin wallet mine ledger net
LIB_SRC = $(foreach l,$(LAYERS),$(wildcard lib/$(l)/*.c))
CMD_SRC = $(wildcard cmd/bb-*.c)
CMD_SHARED = $(filter-out $(CMD_SRC),$(wildcard cmd/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/%.o)
SHARED_OBJ = $(CMD_SHARED:%.c=$(BUILD)/%.o)
SHELL_SRC = $(wildcard cmd/bb-node cmd/bb-wallet)
SHELL_TOOLS = $(SHELL_SRC:cmd/%=$(BIN)/%)
TOOLS = $(CMD_SRC:cmd/%.c=$(BIN)/%) $(SHELL_TOOLS)

all: $(TOOLS)

# What each goal needs of Debian.  apt-get is asked only for what dpkg does not know as
# installed, so a machine that has everything needs no network.  Plain `make` installs nothing;
# `make deps` installs what it needs.
DEPS_all = gcc libc6-dev make libsecp256k1-dev libssl-dev libyajl-dev libunistring-dev \
	libseccomp-dev liblmdb-dev libevent-dev
DEPS_demo = $(DEPS_all) jq socat
DEPS_check = $(DEPS_all) bats curl iproute2 jq parallel procps python3 socat xz-utils \
	$(if $(shell command -v npm),,npm) $(DEPS_containers)
# A container engine, where there is none.
DEPS_containers = mmdebstrap $(if $(shell command -v dockerd),,docker.io) \
	$(if $(shell command -v docker-compose || docker compose version 2>/dev/null),,docker-compose)
DEPS_asan = $(DEPS_check)
DEPS_bench = $(DEPS_all) jq lmdb-utils python3 socat xz-utils
DEPS_fuzz = $(DEPS_all) clang libclang-rt-dev python3
DEPS_lint = $(DEPS_all) shellcheck clang-format mandoc groff-base bsdextrautils python3
GOALS = $(filter demo check asan bench fuzz lint,$(MAKECMDGOALS))
DEPS = $(sort $(foreach g,$(or $(GOALS),all),$(DEPS_$(g))))
WAIT = $(if $(GOALS),deps)

deps:
	@command -v dpkg-query >/dev/null || exit 0; missing=; \
	for p in $(DEPS); do \
		dpkg-query -W -f '$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || \
			missing="$$missing $$p"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	[ "$$(id -u)" = 0 ] || { echo "missing:$$missing (as root, make $(MAKECMDGOALS) installs them)" >&2; exit 1; }; \
	echo "installing$$missing"; \
	apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing

# What sudo built belongs to who called it, or the next plain `make` could not go on.
GIVE_BACK = [ -z "$$SUDO_UID" ] || chown -R "$$SUDO_UID:$$SUDO_GID" $$(ls -d build bin)

$(BUILD)/%.o: %.c | $(WAIT)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libbb.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

# What mains share; as an archive, so that each takes no more of it than it needs.
$(BUILD)/shared.a: $(SHARED_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BIN)/%: $(BUILD)/cmd/%.o $(BUILD)/shared.a $(BUILD)/libbb.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(SHELL_TOOLS): $(BIN)/%: cmd/%
	@mkdir -p $(@D)
	install -m 755 $< $@

# What judges parts of the library that no tool shows alone.
DRIVERS = vectors clusters net outstanding addrbook hub floods fetch sandbox

$(DRIVERS:%=$(BUILD)/%): $(BUILD)/%: $(BUILD)/tests/bats/vectors/%.o $(BUILD)/shared.a $(BUILD)/libbb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

check: all $(DRIVERS:%=$(BUILD)/%)
	@status=0; BIN=$(BIN) BUILD=$(BUILD) tests/bats/check.sh || status=$$?; $(GIVE_BACK); exit $$status

# The whole suite on binaries under AddressSanitizer and UBSan, leaks included, in a build folder
# of their own.  What they report is kept and fails the run, even where no test would notice.
ASAN = -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
ASAN_LIB = $(LIB_SRC:%.c=$(BUILD)/asan/%.o)
ASAN_SHARED = $(CMD_SHARED:%.c=$(BUILD)/asan/%.o)
ASAN_TOOLS = $(CMD_SRC:cmd/%.c=$(BUILD)/asan/bin/%)
ASAN_SHELL_TOOLS = $(SHELL_SRC:cmd/%=$(BUILD)/asan/bin/%)
ASAN_REPORTS = $(abspath $(BUILD))/asan/reports

$(BUILD)/asan/%.o: %.c | $(WAIT)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(ASAN) -MMD -MP -c -o $@ $<

$(BUILD)/asan/shared.a: $(ASAN_SHARED)
	@rm -f $@
	$(AR) rcs $@ $^

$(ASAN_TOOLS): $(BUILD)/asan/bin/%: $(BUILD)/asan/cmd/%.o $(BUILD)/asan/shared.a $(ASAN_LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(ASAN) -o $@ $^ $(LDLIBS)

$(ASAN_SHELL_TOOLS): $(BUILD)/asan/bin/%: cmd/%
	@mkdir -p $(@D)
	install -m 755 $< $@

$(DRIVERS:%=$(BUILD)/asan/%): $(BUILD)/asan/%: $(BUILD)/asan/tests/bats/vectors/%.o \
		$(BUILD)/asan/shared.a $(ASAN_LIB)
	$(CC) $(LDFLAGS) $(ASAN) -o $@ $^ $(LDLIBS)

asan: $(ASAN_TOOLS) $(ASAN_SHELL_TOOLS) $(DRIVERS:%=$(BUILD)/asan/%)
	@rm -rf $(ASAN_REPORTS)
	@mkdir -p $(BUILD)/asan/npm && mkdir -m 1777 $(ASAN_REPORTS)
	@for p in bitcore-lib bitcore-mnemonic; do \
		[ ! -d $(BUILD)/npm/$$p ] || cp -an $(BUILD)/npm/$$p $(BUILD)/asan/npm/; done
	@status=0; \
	ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:log_path=$(ASAN_REPORTS)/asan \
	UBSAN_OPTIONS=print_stacktrace=1:log_path=$(ASAN_REPORTS)/ubsan \
	BIN=$(BUILD)/asan/bin BUILD=$(BUILD)/asan tests/bats/check.sh || status=1; \
	[ -z "$$(ls $(ASAN_REPORTS))" ] || { cat $(ASAN_REPORTS)/*; status=1; }; \
	exit $$status

# The tools' speed as ratios of what libsecp256k1 does bare, and of a bitcoind's, from one run;
# BENCH=tools, ledger or mine: that part.
BENCH_OBJ = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bats/bench/*.c))

$(BUILD)/bench/bench: $(BENCH_OBJ) $(BUILD)/libbb.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -Wl,--wrap=bb_ecdsa_verify,--wrap=bb_schnorr_verify \
		-Wl,--wrap=bb_taproot_commits,--wrap=secp256k1_ecdsa_sign \
		-Wl,--wrap=secp256k1_schnorrsig_sign32 -o $@ $^ $(LDLIBS)

bench: all $(BUILD)/bench/bench
	@BIN=$(BIN) BUILD=$(BUILD) tests/bats/bench/bench.sh $(BENCH)

# Fuzzing: every target over the seeds, FUZZ_SECONDS each, under AddressSanitizer and UBSan.
FUZZ_CC ?= clang
FUZZ_SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_SRC = $(wildcard tests/bats/fuzz/fuzz_*.c)
FUZZ_TARGETS = $(FUZZ_SRC:tests/bats/fuzz/fuzz_%.c=$(BUILD)/fuzz/%)
FUZZ_LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/fuzz/%.o)
# Mutations do not find good signatures: fuzz_script.c can make them easy.
$(BUILD)/fuzz/script: FUZZ_WRAP = -Wl,--wrap=bb_ecdsa_verify,--wrap=bb_schnorr_verify
# Files give as little in one read as fuzz_blkfile.c likes; what is checked of a store stays
# within the transaction at hand, and is never written.
$(BUILD)/fuzz/blkfile: FUZZ_WRAP = -Wl,--wrap=read
$(BUILD)/fuzz/blkfile: $(BUILD)/fuzz/cmd/blkfile.o
$(BUILD)/fuzz/blocks $(BUILD)/fuzz/pool $(BUILD)/fuzz/store: \
	FUZZ_WRAP = -Wl,--wrap=bb_store_begin,--wrap=bb_store_end

$(BUILD)/fuzz/%.o: %.c | $(WAIT)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CPPFLAGS) -O1 -g -std=c11 -pthread $(WARN) -fsanitize=fuzzer-no-link \
		$(FUZZ_SANITIZE) -MMD -MP -c -o $@ $<

$(FUZZ_TARGETS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/tests/bats/fuzz/fuzz_%.o $(FUZZ_LIB_OBJ)
	$(FUZZ_CC) -pthread -fsanitize=fuzzer $(FUZZ_SANITIZE) $(FUZZ_WRAP) -o $@ $^ $(LDLIBS)

fuzz: $(FUZZ_TARGETS)
	@BUILD=$(BUILD) tests/bats/fuzz/fuzz.sh $(notdir $(FUZZ_TARGETS))

MAN1 = $(wildcard cmd/*.1)
MAN5 = $(wildcard cmd/*.5)
MAN7 = $(wildcard cmd/*.7)
UNITS = $(DESTDIR)$(PREFIX)/lib/systemd/system
COMPLETIONS = $(DESTDIR)$(PREFIX)/share/bash-completion/completions

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(COMPLETIONS) $(UNITS) \
		$(addprefix $(DESTDIR)$(PREFIX)/share/man/man,1 5 7)
	install -m 755 $(TOOLS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 $(MAN7) $(DESTDIR)$(PREFIX)/share/man/man7
	sed 's|/usr/local|$(PREFIX)|' cmd/bb-node.service >$(UNITS)/bb-node.service
	for t in $(notdir $(TOOLS)); do install -m 644 cmd/bb.bash-completion $(COMPLETIONS)/$$t; done

demo: all
	@status=0; PATH="$(CURDIR)/$(BIN):$$PATH" pipelines/demo || status=$$?; $(GIVE_BACK); exit $$status

lint: all
	@BIN=$(BIN) tests/lint.sh

clean:
	rm -rf build bin

.SECONDARY:
.PHONY: all deps check demo bench asan fuzz lint install clean

-include $(foreach b,$(BUILD) $(BUILD)/asan $(BUILD)/fuzz,\
	$(wildcard $(b)/lib/*/*.d $(b)/cmd/*.d $(b)/tests/bats/*/*.d))
