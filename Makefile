# river: one non-recursive makefile. Everything built goes below $(BUILD).
#
#   make            the binary                make check      unit and command-line tests
#   make deps       what the build needs      make demo       the main job, on generated data
#   make install    DESTDIR= PREFIX=          make bench      the figures of README.md
#
# Local taste (CC, CFLAGS, DEVELOPER=1 ...) belongs into config.mak.

-include config.mak

BUILD ?= build
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib/river
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
PKG_CONFIG ?= pkg-config
CC ?= cc
AR ?= ar
INSTALL ?= install
PROVE ?= prove

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

VERSION := $(shell cat VERSION 2>/dev/null || git describe --tags --always --dirty 2>/dev/null || echo unknown)

# ---- flags -----------------------------------------------------------------
OPT ?= -O2 -g
WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wvla -Wcast-qual -Wundef -Wwrite-strings \
	-Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wno-missing-field-initializers
ifeq ($(DEVELOPER),1)
WARN += -Werror
endif
# no-pie: the loader has less to do, which a sanitizer in CI wants
PIE ?= pie
HARDEN := -fstack-protector-strong $(if $(filter pie,$(PIE)),-fPIE,-fno-pie) -fno-common
ifeq ($(SANITIZE),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
SAN := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
# `make coverage` sets this: counters that live in files, so that a process that is killed, or a child
# that may not open anything any more, has counted all the same. clang alone has those.
ifneq ($(COVERAGE),)
SAN += -fprofile-instr-generate='$(abspath $(BUILD))/profile/%m%c.profraw' -fcoverage-mapping
endif
LIBS_PKG := jansson yaml-0.1 libzstd libxxhash
# Asked once, and not for goals that compile nothing themselves: check and demo first run deps and
# then make again, which sees what deps has installed.
ifneq ($(filter-out deps deps-peers clean check coverage coverage-unit coverage-table coverage-missing demo,$(or $(MAKECMDGOALS),all)),)
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS_PKG) 2>/dev/null)
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBS_PKG) 2>/dev/null)
ifeq ($(PKG_LIBS),)
$(error $(PKG_CONFIG) does not find all of: $(LIBS_PKG). 'make deps' lists what is missing and installs it)
endif
endif
ALL_CPPFLAGS := -D_GNU_SOURCE -Ilib -Icmd -DRIVER_PREFIX='"$(PREFIX)"' $(PKG_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS := -std=c17 -pthread $(OPT) $(WARN) $(HARDEN) $(SAN) -ffile-prefix-map=$(CURDIR)=. $(CFLAGS)
ALL_LDFLAGS := -pthread -$(PIE) -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(SAN) $(LDFLAGS)
ifneq ($(COVERAGE),)
ALL_CFLAGS += -mllvm -runtime-counter-relocation -fprofile-update=atomic
endif
# libcurl and libcrypto are opened when a network is needed, not linked: they cost 5 ms of every start.
ALL_LIBS := $(PKG_LIBS) -lisal -ldeflate -lexpat -ldl $(LIBS)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2);)

