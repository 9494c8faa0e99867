/* SPDX-License-Identifier: Apache-2.0
 *
 * The record, its page, and what earlier records say of a node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/history.h"
#include "fleet/record.h"
#include "records/get.h"
#include "records/record.h"
#include "report/report.h"
#include "unit/support/folder.h"
#include "unit/support/made_rounds.h"
#include "unit/support/rig.h"

static struct record_launch launch = {.id = "id", .job = "id", .nodes = 4};

static json_t *record_of(const struct fleet *f, const json_t *history, const json_t *missing, const char *broken) {
    struct base_error e = {0};
    struct fleet_judgement j;
    struct plan plan;
    const struct model_config config = rig_config(1, 32, 2, 64, 16);
    const struct plan_request request = rig_request(&config, KERNEL_F32, 8, 1, 1);
    json_t *machine = json_pack("{s:s}", "host", "n1");
    const struct measure_origin origin = {&launch, f->ranks, 1, "--threads", machine};
    const struct fleet_context context = {&origin, &plan, history, missing, broken, broken ? 2 : -1};
    assert_int_equal(plan_make(&plan, &request, &e), 0);
    assert_int_equal(fleet_judge(f, &j, &e), 0);
    json_t *record = fleet_record(f, &j, &context);
    fleet_judgement_close(&j);
    json_decref(machine);
    return record;
}

static const json_t *node_of(const json_t *record, const char *name) {
    const json_t *o;
    size_t i;
    json_array_foreach(record_at(record, "result.nodes"), i, o) if (!strcmp(record_text(o, "name"), name)) return o;
    return NULL;
}

static char *page_of(const json_t *record) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    report_nodes(out, record);
    fclose(out);
    return text;
}

static void says(const json_t *record, const char *words) {
    char *page = page_of(record);
    if (!strstr(page, words)) fail_msg("the page lacks \"%s\":\n%s", words, page);
    free(page);
}

static void good_nodes(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 16, .seed = 1});
    json_t *record = record_of(&f, NULL, NULL, NULL);
    assert_string_equal(record_text(record, "kind"), "nodes");
    assert_string_equal(record_text(record, "status"), "PASSED");
    assert_int_equal(json_array_size(record_at(record, "result.nodes")), 16);
    assert_string_equal(record_text(record, "result.exclude"), "");
    assert_int_equal(record_whole(record, "result.links.all"), 120);
    assert_int_equal(record_whole(record, "result.links.seen"), 120);
    assert_int_equal(json_array_size(record_at(record, "samples.step_s")), 16);
    assert_int_equal(json_array_size(json_array_get(record_at(record, "samples.link_s"), 15)), 20);
    const double caught = record_real(record, "result.quantities.step_s.caught");
    assert_true(caught > 0.005 && caught < 0.1);
    assert_int_equal(json_array_size(record_at(record, "result.links.slowest")), 5);
    says(record, "120 of 120 seen (100%)");
    says(record, "16 ranks of 1 thread   20 rounds   PASSED");
    char *page = page_of(record);
    assert_null(strstr(page, "--exclude"));
    free(page);
    json_decref(record);
    fleet_close(&f);
}

static void the_slowest_link_first(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 9, .rounds = 5, .seed = 1});
    const int partner = f.sample[3 * f.ranks + 4].partner;
    f.sample[3 * f.ranks + 4].seconds[FLEET_LINK] = 1;
    json_t *record = record_of(&f, NULL, NULL, NULL);
    const json_t *list = record_at(record, "result.links.slowest"), *first = json_array_get(list, 0);
    char a[16], b[16];
    snprintf(a, sizeof a, "n%d", (partner < 4 ? partner : 4) + 1);
    snprintf(b, sizeof b, "n%d", (partner < 4 ? 4 : partner) + 1);
    assert_string_equal(record_text(first, "a"), a);
    assert_string_equal(record_text(first, "b"), b);
    assert_float_equal(record_real(first, "byte_per_s"), 1048576, 1);
    for (size_t i = 1; i < json_array_size(list); i++)
        assert_true(record_real(json_array_get(list, i - 1), "byte_per_s") <=
                    record_real(json_array_get(list, i), "byte_per_s"));
    json_decref(record);
    fleet_close(&f);
}

static void bad_nodes(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 16, .seed = 1});
    made_slow(&f, 6, FLEET_STEP, 1.3);
    made_slow(&f, 6, FLEET_MEMORY, 1.4);
    made_wrong(&f, 2, 9, 1);
    json_t *history = json_pack("{s:{s:i, s:i}, s:{s:i, s:i}, s:{s:i, s:i}}", "n7", "runs", 4, "bad", 2, "n3", "runs",
                                9, "bad", 0, "n99", "runs", 9, "bad", 1);
    json_t *gone = json_pack("[s]", "n99");
    json_t *record = record_of(&f, history, gone, NULL);
    assert_string_equal(record_text(record, "status"), "FAILED");
    assert_string_equal(record_text(record, "why"), "3 nodes are not good");
    assert_string_equal(record_text(record, "result.exclude"), "n[3,7,99]");
    const json_t *slow = node_of(record, "n7"), *wrong = node_of(record, "n3"), *lost = node_of(record, "n99");
    assert_string_equal(record_text(slow, "verdict"), "slow");
    assert_string_equal(record_text(slow, "cause"), "memory");
    assert_string_equal(record_text(slow, "history"), "chronic");
    assert_float_equal(record_real(slow, "slowdown"), 0.3, 0.05);
    assert_string_equal(record_text(wrong, "verdict"), "wrong");
    assert_string_equal(record_text(wrong, "history"), "new");
    assert_string_equal(record_text(lost, "verdict"), "unreachable");
    assert_string_equal(record_text(lost, "history"), "again");
    says(record, "n7   slow (memory): step 3");
    says(record, "chronic: bad in 2 of 4 earlier runs");
    says(record, "n3   wrong: the bits of its steps differ from those of most peers, from round 10 on; rank 2; new: "
                 "good in 9 earlier runs");
    says(record, "n99   unreachable: no rank runs there");
    says(record, "\n--exclude=n[3,7,99]\n");
    json_decref(record);
    json_decref(history);
    json_decref(gone);
    fleet_close(&f);
}

static void inconclusive(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 2, .seed = 1});
    json_t *record = record_of(&f, NULL, NULL, NULL);
    assert_string_equal(record_text(record, "status"), "INCONCLUSIVE");
    assert_non_null(strstr(record_text(record, "why"), "2 of 2 nodes could not be judged"));
    says(record, "could not be judged");
    json_decref(record);
    fleet_close(&f);
    made_rounds(&f, &(struct made_rounds){.nodes = 8, .seed = 1});
    f.stop = 15, f.rounds = 7;
    record = record_of(&f, NULL, NULL, NULL);
    assert_string_equal(record_text(record, "status"), "INCONCLUSIVE");
    assert_string_equal(record_text(record, "why"), "SIGTERM ended the run after 7 of 20 rounds");
    json_decref(record);
    fleet_close(&f);
    made_rounds(&f, &(struct made_rounds){.nodes = 8, .noise = 3, .seed = 1});
    record = record_of(&f, NULL, NULL, NULL);
    assert_string_equal(record_text(record, "status"), "INCONCLUSIVE");
    assert_non_null(strstr(record_text(record, "why"), "too noisy"));
    json_decref(record);
    fleet_close(&f);
}

/* A node that stopped answering, before any round was whole, and after some. */
static void broken(void **state) {
    (void)state;
    for (int rounds = 0; rounds < 8; rounds += 7) {
        struct fleet f;
        made_rounds(&f, &(struct made_rounds){.nodes = 8, .seed = 1});
        f.rounds = rounds;
        json_t *record = record_of(&f, NULL, NULL, "rank 2 has been stopped");
        assert_string_equal(record_text(record, "status"), "FAILED");
        assert_string_equal(record_text(record, "result.exclude"), "n3");
        assert_string_equal(record_text(node_of(record, "n3"), "why"), "rank 2 has been stopped");
        assert_int_equal(json_array_size(json_array_get(record_at(record, "samples.step_s"), 0)), rounds);
        says(record, "n3   unreachable: rank 2 has been stopped");
        json_decref(record);
        fleet_close(&f);
    }
}

