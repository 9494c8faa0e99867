/* SPDX-License-Identifier: Apache-2.0
 *
 * Positions without parameters: ALiBi's slopes by the paper's rule, rotary angles, and Llama 3.1's slower planes,
 * against literals computed independently. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "model/buffers.h"
#include "unit/support/config_json.h"

static const double U32 = 0x1p-24;

static void assert_close(double x, double y, double units) {
    if (!(fabs(x - y) <= units * U32 * fabs(y))) fail_msg("%.17g, wanted %.17g", x, y);
}

static void test_slopes(void **state) {
    (void)state;
    const float four[] = {0x1p-2f, 0x1p-4f, 0x1p-6f, 0x1p-8f},
                six[] = {0x1p-2f, 0x1p-4f, 0x1p-6f, 0x1p-8f, 0x1p-1f, 0x1p-3f};
    const float one[] = {0x1p-8f}, three[] = {0x1p-4f, 0x1p-8f, 0x1p-2f};
    float slopes[113];
    model_position_slopes(4, 0, 4, slopes);
    assert_memory_equal(slopes, four, sizeof four);
    model_position_slopes(6, 0, 6, slopes);
    assert_memory_equal(slopes, six, sizeof six);
    model_position_slopes(1, 0, 1, slopes);
    assert_memory_equal(slopes, one, sizeof one);
    model_position_slopes(3, 0, 3, slopes);
    assert_memory_equal(slopes, three, sizeof three);

    model_position_slopes(16, 0, 16, slopes); /* 2^(-h/2) */
    assert_close(slopes[0], 0.70710678118654752, 1);
    assert_true(slopes[1] == 0x1p-1f && slopes[15] == 0x1p-8f);

    /* BLOOM-176B: 64 heads of 2^(-h/8), then 48 of 128 heads' 2^(-h/16) for h = 1, 3, ..., 95 */
    slopes[112] = 7;
    model_position_slopes(112, 0, 112, slopes);
    assert_close(slopes[0], 0.91700404320467123, 1); /* 2^(-1/8) */
    assert_true(slopes[63] == 0x1p-8f);
    assert_close(slopes[64], 0.95760328069857365, 1);   /* 2^(-1/16) */
    assert_close(slopes[111], 0.016316777850428336, 1); /* 2^(-95/16) */
    assert_true(slopes[112] == 7);
    float part[28]; /* of a rank: heads 56 to 83 */
    model_position_slopes(112, 56, 28, part);
    assert_memory_equal(part, slopes + 56, sizeof part);
}

enum { HEAD = 6, HALF = HEAD / 2, SEQ = 9 };

static struct model_config rotary(int64_t head_dim, double theta) {
    return (struct model_config){
        .family = model_family_find("llama"), .head_dim = head_dim, .rotary = {.theta = theta}};
}

/* With heads of 4, planes rotate by 1 and by 10000^(-1/2) = 1/100 per position. */
static void test_angles(void **state) {
    (void)state;
    const struct model_config c = rotary(4, 10000);
    const double cosines[] = {1, 1, 0.54030230586813972, 0.99995000041666528};
    const double sines[] = {0, 0, 0.84147098480789651, 0.0099998333341666647};
    float cos_table[8], sin_table[8];
    model_position_angles(&c, 0, 4, cos_table, sin_table);
    for (int i = 0; i < 4; i++) {
        assert_close(cos_table[i], cosines[i], 1);
        assert_close(sin_table[i], sines[i], 1);
    }
    assert_close(cos_table[6], -0.98999249660044546, 1); /* cos 3 */
    assert_close(sin_table[6], 0.14112000805986722, 1);
    assert_close(cos_table[7], 0.99955003374898751, 1); /* cos 0.03 */
    assert_close(sin_table[7], 0.029995500202495661, 1);
}

/* The last position of a long context: an angle in FP32 would be off by 2^-24 of 131071 radians. */
static void test_far_positions(void **state) {
    (void)state;
    const struct model_config c = rotary(128, 500000);
    float cosines[64], sines[64];
    model_position_angles(&c, 131071, 1, cosines, sines);
    for (int i = 0; i < 64; i++) {
        const long double angle = 131071 * powl(500000, -(long double)i / 64);
        assert_true(fabsl(cosines[i] - cosl(angle)) < 0x1p-24L);
        assert_true(fabsl(sines[i] - sinl(angle)) < 0x1p-24L);
    }
}

