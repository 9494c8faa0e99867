/* SPDX-License-Identifier: Apache-2.0
 *
 * onednn LIBRARY MODEL f32|bf16 SECONDS: times the matmuls of a model's step by oneDNN and by toise, as `toise kernels`
 * does: each result is checked, samples take turns on the same pinned threads. Neither gets a packed operand. Prints a
 * line of JSON a variant of a shape. bench.py compares them. LIBRARY is a libdnnl.so of version 3 with OpenMP; what it
 * needs of dnnl.h is declared here, so that this builds without it. Exit 77: it cannot be used, and why. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/topology.h"
#include "bench/kernel_record.h"
#include "cli/catalog.h"
#include "cli/cli.h"

enum { CPU = 1, WITH_OPENMP = 2, BF16 = 2, F32 = 3, IN_ORDER = 1, IMPLEMENTATION = 8 };
enum { SOURCE = 1, RESULT = 17, WEIGHTS = 33 };
enum { UNUSABLE = 77 };

struct dnnl_argument {
    int which;
    void *memory;
};
struct dnnl_version {
    int major, minor, patch;
    const char *hash;
    unsigned cpu_runtime, gpu_runtime;
};
static struct {
    const struct dnnl_version *(*version)(void);
    int (*engine_create)(void **, int kind, size_t index);
    int (*stream_create)(void **, void *engine, unsigned flags);
    int (*stream_wait)(void *);
    int (*desc_create)(void **, int dimensions, const int64_t *sizes, int dtype, const int64_t *strides);
    int (*memory_create)(void **, void *desc, void *engine, void *data);
    int (*memory_set)(void *, void *data);
    int (*attr_create)(void **);
    int (*attr_set_post_ops)(void *, void *post_ops);
    int (*post_ops_create)(void **);
    int (*post_ops_append_sum)(void *, float scale, int32_t zero_point, int dtype);
    int (*matmul_create)(void **, void *engine, void *source, void *weights, void *bias, void *result, void *attr);
    int (*query)(void *, int what, int index, void *answer);
    int (*primitive_create)(void **, void *matmul);
    int (*primitive_destroy)(void *);
    int (*execute)(void *, void *stream, int count, const struct dnnl_argument *);
} dnnl;
static const struct {
    const char *name;
    void *function;
} functions[] = {{"dnnl_version", &dnnl.version},
                 {"dnnl_engine_create", &dnnl.engine_create},
                 {"dnnl_stream_create", &dnnl.stream_create},
                 {"dnnl_stream_wait", &dnnl.stream_wait},
                 {"dnnl_memory_desc_create_with_strides", &dnnl.desc_create},
                 {"dnnl_memory_create", &dnnl.memory_create},
                 {"dnnl_memory_set_data_handle", &dnnl.memory_set},
                 {"dnnl_primitive_attr_create", &dnnl.attr_create},
                 {"dnnl_primitive_attr_set_post_ops", &dnnl.attr_set_post_ops},
                 {"dnnl_post_ops_create", &dnnl.post_ops_create},
                 {"dnnl_post_ops_append_sum", &dnnl.post_ops_append_sum},
                 {"dnnl_matmul_primitive_desc_create", &dnnl.matmul_create},
                 {"dnnl_primitive_desc_query", &dnnl.query},
                 {"dnnl_primitive_create", &dnnl.primitive_create},
                 {"dnnl_primitive_destroy", &dnnl.primitive_destroy},
                 {"dnnl_primitive_execute", &dnnl.execute}};

/* The matmul in use. Preparing one is not timed: the check of its result comes first. */
static struct {
    void *engine, *stream, *primitive, *source, *weights, *result;
    const char *implementation;
    struct kernel_gemm of;
} own;

static void must(int status, const char *what) {
    if (!status) return;
    fprintf(stderr, "onednn: %s: status %d\n", what, status);
    exit(BASE_USAGE);
}

static int unusable(const char *path, const char *why) {
    printf("%s: %s\n", path, why);
    return UNUSABLE;
}

static int dnnl_open(const char *path) {
    void *const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return unusable(path, dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *const address = dlsym(library, functions[i].name);
        if (!address) return unusable(path, "it is older than oneDNN 3");
        memcpy(functions[i].function, &address, sizeof address);
    }
    if (dnnl.version()->cpu_runtime != WITH_OPENMP) return unusable(path, "its threads are not OpenMP's");
    must(dnnl.engine_create(&own.engine, CPU, 0), "engine");
    must(dnnl.stream_create(&own.stream, own.engine, IN_ORDER), "stream");
    return BASE_OK;
}

/* A matrix [rows, cols] as stored, or if transposed [cols, rows], with room for a pointer. */
static void *matrix(int64_t rows, int64_t cols, int64_t ld, bool transposed, enum kernel_dtype dtype, void **memory) {
    const int64_t sizes[] = {rows, cols}, strides[] = {transposed ? 1 : ld, transposed ? ld : 1};
    void *desc;
    must(dnnl.desc_create(&desc, 2, sizes, dtype == KERNEL_F32 ? F32 : BF16, strides), "matrix");
    must(dnnl.memory_create(memory, desc, own.engine, NULL), "memory");
    return desc;
}

