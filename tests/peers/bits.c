/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * Prints a line for every call of every variant of list.h: its name and a digest of all that it wrote. All NaNs are
 * equal in the digest. test_bits.sh builds it twice: with the instruction sets, and with all of them emulated. The
 * argument "sets" prints the instruction sets that this program can run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/guarded.h"
#include "unit/support/operations_calls.h"

static const int64_t shapes[][3] = {{1, 1, 1}, {5, 7, 3}, {33, 65, 9}, {70, 130, 37}};
static const unsigned option_sets[] = {0, 1, 2, 3, 4, 8, 16, 20, 32, 35, 64, 68, 111, 128, 160, 199};
enum { SHAPES = sizeof shapes / sizeof *shapes, SETS = sizeof option_sets / sizeof *option_sets };

/* FNV-1a (Fowler, Noll, Vo) */
static void mix(uint64_t *digest, const void *data, size_t bytes) {
    const unsigned char *at = data;
    for (size_t i = 0; i < bytes; i++) *digest = (*digest ^ at[i]) * 0x100000001b3u;
}

static void mix_operand(uint64_t *digest, const struct operand *x) {
    for (int64_t i = 0; i < operand_span(x); i++) {
        float value = scalar_get(x->dtype, x->data, i);
        if (!x->integers && isnan(value)) value = NAN;
        mix(digest, &value, sizeof value);
    }
}

/* Makes one number in three of every input denormal, tiny or huge, for flushes and overflows. */
static void make_hostile(struct call *c) {
    static const float scales[] = {1e-39f, 1e-30f, 1e15f};
    for (int i = 0; i < c->o.count; i++) {
        const struct operand *x = &c->o.operands[i];
        if (x->role == OPERAND_OUT || x->integers) continue;
        for (int64_t row = 0; row < x->rows; row++)
            for (int64_t col = row % 3; col < x->cols; col += 3) {
                const int64_t at = row * x->ld + col;
                scalar_put(x->dtype, x->data, at, scalar_get(x->dtype, x->data, at) * scales[(row + col) % 7 % 3]);
            }
    }
}

static void digest_print(struct call *c, bool hostile) {
    uint64_t digest = 0xcbf29ce484222325u;
    if (hostile) make_hostile(c);
    call_run(c);
    for (int i = 0; i < c->o.count; i++)
        if (c->o.operands[i].role != OPERAND_IN) mix_operand(&digest, &c->o.operands[i]);
    const double result = isnan(c->o.result) ? (double)NAN : c->o.result;
    mix(&digest, &result, sizeof result);
    printf("%s%s: %016llx\n", c->name, hostile ? " hostile" : "", (unsigned long long)digest);
}

/* ref and openblas are the same code in both builds. */
static bool is_set(const struct call *c) {
    return strcmp(operation_variants[c->variant].isa, "ref") != 0 &&
           strcmp(operation_variants[c->variant].isa, "openblas") != 0;
}

static void print_digests(void **state) {
    (void)state;
    for (struct call c = call_first(); call_valid(&c); call_next(&c))
        for (int s = 0; is_set(&c) && s < SHAPES; s++)
            for (int set = 0; set < 2 * SETS; set++) {
                call_shape(&c, shapes[s], option_sets[set / 2], 1 + (s + set / 2) % 2);
                if (call_prepare(&c)) digest_print(&c, set % 2);
                call_release(&c);
            }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(print_digests)};
    if (argc == 2 && strcmp(argv[1], "sets") == 0) {
        for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++)
            if (kernel_isa_usable((enum kernel_isa)isa)) puts(kernel_isa_name((enum kernel_isa)isa));
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
