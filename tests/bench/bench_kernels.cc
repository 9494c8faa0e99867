// SPDX-License-Identifier: Apache-2.0
//
// Google Benchmark over every variant of every operation of list.h that this host can run: bench_kernels [flags]
// [FILE...], matmuls on the shapes of the files (by default tests/shapes/gpt2-124m.txt). Names are
// operation/variant/dtype/case/threads:N. FLOP/s counts multiply and add as two, bytes/s each operand once, in or out.
// Compare variants in one run with --benchmark_enable_random_interleaving=true --benchmark_repetitions=5, and runs
// with the compare.py of Google Benchmark on files of --benchmark_out.
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

extern "C" {
#include "unit/support/operations.h"
}

namespace {

// What an operation is asked for, or every operation whose name begins so ("attention_").
struct Case {
    std::string op, name;
    int64_t rows, cols, depth;
    unsigned options;
};

const unsigned WINDOW = OPTION_SECOND, ALIBI = OPTION_THIRD, RMS = OPTION_FIRST | OPTION_SECOND;
const int64_t ROWS = 2048, COLS = 4096; // larger than a cache; what runs where no case is named
const Case cases[] = {
    {"peak", "", 100000, 1, 1, 0},
    {"tile_peak", "", 10000, 1, 1, 0},
    {"stream", "triad/1/2048", 1, 2048, 1, 0},
    {"attention_", "plain/2048/64", 2048, 64, 2, 0},
    {"attention_", "alibi/2048/64", 2048, 64, 2, ALIBI},
    {"attention_", "window257/2048/64", 2048, 64, 2, WINDOW},
    {"attention_", "plain/2048/128", 2048, 128, 2, 0},
    {"attention_", "alibi/2048/128", 2048, 128, 2, ALIBI},
    {"attention_", "window257/2048/128", 2048, 128, 2, WINDOW},
    {"norm_", "layernorm", ROWS, COLS, 1, 0},
    {"norm_", "rmsnorm", ROWS, COLS, 1, RMS},
    {"swiglu_", "plain", ROWS, COLS, 1, 0},
    {"swiglu_", "weights", ROWS, COLS, 1, OPTION_FIRST},
    {"route_", "8192/8/2", 8192, 8, 2, 0},
    {"rows_sum", "2048/4096/2", ROWS, COLS, 2, OPTION_ADD_TO},
    {"rotary", "2048/32/128", 2048, 128, 32, 0},
    {"cross_entropy_stats", "256/50257", 256, 50257, 1, 0},
    {"cross_entropy_combine", "65536", 65536, 1, 1, 0},
    {"cross_entropy_grad", "256/50257", 256, 50257, 1, 0},
    {"embedding_", "2048/4096", ROWS, COLS, ROWS, 0},
};
const int64_t LONGEST = 2048, WIDEST = 128; // of attention

// One memory for all, since they run one after the other; operands begin at cache lines.
struct Memory {
    unsigned char *room = nullptr, *scratch = nullptr;
    size_t bytes = 0, used = 0, scratch_bytes = 0;
    kernel_caches caches = {};
};
size_t lines(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}
void *take(void *context, const operand *x) {
    Memory *m = static_cast<Memory *>(context);
    unsigned char *at = m->room + m->used;
    m->used += lines(static_cast<size_t>(operand_span(x)) * kernel_dtype_bytes(x->dtype));
    return at;
}

operation operation_of(const Case &c, kernel_dtype dtype, const kernel_ops *ops, Memory *memory) {
    operation o = {};
    o.ops = ops;
    o.rows = c.rows, o.cols = c.cols, o.depth = c.depth, o.options = c.options, o.dtype = dtype;
    if (memory) o.take = take, o.context = memory, memory->used = 0;
    return o;
}

// FLOP of one call. A peak loop is each thread's own.
double call(const operation_variant &v, const kernel_team &team, operation *o) {
    if (!std::strstr(v.op, "peak")) return v.run(&team, o), o->flop;
    double flop = 0;
#pragma omp parallel num_threads(team.threads) reduction(+ : flop)
    {
        operation mine = *o;
        v.run(&team, &mine);
        flop += mine.flop;
    }
    return flop;
}

void run(benchmark::State &state, const operation_variant *v, const Case &c, kernel_dtype dtype, int threads,
         Memory *memory) {
    kernel_ops ops = {};
    operation_select(v, &ops);
    kernel_team team = {};
    team.ops = &ops, team.threads = threads, team.caches = &memory->caches;
    team.scratch = memory->scratch, team.scratch_bytes = memory->scratch_bytes;
    operation o = operation_of(c, dtype, &ops, memory);
    v->prepare(&o);
    operation_ready(&team, &o);
    double flop = 0;
    for (auto _ : state) flop = call(*v, team, &o);
    if (flop > 0) state.counters["FLOP/s"] = benchmark::Counter(flop, benchmark::Counter::kIsIterationInvariantRate);
    if (o.byte > 0) state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * static_cast<int64_t>(o.byte));
}

