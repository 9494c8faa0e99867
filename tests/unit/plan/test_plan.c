/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan and its ledger: literals worked out by hand, refused requests, and suggestions that fit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "plan/plan.h"
#include "unit/support/config_json.h"
#include "unit/support/rig.h"

static struct model_config gpt2_124m(void) {
    return rig_config(12, 768, 12, 50257, 1024);
}

static void literals_by_hand(void **state) {
    (void)state;
    struct plan plan;
    struct plan_ledger l;
    struct base_error e = {0};
    const struct plan_request r = {.config = gpt2_124m(),
                                   .dtype = KERNEL_F32,
                                   .seq = 256,
                                   .layout = plan_layout_data_parallel(1, 4),
                                   .global_batch = 4,
                                   .threads = 2};
    assert_int_equal(plan_make(&plan, &r, &e), BASE_OK);
    l = plan.ledger;
    /* 6 FLOP for each token and matmul weight: 12 layers of 12 width^2, and the head */
    assert_true(l.matmul_flop == 6.0 * 1024 * (12 * 12 * 768.0 * 768 + 50257 * 768.0));
    /* 12 layers, 4 sequences: 6 matmuls of 2 * 256^2 * 768, half the square */
    assert_true(l.attention_flop == 12 * 4 * 6 * (2.0 * 256 * 256 * 768) / 2);
    assert_true(fabs(l.matmul_flop / 1e9 - 759.0) < 0.05);
    assert_true(fabs(l.attention_flop / 1e9 - 14.5) < 0.05);
    assert_true(fabs(l.model_flop_square / 1e9 - 788.0) < 0.05);
    assert_true(l.model_flop == l.matmul_flop + l.attention_flop);
    assert_true(l.messages == 0 && l.message_bytes == 0);
    /* Megatron's 72 B s L h^2 (1 + s/(6h) + V/(12 L h)), Narayanan et al. SC'21 */
    const double h = 768, megatron = 72.0 * 4 * 256 * 12 * h * h * (1 + 256 / (6 * h) + 50257 / (12 * 12 * h));
    assert_true(fabs(l.model_flop_square / megatron - 1) < 1e-12);
}

/* gpt2-124m over two ranks, and over so many that rows no longer are a quarter of the table; untied and single. */
static void rows_apart_by_size(void **state) {
    (void)state;
    struct plan plan;
    struct base_error e = {0};
    struct plan_request r = {.config = gpt2_124m(),
                             .dtype = KERNEL_F32,
                             .seq = 256,
                             .layout = plan_layout_data_parallel(2, 2),
                             .global_batch = 4,
                             .threads = 1};
    assert_int_equal(plan_make(&plan, &r, &e), BASE_OK);
    assert_true(plan.rows_apart && plan_rows_count(&r) == 1024);
    assert_true(plan.arenas[PLAN_GATHERED].bytes == 1024 * 4 + 1024 * 768 * 4);
    /* rows of 768 FP32 and a token: at most 12,547; of BF16 25,063 */
    r.layout.micro_batch = 1, r.seq = 1;
    for (r.layout.dp = 12540; r.layout.dp < 12560; r.layout.dp++)
        assert_int_equal(plan_rows_apart(&r), r.layout.dp <= 12547);
    r.dtype = KERNEL_BF16;
    for (r.layout.dp = 25055; r.layout.dp < 25075; r.layout.dp++)
        assert_int_equal(plan_rows_apart(&r), r.layout.dp <= 25063);
    r.layout.dp = 1;
    assert_false(plan_rows_apart(&r));
    r.layout.dp = 2, r.config.tied = false;
    assert_false(plan_rows_apart(&r));
    r.rows = PLAN_ROWS_APART;
    assert_false(plan_rows_apart(&r));
    r.config.tied = true, r.rows = PLAN_ROWS_TOGETHER;
    assert_false(plan_rows_apart(&r));
}

static struct plan_request one_sequence(struct model_config config, int64_t seq) {
    return (struct plan_request){.config = config,
                                 .dtype = KERNEL_BF16,
                                 .seq = seq,
                                 .layout = plan_layout_data_parallel(1, 1),
                                 .global_batch = 1,
                                 .threads = 1};
}

static void ledger_of(struct plan *plan, struct plan_ledger *l, const struct plan_request *r) {
    struct base_error e = {0};
    if (plan_make(plan, r, &e)) fail_msg("%s", e.text);
    *l = plan->ledger;
}

/* One layer of Mistral 7B on 2,048 tokens T. Each matmul is 2 T in out FLOP, with three of them in a step. qkv 4096 x
 * (32 + 2*8) 128, projection 4096 x 4096, gate and value 4096 x 28672, down 14336 x 4096, head 4096 x 32000. Attention:
 * six matmuls of 2 T^2 128 in each of 32 heads, over half the square. The window of 4096 is never reached. */
