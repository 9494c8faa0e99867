/* SPDX-License-Identifier: Apache-2.0
 *
 * Parses a command's flags by its list, checks its rules and prints its help. */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/paths.h"

enum { ROWS = 64 };

/* All rows of a list, with shared lists expanded in place. */
struct rows {
    struct row {
        const struct cli_option *option;
        size_t at; /* of the value in the command's flags */
        bool given;
    } row[ROWS];
    int count;
    char *flags;
};

static void spread(struct rows *r, const struct cli_option *list, size_t base) {
    for (; list->name || list->shared; list++) {
        if (list->kind == CLI_SHARED) {
            spread(r, list->shared, base + list->at);
            continue;
        }
        assert(r->count < ROWS);
        r->row[r->count++] = (struct row){list, base + list->at, false};
    }
}

static bool is_switch(const struct cli_option *o) {
    return o->kind == CLI_FLAG || o->kind == CLI_ALONE;
}

static bool is_word(const struct cli_option *o) {
    return o->kind == CLI_WORD || o->kind == CLI_WORDS;
}

static bool matches(const char *word, size_t length, const char *name) {
    return name && strlen(name) == length && !strncmp(word, name, length);
}

/* The row of a flag, "--name" or "--name=value". */
static struct row *find(struct rows *r, const char *word) {
    const size_t length = strcspn(word, "=");
    for (int i = 0; i < r->count; i++) {
        const struct cli_option *o = r->row[i].option;
        if (!is_word(o) && (matches(word, length, o->name) || matches(word, length, o->alias))) return &r->row[i];
    }
    return NULL;
}

/* The next positional argument that has no value yet; NULL: none. */
static struct row *find_word(struct rows *r, const char *word) {
    for (int i = 0; i < r->count; i++)
        if (r->row[i].option->kind == CLI_WORD && !r->row[i].given && *word) return &r->row[i];
    for (int i = 0; i < r->count; i++)
        if (r->row[i].option->kind == CLI_WORDS && *word) return &r->row[i];
    return NULL;
}

static int read_integer(const struct cli_option *o, int64_t *value, const char *text, struct base_error *e) {
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    if (end == text || *end)
        return base_fail(e, BASE_USAGE, "%s: \"%s\" is not a whole number; take %.0f to %.0f", o->name, text, o->min,
                         o->max);
    if (errno || (double)x < o->min || (double)x > o->max)
        return base_fail(e, BASE_USAGE, "%s: %s is out of range; take %.0f to %.0f", o->name, text, o->min, o->max);
    *value = x;
    return BASE_OK;
}

static int read_number(const struct cli_option *o, double *value, const char *text, struct base_error *e) {
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || isnan(x)) return base_fail(e, BASE_USAGE, "%s: \"%s\" is not a number", o->name, text);
    if (x < o->min || x > o->max)
        return base_fail(e, BASE_USAGE, "%s: %s is out of range; take %g to %g", o->name, text, o->min, o->max);
    *value = x;
    return BASE_OK;
}

static int read_share(const struct cli_option *o, double *value, const char *text, struct base_error *e) {
    char *end;
    double x = strtod(text, &end);
    const bool percent = end != text && *end == '%';
    if (end == text || end[percent] || isnan(x))
        return base_fail(e, BASE_USAGE, "%s: \"%s\" is not a share; write 1%% or 0.01", o->name, text);
    if (percent) x /= 100;
    if (x < o->min || x > o->max)
        return base_fail(e, BASE_USAGE, "%s: %s is out of range; take %g%% to %g%%", o->name, text, 100 * o->min,
                         100 * o->max);
    *value = x;
    return BASE_OK;
}

static int add_word(const struct cli_option *o, struct cli_words *words, const char *text, struct base_error *e) {
    if (words->count == CLI_WORDS_MOST)
        return base_fail(e, BASE_USAGE, "%s: more than %d; give folders instead of files", o->name, CLI_WORDS_MOST);
    words->word[words->count++] = text;
    return BASE_OK;
}

static int read_text(const struct cli_option *o, const char **value, const char *text, struct base_error *e) {
    if (!*text) return base_fail(e, BASE_USAGE, "%s: the value is empty; give %s %s", o->name, o->name, o->hint);
    *value = text;
    return BASE_OK;
}

