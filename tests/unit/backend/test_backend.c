/* SPDX-License-Identifier: Apache-2.0
 *
 * Libraries compiled from fake.c, good and faulty: whose functions are called, under which name they are known, on how
 * many threads they work, and what is refused in which words. */
#include <dlfcn.h>
#include <elf.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "base/child.h"
#include "base/file.h"
#include "unit/support/effort.h"
#include "unit/support/folder.h"

/* Compiles the fake with these flags. folder_path is the library. */
static void compile(const char *flags) {
    char words[2048], name[32], line[256];
    char shell[] = "/bin/sh", c[] = "-c", *const command[] = {shell, c, words, NULL};
    static int number;
    snprintf(name, sizeof name, "fake-%d.so", number++);
    snprintf(words, sizeof words, "${CC:-cc} -O2 -shared -fPIC %s %s -o %s tests/unit/backend/fake.c -lpthread 2>&1",
             SANITIZED ? "-Wl,-Bsymbolic" : "", flags, folder_name(name));
    if (!base_child(command, NULL, 60, line, sizeof line)) fail_msg("cannot compile: %s: %s", words, line);
}

static void open_fake(struct backend *b, const char *flags, int threads) {
    struct base_error e = {0};
    compile(flags);
    if (backend_open(b, folder_path, threads, &e)) fail_msg("%s: %s", flags, e.text);
}

static void same(const char *got, const char *want) {
    if (want)
        assert_string_equal(got ? got : "(none)", want);
    else
        assert_null(got);
}

