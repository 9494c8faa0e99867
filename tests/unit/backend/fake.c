/* SPDX-License-Identifier: Apache-2.0
 *
 * A matmul library for the tests, which compile it: cc -shared -fPIC -fopenmp -DFAKE_... Its cblas_sgemm calls sgemm_,
 * a plain loop, by the name that OpenBLAS has too. When it is unloaded it writes the calls that reached its loops, FP32
 * and BF16, to the file that FAKE_CALLS names. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef FAKE_WIDE /* integers of 64 bits under the usual names */
typedef int64_t integer;
#else
typedef int integer;
#endif
#if !defined FAKE_NAMES_WIDE && !defined FAKE_FORTRAN && !defined FAKE_NOTHING
#define FAKE_CBLAS
#endif
#ifndef FAKE_THREADS
#define FAKE_THREADS 1
#endif

enum { ROW_MAJOR = 101, TRANSPOSED = 112 };

struct matmul {
    integer m, n, k, lda, ldb, ldc;
    int a_trans, b_trans;
    const float *a, *b;
    float beta, *c;
};

void sgemm_(const struct matmul *x);
void cblas_sgemm(int order, int a_trans, int b_trans, integer m, integer n, integer k, float alpha, const float *a,
                 integer lda, const float *b, integer ldb, float beta, float *c, integer ldc);

extern int fake_calls[2];
int fake_calls[2];

__attribute__((destructor)) static void report(void) {
    FILE *file = getenv("FAKE_CALLS") ? fopen(getenv("FAKE_CALLS"), "w") : NULL;
    if (file) fprintf(file, "%d %d\n", fake_calls[0], fake_calls[1]), fclose(file);
}

/* Rows i, i + step, ... */
static void rows(const struct matmul *x, integer i, integer step) {
    for (; i < x->m; i += step) {
        float *c = x->c + i * x->ldc;
        for (integer j = 0; j < x->n; j++) c[j] = x->beta == 0 ? 0 : x->beta * c[j];
        for (integer p = 0; p < x->k; p++) {
            const float a = x->a_trans ? x->a[p * x->lda + i] : x->a[i * x->lda + p];
            for (integer j = 0; j < x->n; j++) c[j] += a * (x->b_trans ? x->b[j * x->ldb + p] : x->b[p * x->ldb + j]);
        }
#ifdef FAKE_WRONG /* one element of a large matrix */
        if (i == 17) c[x->n / 2] += 16;
#endif
    }
}

#ifdef FAKE_NEW_THREADS
static const struct matmul *now;
static void *second(void *unused) {
    rows(now, 1, 2);
    return unused;
}
#endif

#ifndef FAKE_NOTHING
void sgemm_(const struct matmul *x) {
    fake_calls[0]++;
#ifdef FAKE_NEW_THREADS /* a thread for each call */
    pthread_t thread;
    now = x;
    pthread_create(&thread, NULL, second, NULL);
    rows(x, 0, 2);
    pthread_join(thread, NULL);
#elif FAKE_THREADS > 1 /* whatever anyone asks for */
#pragma omp parallel for num_threads(FAKE_THREADS) schedule(static)
    for (int t = 0; t < FAKE_THREADS; t++) rows(x, t, FAKE_THREADS);
#else
    rows(x, 0, 1);
#endif
}
#endif

#ifdef FAKE_CBLAS
void cblas_sgemm(int order, int a_trans, int b_trans, integer m, integer n, integer k, float alpha, const float *a,
                 integer lda, const float *b, integer ldb, float beta, float *c, integer ldc) {
    if (order != ROW_MAJOR || alpha != 1) abort();
    sgemm_(&(struct matmul){m, n, k, lda, ldb, ldc, a_trans == TRANSPOSED, b_trans == TRANSPOSED, a, b, beta, c});
}
#endif

#ifdef FAKE_NAMES_WIDE
void cblas_sgemm64_(void);
void cblas_sgemm64_(void) {}
#endif

