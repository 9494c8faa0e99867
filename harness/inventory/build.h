/* SPDX-License-Identifier: Apache-2.0
 *
 * Which build this program is. */
#ifndef TOISE_INVENTORY_BUILD_H
#define TOISE_INVENTORY_BUILD_H

enum { INVENTORY_BUILD_TEXT = 41 }; /* 40 hexadecimal digits and a NUL */

/* The digits of the program's GNU build ID, a hash of what the linker wrote. "": it was linked without one. */
void inventory_build_id(char text[INVENTORY_BUILD_TEXT]);

#endif