static void test_names(void **state) {
    (void)state;
    static const struct {
        const char *flags, *name, *version, *core, *held, *bf16;
    } cases[] = {
        {"-DFAKE_OPENBLAS='\"OpenBLAS 0.3.30 DYNAMIC_ARCH Fast\"' -DFAKE_BF16", "OpenBLAS", "0.3.30", "Fast",
         "openblas_set_num_threads", "cblas_sbgemm"},
        {"-DFAKE_OPENBLAS='\"strange\"'", "OpenBLAS", "strange", "Fast", "openblas_set_num_threads", NULL},
        {"-DFAKE_MKL=0 -fopenmp", "MKL", "2024.1-Product Build 20240215", "Wide vectors enabled processors",
         "MKL_Set_Num_Threads", NULL},
        {"-DFAKE_MKL=1", "MKL", "2024.1-Product Build 20240215", "Wide vectors enabled processors", NULL, NULL},
        {"-DFAKE_BLIS=32", "BLIS", "AOCL-BLIS 4.2.0 Build 20240301", "zen4", "bli_thread_set_num_threads", NULL},
        {"-DFAKE_ARMPL -fopenmp -DFAKE_THREADS=2", "ArmPL", "24.10.1", "", "omp_set_num_threads", NULL},
        {"-DFAKE_NVPL", "NVPL", "0.4.1", "", NULL, NULL},
        {"", NULL, "", "", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct backend b;
        open_fake(&b, cases[i].flags, 2);
        same(b.name, cases[i].name);
        same(b.version, cases[i].version);
        same(b.core, cases[i].core);
        same(b.held_by, cases[i].held);
        same(b.bf16, cases[i].bf16);
        assert_true(!b.cblas.sbgemm == !cases[i].bf16);
        json_t *record = backend_json(&b);
        assert_non_null(record);
        assert_int_equal(json_integer_value(json_object_get(record, "threads")), 2);
        assert_true(json_integer_value(json_object_get(record, "bytes")) > 0);
        assert_true(json_is_null(json_object_get(record, "threads_used")));
        same(json_string_value(json_object_get(record, "path")), b.path);
        json_decref(record);
    }
}

/* The library's cblas_sgemm calls sgemm_, a name that this program's OpenBLAS has too. */
static void test_own_functions(void **state) {
    (void)state;
    struct backend b;
    float x[4] = {1, 2, 3, 4}, y[4] = {5, 6, 7, 8}, z[4];
    if (SANITIZED) {
        print_message("SKIP: sanitizers do not allow RTLD_DEEPBIND\n");
        return;
    }
    open_fake(&b, "", 1);
    const int *calls = dlsym(b.handle, "fake_calls"), before = *calls;
    assert_int_equal(before, 2); /* one to learn the size of integers, one to start threads */
    b.cblas.sgemm(101, 111, 112, 2, 2, 2, 1, x, 2, y, 2, 0, z, 2);
    assert_int_equal(*calls, before + 1);
    assert_true(z[0] == 17 && z[1] == 23 && z[2] == 39 && z[3] == 53);
}

/* Counts what works, whatever the library says. */
static void test_threads(void **state) {
    (void)state;
    struct base_error e = {0};
    struct backend b;
    char text[PATH_MAX + 128];
    open_fake(&b, "-fopenmp -DFAKE_THREADS=2", 2);
    assert_int_equal(backend_count(&b, &e), BASE_OK);
    assert_int_equal(b.threads_used, 2);
    backend_warning(&b, text, sizeof text);
    assert_string_equal(text, "");
    open_fake(&b, "", 2); /* a serial one */
    assert_int_equal(backend_count(&b, &e), BASE_OK);
    assert_int_equal(b.threads_used, 1);
    backend_warning(&b, text, sizeof text);
    assert_non_null(strstr(text, "multiplies on 1 of 2 threads: take a threaded build, or pass --threads 1"));
    open_fake(&b, "-fopenmp -DFAKE_THREADS=3 -DFAKE_OPENBLAS='\"OpenBLAS 1\"'", 2);
    assert_int_equal(backend_count(&b, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "multiplies on 3 threads instead of 2, in spite of openblas_set_num_threads"));
    open_fake(&b, "-DFAKE_NEW_THREADS", 2); /* not pinned here, so they share no CPU */
    assert_int_equal(backend_count(&b, &e), BASE_OK);
    assert_int_equal(b.threads_used, 2);
}

static void refused(const char *words) {
    struct backend b;
    struct base_error e = {0};
    const int code = backend_open(&b, folder_path, 1, &e);
    if (code != BASE_USAGE || !strstr(e.text, words) || strncmp(e.text, "--backend: ", 11) != 0)
        fail_msg("%s: code %d, \"%s\" lacks \"%s\"", folder_path, code, e.text, words);
}

static void test_refused_libraries(void **state) {
    (void)state;
    static const struct {
        const char *flags, *words;
    } cases[] = {
        {"-DFAKE_NAMES_WIDE", "has cblas_sgemm64_ but no cblas_sgemm: its integers have 64 bits (ILP64); take"},
        {"-DFAKE_WIDE", "have 64 bits (ILP64); take the build with 32-bit integers (LP64)"},
        {"-DFAKE_WIDE -DFAKE_MKL=0", "(LP64), or unset MKL_INTERFACE_LAYER"},
        {"-DFAKE_BLIS=64", "have 64 bits (ILP64)"},
        {"-DFAKE_OPENBLAS='\"OpenBLAS 0.3 USE64BITINT\"'", "have 64 bits (ILP64)"},
        {"-DFAKE_FORTRAN", "has sgemm_ but no cblas_sgemm: it lacks the C interface; take a build with CBLAS"},
        {"-DFAKE_NOTHING", "has no cblas_sgemm: it is no CBLAS library"},
        {"-DFAKE_NOTHING -Wl,--no-as-needed -lopenblas", "which toise is linked with, and not a library of its own"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        compile(cases[i].flags);
        refused(cases[i].words);
    }
}

static void test_refused_files(void **state) {
    (void)state;
    char *bytes;
    size_t size;
    folder_name("none.so");
    refused("none.so: No such file or directory; give the path of a library");
    snprintf(folder_path, sizeof folder_path, "%s", folder);
    refused("is no file; give the path of a library");
    folder_write("script.so", "GROUP ( libblas.so.3 )\n", 23);
    refused("is text, perhaps a linker script; give the shared library that it names");
    folder_write("empty.so", "", 0);
    refused("is no shared library (not an ELF file)");
    folder_write("lib.a", "!<arch>\n", 8);
    refused("is a static archive; give the shared library (.so)");
    folder_write("noise.so",
                 "\x7f"
                 "EL\0\1\2\3",
                 7);
    refused("is no shared library (not an ELF file)");
    compile("");
    assert_int_equal(base_file_read(folder_path, &bytes, &size, NULL), BASE_OK);
    Elf64_Ehdr *head = (void *)bytes;
    folder_write("cut.so", bytes, 4096);
    refused("is cut short; copy it again");
    head->e_type = ET_REL;
    folder_write("object.o", bytes, size);
    refused("is an object file; give the shared library (.so)");
    head->e_type = ET_EXEC;
    folder_write("program", bytes, size);
    refused("is a program; give the shared library (.so)");
    head->e_type = ET_DYN, head->e_machine = EM_S390;
    folder_write("other.so", bytes, size);
    refused("is for another machine (ELF machine 22 of 64 bits");
    free(bytes);
}

/* The OpenBLAS that toise is linked with takes no more threads than it is told, nor in FP64 than OpenMP does. */
static void test_linked(void **state) {
    (void)state;
    struct backend b;
    const double x = 3, y = 5;
    double z = 0;
    int (*threads)(void);
    backend_linked(&b, 2);
    assert_string_equal(b.name, "OpenBLAS");
    assert_string_equal(b.held_by, "openblas_set_num_threads");
    assert_true(b.path[0] == '/' && b.bytes > 0 && b.version[0]);
    assert_int_equal(backend_count(&b, NULL), BASE_OK);
    assert_true(b.threads_used <= 2);
    assert_true(backend_find(&b, "openblas_get_num_threads", &threads));
    omp_set_num_threads(1);
    kernel_reference_dgemm(false, false, 1, 1, 1, &x, 1, &y, 1, 0, &z, 1);
    assert_true(z == 15);
    assert_int_equal(threads(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),         cmocka_unit_test(test_own_functions),
                                       cmocka_unit_test(test_threads),       cmocka_unit_test(test_refused_libraries),
                                       cmocka_unit_test(test_refused_files), cmocka_unit_test(test_linked)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
