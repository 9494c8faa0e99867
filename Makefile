# SPDX-License-Identifier: Apache-2.0
# make            build/toise                      make bench        the main job: node-s, both precisions
# make check      all tests, half an hour         make check-full   and the long ones
# make soak       hours of real launches          (see tests/soak/)
# make score-detector SCORE=1  false alarms and misses of the detector of slow nodes, twenty minutes; SCORE=0.1 a tenth
# make install PREFIX=/opt/toise                   make bench-kernels BENCH_ARGS=--benchmark_filter=gemm
# make bench-peers  beside PyTorch, OpenBLAS and oneDNN, an hour; PYTHON=... has them from pip (tests/peers/bench.py)
# make clean, make format                          WERROR=1, V=1, SANITIZE=-fsanitize=..., BUILD=folder
# make emulated   build-emulated: tests of every kernel variant in plain C, for CPUs that lack the instructions
# Needs a C compiler, MPI, OpenBLAS, libnuma, hwloc, jansson: scripts/deps.sh installs them or says what to do.

CC      ?= cc
CXX     ?= c++
PREFIX  ?= /usr/local
BUILD   ?= build
# A private prefix for the libraries, e.g. a Spack view.
DEPS_PREFIX ?=
MPICC   ?= $(or $(wildcard $(DEPS_PREFIX)/bin/mpicc),mpicc)
WERROR  ?=
SANITIZE ?=
CFLAGS  ?= -O3 -g
BENCH_ARGS ?=
ARCH    := $(shell $(CC) -dumpmachine 2>/dev/null | cut -d- -f1)
VERSION := 0.1.0
export CC CXX MPICC DEPS_PREFIX BUILD

WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
PKG     := PKG_CONFIG_PATH=$(DEPS_PREFIX)/lib/pkgconfig:$(DEPS_PREFIX)/lib64/pkgconfig:$$PKG_CONFIG_PATH pkg-config
LIBS_C  := $(shell $(PKG) --cflags hwloc jansson openblas 2>/dev/null)
LIBS_L  := $(shell $(PKG) --libs hwloc jansson openblas 2>/dev/null || echo -lhwloc -ljansson -lopenblas) -lnuma -ldl -lm
MPI_C   := $(shell $(MPICC) --showme:compile 2>/dev/null || $(MPICC) -compile_info 2>/dev/null | cut -d' ' -f2-)
MPI_L   := $(shell $(MPICC) --showme:link 2>/dev/null || $(MPICC) -link_info 2>/dev/null | cut -d' ' -f2-)
ifneq ($(DEPS_PREFIX),)
LIBS_C  += -I$(DEPS_PREFIX)/include
LIBS_L  := $(foreach d,lib lib64,-L$(DEPS_PREFIX)/$d -Wl,-rpath,$(DEPS_PREFIX)/$d) $(LIBS_L)
export PATH := $(DEPS_PREFIX)/bin:$(PATH)
endif

# Objects per instruction set: FILE_<isa>.c is compiled for that set. If the compiler or the architecture lacks the set,
# it is left out, with a message.
SETS_x86_64    := avx2 avx512 avx512bf16
SETS_aarch64   := neon
SETS_all       := $(SETS_aarch64) $(SETS_x86_64)
ISA_neon       :=
ISA_avx2       := -mavx2 -mfma
ISA_avx512     := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
ISA_avx512bf16 := $(ISA_avx512) -mavx512bf16
compiles = $(shell echo 'int main(void){return 0;}' | $(CC) $(1) -x c -fsyntax-only - 2>/dev/null && echo yes)
ISAS    := $(foreach i,$(SETS_$(ARCH)),$(if $(call compiles,$(ISA_$i)),$i))
MISSING := $(filter-out $(ISAS),$(or $(SETS_$(ARCH)),$(SETS_all)))
upper    = $(shell echo $(1) | tr a-z A-Z)
# Every set in plain C (kernels/simd.inc.h), in a separate build, only for tests, with the harness of another build.
# It uses this CPU's fused multiply-adds if it has them: without them, sums have other bits.
EMULATE ?=
HARNESS_FROM ?=
ifneq ($(EMULATE),)
ISAS    := $(SETS_all)
MISSING :=
FUSED   := $(if $(filter x86_64,$(ARCH)),$(shell grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo && echo -mavx2 -mfma))
$(foreach i,$(ISAS),$(eval ISA_$i := -O2 -Wno-psabi $(FUSED)))
endif
HAVE    := $(foreach i,$(ISAS),-DKERNEL_HAVE_$(call upper,$i))

