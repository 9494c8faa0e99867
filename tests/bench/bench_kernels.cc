// SPDX-License-Identifier: Apache-2.0
//
// Google Benchmark over every gemm of list.h on shapes from files, and every attention: bench_kernels [flags]
// [FILE...], by default tests/shapes/gpt2-124m.txt. FLOP/s of the register peak comes first, by the same clock. Compare
// variants within one run with --benchmark_enable_random_interleaving=true --benchmark_repetitions=5.
#include <omp.h>

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
#include "declare.h"
}

namespace {

struct Shape {
    bool a_trans, b_trans;
    int64_t m, n, k;
};

struct Variant {
    const char *name, *op;
    kernel_gemm_fn *gemm;
    kernel_attention_fn *attention;
    kernel_peak_fn *peak;
};

// A sequence of ATTENTION_SEQ, two heads: plain, and what a call may ask beside.
struct Attention {
    const char *name;
    int64_t head_dim, window;
    bool alibi;
};
const int64_t ATTENTION_SEQ = 2048, ATTENTION_HEADS = 2, ATTENTION_HEAD_MAX = 128;
const Attention attentions[] = {{"plain", 64, 0, false},  {"alibi", 64, 0, true},  {"window256", 64, 256, false},
                                {"plain", 128, 0, false}, {"alibi", 128, 0, true}, {"window256", 128, 256, false}};

struct Memory {
    std::vector<uint32_t> a, b, c;
    void *scratch;
    size_t scratch_bytes;
};

const char *const dtype_names[KERNEL_DTYPE_COUNT] = {"f32", "bf16"};

// Other operations are none of ours: the type of the function tells.
template <class F> void collect(std::vector<Variant> &, const char *, const char *, F *) {}
void collect(std::vector<Variant> &to, const char *name, const char *op, kernel_gemm_fn *f) {
    to.push_back({name, op, f, nullptr, nullptr});
}
void collect(std::vector<Variant> &to, const char *name, const char *op, kernel_attention_fn *f) {
    to.push_back({name, op, nullptr, f, nullptr});
}
void collect(std::vector<Variant> &to, const char *name, const char *op, kernel_peak_fn *f) {
    to.push_back({name, op, nullptr, nullptr, f});
}

bool usable(const char *name) {
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++)
        if (std::strcmp(name, kernel_isa_name(static_cast<kernel_isa>(isa))) == 0)
            return kernel_isa_usable(static_cast<kernel_isa>(isa));
    return true; // a backend
}

std::vector<Variant> variants() {
    std::vector<Variant> all, here;
#define K(op, isa) collect(all, #isa, #op, kernel_##op##_##isa);
#include "list.h"
#undef K
    for (const Variant &v : all)
        if (usable(v.name)) here.push_back(v);
    return here;
}

std::vector<Shape> read_shapes(const std::string &path) {
    std::vector<Shape> shapes;
    std::ifstream file(path);
    if (!file) std::fprintf(stderr, "bench_kernels: cannot read %s\n", path.c_str()), std::exit(2);
    std::string line;
    for (int number = 1; std::getline(file, line); number++) {
        std::istringstream words(line.substr(0, line.find('#')));
        std::string trans;
        Shape s;
        if (!(words >> trans)) continue;
        if (!(words >> s.m >> s.n >> s.k) || trans.size() != 2 || trans.find_first_not_of("NT") != std::string::npos) {
            std::fprintf(stderr, "bench_kernels: %s:%d: want \"NT 1024 768 768\"\n", path.c_str(), number);
            std::exit(2);
        }
        s.a_trans = trans[0] == 'T', s.b_trans = trans[1] == 'T';
        shapes.push_back(s);
    }
    return shapes;
}

// Words that are one FP32 or two BF16 numbers in +-[0.5, 1).
void fill(std::vector<uint32_t> &x, int64_t words) {
    const size_t count = static_cast<size_t>(words);
    uint64_t state = 1;
    while (x.size() < count) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        x.push_back((static_cast<uint32_t>(state >> 32) & 0x807f807fu) | 0x3f003f00u);
    }
}

void run_peak(benchmark::State &state, kernel_peak_fn *peak, kernel_dtype dtype, int threads) {
    const int64_t rounds = 100000;
    double flop = 0;
    for (auto _ : state) {
#pragma omp parallel num_threads(threads)
        {
            const double mine = peak(dtype, rounds);
#pragma omp master
            flop = mine * threads;
        }
    }
    state.counters["FLOP/s"] = benchmark::Counter(flop, benchmark::Counter::kIsIterationInvariantRate);
}

void run_gemm(benchmark::State &state, kernel_gemm_fn *gemm, kernel_dtype dtype, int threads, const Shape &s,
              const Memory &memory) {
    kernel_ops ops;
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    kernel_team team = {};
    team.ops = &ops, team.threads = threads, team.scratch = memory.scratch, team.scratch_bytes = memory.scratch_bytes;
    kernel_gemm g = {};
    g.m = s.m, g.n = s.n, g.k = s.k, g.a_trans = s.a_trans, g.b_trans = s.b_trans;
    g.a = memory.a.data(), g.b = memory.b.data(), g.c = const_cast<uint32_t *>(memory.c.data());
    g.lda = s.a_trans ? s.m : s.k, g.ldb = s.b_trans ? s.k : s.n, g.ldc = s.n;
    g.in = g.out = dtype;
    if (s.a_trans) g.d = g.c, g.out = KERNEL_F32; // as gradients of weights accumulate
    for (auto _ : state) gemm(&team, &g);
    const double flop = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
    state.counters["FLOP/s"] = benchmark::Counter(flop, benchmark::Counter::kIsIterationInvariantRate);
}

