/* SPDX-License-Identifier: Apache-2.0
 *
 * The page: its head, its style, its sections in order. */

#include "base/clock.h"
#include "base/file.h"
#include "draw/gnuplot.h"
#include "html/parts.h"

/* Colours are those of status and links; drawings take the text's colour. */
static const char STYLE[] =
    ":root{color-scheme:light "
    "dark;--line:#ccc;--soft:#555;--good:#176b2c;--bad:#b3261e;--unsure:#8a5a00;--link:#0b57d0}\n"
    "@media(prefers-color-scheme:dark){:root{--line:#444;--soft:#aaa;--good:#7bd88f;--bad:#ff8a80;--unsure:#ffc46b;"
    "--link:#8ab4f8}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;"
    "background:Canvas;color:CanvasText}\n"
    "h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:1px solid "
    "var(--line)}\n"
    "nav a{margin-right:1rem}a{color:var(--link);text-decoration:none}a:hover,a:focus{text-decoration:underline}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;margin:.8rem 0}caption{text-align:left;color:var(--soft);"
    "padding-bottom:.3rem}\n"
    "th,td{padding:.2rem .7rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}\n"
    "th{white-space:nowrap}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "code{font:.85em/1.3 ui-monospace,monospace;overflow-wrap:anywhere}\n"
    ".good{color:var(--good)}.bad{color:var(--bad)}.unsure{color:var(--unsure)}.note,figcaption{color:var(--soft)}\n"
    "figure{margin:1rem 0}figure svg{max-width:100%;height:auto}\n"
    "svg [color=black]{color:CanvasText}svg [stroke=black]{stroke:currentColor}svg g[fill=black]{fill:currentColor}\n"
    "tr:target{outline:2px solid var(--link)}\n"
    "@media print{body{max-width:none;margin:0;font-size:10pt}nav{display:none}figure,tr{break-inside:avoid}"
    "a{color:inherit}.wide{overflow:visible}}\n";

static void head(struct html_page *page) {
    const struct record_list *list = page->input->records;
    char date[32];
    base_clock_date(date);
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<link rel=\"icon\" href=\"data:,\"><title>toise report</title>\n<style>\n",
          page->out);
    fputs(STYLE, page->out);
    fprintf(page->out,
            "</style></head><body>\n<h1>toise report</h1>\n<p class=\"note\">%zu record%s of %zu file%s, written %s by "
            "toise "
            "%s.",
            list->count, list->count == 1 ? "" : "s", list->files, list->files == 1 ? "" : "s", date, TOISE_VERSION);
    if (list->skipped.lines) fprintf(page->out, " %ld lines are no records and were skipped.", list->skipped.lines);
    if (page->plain) fputs(" Without drawings: gnuplot is not installed.", page->out);
    fputs("</p>\n", page->out);
}

/* clang-format off */
static const struct {
    const char *id, *title;
    void (*print)(struct html_page *page);
} sections[] = {
    {"headline", "Headline", html_headline},
    {"comparison", "Comparison", html_comparison},
    {"scaling", "Scaling", html_scale},
    {"steps", "Steps", html_steps},
    {"kernels", "Kernels", html_kernels},
    {"collectives", "Collectives", html_collectives},
    {"acceptance", "Acceptance", html_acceptance},
    {"nodes", "Nodes", html_nodes},
    {"machines", "Machines", html_machines},
    {"records", "Records", html_records},
};
/* clang-format on */

/* base_file_make's callback. */
static bool fill(FILE *file, void *context) {
    struct html_page *page = context;
    page->out = file;
    head(page);
    fputs("<nav aria-label=\"Sections\">", file);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        fprintf(file, "<a href=\"#%s\">%s</a>", sections[i].id, sections[i].title);
    fputs("</nav>\n<main>\n", file);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        html_section(page, sections[i].id, sections[i].title);
        const long before = ftell(file);
        sections[i].print(page);
        if (ftell(file) == before) fputs("<p class=\"note\">No record has any.</p>\n", file);
        html_section_end(page);
    }
    fputs("</main></body></html>\n", file);
    return !ferror(file);
}

int html_write(const char *path, const struct html_input *input, bool *plain, struct base_error *e) {
    struct html_page page = {.input = input, .plain = !draw_gnuplot_found()};
    *plain = page.plain;
    return base_file_make_below(path, fill, &page, e);
}