/* Ranks as units have their host in the name, and it is excluded once. */
static void ranks_as_units(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 4, .ranks_each = 4, .of = FLEET_RANKS, .seed = 1});
    made_wrong(&f, 5, 0, 1);
    made_wrong(&f, 6, 0, 2);
    json_t *record = record_of(&f, NULL, NULL, NULL);
    assert_string_equal(record_text(record, "why"), "2 ranks are not good");
    assert_string_equal(record_text(record, "result.exclude"), "n2");
    assert_non_null(node_of(record, "rank 5 on n2"));
    json_decref(record);
    fleet_close(&f);
}

static void history_of_files(void **state) {
    (void)state;
    struct fleet f;
    struct base_error e = {0};
    json_t *history;
    const char *path = folder_name("runs.jsonl");
    for (int run = 0; run < 4; run++) {
        made_rounds(&f, &(struct made_rounds){.nodes = 8, .seed = 20 + (uint64_t)run});
        if (run < 2) made_wrong(&f, 1, 0, 1);
        if (run == 3) made_wrong(&f, 4, 0, 1);
        json_t *record = record_of(&f, NULL, NULL, NULL);
        assert_int_equal(record_append(path, record, &e), 0);
        json_decref(record);
        fleet_close(&f);
    }
    assert_int_equal(fleet_history_read(path, &history, &e), 0);
    assert_string_equal(fleet_history_word(history, "n2"), "chronic");
    assert_string_equal(fleet_history_word(history, "n5"), "again");
    assert_string_equal(fleet_history_word(history, "n3"), "new");
    assert_string_equal(fleet_history_word(history, "n100"), "new");
    assert_int_equal(record_whole(json_object_get(history, "n2"), "runs"), 4);
    json_decref(history);
    assert_int_equal(fleet_history_read(NULL, &history, &e), 0);
    assert_int_equal(json_object_size(history), 0);
    json_decref(history);
    assert_int_equal(fleet_history_read(folder_name("none.jsonl"), &history, &e), BASE_USAGE);
    const char spoilt[] = "{\"schema\":\"toise/1\",\"kind\":\"nodes\",\"result\":{\"nodes\":[{\"name\":\"n1\"}]}}\n";
    assert_int_equal(fleet_history_read(folder_write("spoilt.jsonl", spoilt, strlen(spoilt)), &history, &e),
                     BASE_USAGE);
    assert_non_null(strstr(e.text, "result.nodes"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_nodes),   cmocka_unit_test(the_slowest_link_first), cmocka_unit_test(bad_nodes),
        cmocka_unit_test(inconclusive), cmocka_unit_test(ranks_as_units),         cmocka_unit_test(history_of_files),
        cmocka_unit_test(broken),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