#ifdef FAKE_BF16
static float *widen(const uint16_t *x, size_t n) {
    float *y = malloc(n * sizeof *y);
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)x[i] << 16;
        memcpy(&y[i], &bits, sizeof bits);
    }
    return y;
}

void cblas_sbgemm(int order, int a_trans, int b_trans, int m, int n, int k, float alpha, const uint16_t *a, int lda,
                  const uint16_t *b, int ldb, float beta, float *c, int ldc);
void cblas_sbgemm(int order, int a_trans, int b_trans, int m, int n, int k, float alpha, const uint16_t *a, int lda,
                  const uint16_t *b, int ldb, float beta, float *c, int ldc) {
    const int at = a_trans == TRANSPOSED, bt = b_trans == TRANSPOSED;
    float *x = widen(a, (size_t)((at ? k : m) - 1) * (size_t)lda + (size_t)(at ? m : k));
    float *y = widen(b, (size_t)((bt ? n : k) - 1) * (size_t)ldb + (size_t)(bt ? k : n));
    if (order != ROW_MAJOR || alpha != 1) abort();
    fake_calls[1]++;
    rows(&(struct matmul){m, n, k, lda, ldb, ldc, at, bt, x, y, beta, c}, 0, 1);
    free(x), free(y);
}
#endif

/* What libraries say of themselves. */
#ifdef FAKE_OPENBLAS
static int set;
char *openblas_get_config(void);
char *openblas_get_config(void) {
    static char text[] = FAKE_OPENBLAS;
    return text;
}
char *openblas_get_corename(void);
char *openblas_get_corename(void) {
    static char text[] = "Fast";
    return text;
}
void openblas_set_num_threads(int n);
void openblas_set_num_threads(int n) {
    set = n;
}
int openblas_get_num_threads(void);
int openblas_get_num_threads(void) {
    return set;
}
#endif
#ifdef FAKE_MKL
void MKL_Get_Version_String(char *text, int size);
void MKL_Get_Version_String(char *text, int size) {
    snprintf(text, (size_t)size, "%s",
             "Intel(R) oneAPI Math Kernel Library Version 2024.1-Product Build 20240215 for Intel(R) 64 architecture "
             "applications  \n");
}
void MKL_Get_Version(void *facts);
void MKL_Get_Version(void *facts) {
    static char processor[] = "Wide vectors enabled processors";
    memcpy((char *)facts + 4 * sizeof(int) + 2 * sizeof(char *), &(char *){processor}, sizeof(char *));
}
static int set;
void MKL_Set_Num_Threads(int n);
void MKL_Set_Num_Threads(int n) {
    set = n;
}
int MKL_Get_Max_Threads(void);
int MKL_Get_Max_Threads(void) {
    return set + FAKE_MKL;
}
#endif
#ifdef FAKE_BLIS
const char *bli_info_get_version_str(void);
const char *bli_info_get_version_str(void) {
    return "AOCL-BLIS 4.2.0 Build 20240301";
}
int bli_info_get_blas_int_type_size(void);
int bli_info_get_blas_int_type_size(void) {
    return FAKE_BLIS;
}
int bli_arch_query_id(void);
int bli_arch_query_id(void) {
    return 7;
}
const char *bli_arch_string(int id);
const char *bli_arch_string(int id) {
    return id == 7 ? "zen4" : "?";
}
static int64_t set;
void bli_thread_set_num_threads(int64_t n);
void bli_thread_set_num_threads(int64_t n) {
    set = n;
}
int64_t bli_thread_get_num_threads(void);
int64_t bli_thread_get_num_threads(void) {
    return set;
}
#endif
#ifdef FAKE_ARMPL
void armplversion(int *major, int *minor, int *patch, const char **tag);
void armplversion(int *major, int *minor, int *patch, const char **tag) {
    *major = 24, *minor = 10, *patch = 1, *tag = "";
}
#endif
#ifdef FAKE_NVPL
int nvpl_blas_get_version(void);
int nvpl_blas_get_version(void) {
    return 400 + 1;
}
#endif