static void mistral_by_hand(void **state) {
    (void)state;
    struct plan plan;
    struct plan_ledger l;
    struct plan_request r = one_sequence(config_json_accepted(config_json_preset("mistral-7b")), 2048);
    assert_int_equal(model_config_slice(&r.config, 1, NULL), BASE_OK);
    ledger_of(&plan, &l, &r);
    const double weights = 25165824.0 + 16777216.0 + 117440512.0 + 58720256.0 + 131072000.0;
    assert_true(l.matmul_flop == 6.0 * 2048 * weights);
    assert_true(l.attention_flop == 6.0 * 32 * 2048.0 * 2048 * 128);
    assert_true(l.attention_flop_square == 2 * l.attention_flop);
    assert_true(fabs(l.model_flop / 1e12 - 4.39375) < 1e-5);
}

/* The same on 8,192 tokens. A query sees at most 4096 keys, so a band of the half square is left: S w - w^2/2 = 8192
 * 4096 - 4096^2 / 2 = 25165824 of 33554432. */
static void window_by_hand(void **state) {
    (void)state;
    struct plan plan;
    struct plan_ledger l;
    struct plan_request r = one_sequence(config_json_accepted(config_json_preset("mistral-7b")), 8192);
    assert_int_equal(model_config_slice(&r.config, 1, NULL), BASE_OK);
    ledger_of(&plan, &l, &r);
    assert_true(l.attention_flop == 6.0 * 32 * 2 * 25165824.0 * 128);
    assert_true(l.attention_flop_square == 6.0 * 32 * 2 * 8192.0 * 8192 * 128);
    r.config.window = 8192; /* as long as the sequence: no window */
    ledger_of(&plan, &l, &r);
    assert_true(l.attention_flop == 6.0 * 32 * 2 * 33554432.0 * 128);
    r.config.window = 1; /* each query one key; the formula is the band's area, half a key a query less at its start */
    ledger_of(&plan, &l, &r);
    assert_true(l.attention_flop == 6.0 * 32 * 2 * 8191.5 * 128);
}

/* A slice reports the FLOP of the whole model. */
static void slice_knows_the_whole(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++) {
        const struct model_config whole = rig_config_of(rig_families[f], 5, 48, 6, 101, 64);
        struct plan plan, sliced;
        struct plan_ledger l;
        struct plan_request r = rig_request(&whole, KERNEL_F32, 37, 2, 3);
        ledger_of(&plan, &l, &r);
        assert_int_equal(model_config_slice(&r.config, 2, NULL), BASE_OK);
        assert_int_equal(plan_make(&sliced, &r, NULL), BASE_OK);
        assert_true(plan_full_model_flop(&sliced) == l.model_flop);
        assert_true(plan_full_model_flop(&plan) == l.model_flop);
        ledger_of(&sliced, &l, &r);
        assert_true(plan_full_model_flop(&sliced) > 1.5 * l.model_flop);
    }
}