// Query-key pairs that one head's mask leaves.
double pairs(int64_t window) {
    double sum = 0;
    for (int64_t i = 1; i <= ATTENTION_SEQ; i++) sum += static_cast<double>(window ? std::min(i, window) : i);
    return sum;
}

// Contiguous [seq][head][x]; backward reads what forward wrote.
void run_attention(benchmark::State &state, const Variant &v, kernel_dtype dtype, int threads, const Attention &shape,
                   const Memory &memory) {
    kernel_ops ops;
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    kernel_team team = {};
    team.ops = &ops, team.threads = threads, team.scratch = memory.scratch, team.scratch_bytes = memory.scratch_bytes;
    const float slopes[ATTENTION_HEADS] = {0.0625f, 0.00390625f};
    const size_t n = static_cast<size_t>(ATTENTION_SEQ * ATTENTION_HEADS * shape.head_dim);
    std::vector<float> o(n), dq(n), dk(n), dv(n), lse(static_cast<size_t>(ATTENTION_SEQ * ATTENTION_HEADS));
    kernel_attention a = {};
    a.batch = 1, a.heads = a.kv_heads = ATTENTION_HEADS, a.seq_q = a.seq_k = ATTENTION_SEQ;
    a.head_dim = a.q_head = a.kv_head = a.o_head = shape.head_dim;
    a.q_row = a.kv_row = a.o_row = ATTENTION_HEADS * shape.head_dim;
    a.window = shape.window, a.slopes = shape.alibi ? slopes : nullptr, a.dtype = dtype;
    a.scale = 1 / std::sqrt(static_cast<float>(shape.head_dim));
    a.q = memory.a.data(), a.k = memory.b.data(), a.v = a.d_o = memory.c.data();
    a.o = o.data(), a.lse = lse.data(), a.dq = dq.data(), a.dk = dk.data(), a.dv = dv.data();
    const bool backward = std::strcmp(v.op, "attention_backward") == 0;
    if (backward) ops.attention_forward(&team, &a);
    for (auto _ : state) v.attention(&team, &a);
    const double flop = (backward ? 10.0 : 4.0) * pairs(a.window) * static_cast<double>(a.heads * a.head_dim);
    state.counters["FLOP/s"] = benchmark::Counter(flop, benchmark::Counter::kIsIterationInvariantRate);
}

void add_attention(const Variant &v, kernel_dtype dtype, const Memory &memory, int threads) {
    for (const Attention &a : attentions) {
        std::ostringstream name;
        name << v.op << "/" << v.name << "/" << dtype_names[dtype] << "/" << a.name << "/" << ATTENTION_SEQ << "/"
             << a.head_dim << "/threads:" << threads;
        benchmark::RegisterBenchmark(name.str().c_str(), run_attention, v, dtype, threads, a, std::cref(memory))
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
    }
}

void add_all(const std::vector<Shape> &shapes, const Memory &memory, int threads) {
    const std::string suffix = "/threads:" + std::to_string(threads);
    const std::vector<Variant> here = variants();
    for (int d = 0; d < KERNEL_DTYPE_COUNT; d++) {
        const kernel_dtype dtype = static_cast<kernel_dtype>(d);
        for (const Variant &v : here) {
            if (!v.peak) continue;
            benchmark::RegisterBenchmark((std::string("peak/") + v.name + "/" + dtype_names[d] + suffix).c_str(),
                                         run_peak, v.peak, dtype, threads)
                ->UseRealTime();
        }
        for (const Variant &v : here)
            if (v.attention) add_attention(v, dtype, memory, threads);
        for (const Shape &s : shapes) {
            for (const Variant &v : here) {
                if (!v.gemm || (v.gemm == kernel_gemm_openblas && dtype != KERNEL_F32)) continue;
                std::ostringstream name;
                name << "gemm/" << v.name << "/" << dtype_names[d] << "/" << (s.a_trans ? 'T' : 'N')
                     << (s.b_trans ? 'T' : 'N') << "/" << s.m << "/" << s.n << "/" << s.k << suffix;
                benchmark::RegisterBenchmark(name.str().c_str(), run_gemm, v.gemm, dtype, threads, s, std::cref(memory))
                    ->UseRealTime()
                    ->Unit(benchmark::kMillisecond);
            }
        }
    }
}

} // namespace

int main(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    std::vector<Shape> shapes;
    for (int i = 1; i < std::max(argc, 2); i++)
        for (const Shape &s : read_shapes(i < argc ? argv[i] : "tests/shapes/gpt2-124m.txt")) shapes.push_back(s);
    const int threads = omp_get_max_threads();
    Memory memory;
    memory.scratch_bytes = (kernel_scratch_bytes(threads, ATTENTION_SEQ, ATTENTION_HEAD_MAX) + 63) / 64 * 64;
    memory.scratch = std::aligned_alloc(64, memory.scratch_bytes);
    if (!memory.scratch) return std::fprintf(stderr, "bench_kernels: out of memory\n"), 4;
    for (const Shape &s : shapes) fill(memory.a, s.m * s.k), fill(memory.b, s.k * s.n), fill(memory.c, s.m * s.n);
    const int64_t words = ATTENTION_SEQ * ATTENTION_HEADS * ATTENTION_HEAD_MAX;
    fill(memory.a, words), fill(memory.b, words), fill(memory.c, words);
    add_all(shapes, memory, 1);
    if (threads > 1) add_all(shapes, memory, threads);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    std::free(memory.scratch);
    return 0;
}
