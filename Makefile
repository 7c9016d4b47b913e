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

clean:
	rm -rf build bin

.SECONDARY:
.PHONY: all check demo bench asan fuzz lint install clean

-include $(wildcard $(BUILD)/lib/*/*.d $(BUILD)/cmd/*.d)
