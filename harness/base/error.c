/* SPDX-License-Identifier: Apache-2.0
 *
 * Formats an error as one line that fits, whatever its parts contain and however long they are. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WHOLE = 16384 }; /* room for two paths of the greatest length */

int base_fail(struct base_error *e, int code, const char *format, ...) {
    if (e == NULL) return code;
    char whole[WHOLE];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(whole, sizeof whole, format, arguments) < 0) whole[0] = '\0';
    va_end(arguments);
    /* a message starts with the fault and ends with the cure, so cut the middle, usually a path */
    const size_t length = strlen(whole), end = sizeof e->text / 2;
    if (length < sizeof e->text)
        memcpy(e->text, whole, length + 1);
    else
        snprintf(e->text, sizeof e->text, "%.*s...%s", (int)(sizeof e->text - end - 4), whole, whole + length - end);
    /* file names and library messages may hold line breaks */
    for (char *c = e->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    e->code = code;
    return code;
}
