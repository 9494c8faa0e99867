/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of a machine object as text. Only report/ includes it. */
#ifndef TOISE_REPORT_FACT_H
#define TOISE_REPORT_FACT_H

#include <jansson.h>
#include <stdio.h>

/* Prints the first `most` bytes of a text, then "..." if there are more. Control characters become "?". */
void report_clean(FILE *out, const char *text, size_t most);
/* Prints a value as the end of its key says: bytes, Hz, bit/s. Texts are clean. */
void report_fact(FILE *out, const char *key, const json_t *value);
/* Prints a text in which {path} stands for a value of the machine. A missing value says why it is unknown; "none" if
 * there is no reason. If no value is known, all for the same reason, only the reason is printed. */
void report_facts(FILE *out, const json_t *machine, const char *text);
/* Prints a layout's parallel dimensions: "DP 4, ZeRO 1". */
void report_axes(FILE *out, const json_t *layout);
/* The whole description, a line or a few for each subject. */
void report_machine(FILE *out, const json_t *machine);

/* "messages    tp 0.1 s, 0.05 s exposed (2.5%); dp ...", of a result's "communication", by the ranks that talk; no line
 * end. flight, exposed: the words after the two times. step: seconds, for the share. */
void report_communication(FILE *out, const json_t *result, double step, const char *flight, const char *exposed);

#endif
