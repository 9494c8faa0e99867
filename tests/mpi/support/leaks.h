/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the leak sanitizer off: MPI leaks memory and unloads the plugins that allocated it, so these leaks cannot be
 * suppressed by name. Included once by each program that starts MPI. */
#ifndef TOISE_TESTS_LEAKS_H
#define TOISE_TESTS_LEAKS_H

#if defined(__SANITIZE_ADDRESS__)
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
    return 1;
}
#endif

#endif
