/* SPDX-License-Identifier: Apache-2.0
 *
 * Which two units meet in a round. The pairs of a round are a matching of a round-robin tournament, by the circle
 * method (Kirkman 1847): every unit meets one other, and in a whole tournament each other once. A run takes as many
 * rounds as it wants, however many units there are, and sees that share of the links. */
#ifndef TOISE_FLEET_ROTATION_H
#define TOISE_FLEET_ROTATION_H

#include <stdint.h>

/* Rounds of a whole tournament: units - 1, or `units` if they are odd, as one of them then rests. 0: below two. */
int fleet_rotation_whole(int units);
/* The matching of a round, 0 to fleet_rotation_whole - 1; none comes twice before all came. Another seed takes another
 * order. At least two units. */
int fleet_rotation_matching(int units, uint64_t seed, int round);
/* Whom the unit meets in this matching; -1: it rests. */
int fleet_rotation_partner(int units, int matching, int unit);
/* Links that `rounds` rounds see, and all that there are between two units. */
int64_t fleet_rotation_seen(int units, int rounds);
int64_t fleet_rotation_links(int units);

#endif
