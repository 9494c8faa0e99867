// SPDX-License-Identifier: Apache-2.0
//
// Google Benchmark over the operations on rows, every instruction set of list.h: bench_rows [flags], on 2048 rows of
// 4096 columns, larger than a cache. Bytes are those that the operation must move: each operand once, in or out.
#include <omp.h>

#include <cstring>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

extern "C" {
#include "kernels.h"
}

namespace {

const int64_t rows = 2048, cols = 4096, head_dim = 128;
const char *const dtype_names[KERNEL_DTYPE_COUNT] = {"f32", "bf16"};

// Matrices of rows x cols words, x twice as wide for SwiGLU, and vectors of either length.
struct Memory {
    std::vector<float> x, y, dx, gain, bias, mean, rstd, dgain, dbias, cosines, sines;
};

kernel_norm norm_of(kernel_dtype t, Memory &m, bool rms) {
    kernel_norm l = {};
    l.rows = rows, l.cols = cols, l.dtype = t, l.eps = 1e-5f;
    l.x = m.x.data(), l.gain = m.gain.data(), l.y = m.y.data(), l.rstd = m.rstd.data();
    l.dy = m.y.data(), l.dx = m.dx.data(), l.dgain = m.dgain.data();
    if (!rms) l.bias = m.bias.data(), l.mean = m.mean.data(), l.dbias = m.dbias.data();
    return l;
}

typedef void run_fn(const kernel_team &, kernel_dtype, Memory &);

template <kernel_norm_fn *kernel_ops::*op, bool rms> void norm(const kernel_team &team, kernel_dtype t, Memory &m) {
    const kernel_norm l = norm_of(t, m, rms);
    (team.ops->*op)(&team, &l);
}
void gelu_forward(const kernel_team &team, kernel_dtype t, Memory &m) {
    team.ops->gelu_forward(&team, t, rows * cols, m.x.data(), m.y.data());
}
void gelu_backward(const kernel_team &team, kernel_dtype t, Memory &m) {
    team.ops->gelu_backward(&team, t, rows * cols, m.x.data(), m.y.data(), m.dx.data());
}
void swiglu_forward(const kernel_team &team, kernel_dtype t, Memory &m) {
    team.ops->swiglu_forward(&team, t, rows, cols, m.x.data(), m.y.data());
}
void swiglu_backward(const kernel_team &team, kernel_dtype t, Memory &m) {
    team.ops->swiglu_backward(&team, t, rows, cols, m.x.data(), m.y.data(), m.dx.data());
}
void rotary(const kernel_team &team, kernel_dtype t, Memory &m) {
    kernel_rotary k = {};
    k.rows = k.seq = rows, k.heads = cols / head_dim, k.head_dim = k.head = head_dim, k.row = cols, k.dtype = t;
    k.cos = m.cosines.data(), k.sin = m.sines.data(), k.x = m.y.data();
    team.ops->rotary(&team, &k);
}
void column_sum(const kernel_team &team, kernel_dtype t, Memory &m) {
    team.ops->column_sum(&team, t, rows, cols, m.x.data(), m.dbias.data());
}

const struct {
    const char *name;
    run_fn *run;
    int matrices; // of rows x cols, read or written
} operations[] = {
    {"layernorm_forward", norm<&kernel_ops::norm_forward, false>, 2},
    {"layernorm_grad_input", norm<&kernel_ops::norm_grad_input, false>, 3},
    {"layernorm_grad_params", norm<&kernel_ops::norm_grad_params, false>, 2},
    {"rmsnorm_forward", norm<&kernel_ops::norm_forward, true>, 2},
    {"rmsnorm_grad_input", norm<&kernel_ops::norm_grad_input, true>, 3},
    {"rmsnorm_grad_params", norm<&kernel_ops::norm_grad_params, true>, 2},
    {"gelu_forward", gelu_forward, 2},
    {"gelu_backward", gelu_backward, 3},
    {"swiglu_forward", swiglu_forward, 3},
    {"swiglu_backward", swiglu_backward, 5},
    {"rotary", rotary, 2},
    {"column_sum", column_sum, 1},
};

// Values of either dtype in +-[0.5, 1): a word is one FP32 or two BF16 numbers.
void fill(std::vector<float> &x, int64_t words) {
    uint64_t state = 1;
    x.resize(static_cast<size_t>(words));
    for (float &word : x) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const uint32_t bits = (static_cast<uint32_t>(state >> 32) & 0x807f807fu) | 0x3f003f00u;
        std::memcpy(&word, &bits, sizeof word);
    }
}

void run(benchmark::State &state, run_fn *operation, kernel_isa isa, kernel_dtype t, int threads, int matrices,
         Memory &memory) {
    kernel_ops ops;
    kernel_select(&ops, isa, KERNEL_BACKEND_TOISE);
    kernel_team team = {};
    team.ops = &ops, team.threads = threads;
    for (auto _ : state) operation(team, t, memory);
    state.SetBytesProcessed(state.iterations() * matrices * rows * cols * static_cast<int64_t>(kernel_dtype_bytes(t)));
}

void add_all(Memory &memory, int threads) {
    for (const auto &o : operations)
        for (int d = 0; d < KERNEL_DTYPE_COUNT; d++)
            for (int i = 0; i < KERNEL_ISA_COUNT; i++) {
                const kernel_isa isa = static_cast<kernel_isa>(i);
                if (!kernel_isa_usable(isa) || isa == KERNEL_ISA_avx512bf16) continue; // whose rows are avx512's
                const std::string name = std::string(o.name) + "/" + kernel_isa_name(isa) + "/" + dtype_names[d] +
                                         "/threads:" + std::to_string(threads);
                benchmark::RegisterBenchmark(name.c_str(), run, o.run, isa, static_cast<kernel_dtype>(d), threads,
                                             o.matrices, std::ref(memory))
                    ->UseRealTime()
                    ->Unit(benchmark::kMillisecond);
            }
}

} // namespace

int main(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    Memory memory;
    fill(memory.x, 2 * rows * cols), fill(memory.dx, 2 * rows * cols), fill(memory.y, rows * cols);
    for (std::vector<float> *v : {&memory.gain, &memory.bias, &memory.dgain, &memory.dbias}) fill(*v, cols);
    for (std::vector<float> *v : {&memory.mean, &memory.rstd}) fill(*v, rows);
    memory.cosines.assign(static_cast<size_t>(rows * head_dim / 2), 0.6f); // a rotation keeps the values' size
    memory.sines.assign(static_cast<size_t>(rows * head_dim / 2), 0.8f);
    const int threads = omp_get_max_threads();
    add_all(memory, 1);
    if (threads > 1) add_all(memory, threads);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