/* A part of a sequence gets the same rows as the whole, and writes nothing else. */
static void test_offset(void **state) {
    (void)state;
    const struct model_config c = rotary(HEAD, 10000);
    float cosines[SEQ * HALF], sines[SEQ * HALF], part_cos[4 * HALF + 1], part_sin[4 * HALF + 1];
    model_position_angles(&c, 0, SEQ, cosines, sines);
    for (int first = 0; first + 4 <= SEQ; first++) {
        part_cos[4 * HALF] = part_sin[4 * HALF] = 7;
        model_position_angles(&c, first, 4, part_cos, part_sin);
        assert_memory_equal(part_cos, cosines + first * HALF, 4 * HALF * sizeof *cosines);
        assert_memory_equal(part_sin, sines + first * HALF, 4 * HALF * sizeof *sines);
        assert_true(part_cos[4 * HALF] == 7 && part_sin[4 * HALF] == 7);
    }
}

/* Llama 3.1 405B: heads of 128, theta 500000, factor 8, low 1, high 4, first trained on 8192 positions. Wavelengths are
 * 2 pi 500000^(i/64). Up to plane 28 (1956 positions) they are below 8192 / 4, so unchanged. From plane 35 on (8219)
 * they exceed 8192, so the speed is an eighth. Plane 31 (3619.249) is interpolated: (8192 / 3619.249 - 1) / 3 =
 * 0.421151 unchanged. */
static void test_llama3_planes(void **state) {
    (void)state;
    const struct {
        int plane;
        double speed; /* radians per position */
    } planes[] = {{0, 1},
                  {1, 0.8146172338565447},
                  {28, 0.003211445994752591},      /* the last unchanged one: 1956.5 positions */
                  {29, 0.002166570763503359},      /* 2401.7: 0.80362 of 0.00261610 and the rest of its eighth */
                  {31, 0.0008567514129196321},     /* 0.421151 of 0.00173605 */
                  {34, 0.0001785078127679964},     /* 6695.1: 0.0745266 of 0.000938474 */
                  {35, 0.0007644969883171747 / 8}, /* 8218.7 */
                  {63, 2.455140791131609e-06 / 8}};
    const struct model_config c = config_json_accepted(config_json_preset("llama-3-405b"));
    float cosines[64], sines[64];
    assert_int_equal(c.head_dim, 128);
    model_position_angles(&c, 1, 1, cosines, sines);
    for (size_t i = 0; i < sizeof planes / sizeof *planes; i++)
        assert_close(atan2((double)sines[planes[i].plane], (double)cosines[planes[i].plane]), planes[i].speed, 2);
    /* Llama 3 has no scaling: plane 35 at full speed */
    const struct model_config plain = config_json_accepted(config_json_preset("llama-3-8b"));
    model_position_angles(&plain, 1, 1, cosines, sines);
    assert_close(atan2((double)sines[35], (double)cosines[35]), 0.0007644969883171747, 2);
}

/* Linear scaling by 4: position 4 p gets the angle of p. With heads of 4, plane 1 rotates by 1/400 per position. */
static void test_linear_planes(void **state) {
    (void)state;
    struct model_config c = rotary(4, 10000);
    float cosines[10], sines[10], plain_cos[10], plain_sin[10];
    model_position_angles(&c, 0, 5, plain_cos, plain_sin);
    c.rotary.factor = 4;
    model_position_angles(&c, 0, 5, cosines, sines);
    assert_close(cosines[2], 0.96891242171064478, 1); /* cos 1/4 */
    assert_close(sines[2], 0.24740395925452293, 1);
    assert_close(sines[3], 0.0024999973958341471, 1); /* sin 1/400 */
    assert_memory_equal(cosines + 8, plain_cos + 2, 2 * sizeof *cosines);
    assert_memory_equal(sines + 8, plain_sin + 2, 2 * sizeof *sines);
    c.rotary = (struct model_rotary){.theta = 10000, .dynamic = 4}; /* no scaling within the model's positions */
    model_position_angles(&c, 0, 5, cosines, sines);
    assert_memory_equal(cosines, plain_cos, sizeof cosines);
    assert_memory_equal(sines, plain_sin, sizeof sines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slopes), cmocka_unit_test(test_angles),        cmocka_unit_test(test_far_positions),
        cmocka_unit_test(test_offset), cmocka_unit_test(test_llama3_planes), cmocka_unit_test(test_linear_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