/* Each bad request names the flag. */
static void bad_requests(void **state) {
    (void)state;
    const struct model_config c = rig_config(2, 64, 4, 256, 128);
    const struct {
        struct plan_request r;
        const char *flag;
    } cases[] = {
        {{.config = c, .seq = 129, .layout = plan_layout_data_parallel(1, 1), .global_batch = 1, .threads = 1},
         "--seq"},
        {{.config = c, .seq = 64, .layout = plan_layout_data_parallel(2, 1), .global_batch = 3, .threads = 1}, "--gbs"},
        {{.config = c, .seq = 64, .layout = plan_layout_data_parallel(2, 3), .global_batch = 8, .threads = 1}, "--mbs"},
        {{.config = c, .seq = 64, .layout = plan_layout_data_parallel(2, 0), .global_batch = 8, .threads = 1}, "--mbs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan plan;
        struct base_error e = {0};
        assert_int_equal(plan_make(&plan, &cases[i].r, &e), BASE_USAGE);
        assert_non_null(strstr(e.text, cases[i].flag));
    }
}

/* A layout that training does not support, or that does not suit the model, is refused and not replaced. */
static void layouts_refused(void **state) {
    (void)state;
    enum { REFUSED = 17 };
    static const char *const whys[REFUSED] = {[2] = "--pp 3 with --vp 1 makes 3 stages of the 2 layers",
                                              [3] = "--seq 64 does not divide over --cp 3",
                                              [4] = "rig is dense; leave out --ep",
                                              [5] = "--pp of at least 2",
                                              [6] = "which --recompute full drops: take --recompute none, or 1f1b",
                                              [8] = "--sp",
                                              [9] = "--zero 4",
                                              [10] = "--tp 3 does not divide the 4 heads",
                                              [11] = "gpipe runs one chunk",
                                              [12] = "--stage-layers lists 1 stages",
                                              [13] = "adds up to 3 layers",
                                              [14] = "--vp 17: take 1 to 16",
                                              [15] = "--pp of at least 2",
                                              [16] = "zero-bubble runs one chunk on each stage: take --vp 1"};
    const struct plan_layout usual = plan_layout_data_parallel(2, 1);
    struct plan_layout l[REFUSED];
    for (int i = 0; i < REFUSED; i++) l[i] = usual;
    l[0].dp = 0, l[1].tp = 0, l[2].pp = 3, l[3].cp = 3, l[4].ep = 2, l[5].vp = 2;
    l[6].pp = 2, l[6].schedule = PLAN_ZERO_BUBBLE, l[6].recompute = PLAN_RECOMPUTE_FULL, l[7] = plan_layout_free();
    l[16].pp = l[16].vp = 2, l[16].schedule = PLAN_ZERO_BUBBLE;
    l[8].sequence_parallel = 1, l[9].zero = 4, l[10].tp = 3;
    l[11].pp = l[11].vp = 2, l[11].schedule = PLAN_GPIPE, l[12].pp = l[13].pp = 2, l[12].stage_layers[0] = 2;
    l[13].stage_layers[0] = 1, l[13].stage_layers[1] = 2, l[14].pp = 2, l[14].vp = 17, l[15].stage_layers[0] = 2;
    struct plan_request r = {
        .config = rig_config(2, 64, 4, 256, 128), .seq = 64, .layout = usual, .global_batch = 8, .threads = 1};
    struct plan plan;
    assert_int_equal(plan_make(&plan, &r, NULL), BASE_OK);
    for (int i = 0; i < REFUSED; i++) {
        struct base_error e = {0};
        r.layout = l[i];
        assert_int_equal(plan_make(&plan, &r, &e), BASE_USAGE);
        if (!strstr(e.text, whys[i] ? whys[i] : "--vp and the data parallel ranks are at least 1 each"))
            fail_msg("%d: %s", i, e.text);
    }
}

/* What has no tree of sums is refused, with what would have one. */
static void trees_refused(void **state) {
    (void)state;
    struct plan_request usual = {.config = rig_config_of("llama", 2, 64, 8, 256, 128),
                                 .seq = 64,
                                 .layout = plan_layout_data_parallel(2, 1),
                                 .global_batch = 8,
                                 .threads = 1};
    usual.layout.reproducible = 4;
    enum { REFUSED = 12 };
    static const char *const whys[REFUSED] = {"--reproducible 3: take a power of two up to 64",
                                              "--reproducible 128: take a power of two up to 64",
                                              "this layout has 1 and 8; take such ones, or a larger R",
                                              "this layout has 8 and 3; take such ones",
                                              "of whole sequences, which --cp cuts",
                                              "take --zero 1, or one micro-batch a rank: --mbs 4",
                                              "does not divide the 6 sequences of --gbs; take a multiple of 4",
                                              "does not divide the 62 tokens of --seq",
                                              "does not divide the 6 heads",
                                              "does not divide the 2 key/value heads; take 2",
                                              "does not divide the 258 columns of the MLP",
                                              "leaves parts of the vocabulary's 5 words empty; take 2"};
    struct plan_request r[REFUSED];
    struct plan plan;
    for (int i = 0; i < REFUSED; i++) r[i] = usual;
    r[0].layout.reproducible = 3, r[1].layout.reproducible = 128, r[2].layout.dp = 8, r[3].layout.tp = 8;
    r[3].layout.dp = 3, r[3].global_batch = 12;
    r[4].layout.cp = 2, r[5].layout.zero = 2, r[6].global_batch = 6, r[7].seq = 62;
    r[8].config.heads = r[8].config.kv_heads = 6, r[9].config.kv_heads = 2, r[10].config.ffn = 258,
    r[11].config.vocab = 5;
    assert_int_equal(plan_make(&plan, &usual, NULL), BASE_OK);
    for (int i = 0; i < REFUSED; i++) {
        struct base_error e = {0};
        assert_int_equal(plan_make(&plan, &r[i], &e), BASE_USAGE);
        if (!strstr(e.text, whys[i])) fail_msg("%d: %s", i, e.text);
    }
    usual.config = rig_config_of("mixtral", 2, 64, 8, 256, 128);
    struct base_error e = {0};
    assert_int_equal(plan_make(&plan, &usual, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "dense models"));
}

/* A rank's tokens count, not the sequence's. */
static void micro_batch_of_shared_sequences(void **state) {
    (void)state;
    struct plan_request r = {.config = rig_config(1, 16, 1, 7, 8192),
                             .seq = 8192,
                             .layout = plan_layout_data_parallel(1, 0),
                             .global_batch = 8,
                             .threads = 1};
    plan_choose_micro_batch(&r, 8, 1, -1);
    assert_int_equal(r.layout.micro_batch, 1);
    r.layout.cp = 4;
    plan_choose_micro_batch(&r, 8, 4, -1);
    assert_int_equal(r.layout.micro_batch, 4);
}

/* What data and tensor parallel ranks hold adds up to the model; the first holds most. */
static void layouts_divide(void **state) {
    (void)state;
    struct plan_request r = {.config = rig_config(2, 64, 4, 257, 128),
                             .seq = 64,
                             .layout = plan_layout_data_parallel(2, 1),
                             .global_batch = 8,
                             .threads = 1};
    struct plan whole, part;
    assert_int_equal(plan_make(&whole, &r, NULL), BASE_OK);
    r.layout.tp = 4, r.layout.dp = 2;
    int64_t heads = 0, vocab = 0, ffn = 0;
    double first = 0, last = 0;
    for (r.rank = 0; r.rank < 8; r.rank++) {
        assert_int_equal(plan_make(&part, &r, NULL), BASE_OK);
        assert_true(part.place.at[PLAN_TP] == r.rank % 4 && part.place.at[PLAN_DP] == r.rank / 4);
        heads += part.part.heads, vocab += part.part.vocab, ffn += part.part.ffn;
        if (!r.rank) first = part.memory_bytes;
        assert_true(part.memory_bytes <= first && part.memory_bytes < whole.memory_bytes);
        assert_true(part.ledger.model_flop == whole.ledger.model_flop);
    }
    assert_true(heads == 2 * 4 && vocab == 2 * 257 && ffn == 2 * 256);
    r.rank = 0;
    for (r.layout.zero = 0; r.layout.zero < 2; r.layout.zero++, last = part.memory_bytes)
        assert_true(plan_make(&part, &r, NULL) == BASE_OK && (!r.layout.zero || part.memory_bytes < last));
}

/* What a message says would fit does fit: plans its --mbs, --recompute and --layers again. Each is proposed once. */
static void what_would_fit_fits(void **state) {
    (void)state;
    struct plan_request r = {.config = gpt2_124m(),
                             .dtype = KERNEL_BF16,
                             .seq = 1024,
                             .layout = plan_layout_data_parallel(2, 8),
                             .global_batch = 32,
                             .threads = 1};
    struct plan plan;
    struct base_error e = {0};
    assert_int_equal(plan_make(&plan, &r, &e), BASE_OK);
    assert_int_equal(plan_check_memory(&plan, 2, -1, &e), BASE_OK);
    assert_int_equal(plan_check_memory(&plan, 2, 2 * plan.memory_bytes, &e), BASE_OK);
    struct plan_request one = r;
    struct plan least; /* with --mbs 1: a little less needs recompute */
    one.layout.micro_batch = 1;
    assert_int_equal(plan_make(&least, &one, &e), BASE_OK);
    const double sizes[] = {1.9 * plan.memory_bytes, 1.2 * plan.memory_bytes, 1.98 * least.memory_bytes,
                            0.6 * plan.memory_bytes};
    int recomputed = 0, sliced = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct plan_request smaller = r;
        struct plan fits;
        e = (struct base_error){0};
        assert_int_equal(plan_check_memory(&plan, 2, sizes[i], &e), BASE_USAGE);
        const char *mbs = strstr(e.text, "--mbs "), *layers = strstr(e.text, "--layers ");
        assert_non_null(mbs);
        smaller.layout.micro_batch = atoll(mbs + 6);
        assert_true(smaller.layout.micro_batch >= 1 && smaller.layout.micro_batch < r.layout.micro_batch);
        if (strstr(e.text, "--recompute full")) smaller.layout.recompute = PLAN_RECOMPUTE_FULL, recomputed++;
        if (layers) assert_int_equal(model_config_slice(&smaller.config, atoll(layers + 9), &e), BASE_OK);
        sliced += layers != NULL;
        assert_int_equal(plan_make(&fits, &smaller, &e), BASE_OK);
        assert_int_equal(plan_check_memory(&fits, 2, sizes[i], &e), BASE_OK);
    }
    assert_true(recomputed > 0 && sliced > 0);
    assert_int_equal(plan_check_memory(&plan, 2, 1e6, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "not even"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_by_hand),      cmocka_unit_test(mistral_by_hand),
        cmocka_unit_test(window_by_hand),        cmocka_unit_test(bad_requests),
        cmocka_unit_test(slice_knows_the_whole), cmocka_unit_test(layouts_refused),
        cmocka_unit_test(trees_refused),         cmocka_unit_test(micro_batch_of_shared_sequences),
        cmocka_unit_test(layouts_divide),        cmocka_unit_test(what_would_fit_fits),
        cmocka_unit_test(rows_apart_by_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
