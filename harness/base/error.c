/* SPDX-License-Identifier: Apache-2.0
 *
 * Words an error on one line, whatever the pieces it is made of contain. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int base_fail(struct base_error *e, int code, const char *format, ...) {
    if (e == NULL) return code;
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(e->text, sizeof e->text, format, arguments) < 0) e->text[0] = '\0';
    va_end(arguments);
    /* file names and other people's messages may hold line breaks; ours never do */
    for (char *c = e->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ') *c = ' ';
    e->code = code;
    return code;
}