COMMON  := -std=gnu11 $(WARN) $(CFLAGS) $(SANITIZE) -fopenmp -MMD -MP $(HAVE) $(if $(EMULATE),-DKERNEL_EMULATED) $(LIBS_C) -DTOISE_VERSION=\"$(VERSION)\"
KFLAGS  := $(COMMON) -I. -Ikernels -fno-math-errno -fno-trapping-math
HFLAGS  := $(COMMON) -I. -Iharness -Ikernels
# Ranks compare the hash of what was linked.
LINK    := $(CFLAGS) $(SANITIZE) -fopenmp -Wl,--build-id=sha1

KSRC    := $(wildcard kernels/*.c kernels/*/*.c)
KSRC    := $(filter-out $(foreach i,$(SETS_all),%_$i.c),$(KSRC)) $(foreach i,$(ISAS),$(filter %_$i.c,$(KSRC)))
HSRC    := $(filter-out harness/commands/main.c,$(wildcard harness/*/*.c))
KOBJ    := $(KSRC:%.c=$(BUILD)/%.o)
HOBJ    := $(HSRC:%.c=$(or $(HARNESS_FROM),$(BUILD))/%.o)
LIB     := $(BUILD)/libtoise.a

# $(call say,AR,file) starts a recipe line: the short form, or with V=1 the command itself.
say      = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2);)

.PHONY: all kernels tests unit-tests emulated benches bench bench-kernels bench-peers check check-full soak score-detector install clean format floors deps-flags FORCE
.SECONDARY:
all: $(BUILD)/toise
kernels: $(KOBJ)

$(BUILD)/toise: $(BUILD)/harness/commands/main.o $(LIB)
	$(if $(EMULATE),$(error EMULATE=1 is for tests alone))$(call say,LD,$@)$(CC) $(LINK) -o $@ $^ $(LIBS_L) $(MPI_L)
$(LIB): $(KOBJ) $(HOBJ) | floors
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(foreach i,$(SETS_all),$(eval $(BUILD)/%_$i.o: ISA := $(ISA_$i)))
$(BUILD)/kernels/%.o: kernels/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(KFLAGS) $(ISA) -c -o $@ $<
$(BUILD)/harness/comm/%.o: HFLAGS += $(MPI_C)
$(BUILD)/harness/inventory/%.o: HFLAGS += -DTOISE_FLAGS='"$(subst ",\",$(strip $(CFLAGS) $(SANITIZE)))"'
$(BUILD)/harness/%.o: harness/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(HFLAGS) -c -o $@ $<

# Changes if a flag does, so that everything is rebuilt. Only then dependencies are checked, unless only the kernels
# are made, as by a cross compiler.
LOOK    := $(if $(filter-out kernels,$(or $(MAKECMDGOALS),all)),scripts/deps.sh --check build,true)
FLAGS   := $(CC) $(KFLAGS) $(HFLAGS) $(ISAS) $(LIBS_L) $(MPI_C) $(MPI_L)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(FLAGS)' | cmp -s - $@ || { $(LOOK) && \
	{ $(if $(MISSING),echo "note: $(CC) for $(ARCH) leaves out the kernel variants: $(MISSING)",:); } && \
	printf '%s\n' '$(FLAGS)' >$@; }

# Tests: tests/unit/ROOM/test_*.c are cmocka programs of one process; tests/mpi/test_*.c run under mpirun;
# tests/peers/*.c are one half of a comparison with another program, tests/soak/*.c are parts of make soak. Tests that say "check: emulated" run every variant,
# and run again with all of them emulated.
TESTS   := $(wildcard tests/unit/*/test_*.c tests/mpi/test_*.c tests/peers/*.c tests/soak/*.c)
TESTS   := $(patsubst %.c,$(BUILD)/%,$(if $(EMULATE),$(shell grep -l 'check: emulated' $(TESTS)),$(TESTS)))
SUPPORT := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/support/*.c))
tests: $(TESTS)
unit-tests: $(filter $(BUILD)/tests/unit/%,$(TESTS))
emulated: $(LIB)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)-emulated EMULATE=1 HARNESS_FROM=$(BUILD) tests
$(BUILD)/tests/%.o: tests/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(HFLAGS) -Itests -c -o $@ $<
$(TESTS): $(BUILD)/%: $(BUILD)/%.o $(SUPPORT) $(LIB)
	$(call say,LD,$@)$(CC) $(LINK) -o $@ $^ -lcmocka $(LIBS_L) $(MPI_L)

BENCHES := $(patsubst %.cc,$(BUILD)/%,$(wildcard tests/bench/*.cc))
benches: $(BENCHES)
$(BUILD)/tests/bench/%: tests/bench/%.cc $(LIB)
	@mkdir -p $(@D)
	$(call say,CXX,$<)$(CXX) -std=c++17 $(WARN:-W%-prototypes=) $(LINK) -MMD -MP $(HAVE) -I. -Ikernels -Itests -o $@ $< $(LIB) \
	    -lbenchmark -lpthread $(LIBS_L) $(MPI_L)

# These may install what is missing, so make starts again to look for the libraries; on all cores unless a number is
# given.
AGAIN    = --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell getconf _NPROCESSORS_ONLN))
check check-full:
	@scripts/deps.sh $(if $(filter %-full,$@),full,test)
	@scripts/deps.sh --try all
	@$(MAKE) $(AGAIN) all tests
	@scripts/check.sh $(if $(filter %-full,$@),--full) $(BUILD)
soak:
	@scripts/deps.sh test
	@$(MAKE) $(AGAIN) all tests
	@bash tests/soak/kills.sh
	@bash tests/soak/ab.sh
	@bash tests/soak/layouts.sh
	@KILLS=$${KILLS:-300} bash tests/cli/test_checkpoints.sh
SCORE   ?= 1
score-detector: $(BUILD)/tests/soak/detector
	@SCORE=$(SCORE) bash tests/soak/detector.sh
bench:
	@scripts/deps.sh build
	@$(MAKE) $(AGAIN) all
	@scripts/bench.sh $(BUILD) $(BENCH_ARGS)
PYTHON  ?= python3
bench-peers:
	@scripts/deps.sh test
	@$(MAKE) $(AGAIN) all $(BUILD)/tests/peers/onednn
	@$(PYTHON) tests/peers/bench.py $(BUILD) $(BENCH_ARGS) || [ $$? = 77 ]
bench-kernels:
	@scripts/deps.sh bench
	@$(MAKE) $(AGAIN) benches
	@for b in $(BENCHES); do $$b $(BENCH_ARGS) || exit; done

floors:
	@scripts/floors.sh
deps-flags:
	@printf '%s\n' '$(LIBS_C) $(MPI_C) $(LIBS_L) $(MPI_L)'

SHARE   := $(DESTDIR)$(PREFIX)/share/toise
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(SHARE)/slurm/sites
	install -m 755 $(BUILD)/toise $(DESTDIR)$(PREFIX)/bin/toise
	cd harness/catalog && find . -type f -exec install -D -m 644 {} $(abspath $(SHARE))/catalog/{} \;
	install -m 755 scripts/slurm/*.sbatch $(SHARE)/slurm/
	install -m 644 scripts/slurm/common.sh $(SHARE)/slurm/
	install -m 644 scripts/slurm/sites/*.sh $(SHARE)/slurm/sites/
	install -m 644 scripts/mpi.sh $(SHARE)/
	install -m 644 LICENSE $(wildcard README.md CHANGELOG.md) $(SHARE)/
format:
	clang-format -i $$(find kernels harness tests -name '*.[ch]' -o -name '*.cc')
clean:
	rm -rf $(BUILD) $(addprefix $(BUILD)-,asan emulated aarch64 aarch64-full aarch64-full-sysroot clang mpich)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