# ---- sources ---------------------------------------------------------------
LIB_SRC := $(sort $(wildcard lib/*/*.c))
CMD_SRC := $(sort $(wildcard cmd/*.c))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_COMMON := $(sort $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_HEADERS := $(wildcard tests/fuzz/*.h)
TOOL_SRC := $(sort $(wildcard tests/lib/*.c tests/fault/*.c tests/bench/*.c))
HEADERS := $(sort $(wildcard lib/*/*.h cmd/*.h))

LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
CMD_OBJ := $(CMD_SRC:%.c=$(BUILD)/%.o)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/unit/%)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/tests/fuzz/%)
PRELOAD_SRC := $(sort $(wildcard tests/lib/preload/*.c))
TOOL_BIN := $(TOOL_SRC:%.c=$(BUILD)/%) $(PRELOAD_SRC:%.c=$(BUILD)/%.so)
PERF_SRC := $(sort $(wildcard tests/perf/*.c))
PERF_BIN := $(PERF_SRC:%.c=$(BUILD)/%)
FAULT_TESTS := $(sort $(wildcard tests/fault/t[0-9]*.sh))
PEER_TESTS := $(sort $(wildcard tests/emul/t[0-9]*.sh tests/peers/t[0-9]*.sh))
CLI_TESTS := $(sort $(wildcard tests/cli/t[0-9]*.sh))
# These try what the tests are made with: river is not run, and no sanitizer is in what is.
OWN_TESTS := t0000 t0104 t0105 t9000 t9001 t9002 t9004 t9005 t9010 t9011 t9012
ifneq ($(SANITIZE),)
CLI_TESTS := $(filter-out $(foreach t,$(OWN_TESTS),tests/cli/$(t)-%),$(CLI_TESTS))
endif

.PHONY: all
all: $(BUILD)/river

# ---- compiling -------------------------------------------------------------
# Objects depend on this file, which is rewritten only when the flags change. Taken here, since what some objects
# add to the flags would be in it or not, by which object asked for it first.
FLAGS_OF_ALL := $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALL_LIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_OF_ALL)' >$@.new; \
	 cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@
$(BUILD)/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define RIVER_VERSION "%s"\n' '$(VERSION)' >$@.new; \
	 cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@
.PHONY: FORCE
FORCE:

$(BUILD)/cmd/%.o $(BUILD)/lib/cli/%.o $(BUILD)/lib/aws/client.o $(BUILD)/lib/snowflake/client.o: ALL_CPPFLAGS += -include $(BUILD)/version.h
$(CMD_OBJ) $(filter $(BUILD)/lib/cli/% $(BUILD)/lib/aws/client.o $(BUILD)/lib/snowflake/client.o,$(LIB_OBJ)): $(BUILD)/version.h

# `river completion` prints the files of completions/; they are there once.
$(BUILD)/completion_files.h: completions/river.bash completions/river.zsh completions/river.fish
	@mkdir -p $(@D)
	@for f in bash zsh fish; do \
		echo "static const char completion_$$f[] ="; \
		sed -e 's/[\\"]/\\&/g' -e 's/^/"/' -e 's/$$/\\n"/' completions/river.$$f; \
		echo ';'; \
	 done >$@.new && mv $@.new $@
$(BUILD)/cmd/completion.o: ALL_CPPFLAGS += -include $(BUILD)/completion_files.h
$(BUILD)/cmd/completion.o: $(BUILD)/completion_files.h

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libriver.a: $(LIB_OBJ)
	$(call say,AR,$@)rm -f $@ && $(AR) crD $@ $(LIB_OBJ)

$(BUILD)/river: $(CMD_OBJ) $(BUILD)/libriver.a
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@.new $(CMD_OBJ) $(BUILD)/libriver.a $(ALL_LIBS) && mv $@.new $@

$(BUILD)/tests/unit/test_%: tests/unit/test_%.c $(UNIT_COMMON) $(BUILD)/libriver.a $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) -Itests $(ALL_CFLAGS) -MMD -MP $(ALL_LDFLAGS) -o $@ $< $(UNIT_COMMON) $(BUILD)/libriver.a -lcmocka $(ALL_LIBS)

# A fuzz target has LLVMFuzzerTestOneInput; the plain build links a main that replays files.
$(BUILD)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_HEADERS) tests/fuzz/replay_main.c $(BUILD)/libriver.a $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< tests/fuzz/replay_main.c $(BUILD)/libriver.a $(ALL_LIBS)

# The same target under libFuzzer, with river itself instrumented: `make fuzz`, then for example
# build/fuzz/fuzz_json_scan -max_total_time=120 <a scratch folder> tests/fuzz/corpus/json_scan
# Or all of them, or some, each for so long: make fuzz-run MINUTES=10 JOBS=2 FUZZ="json_scan csv"
FUZZ_CC ?= clang
FUZZ_FLAGS := -std=c17 -pthread -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_OBJ := $(LIB_SRC:%.c=$(BUILD)/fuzz/obj/%.o)
LIBFUZZER_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)
.PHONY: fuzz fuzz-run perf
fuzz: $(LIBFUZZER_BIN)
$(BUILD)/fuzz/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FUZZ_CC) $(ALL_CPPFLAGS) $(FUZZ_FLAGS) $(ALL_LIBS)' >$@.new; \
	 cmp -s $@.new $@ && rm -f $@.new || mv $@.new $@
$(BUILD)/fuzz/obj/%.o: %.c $(BUILD)/fuzz/flags $(BUILD)/version.h
	@mkdir -p $(@D)
	$(call say,FUZZ,$<)$(FUZZ_CC) $(ALL_CPPFLAGS) -include $(BUILD)/version.h $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<
$(BUILD)/fuzz/libriver.a: $(FUZZ_OBJ)
	$(call say,AR,$@)rm -f $@ && $(AR) crD $@ $(FUZZ_OBJ)
$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_HEADERS) $(BUILD)/fuzz/libriver.a
	$(call say,FUZZ,$@)$(FUZZ_CC) $(ALL_CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< $(BUILD)/fuzz/libriver.a $(ALL_LIBS)
fuzz-run: fuzz
	@sh tests/lib/fuzz-run.sh '$(BUILD)/fuzz' '$(or $(MINUTES),10)' '$(or $(JOBS),1)' $(or $(FUZZ),$(FUZZ_SRC:tests/fuzz/fuzz_%.c=%))

# Speed of one module, measured from inside; not part of `make check`.
perf: $(PERF_BIN)
$(BUILD)/tests/perf/%: tests/perf/%.c $(BUILD)/libriver.a $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $< $(BUILD)/libriver.a $(ALL_LIBS)

# Helpers of the tests: each is one file and links nothing of river.
TOOL_LIBS_jansson_lines := -ljansson
TOOL_LIBS_lakeobject := -lzstd -lxxhash
TOOL_LIBS_make_zip := -lisal -lzstd
define tool_rule
$(BUILD)/$(1:.c=): $(1) $(BUILD)/flags
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)$$(CC) $$(ALL_CPPFLAGS) -std=c17 -pthread $$(OPT) $$(WARN) $$(CFLAGS) -o $$@ $$< $$(TOOL_LIBS_$$(notdir $(1:.c=))) -ldl
endef
$(foreach t,$(TOOL_SRC),$(eval $(call tool_rule,$(t))))
$(BUILD)/tests/lib/preload/%.so: tests/lib/preload/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CPPFLAGS) -std=c17 $(OPT) $(WARN) $(CFLAGS) -shared -fPIC -o $@ $<
$(BUILD)/tests/fault/walk: tests/fault/walk_calls.h
$(BUILD)/tests/lib/make_zip: tests/lib/zip_cases.h tests/lib/zip_writer.h

-include $(LIB_OBJ:.o=.d) $(CMD_OBJ:.o=.d) $(UNIT_BIN:%=%.d) $(FUZZ_OBJ:.o=.d)

# ---- tests -----------------------------------------------------------------
# AddressSanitizer takes a block of dynamic TLS for one of glibc's by its place in a page alone, and LeakSanitizer
# then falls over what it reads in front of it ("Tracer caught signal 11"), once in many runs.
UNIT_ENV = CMOCKA_MESSAGE_OUTPUT=TAP ASAN_OPTIONS=$${ASAN_OPTIONS:-intercept_tls_get_addr=0}
.PHONY: check check-all check-build check-unit check-cli check-fuzz header-check
check: deps
	@+$(MAKE) --no-print-directory check-all
check-all: all man $(UNIT_BIN) $(FUZZ_BIN) $(TOOL_BIN) header-check
	$(UNIT_ENV) RIVER_BUILD=$(abspath $(BUILD)) $(PROVE) -e '' $(PROVE_OPTS) $(UNIT_BIN) $(CLI_TESTS)

# All that a check would run, built and not run.
check-build: all man $(UNIT_BIN) $(FUZZ_BIN) $(TOOL_BIN) $(PERF_BIN) header-check

check-unit: $(UNIT_BIN) $(FUZZ_BIN)
	$(UNIT_ENV) RIVER_BUILD=$(abspath $(BUILD)) $(PROVE) -e '' $(PROVE_OPTS) $(UNIT_BIN)
check-cli: all man $(TOOL_BIN)
	RIVER_BUILD=$(abspath $(BUILD)) $(PROVE) -e '' $(PROVE_OPTS) $(CLI_TESTS)

header-check: $(HEADERS:%.h=$(BUILD)/hdr/%.ok)
$(BUILD)/hdr/%.ok: %.h $(BUILD)/flags
	@mkdir -p $(@D)
	@$(CC) $(ALL_CPPFLAGS) -std=c17 $(WARN) -Wno-unused-function -fsyntax-only -x c $< && touch $@

# River with the functions that ask for syncs called one by one, so that each place has a name: for
# tests/fault/t0476-sync-mutation.sh.
PLAIN_CALLS := fsync|fdatasync|syncfs|rv_new_file_publish|rv_make_folders|rv_checkpoint_(save|note_batch|sync)
$(BUILD)/tests/fault/plain/river: $(CMD_OBJ) $(BUILD)/libriver.a
	@rm -rf $(@D) && mkdir -p $(@D)
	$(call say,PLAIN,$@)for f in $$(grep -lE '$(PLAIN_CALLS)' $(LIB_SRC)); do \
		$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -U_FORTIFY_SOURCE -O0 -c -o $(@D)/$$(echo $$f | tr / _).o $$f || exit 1; \
	 done && $(CC) $(ALL_LDFLAGS) -o $@ $(CMD_OBJ) $(@D)/*.o $(BUILD)/libriver.a $(ALL_LIBS)

# Kill, fail and starve river at every system call that matters. Deep: at every one, and at length.
.PHONY: check-faults check-deep
# What the walks found is a table at the end; its script judges it.
check-faults: all $(TOOL_BIN) $(BUILD)/tests/fault/plain/river
	@rm -rf $(BUILD)/tests/walks
	@export RIVER_BUILD=$(abspath $(BUILD)); $(PROVE) -e '' $(PROVE_OPTS) $(FAULT_TESTS); code=$$?; \
		$(PROVE) -e '' $(PROVE_OPTS) tests/fault/table.sh && exit $$code
# DEEP points of every walk, or all of them; of the command line's scripts those that have more to do then.
# The longest come first, for PROVE_OPTS=-j3.
DEEP ?= 30
DEEP_CLI_TESTS = $(shell grep -l DEEP $(CLI_TESTS))
DEEP_LONGEST := $(filter tests/fault/t0530-% tests/fault/t0535-% tests/fault/t0477-%,$(FAULT_TESTS))
DEEP_TESTS = $(DEEP_LONGEST) $(UNIT_BIN) $(DEEP_CLI_TESTS) $(filter-out $(DEEP_LONGEST),$(FAULT_TESTS))
check-deep: deps-peers all man $(UNIT_BIN) $(FUZZ_BIN) $(TOOL_BIN) $(BUILD)/tests/fault/plain/river
	@test "$$(id -u)" = 0 || { echo 'check-deep mounts and traces: run it as root' >&2; exit 1; }
	@rm -rf $(BUILD)/tests/walks
	@export $(UNIT_ENV) RIVER_DEEP=$(DEEP) RIVER_BUILD=$(abspath $(BUILD)); \
		$(PROVE) -e '' $(PROVE_OPTS) $(DEEP_TESTS); code=$$?; \
		$(PROVE) -e '' $(PROVE_OPTS) tests/fault/table.sh && exit $$code

# Load and faults for an hour, and then the books: tests/soak.sh says what happens.
RATE ?= 5000
SEED ?= 1
MODE ?= collect
.PHONY: soak
soak: all $(TOOL_BIN)
	MINUTES=$(or $(MINUTES),60) RATE=$(RATE) SEED=$(SEED) MODE=$(MODE) sh tests/soak.sh $(abspath $(BUILD))

# Against programs that nobody here wrote (S3 servers, AWS's clients), and against the emulator of
# tests/emul that they have proven.
.PHONY: check-peers deps-peers
check-peers: deps-peers all man $(TOOL_BIN) $(PERF_BIN) $(BUILD)/tests/unit/test_store_s3
	RIVER_BUILD=$(abspath $(BUILD)) $(PROVE) -e '' $(PROVE_OPTS) $(PEER_TESTS)
deps-peers:
	@YES='$(YES)' sh tests/lib/deps-peers.sh

# What the tests reach. The unit tests alone have to reach what tests/coverage-exceptions names, and are
# compared with it (coverage-unit does that only); then the scripts are run as well, and the tables are of
# both. FAULTS=1 and PEERS=1 add those. Not part of check: all is built anew, with clang, in build/coverage.
COVERAGE_CC ?= clang
COVERAGE_JOBS ?= $(shell nproc)
COVERAGE_TESTS = $(CLI_TESTS) $(if $(FAULTS),$(FAULT_TESTS)) $(if $(PEERS),$(PEER_TESTS))
COVERAGE_MAKE = $(MAKE) --no-print-directory BUILD=build/coverage CC='$(COVERAGE_CC)' COVERAGE=1 DEVELOPER=
COVERAGE_PROVE = CMOCKA_MESSAGE_OUTPUT=TAP RIVER_BUILD=$(abspath $(BUILD)) $(PROVE) -e '' -j$(COVERAGE_JOBS) $(PROVE_OPTS)
LLVM = $$($(CC) -print-prog-name=llvm-$(1))
# $(1): where to, as .lcov and as .json; of all that was counted so far
define coverage_report
$(call LLVM,profdata) merge -sparse -o $(BUILD)/profile.all $(BUILD)/profile/*.profraw && \
$(call LLVM,cov) export -format=lcov -instr-profile=$(BUILD)/profile.all $(BUILD)/covered >$(1) && \
$(call LLVM,cov) export -skip-functions -skip-expansions -instr-profile=$(BUILD)/profile.all $(BUILD)/covered >$(1:.lcov=.json)
endef
.PHONY: coverage coverage-unit coverage-run coverage-run-unit coverage-table coverage-missing
coverage: deps
	@+$(COVERAGE_MAKE) coverage-run
coverage-unit: deps
	@+$(COVERAGE_MAKE) coverage-run-unit
coverage-run-unit: $(BUILD)/river $(UNIT_BIN) $(BUILD)/covered
	@mkdir -p $(BUILD)/lib && ln -sf '$(abspath $(DUCKDB_LIB))' $(BUILD)/lib/libduckdb.so
	@rm -rf $(BUILD)/profile && mkdir -m 1777 $(BUILD)/profile && $(BUILD)/river --version && chmod 666 $(BUILD)/profile/*
	@$(COVERAGE_PROVE) $(UNIT_BIN)
	@$(call coverage_report,$(BUILD)/unit.lcov)
	@perl tests/lib/coverage.pl --check $(BUILD)/unit.lcov tests/coverage-exceptions
coverage-run: coverage-run-unit all man $(FUZZ_BIN) $(TOOL_BIN) $(PERF_BIN)
	@$(COVERAGE_PROVE) $(COVERAGE_TESTS)
	@$(call coverage_report,$(BUILD)/coverage.lcov)
	@perl tests/lib/coverage.pl $(BUILD)/coverage.lcov tests/coverage-exceptions
# All of river, also what only tests use: what there is to be reached.
$(BUILD)/covered: $(CMD_OBJ) $(BUILD)/libriver.a
	$(call say,LINK,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(CMD_OBJ) -Wl,--whole-archive $(BUILD)/libriver.a \
		-Wl,--no-whole-archive $(ALL_LIBS)
# Of the last run: the table of CONTRIBUTING.md, and what tests/coverage-exceptions has to hold.
coverage-table:
	@perl tests/lib/coverage.pl --table $$(ls -t build/coverage/*.lcov | head -n 1) tests/coverage-exceptions
coverage-missing:
	@perl tests/lib/coverage.pl --missing build/coverage/unit.lcov tests/coverage-exceptions

.PHONY: bench
bench: all $(TOOL_BIN) $(PERF_BIN)
	RIVER_BUILD=$(abspath $(BUILD)) tests/bench/run.sh $(BENCH)

# ---- manual ----------------------------------------------------------------
# A cross build points RIVER_HOST at a river that runs here.
RIVER_HOST ?= $(BUILD)/river
MAN_SRC := $(sort $(wildcard man/*.in))
MAN_PAGES := $(MAN_SRC:man/%.in=$(BUILD)/man/%)
.PHONY: man
man: $(MAN_PAGES)
$(BUILD)/man/%: man/%.in man/render.sh $(BUILD)/river
	@mkdir -p $(@D)
	$(call say,MAN,$@)sh man/render.sh $(RIVER_HOST) $< >$@.new && mv $@.new $@

# ---- installing ------------------------------------------------------------
.PHONY: install check-install
install: all man
	$(INSTALL) -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man5' \
		'$(DESTDIR)$(BASHCOMPDIR)' '$(DESTDIR)$(ZSHCOMPDIR)' '$(DESTDIR)$(FISHCOMPDIR)'
	$(INSTALL) -m 755 $(BUILD)/river '$(DESTDIR)$(BINDIR)/river'
	$(INSTALL) -m 644 $(filter %.1,$(MAN_PAGES)) '$(DESTDIR)$(MANDIR)/man1/'
	$(INSTALL) -m 644 $(filter %.5,$(MAN_PAGES)) '$(DESTDIR)$(MANDIR)/man5/'
	$(INSTALL) -m 644 completions/river.bash '$(DESTDIR)$(BASHCOMPDIR)/river'
	$(INSTALL) -m 644 completions/river.zsh '$(DESTDIR)$(ZSHCOMPDIR)/_river'
	$(INSTALL) -m 644 completions/river.fish '$(DESTDIR)$(FISHCOMPDIR)/river.fish'
	if test -f '$(DUCKDB_LIB)'; then \
		$(INSTALL) -d '$(DESTDIR)$(LIBDIR)' && \
		$(INSTALL) -m 644 '$(DUCKDB_LIB)' '$(DESTDIR)$(LIBDIR)/libduckdb.so'; \
	fi
# Installs below $(BUILD)/install and runs what is there; the build tree is not in its way.
check-install:
	rm -rf '$(BUILD)/install'
	+$(MAKE) --no-print-directory install DESTDIR='$(abspath $(BUILD)/install)'
	sh tests/lib/check-install.sh '$(abspath $(BUILD)/install)' '$(BINDIR)' '$(MANDIR)' '$(LIBDIR)' \
		'$(BASHCOMPDIR)' '$(ZSHCOMPDIR)' '$(FISHCOMPDIR)'

# ---- what is needed, and a first look ----------------------------------------
# The embedded warehouse is opened at run time only; any file does: make deps LIBDUCKDB=FILE
DUCKDB_LIB := build/lib/libduckdb.so
.PHONY: deps demo
deps:
	@CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' YES='$(YES)' LIBDUCKDB='$(LIBDUCKDB)' sh tests/lib/deps.sh '$(DUCKDB_LIB)'
	@test '$(BUILD)' = build || { mkdir -p '$(BUILD)/lib' && \
		ln -sf '$(abspath $(DUCKDB_LIB))' '$(BUILD)/lib/libduckdb.so'; }
demo: deps
	@+$(MAKE) --no-print-directory demo-run
.PHONY: demo-run
demo-run: all $(BUILD)/tests/bench/gen_events
	@sh tests/demo.sh '$(abspath $(BUILD))'

# ---- looking for mistakes ------------------------------------------------------
SHELL_FILES := $(sort $(wildcard tests/*.sh tests/*/*.sh man/*.sh))
LINT_SRC ?= $(LIB_SRC) $(CMD_SRC)
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
.PHONY: lint
lint: header-check $(BUILD)/completion_files.h $(BUILD)/version.h
	@for f in $(SHELL_FILES); do sh -n $$f || exit 1; done
	@bash -n completions/river.bash
	@if command -v mandoc >/dev/null; then $(MAKE) --no-print-directory man && \
		mandoc -Tlint -Wwarning $(MAN_PAGES); fi
	@if command -v $(CLANG_FORMAT) >/dev/null; then \
		n=$$($(CLANG_FORMAT) --dry-run $(LINT_SRC) 2>&1 | grep -c 'warning:'); \
		echo "clang-format would change $$n places (for information: format your diff)"; fi
	@if command -v $(CLANG_TIDY) >/dev/null; then \
		$(CLANG_TIDY) --quiet $(LINT_SRC) -- $(ALL_CPPFLAGS) -std=c17 \
			-include $(BUILD)/version.h -include $(BUILD)/completion_files.h; \
	 else echo 'clang-tidy is not installed: skipped'; fi

.PHONY: clean
clean:
	rm -rf $(BUILD)
