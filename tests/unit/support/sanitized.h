/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether this program is built with the address sanitizer. */
#ifndef TOISE_TESTS_SANITIZED_H
#define TOISE_TESTS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

#endif