// A call that the operation has; OpenBLAS multiplies plain FP32 alone: what it hands to another variant is none
// of its rates.
bool callable(const operation_variant &v, const Case &c, kernel_dtype dtype, size_t *bytes) {
    kernel_ops ops = {};
    operation_select(&v, &ops);
    operation o = operation_of(c, dtype, &ops, nullptr);
    if (!v.prepare(&o) || (std::strcmp(v.isa, "openblas") == 0 && (dtype != KERNEL_F32 || c.options & OPTION_PACKED)))
        return false;
    *bytes = 0;
    for (int i = 0; i < o.count; i++)
        *bytes += lines(static_cast<size_t>(operand_span(&o.operands[i])) * kernel_dtype_bytes(o.operands[i].dtype));
    return true;
}

void add(const operation_variant &v, const Case &c, int threads, Memory *memory) {
    for (int d = 0; d < KERNEL_DTYPE_COUNT; d++) {
        const kernel_dtype dtype = static_cast<kernel_dtype>(d);
        size_t bytes;
        if (!callable(v, c, dtype, &bytes)) continue;
        memory->bytes = std::max(memory->bytes, bytes);
        std::ostringstream name;
        name << v.op << "/" << v.isa << "/" << (dtype == KERNEL_F32 ? "f32" : "bf16") << (c.name.empty() ? "" : "/")
             << c.name << "/threads:" << threads;
        benchmark::RegisterBenchmark(name.str().c_str(), run, &v, c, dtype, threads, memory)
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
    }
}

// A matmul a line, "NT 1024 768 768"; where A is stored transposed C accumulates, as gradients of weights do.
void read_shapes(const std::string &path, std::vector<Case> *to) {
    std::ifstream file(path);
    if (!file) std::fprintf(stderr, "bench_kernels: cannot read %s\n", path.c_str()), std::exit(2);
    std::string line;
    for (int number = 1; std::getline(file, line); number++) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string trans;
        Case c = {"gemm", "", 0, 0, 0, 0};
        if (!(words >> trans)) continue;
        if (!(words >> c.rows >> c.cols >> c.depth) || trans.size() != 2 ||
            trans.find_first_not_of("NT") != std::string::npos) {
            std::fprintf(stderr, "bench_kernels: %s:%d: want \"NT 1024 768 768\"\n", path.c_str(), number);
            std::exit(2);
        }
        std::ostringstream name;
        name << trans << "/" << c.rows << "/" << c.cols << "/" << c.depth;
        c.name = name.str();
        if (trans[0] == 'T') c.options |= OPTION_FIRST | OPTION_ADD_TO;
        if (trans[1] == 'T') c.options |= OPTION_SECOND;
        to->push_back(c);
        c.options |= OPTION_PACKED, c.name += "/packed"; /* as weights are packed, once an update */
        if (trans[0] == 'N') to->push_back(c);
    }
}

bool serves(const Case &c, const std::string &op) {
    return c.op.back() == '_' ? op.compare(0, c.op.size(), c.op) == 0 : op == c.op;
}

// Every variant with every case of its operation, or with the one that suits any.
void add_all(const std::vector<Case> &all, int threads, Memory *memory) {
    for (const operation_variant &v : operation_variants) {
        if (!operation_usable(&v)) continue;
        if (threads > 1 && std::strcmp(v.op, "stream") == 0) continue; // runs on the calling thread only
        const Case any = {v.op, "2048/4096", ROWS, COLS, 1, 0};
        bool named = false;
        for (const Case &c : all)
            if (serves(c, v.op)) add(v, c, threads, memory), named = true;
        if (!named) add(v, any, threads, memory);
    }
}

int64_t cache(int name) {
    return std::max<int64_t>(0, sysconf(name));
}

} // namespace

int main(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    std::vector<Case> all(std::begin(cases), std::end(cases));
    for (int i = 1; i < std::max(argc, 2); i++) read_shapes(i < argc ? argv[i] : "tests/shapes/gpt2-124m.txt", &all);
    const int threads = omp_get_max_threads();
    Memory memory;
    add_all(all, 1, &memory);
    if (threads > 1) add_all(all, threads, &memory);
    memory.caches = {cache(_SC_LEVEL1_DCACHE_SIZE), cache(_SC_LEVEL2_CACHE_SIZE), cache(_SC_LEVEL3_CACHE_SIZE)};
    memory.scratch_bytes = lines(kernel_scratch_bytes(threads, LONGEST, WIDEST));
    memory.scratch = static_cast<unsigned char *>(std::aligned_alloc(64, memory.scratch_bytes));
    memory.room = static_cast<unsigned char *>(std::aligned_alloc(64, lines(memory.bytes)));
    if (!memory.scratch || !memory.room) return std::fprintf(stderr, "bench_kernels: out of memory\n"), 4;
    std::memset(memory.room, 0, memory.bytes);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    std::free(memory.scratch), std::free(memory.room);
    return 0;
}
