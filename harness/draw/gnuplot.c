/* SPDX-License-Identifier: Apache-2.0
 *
 * gnuplot reads the script from a file, and its standard output is the drawing. */
#include "draw/gnuplot.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "draw/curve.h"

enum { SVG_MOST = 16 << 20 };
static const double LIMIT_S = 60;

bool draw_gnuplot_found(void) {
    char line[8];
    char *const ask[] = {"/bin/sh", "-c", "command -v gnuplot >/dev/null", NULL};
    return base_child(ask, NULL, LIMIT_S, line, sizeof line);
}

int draw_check(struct base_error *e) {
    if (draw_gnuplot_found()) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--svg: gnuplot is not installed; scripts/deps.sh all installs it or shows how");
}

char *draw_gnuplot(const char *text, size_t size) {
    char file[] = "/tmp/toise-drawing-XXXXXX";
    char *const gnuplot[] = {"/bin/sh", "-c", "exec gnuplot \"$0\"", file, NULL};
    const int to = mkstemp(file);
    if (to < 0) return NULL;
    const bool written = write(to, text, size) == (ssize_t)size;
    close(to);
    const struct base_child_how how = {.limit_s = LIMIT_S, .most = SVG_MOST, .clean = true};
    struct base_child_end end = {0};
    const bool drawn = written && !base_child_run(gnuplot, &how, &end, NULL) && end.code == 0 && !end.late;
    unlink(file);
    if (drawn && strstr(end.out, "</svg>")) return end.out;
    free(end.out);
    return NULL;
}

int draw_gnuplot_file(const char *script, size_t size, const char *path, struct base_error *e) {
    char *svg = draw_gnuplot(script, size);
    const int code = svg ? base_file_replace(path, svg, strlen(svg), e)
                         : base_fail(e, BASE_BROKEN, "%s: gnuplot failed; check that /tmp has room", path);
    free(svg);
    return code;
}

void draw_quote(FILE *script, const char *text) {
    fputc('\'', script);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', script);
        fputc((unsigned char)*text < ' ' ? ' ' : *text, script);
    }
    fputc('\'', script);
}
