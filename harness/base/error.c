/* SPDX-License-Identifier: Apache-2.0
 *
 * Words an error on one line, whatever the pieces it is made of contain and however long they are. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WHOLE = 16384 }; /* of a line with two of the longest paths */

int base_fail(struct base_error *e, int code, const char *format, ...) {
    if (e == NULL) return code;
    char whole[WHOLE];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(whole, sizeof whole, format, arguments) < 0) whole[0] = '\0';
    va_end(arguments);
    /* what is wrong stands first, the cure last: a path between them may lose its middle */
    const size_t length = strlen(whole), end = sizeof e->text / 2;
    if (length < sizeof e->text)
        memcpy(e->text, whole, length + 1);
    else
        snprintf(e->text, sizeof e->text, "%.*s...%s", (int)(sizeof e->text - end - 4), whole, whole + length - end);
    /* file names and other people's messages may hold line breaks; ours never do */
    for (char *c = e->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    e->code = code;
    return code;
}
