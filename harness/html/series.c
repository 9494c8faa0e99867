/* SPDX-License-Identifier: Apache-2.0
 *
 * Points of records in a drawing, a line or colour for each of their keys. */
#include <string.h>

#include "draw/gnuplot.h"
#include "html/parts.h"

int html_series_find(const struct html_page *page, const char *kind, html_point_of *point_of, struct html_series *s) {
    *s = (struct html_series){.kind = kind, .point_of = point_of};
    for (long at = html_next(page, kind, 0); at >= 0; at = html_next(page, kind, at + 1)) {
        struct html_point p;
        int i = 0;
        if (!point_of(html_at(page, at), &p)) continue;
        while (i < s->count && strcmp(s->first[i].key, p.key) != 0) i++;
        if (i < s->count) continue;
        if (s->count < HTML_SERIES)
            s->first[s->count++] = p;
        else
            s->left_out = true;
    }
    return s->count;
}

void html_series_data(const struct html_page *page, const struct html_series *s, FILE *script) {
    for (int i = 0; i < s->count; i++) {
        fprintf(script, "$series%d << END\n", i);
        for (long at = html_next(page, s->kind, 0); at >= 0; at = html_next(page, s->kind, at + 1)) {
            struct html_point p;
            if (s->point_of(html_at(page, at), &p) && !strcmp(s->first[i].key, p.key))
                fprintf(script, "%.9g %.9g\n", p.x, p.y);
        }
        fputs("END\n", script);
    }
}

void html_series_plot(const struct html_series *s, const char *with, FILE *script) {
    fputs("plot ", script);
    for (int i = 0; i < s->count; i++) {
        fprintf(script, "%s$series%d with %s pt %d ps 0.7 lc %d title ", i ? ", " : "", i, with, 5 + i % 8, i + 1);
        draw_quote(script, s->first[i].title);
    }
}

const char *html_series_caption(const struct html_series *s, const char *caption, char text[HTML_CAPTION]) {
    if (!s->left_out) return caption;
    snprintf(text, HTML_CAPTION, "%s Only the first %d sets are drawn.", caption, HTML_SERIES);
    return text;
}
