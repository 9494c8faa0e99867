/* SPDX-License-Identifier: Apache-2.0
 *
 * Drawings: gnuplot's SVG, made fit to stand within the page. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "draw/gnuplot.h"
#include "html/parts.h"

/* The script while it is written: text and size are filled in by fflush and fclose. One at a time. */
static char *script_text;
static size_t script_size;

/* Readable on white and on black (after Tol, Colour Schemes, 2021). */
static const char *const colors[] = {"#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee",
                                     "#aa3377", "#999999", "#ee8866", "#44bb99", "#7777cc"};

FILE *html_drawing(struct html_page *page, int height) {
    FILE *script = page->plain ? NULL : open_memstream(&script_text, &script_size);
    if (!script) return NULL;
    page->drawings++;
    fprintf(script,
            "set terminal svg size 900, %d font 'sans,14' name 'd%d' noenhanced\n"
            "set grid lc rgb '#999999' lw 0.3\nset tics nomirror\nset border 3\n"
            "set key below Left reverse samplen 2\n",
            height, page->drawings);
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        fprintf(script, "set linetype %zu lc rgb '%s'\n", i + 1, colors[i]);
    fprintf(script, "set linetype cycle %zu\n", sizeof colors / sizeof *colors);
    return script;
}

/* Names of symbols are gnuplot's own and the same in each drawing: they get the drawing's number. */
static void embed(struct html_page *page, const char *svg) {
    static const char *const names[] = {"gpDot", "gpPt", "textbox", "greybox", "gnuplot_canvas"};
    for (const char *at = strstr(svg, "<svg"); at && *at;) {
        size_t known = 0;
        for (size_t n = 0; n < sizeof names / sizeof *names && !known; n++)
            if (!strncmp(at, names[n], strlen(names[n]))) known = strlen(names[n]);
        if (known) fprintf(page->out, "d%d%.*s", page->drawings, (int)known, at);
        if (!known) fputc(*at, page->out), known = 1;
        at += known;
    }
}

void html_drawing_end(struct html_page *page, FILE *script, const char *alt, const char *caption) {
    char *svg = fclose(script) == 0 ? draw_gnuplot(script_text, script_size) : NULL;
    free(script_text);
    script_text = NULL;
    if (!svg) {
        fputs("<p class=\"note\">A drawing is missing, as gnuplot failed.</p>\n", page->out);
        return;
    }
    fputs("<figure role=\"group\"><div role=\"img\" aria-label=\"", page->out);
    html_text(page->out, alt);
    fputs("\">", page->out);
    embed(page, svg);
    fputs("</div><figcaption>", page->out);
    html_text(page->out, caption);
    fputs("</figcaption></figure>\n", page->out);
    free(svg);
}