static int read_choice(const struct cli_option *o, int *value, const char *text, struct base_error *e) {
    char known[256] = "";
    int count = 0;
    for (; o->word(count); count++) {
        if (!strcmp(text, o->word(count))) return *value = count, BASE_OK;
        base_text_append(known, sizeof known, o->word(count));
    }
    if (count == 2) snprintf(known, sizeof known, "%s or %s", o->word(0), o->word(1));
    return base_fail(e, BASE_USAGE, "%s: unknown \"%.64s\"; known: %s", o->name, text, known);
}

static int read_value(struct rows *r, const struct row *row, const char *text, struct base_error *e) {
    const struct cli_option *o = row->option;
    void *value = r->flags + row->at;
    switch (o->kind) {
    case CLI_INTEGER:
        return read_integer(o, value, text, e);
    case CLI_NUMBER:
        return read_number(o, value, text, e);
    case CLI_SHARE:
        return read_share(o, value, text, e);
    case CLI_WORDS:
        return add_word(o, value, text, e);
    case CLI_TEXT:
    case CLI_WORD:
        return read_text(o, value, text, e);
    case CLI_CHOICE:
        return read_choice(o, value, text, e);
    case CLI_FLAG:
    case CLI_ALONE:
    case CLI_RENAMED:
    case CLI_SHARED:
        break;
    }
    return base_fail(e, BASE_USAGE, "%s takes no value", o->name);
}

static int set_defaults(struct rows *r, struct base_error *e) {
    int code = BASE_OK;
    for (int i = 0; i < r->count && !code; i++) {
        const struct cli_option *o = r->row[i].option;
        if (o->kind == CLI_CHOICE) *(int *)(r->flags + r->row[i].at) = -1;
        if (o->fallback) code = read_value(r, &r->row[i], o->fallback, e);
    }
    return code;
}

/* Reads argv[*i]. If its value is the next argument, moves *i to that. */
static int take(struct rows *r, const char *command, int argc, char *const *argv, int *i, struct base_error *e) {
    const char *word = argv[*i], *value = strchr(word, '=');
    struct row *row = find(r, word);
    int code = BASE_OK;
    if (!row && word[0] == '-')
        return base_fail(e, BASE_USAGE, "unknown flag \"%.*s\"; see toise %s --help", (int)strcspn(word, "="), word,
                         command);
    if (row && row->option->kind == CLI_RENAMED)
        return base_fail(e, BASE_USAGE, "%s no longer exists; give %s", row->option->name, row->option->hint);
    if (row && value)
        value++;
    else if (!row && (row = find_word(r, word)))
        value = word;
    else if (!row)
        return base_fail(e, BASE_USAGE, "unexpected argument \"%s\"; see toise %s --help", word, command);
    else if (!is_switch(row->option) && (*i + 1 == argc || find(r, argv[*i + 1])))
        return base_fail(e, BASE_USAGE, "%s needs a value: %s %s", row->option->name, row->option->name,
                         row->option->hint);
    else if (!is_switch(row->option))
        value = argv[++*i];
    if (row->given && row->option->once)
        return base_fail(e, BASE_USAGE, "%s is given twice: give it once, with all its values: %s %s",
                         row->option->name, row->option->name, row->option->hint);
    if (value)
        code = read_value(r, row, value, e);
    else
        *(bool *)(r->flags + row->at) = true;
    if (!code) row->given = true;
    return code;
}

/* The first of the names that was given; NULL: none. */
static const char *first_given(const struct rows *r, const char *names) {
    for (const char *name = names; name && *name; name += strspn(name, " ")) {
        const size_t length = strcspn(name, " ");
        for (int i = 0; i < r->count; i++)
            if (r->row[i].given && matches(name, length, r->row[i].option->name)) return r->row[i].option->name;
        name += length;
    }
    return NULL;
}

