// SPDX-License-Identifier: Apache-2.0
//
// Google Benchmark over every gemm of list.h on shapes from files: bench_kernels [flags] [FILE...], by default
// tests/shapes/gpt2-124m.txt. FLOP/s of the register peak comes first, by the same clock. Compare variants within
// one run with --benchmark_enable_random_interleaving=true --benchmark_repetitions=5.
#include <omp.h>

#include <algorithm>
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
    const char *name;
    kernel_gemm_fn *gemm;
    kernel_peak_fn *peak;
};

struct Memory {
    std::vector<uint32_t> a, b, c;
    void *scratch;
    size_t scratch_bytes;
};

const char *const dtype_names[KERNEL_DTYPE_COUNT] = {"f32", "bf16"};

// Other operations are none of ours: the type of the function tells.
template <class F> void collect(std::vector<Variant> &, const char *, F *) {}
void collect(std::vector<Variant> &to, const char *name, kernel_gemm_fn *f) {
    to.push_back({name, f, nullptr});
}
void collect(std::vector<Variant> &to, const char *name, kernel_peak_fn *f) {
    to.push_back({name, nullptr, f});
}

bool usable(const char *name) {
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++)
        if (std::strcmp(name, kernel_isa_name(static_cast<kernel_isa>(isa))) == 0)
            return kernel_isa_usable(static_cast<kernel_isa>(isa));
    return true; // a backend
}

std::vector<Variant> variants() {
    std::vector<Variant> all, here;
#define K(op, isa) collect(all, #isa, kernel_##op##_##isa);
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
    memory.scratch_bytes = (kernel_scratch_bytes(threads, 1, 1) + 63) / 64 * 64;
    memory.scratch = std::aligned_alloc(64, memory.scratch_bytes);
    if (!memory.scratch) return std::fprintf(stderr, "bench_kernels: out of memory\n"), 4;
    for (const Shape &s : shapes) fill(memory.a, s.m * s.k), fill(memory.b, s.k * s.n), fill(memory.c, s.m * s.n);
    add_all(shapes, memory, 1);
    if (threads > 1) add_all(shapes, memory, threads);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    std::free(memory.scratch);
    return 0;
}
