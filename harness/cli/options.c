/* SPDX-License-Identifier: Apache-2.0
 *
 * The option table's reader and its help. */
#include "cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const char *word, size_t length, const char *name) {
    return name && strlen(name) == length && !strncmp(word, name, length);
}

static const struct cli_option *find(const struct cli_option *options, int count, const char *word) {
    const size_t length = strcspn(word, "=");
    for (int i = 0; i < count; i++)
        if (options[i].kind != CLI_WORD &&
            (matches(word, length, options[i].name) || matches(word, length, options[i].alias)))
            return &options[i];
    return NULL;
}

/* Takes a word beside the flags; false where none is wanted, or it is empty or the second. */
static bool take_word(const struct cli_option *options, int count, const char *word) {
    for (int i = 0; i < count; i++) {
        if (options[i].kind != CLI_WORD) continue;
        const char **value = options[i].value;
        if (*value || !*word) return false;
        *value = word;
        return true;
    }
    return false;
}

static int read_integer(const struct cli_option *o, const char *text, struct base_error *e) {
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    if (end == text || *end) return base_fail(e, BASE_USAGE, "%s: \"%s\" is not a whole number", o->name, text);
    if (errno || (double)x < o->low || (double)x > o->high)
        return base_fail(e, BASE_USAGE, "%s: %s is out of range; take %.0f to %.0f", o->name, text, o->low, o->high);
    *(int64_t *)o->value = x;
    return BASE_OK;
}

static int read_number(const struct cli_option *o, const char *text, struct base_error *e) {
    char *end;
    double x = strtod(text, &end);
    if (end == text || *end || isnan(x)) return base_fail(e, BASE_USAGE, "%s: \"%s\" is not a number", o->name, text);
    if (x < o->low || x > o->high)
        return base_fail(e, BASE_USAGE, "%s: %s is out of range; take %g to %g", o->name, text, o->low, o->high);
    *(double *)o->value = x;
    return BASE_OK;
}

static int read_value(const struct cli_option *o, const char *text, struct base_error *e) {
    switch (o->kind) {
    case CLI_INTEGER:
        return read_integer(o, text, e);
    case CLI_NUMBER:
        return read_number(o, text, e);
    case CLI_TEXT:
        if (!*text) return base_fail(e, BASE_USAGE, "%s: the value is empty; give %s", o->name, o->hint);
        *(const char **)o->value = text;
        return BASE_OK;
    case CLI_FLAG:
        return base_fail(e, BASE_USAGE, "%s takes no value", o->name);
    case CLI_WORD:
        break;
    }
    return BASE_OK;
}

int cli_options_parse(const struct cli_option *options, int count, int argc, char *const *argv, const char *command,
                      struct base_error *e) {
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i], *equals = strchr(word, '=');
        const struct cli_option *o = find(options, count, word);
        int code = BASE_OK;
        if (!o && word[0] == '-')
            return base_fail(e, BASE_USAGE, "unknown flag \"%.*s\"; see toise %s --help", (int)strcspn(word, "="), word,
                             command);
        if (!o && take_word(options, count, word)) continue;
        if (!o) return base_fail(e, BASE_USAGE, "unexpected argument \"%s\"; see toise %s --help", word, command);
        if (equals)
            code = read_value(o, equals + 1, e);
        else if (o->kind == CLI_FLAG)
            *(bool *)o->value = true;
        else if (i + 1 == argc)
            return base_fail(e, BASE_USAGE, "%s needs a value: %s %s", o->name, o->name, o->hint);
        else
            code = read_value(o, argv[++i], e);
        if (code) return code;
        if (o->given) *o->given = true;
    }
    return BASE_OK;
}

void cli_options_help(FILE *out, const struct cli_option *options, int count) {
    for (int i = 0; i < count; i++) {
        const struct cli_option *o = &options[i];
        char left[64];
        if (!o->help) continue;
        snprintf(left, sizeof left, "%s%s%s", o->name, o->hint ? " " : "", o->hint ? o->hint : "");
        fprintf(out, "  %-22s %s", left, o->help);
        if (o->alias) fprintf(out, " (also %s)", o->alias);
        fputc('\n', out);
    }
}

int cli_options_agree(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    uint64_t mix = 0xcbf29ce484222325u; /* FNV-1a over the words with their ends */
    for (int i = 1; i < argc; i++)
        for (const char *c = argv[i];; c++) {
            mix = (mix ^ (unsigned char)*c) * 0x100000001b3u;
            if (!*c) break;
        }
    const double mine = (double)(mix >> 12);
    double range[2] = {mine, -mine};
    world->ops->max(world, range, 2);
    if (range[0] == -range[1]) return BASE_OK;
    return base_fail(e, BASE_USAGE, "ranks were given different flags; start all with the same command line");
}