static void prepare(const struct kernel_gemm *g) {
    void *source = matrix(g->m, g->k, g->lda, g->a_trans, g->in, &own.source), *attr, *sum, *matmul;
    void *weights = matrix(g->k, g->n, g->ldb, g->b_trans, g->in, &own.weights);
    void *result = matrix(g->m, g->n, g->ldc, false, g->out, &own.result);
    must(dnnl.attr_create(&attr), "attributes");
    must(dnnl.post_ops_create(&sum), "sum");
    if (g->d) must(dnnl.post_ops_append_sum(sum, 1, 0, 0), "sum");
    must(dnnl.attr_set_post_ops(attr, sum), "sum");
    must(dnnl.matmul_create(&matmul, own.engine, source, weights, NULL, result, attr), "matmul");
    must(dnnl.query(matmul, IMPLEMENTATION, 0, &own.implementation), "implementation");
    if (own.primitive) dnnl.primitive_destroy(own.primitive);
    must(dnnl.primitive_create(&own.primitive, matmul), "primitive");
    own.of = *g;
}

static bool prepared(const struct kernel_gemm *g) {
    const struct kernel_gemm *of = &own.of;
    return own.primitive && g->m == of->m && g->n == of->n && g->k == of->k && g->a_trans == of->a_trans &&
           g->b_trans == of->b_trans && g->in == of->in && g->out == of->out && !g->d == !of->d && g->lda == of->lda &&
           g->ldb == of->ldb && g->ldc == of->ldc;
}

/* The contract of kernel_gemm without bias and epilogue, which toise kernels does not time. */
static void gemm_onednn(const struct kernel_team *team, const struct kernel_gemm *g) {
    (void)team; /* its threads are those of OpenMP, which toise has pinned */
    if (!prepared(g)) prepare(g);
    must(dnnl.memory_set(own.source, (void *)(uintptr_t)g->a), "source");
    must(dnnl.memory_set(own.weights, (void *)(uintptr_t)g->b), "weights");
    must(dnnl.memory_set(own.result, g->c), "result");
    const struct dnnl_argument arguments[] = {{SOURCE, own.source}, {WEIGHTS, own.weights}, {RESULT, own.result}};
    must(dnnl.execute(own.primitive, own.stream, 3, arguments), "execute");
    must(dnnl.stream_wait(own.stream), "wait");
}

static void print_results(const struct bench_kernel_set *set) {
    const struct dnnl_version *v = dnnl.version();
    for (int i = 0; i < set->count; i++) {
        const struct bench_kernel_result *r = &set->results[i];
        json_t *line = json_object(), *result = bench_kernel_case_json(set->c);
        record_set(result, "variant", json_string(r->variant));
        if (r->status != RECORD_FAILED) measure_record_call(result, &r->timed, "call_s");
        record_set(line, "result", result);
        record_set(line, "samples", measure_record_samples(&r->timed, "call_s"));
        record_set(line, "why", json_string(r->why));
        record_set(line, "library", json_sprintf("oneDNN %d.%d.%d", v->major, v->minor, v->patch));
        record_set(line, "implementation", json_string(own.implementation));
        json_dumpf(line, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(line);
    }
    fflush(stdout);
}

static int cases_of(const char *model, enum kernel_dtype dtype, struct bench_kernel_cases *cases,
                    struct base_error *e) {
    struct plan_request r = {
        .dtype = dtype, .layout = plan_layout_data_parallel(1, 4), .global_batch = 4, .threads = 1};
    struct plan plan;
    int code = cli_catalog_model(model, &r.config, e);
    r.seq = code ? 0 : cli_usual_seq(&r.config);
    if (!code) code = plan_make(&plan, &r, e);
    if (!code) code = bench_kernel_cases_plan(cases, &plan, e);
    return code ? code : bench_kernel_cases_keep(cases, "gemm", e);
}

static int measure(const struct bench_kernel_cases *cases, double seconds, struct base_error *e) {
    static const struct kernel_cblas loaded; /* a library, whose rate may exceed toise's roof */
    struct bench_kernel_variant variants[2] = {{.name = "toise"}, {.name = "onednn"}};
    struct bench_kernel_options options = {.seconds = seconds, .width = 0.01, .seed = 1};
    struct base_topology topology;
    struct measure_placement placement;
    struct kernel_caches caches;
    struct bench_kernels bench;
    struct comm world;
    size_t scratch = 0;
    comm_serial(&world);
    int code = base_topology_read(&topology, e);
    if (!code) code = measure_place(&placement, &world, 0, e);
    if (code) return code;
    cli_pin(&placement, &world, MEASURE_BIND_CORE);
    base_topology_caches(&topology, placement.threads, 1, &caches);
    for (int i = 0; i < cases->count; i++) {
        const size_t needs = bench_kernel_scratch(&cases->at[i], placement.threads);
        if (needs > scratch) scratch = needs;
    }
    if ((code = bench_kernels_open(&bench, &placement, &caches, scratch, e))) return code;
    for (int v = 0; v < 2; v++) kernel_select(&variants[v].ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    variants[1].ops.gemm = gemm_onednn, variants[1].ops.cblas = &loaded;
    for (int i = 0; i < cases->count && !code; i++) {
        struct bench_kernel_set set;
        code = bench_kernel_measure(&bench, &cases->at[i], variants, 2, &options, &set, e);
        if (!code) print_results(&set);
        bench_kernel_set_close(&set);
    }
    bench_kernels_close(&bench);
    return code;
}

int main(int argc, char **argv) {
    struct bench_kernel_cases cases = {0};
    struct base_error e = {0};
    if (argc != 5) {
        fputs("usage: onednn LIBRARY MODEL f32|bf16 SECONDS\n", stderr);
        return BASE_USAGE;
    }
    int code = dnnl_open(argv[1]);
    if (code) return code;
    code = cases_of(argv[2], strcmp(argv[3], "bf16") ? KERNEL_F32 : KERNEL_BF16, &cases, &e);
    if (!code) code = measure(&cases, atof(argv[4]), &e);
    bench_kernel_cases_close(&cases);
    if (code) fprintf(stderr, "onednn: %s\n", e.text);
    return code;
}
