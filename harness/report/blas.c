/* SPDX-License-Identifier: Apache-2.0
 *
 * The library of --backend: which it is, its choice for this CPU, what it multiplies, its threads. */
#include "records/get.h"
#include "report/report.h"

void report_blas(FILE *out, const json_t *blas) {
    const char *name = record_text(blas, "name"), *version = record_text(blas, "version");
    const char *core = record_text(blas, "core"), *held = record_text(blas, "threads_held_by");
    if (!blas) return;
    fprintf(out, "blas        %s%s%s, %s\n", name[0] ? name : "unknown library", version[0] ? " " : "", version,
            record_text(blas, "path"));
    if (core[0]) fprintf(out, "            for this CPU: %s\n", core);
    fprintf(out, "            matmuls in FP32%s; ",
            record_text(blas, "bf16")[0] ? " and BF16" : ", while those in BF16 are toise's own");
    if (record_whole(blas, "threads_used"))
        fprintf(out, "%lld of %lld threads", record_whole(blas, "threads_used"), record_whole(blas, "threads"));
    else
        fprintf(out, "%lld threads asked for, not counted", record_whole(blas, "threads"));
    fprintf(out, held[0] ? ", set by %s\n" : ", which nothing holds\n", held);
}