static int check_rules(const struct rows *r, const struct cli_rule *rules, struct base_error *e) {
    for (int i = 0; i < r->count; i++)
        if (r->row[i].given && r->row[i].option->kind == CLI_ALONE) return BASE_OK;
    for (; rules && rules->text; rules++) {
        const char *given = first_given(r, rules->given), *excluded = first_given(r, rules->excludes);
        if (rules->given && !given) continue;
        if (rules->needs && !first_given(r, rules->needs))
            return base_fail(e, BASE_USAGE, "%s%s%s", given ? given : "", given ? " " : "", rules->text);
        if (excluded)
            return base_fail(e, BASE_USAGE, "%s and %s %s; leave out one of the two", given, excluded, rules->text);
    }
    return BASE_OK;
}

int cli_options_read(const struct cli_command *c, void *flags, int argc, char *const *argv, struct base_error *e) {
    struct rows r = {.flags = flags};
    spread(&r, c->options, 0);
    int code = set_defaults(&r, e);
    for (int i = 0; i < argc && !code; i++) code = take(&r, c->name, argc, argv, &i, e);
    return code ? code : check_rules(&r, c->rules, e);
}

/* "megatron, fsdp (default) or xla" */
static void help_words(FILE *out, const struct cli_option *o) {
    for (int i = 0; o->word(i); i++) {
        const bool usual = o->fallback && o->word(1) && !strcmp(o->word(i), o->fallback);
        fprintf(out, "%s%s%s", !i ? "" : o->word(i + 1) ? ", " : " or ", o->word(i), usual ? " (default)" : "");
    }
}

void cli_options_help(FILE *out, const struct cli_command *c) {
    struct rows r = {0};
    spread(&r, c->options, 0);
    fprintf(out, "usage: %s\n\n", c->usage);
    for (int i = 0; i < r.count; i++) {
        const struct cli_option *o = r.row[i].option;
        char left[64];
        if (!o->help) continue;
        snprintf(left, sizeof left, "%s%s%s", o->name, o->hint ? " " : "", o->hint ? o->hint : "");
        fprintf(out, "  %-22s ", left);
        if (o->kind == CLI_CHOICE) help_words(out, o);
        fputs(o->help, out);
        if (o->fallback && o->kind != CLI_CHOICE) fprintf(out, "; default %s", o->fallback);
        if (o->alias) fprintf(out, " (also %s)", o->alias);
        fputc('\n', out);
    }
    if (c->notes) fprintf(out, "\n%s", c->notes);
}

/* Appends the paths of one use to files[count]. Returns the new count. */
static int collect(const struct rows *r, enum cli_file use, struct cli_path *files, int count) {
    for (int i = 0; i < r->count; i++) {
        const struct cli_option *o = r->row[i].option;
        if (o->file == use && o->kind != CLI_WORDS)
            files[count++] = (struct cli_path){o->name, *(char **)(r->flags + r->row[i].at), use == CLI_WRITTEN};
    }
    return count;
}

/* Checks each path of a comma-separated list against files[count], which has room for one more. */
static int list_apart(const struct cli_option *o, const char *list, struct cli_path *files, int count,
                      struct base_error *e) {
    char *copy = strdup(list), *rest = copy, *path;
    int code = copy ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory");
    while (!code && (path = strsep(&rest, ","))) {
        files[count] = (struct cli_path){o->name, path, false};
        code = cli_paths_apart(files, count + 1, e);
    }
    free(copy);
    return code;
}

int cli_options_apart(const struct cli_command *c, const void *flags, struct base_error *e) {
    struct rows r = {.flags = (char *)flags};
    struct cli_path files[ROWS + 1];
    spread(&r, c->options, 0);
    const int written = collect(&r, CLI_WRITTEN, files, 0), count = collect(&r, CLI_READ, files, written);
    int code = cli_paths_apart(files, count, e);
    for (int i = 0; i < r.count && !code; i++) {
        const char *const *list = (const char *const *)(r.flags + r.row[i].at);
        const struct cli_words *words = (const struct cli_words *)(const void *)list;
        if (r.row[i].option->file == CLI_READ_LIST && *list)
            code = list_apart(r.row[i].option, *list, files, written, e);
        for (int w = 0; r.row[i].option->kind == CLI_WORDS && w < words->count && !code; w++) {
            files[written] = (struct cli_path){r.row[i].option->name, words->word[w], false};
            code = cli_paths_apart(files, written + 1, e);
        }
    }
    return code;
}
