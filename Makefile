# bb: Bitcoin as Unix filters.  Targets: all check demo bench asan fuzz lint install clean

VERSION = 0.1.0
PREFIX ?= /usr/local
BUILD ?= build
BIN ?= bin

CC ?= cc
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wno-missing-field-initializers
override CPPFLAGS += -Ilib -D_GNU_SOURCE -DOPENSSL_API_COMPAT=0x10101000L \
	-DOPENSSL_SUPPRESS_DEPRECATED -DBB_VERSION='"$(VERSION)"'
override CFLAGS += -std=c11 -pthread $(WARN) $(SANITIZE)
override LDFLAGS += -pthread $(SANITIZE)
LDLIBS = -lsecp256k1 -lcrypto -lyajl -lunistring -lseccomp

LAYERS = base crypto bitcoin wallet mine ledger net
LIB_SRC = $(foreach l,$(LAYERS),$(wildcard lib/$(l)/*.c))
CMD_SRC = $(wildcard cmd/bb-*.c)
CMD_SHARED = $(filter-out $(CMD_SRC),$(wildcard cmd/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(BUILD)/%.o)
SHARED_OBJ = $(CMD_SHARED:%.c=$(BUILD)/%.o)
TOOLS = $(CMD_SRC:cmd/%.c=$(BIN)/%)

all: $(TOOLS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libbb.a: $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BIN)/%: $(BUILD)/cmd/%.o $(SHARED_OBJ) $(BUILD)/libbb.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The driver of the vector tables that no tool reads.
$(BUILD)/vectors: $(BUILD)/tests/bats/vectors/vectors.o $(BUILD)/libbb.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

check: all $(BUILD)/vectors
	@BIN=$(BIN) BUILD=$(BUILD) tests/bats/check.sh

MAN1 = $(wildcard cmd/*.1)
MAN5 = $(wildcard cmd/*.5)
MAN7 = $(wildcard cmd/*.7)
COMPLETIONS = $(DESTDIR)$(PREFIX)/share/bash-completion/completions

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(COMPLETIONS) \
		$(addprefix $(DESTDIR)$(PREFIX)/share/man/man,1 5 7)
	install -m 755 $(TOOLS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(MAN1) $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(MAN5) $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 644 $(MAN7) $(DESTDIR)$(PREFIX)/share/man/man7
	for t in $(notdir $(TOOLS)); do install -m 644 cmd/bb.bash-completion $(COMPLETIONS)/$$t; done

demo: all
	@PATH="$(CURDIR)/$(BIN):$$PATH" pipelines/demo

lint: all
	@BIN=$(BIN) tests/lint.sh

clean:
	rm -rf build bin

# What each goal needs of Debian.  apt-get is asked only for what dpkg does not know as
# installed, so a machine that has everything needs no network.  Plain `make` installs nothing.
DEPS_all = gcc libc6-dev make libsecp256k1-dev libssl-dev libyajl-dev libunistring-dev \
	libseccomp-dev
DEPS_demo = $(DEPS_all) jq
DEPS_check = $(DEPS_all) bats jq parallel python3 xz-utils \
	$(if $(shell command -v npm),,npm)
DEPS_asan = $(DEPS_check)
DEPS_bench = $(DEPS_all) jq python3 xz-utils
DEPS_fuzz = $(DEPS_all) clang libclang-rt-dev
DEPS_lint = $(DEPS_all) shellcheck clang-format mandoc
DEPS = $(sort $(foreach g,$(filter all demo check asan bench fuzz lint,$(MAKECMDGOALS)),$(DEPS_$(g))))

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

# Those goals' prerequisites wait for the packages; nothing is built again because of it.
ifneq ($(filter demo check asan bench fuzz lint,$(MAKECMDGOALS)),)
$(LIB_OBJ) $(SHARED_OBJ) $(CMD_SRC:%.c=$(BUILD)/%.o) $(BUILD)/tests/bats/vectors/vectors.o: | deps
endif
.PHONY: deps

.SECONDARY:
.PHONY: all check demo bench asan fuzz lint install clean

-include $(wildcard $(BUILD)/lib/*/*.d $(BUILD)/cmd/*.d $(BUILD)/tests/bats/*/*.d)
