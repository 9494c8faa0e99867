/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4 8 16
 * check: timeout 300
 *
 * Layouts of this many ranks, of every family in both precisions, pass the checks of support/layouts.h. Of 8 ranks and
 * more only those that split the model over half of them or all, in turn in some families and precisions. */
#include "mpi/support/layouts.h"

static const struct layout layouts[] = {
    {1, 0, 0, 2, 2, 1, 1, PLAN_1F1B, 1},        {1, 0, 1, 1, 1, 1, 1, PLAN_1F1B, 1},
    {1, 0, 1, 2, 3, 1, 1, PLAN_1F1B, 1},        {1, 0, 2, 2, 1, 1, 1, PLAN_1F1B, 1},
    {1, 0, 2, 1, 3, 1, 1, PLAN_1F1B, 1},        {1, 0, 3, 2, 1, 1, 1, PLAN_1F1B, 1},
    {1, 0, 3, 1, 2, 1, 1, PLAN_1F1B, 1},        {2, 0, 0, 2, 2, 1, 1, PLAN_1F1B, 1},
    {2, 0, 1, 1, 2, 1, 1, PLAN_1F1B, 1},        {2, 0, 2, 1, 2, 1, 1, PLAN_1F1B, 1},
    {2, 0, 3, 2, 2, 1, 1, PLAN_1F1B, 1},        {2, 1, 0, 2, 2, 1, 1, PLAN_1F1B, 1},
    {2, 1, 1, 1, 2, 1, 1, PLAN_1F1B, 1},        {2, 1, 2, 1, 2, 1, 1, PLAN_1F1B, 1},
    {2, 1, 3, 2, 2, 1, 1, PLAN_1F1B, 1},        {4, 0, 0, 2, 1, 1, 1, PLAN_1F1B, 1},
    {4, 0, 1, 2, 2, 1, 1, PLAN_1F1B, 1},        {4, 0, 2, 1, 2, 1, 1, PLAN_1F1B, 1},
    {4, 0, 3, 1, 1, 1, 1, PLAN_1F1B, 1},        {4, 1, 0, 1, 2, 1, 1, PLAN_1F1B, 1},
    {4, 1, 2, 1, 2, 1, 1, PLAN_1F1B, 1},        {4, 1, 3, 1, 2, 1, 1, PLAN_1F1B, 1},
    {1, 0, 0, 1, 3, 2, 1, PLAN_1F1B, 1},        {1, 0, 0, 2, 4, 2, 2, PLAN_1F1B, 1},
    {1, 0, 0, 1, 2, 2, 1, PLAN_GPIPE, 1},       {1, 0, 0, 1, 4, 2, 3, PLAN_1F1B, 1},
    {1, 0, 0, 1, 5, 3, 1, PLAN_1F1B, 1},        {1, 0, 0, 1, 3, 3, 2, PLAN_1F1B, 1},
    {1, 0, 1, 1, 3, 2, 1, PLAN_1F1B, 1},        {1, 0, 2, 1, 3, 2, 1, PLAN_ZERO_BUBBLE, 1},
    {1, 0, 3, 1, 4, 2, 2, PLAN_1F1B, 1},        {2, 0, 0, 1, 3, 2, 1, PLAN_1F1B, 1},
    {2, 1, 0, 1, 4, 2, 2, PLAN_1F1B, 1},        {2, 1, 1, 1, 3, 2, 1, PLAN_ZERO_BUBBLE, 1},
    {1, 0, 0, 1, 4, 4, 2, PLAN_1F1B, 1},        {1, 0, 0, 1, 2, 4, 1, PLAN_GPIPE, 1},
    {1, 0, 3, 1, 2, 4, 1, PLAN_1F1B, 1},        {2, 0, 2, 1, 4, 4, 1, PLAN_1F1B, 1},
    {2, 1, 3, 1, 2, 2, 1, PLAN_GPIPE, 1},       {1, 0, 0, 1, 9, 8, 1, PLAN_1F1B, 1},
    {2, 1, 1, 1, 8, 4, 2, PLAN_1F1B, 1},        {4, 0, 0, 1, 3, 2, 1, PLAN_1F1B, 1},
    {8, 1, 0, 2, 2, 1, 1, PLAN_1F1B, 1},        {4, 1, 3, 1, 4, 4, 1, PLAN_1F1B, 1},
    {1, 0, 0, 1, 17, 16, 1, PLAN_1F1B, 1},      {8, 0, 2, 1, 2, 2, 1, PLAN_1F1B, 1},
    {1, 0, 0, 2, 2, 1, 1, PLAN_1F1B, 2},        {1, 0, 1, 1, 2, 1, 1, PLAN_1F1B, 2},
    {1, 0, 2, 2, 2, 1, 1, PLAN_1F1B, 2},        {1, 0, 3, 1, 2, 1, 1, PLAN_1F1B, 2},
    {1, 0, 0, 1, 2, 1, 1, PLAN_1F1B, 3},        {2, 0, 0, 1, 2, 1, 1, PLAN_1F1B, 2},
    {2, 1, 2, 2, 1, 1, 1, PLAN_1F1B, 2},        {1, 0, 0, 1, 4, 2, 2, PLAN_1F1B, 2},
    {1, 0, 3, 1, 3, 2, 1, PLAN_ZERO_BUBBLE, 2}, {1, 0, 0, 2, 1, 1, 1, PLAN_1F1B, 4},
    {2, 1, 1, 1, 3, 2, 1, PLAN_1F1B, 2},        {1, 0, 2, 1, 1, 1, 1, PLAN_1F1B, 8},
    {2, 0, 3, 1, 2, 2, 1, PLAN_GPIPE, 4},       {1, 0, 0, 1, 2, 3, 1, PLAN_ZERO_BUBBLE, 1},
    {1, 0, 0, 1, 6, 4, 1, PLAN_ZERO_BUBBLE, 1}, {1, 0, 3, 1, 4, 2, 1, PLAN_ZERO_BUBBLE, 1},
    {2, 0, 3, 1, 5, 4, 1, PLAN_ZERO_BUBBLE, 1}, {4, 1, 0, 1, 2, 4, 1, PLAN_ZERO_BUBBLE, 1}};

int main(void) {
    struct agreed a;
    int count = 0;
    agreed_open(&a);
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
            for (int i = 0; i < (int)(sizeof layouts / sizeof *layouts); i++) {
                const struct layout *l = &layouts[i];
                /* some families and precisions of each, in turn: all worlds together take under four minutes */
                const bool experts = model_family_find(rig_families[f])->key_experts[0];
                if (a.world.size >= (experts ? 4 : 8) && (f + dtype + i) % (a.world.size > 8 ? 3 : 2)) continue;
                if (a.world.size >= 4 && experts && (f + i / 2) % 2) continue;
                const int64_t heads = l->tp > 4 ? l->tp : 4, layers = l->pp > 1 ? layers_of(l) : 4;
                if (!layout_fits(l, a.world.size) || (a.world.size > 4 && 2 * l->tp * l->pp * l->cp < a.world.size))
                    continue;
                struct model_config c = rig_config_of(rig_families[f], layers, 12 * heads, heads, 101, 40);
                c.tied = c.tied || i % 2; /* then a llama's embeddings are the token table alone */
                c.parameters = model_params_count(&c);
                const struct plan_request q =
                    layout_request(&a.world, l, &c, (enum kernel_dtype)dtype, i + f + PLAN_RECOMPUTES * (i + dtype));
                layout_check(&a, &q);
                count++;
            }
    if (!a.world.rank) printf("%d ranks: %d layouts pass the gate\n", a.world.size, count);
    return agreed_close(&a);
}
