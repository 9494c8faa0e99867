# SPDX-License-Identifier: Apache-2.0
# make            build/toise                      make bench        the main job: node-s, both precisions
# make check      all tests, under 15 minutes      make check-full   and the long ones
# make install PREFIX=/opt/toise                   make clean, make format
# Needs a C compiler, MPI, OpenBLAS, libnuma, hwloc, jansson: scripts/deps.sh installs them or says what to do.

CC      ?= cc
MPICC   ?= mpicc
CXX     ?= c++
PREFIX  ?= /usr/local
BUILD   ?= build
DEPS_PREFIX ?=
WERROR  ?=
SANITIZE ?=
CFLAGS  ?= -O3 -g
ARCH    := $(shell $(CC) -dumpmachine | cut -d- -f1)
VERSION := 0.1.0

WARN    := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
PKG     := PKG_CONFIG_PATH=$(DEPS_PREFIX)/lib/pkgconfig:$$PKG_CONFIG_PATH pkg-config
LIBS_C  := $(shell $(PKG) --cflags hwloc jansson openblas 2>/dev/null)
LIBS_L  := $(shell $(PKG) --libs hwloc jansson openblas 2>/dev/null || echo -lhwloc -ljansson -lopenblas) -lnuma -lm
MPI_C   := $(shell $(MPICC) --showme:compile 2>/dev/null || $(MPICC) -compile_info 2>/dev/null | cut -d' ' -f2-)
MPI_L   := $(shell $(MPICC) --showme:link 2>/dev/null || $(MPICC) -link_info 2>/dev/null | cut -d' ' -f2-)
ifneq ($(DEPS_PREFIX),)
LIBS_C  += -I$(DEPS_PREFIX)/include
LIBS_L  := -L$(DEPS_PREFIX)/lib -Wl,-rpath,$(DEPS_PREFIX)/lib $(LIBS_L)
endif

# Objects per instruction set: FILE_<isa>.c is compiled for that set and left out, aloud, where the compiler or
# the architecture cannot.
ISA_avx2       := -mavx2 -mfma
ISA_avx512     := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512
ISA_avx512bf16 := $(ISA_avx512) -mavx512bf16
compiles = $(shell echo 'int main(void){return 0;}' | $(CC) $(1) -x c -fsyntax-only - 2>/dev/null && echo yes)
ISAS    := $(if $(filter x86_64,$(ARCH)),$(foreach i,avx2 avx512 avx512bf16,$(if $(call compiles,$(ISA_$i)),$i)))
MISSING := $(filter-out $(ISAS),avx2 avx512 avx512bf16)
upper    = $(shell echo $(1) | tr a-z A-Z)
HAVE    := $(foreach i,$(ISAS),-DKERNEL_HAVE_$(call upper,$i))

COMMON  := -std=gnu11 $(WARN) $(CFLAGS) $(SANITIZE) -fopenmp -MMD -MP $(HAVE) $(LIBS_C) -DTOISE_VERSION='"$(VERSION)"'
KFLAGS  := $(COMMON) -I. -Ikernels -fno-math-errno -fno-trapping-math
HFLAGS  := $(COMMON) -I. -Iharness -Ikernels

KSRC    := $(wildcard kernels/*.c kernels/*/*.c)
KSRC    := $(filter-out $(foreach i,avx2 avx512 avx512bf16,%_$i.c),$(KSRC)) $(foreach i,$(ISAS),$(filter %_$i.c,$(KSRC)))
HSRC    := $(filter-out harness/cli/main.c,$(wildcard harness/*/*.c))
KOBJ    := $(KSRC:%.c=$(BUILD)/%.o)
HOBJ    := $(HSRC:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/libtoise.a

.PHONY: all bench bench-kernels check check-full tests install clean format floors
.SECONDARY:
all: $(BUILD)/toise

$(BUILD)/toise: $(BUILD)/harness/cli/main.o $(LIB)
	$(CC) $(CFLAGS) $(SANITIZE) -fopenmp -o $@ $^ $(LIBS_L) $(MPI_L)
$(LIB): $(KOBJ) $(HOBJ) | floors
	rm -f $@ && ar rcs $@ $^

$(BUILD)/%_avx2.o: ISA := $(ISA_avx2)
$(BUILD)/%_avx512.o: ISA := $(ISA_avx512)
$(BUILD)/%_avx512bf16.o: ISA := $(ISA_avx512bf16)
$(BUILD)/kernels/%.o: kernels/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(KFLAGS) $(ISA) -c -o $@ $<
$(BUILD)/harness/comm/%.o: HFLAGS += $(MPI_C)
$(BUILD)/harness/%.o: harness/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(HFLAGS) -c -o $@ $<

# Tests: tests/unit/test_*.c are cmocka programs, one process; tests/mpi/test_*.c run under mpirun.
TESTS   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/mpi/test_*.c))
tests: $(TESTS)
$(BUILD)/tests/%: tests/%.c $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(HFLAGS) -Itests -o $@ $< $(filter tests/unit/support/%,$^) $(LIB) -lcmocka $(LIBS_L) $(MPI_L)

check: all tests
	scripts/check.sh $(BUILD)
check-full: all tests
	scripts/check.sh --full $(BUILD)
bench: all
	scripts/bench.sh $(BUILD)

BENCHES := $(patsubst %.cc,$(BUILD)/%,$(wildcard tests/bench/*.cc))
bench-kernels: $(BENCHES)
$(BUILD)/tests/bench/%: tests/bench/%.cc $(LIB) Makefile
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(WARN:-W%-prototypes=) $(CFLAGS) -fopenmp $(HAVE) -I. -Ikernels -o $@ $< $(LIB) -lbenchmark -lpthread $(LIBS_L) $(MPI_L)

floors:
	@scripts/floors.sh
	@$(if $(MISSING),echo "note: $(CC) for $(ARCH) leaves out the kernel variants: $(MISSING)",:)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/toise
	install -m 755 $(BUILD)/toise $(DESTDIR)$(PREFIX)/bin/toise
	cp -r harness/catalog scripts/slurm $(DESTDIR)$(PREFIX)/share/toise/
format:
	clang-format -i $$(git ls-files '*.c' '*.h' '*.cc')
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
