/* SPDX-License-Identifier: Apache-2.0
 *
 * Formats numbers, paths and lists. Measured values keep three significant digits, counts all digits. */
#include "base/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Decimals that leave three digits of x >= 0, after printf's rounding */
static int decimals(double x) {
    return x < 9.995 ? 2 : x < 99.95 ? 1 : 0;
}

/* Divides *x by `step` until it prints below `limit`; returns how often. 999.5 would print as 1000, so it goes to the
 * next unit. */
static int scale(double *x, double step, double limit, int units) {
    int unit = 0;
    while (unit + 1 < units && isfinite(*x) && fabs(*x) >= limit) {
        *x /= step;
        unit++;
    }
    return unit;
}

void base_text_bytes(double bytes, char *text, int size) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    int unit = scale(&bytes, 1024.0, 1023.5, sizeof units / sizeof *units);
    snprintf(text, (size_t)size, "%.*f %s", unit == 0 ? 0 : decimals(fabs(bytes)), bytes, units[unit]);
}

void base_text_count(long long count, char *text, int size) {
    char digits[32], grouped[48];
    snprintf(digits, sizeof digits, "%lld", count);
    int sign = digits[0] == '-', length = (int)strlen(digits), used = 0;
    for (int i = 0; i < length; i++) {
        if (i > sign && (length - i) % 3 == 0) grouped[used++] = ',';
        grouped[used++] = digits[i];
    }
    grouped[used] = '\0';
    snprintf(text, (size_t)size, "%s", grouped);
}

void base_text_si(double value, char *text, int size) {
    static const char *const above[] = {"", "k", "M", "G", "T", "P", "E", "Z"};
    static const char *const below[] = {"", "m", "u", "n", "p"};
    double x = value;
    if (x == 0.0 || !isfinite(x) || fabs(x) >= 0.9995) {
        int unit = scale(&x, 1000.0, 999.5, sizeof above / sizeof *above);
        snprintf(text, (size_t)size, "%.*f %s", decimals(fabs(x)), x, above[unit]);
        return;
    }
    int unit = 0;
    for (; unit + 1 < (int)(sizeof below / sizeof *below) && fabs(x) < 0.9995; unit++) x *= 1000.0;
    snprintf(text, (size_t)size, "%.*f %s", decimals(fabs(x)), x, below[unit]);
}

void base_text_duration(double seconds, char *text, int size) {
    static const struct {
        long long unit, part;
        const char *name, *part_name;
    } ladder[] = {{86400, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}};
    if (!isfinite(seconds) || seconds < 59.95) {
        char number[32];
        base_text_si(seconds, number, sizeof number);
        snprintf(text, (size_t)size, "%ss", number);
        return;
    }
    for (int i = 0; i < 3; i++) {
        long long parts = llround(seconds / (double)ladder[i].part), per_unit = ladder[i].unit / ladder[i].part;
        if (parts < per_unit) continue;
        snprintf(text, (size_t)size, "%lld %s %02lld %s", parts / per_unit, ladder[i].name, parts % per_unit,
                 ladder[i].part_name);
        return;
    }
}

/* The first UTF-8 character that begins at or after `at` */
static const char *character(const char *at) {
    while (((unsigned char)*at & 0xc0) == 0x80) at++;
    return at;
}

static void shorten(const char *path, char *text, size_t size) {
    const size_t length = strlen(path);
    if (length < size) {
        memcpy(text, path, length + 1);
        return;
    }
    const char *tail = character(path + length - (size - 4)), *slash = strchr(tail, '/');
    if (slash && slash[1]) {
        snprintf(text, size, "...%s", slash);
        return;
    }
    const char *name = strrchr(path, '/'), *end = character(path + length - (size - 4) / 2);
    name = name && name[1] ? name + 1 : path;
    if (strlen(name) < size) {
        snprintf(text, size, "%s", name);
        return;
    }
    const char *head = name + (size - 4) / 2;
    while (head > name && ((unsigned char)*head & 0xc0) == 0x80) head--;
    snprintf(text, size, "%.*s...%s", (int)(head - name), name, end);
}

void base_text_path(const char *path, char *text, size_t size) {
    shorten(path, text, size);
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c)) *c = '?';
}

int base_text_find(const char *name, const char *const *names, int count) {
    for (int i = 0; name && i < count; i++)
        if (!strcmp(name, names[i])) return i;
    return -1;
}

bool base_text_append(char *text, size_t size, const char *word) {
    const size_t used = strlen(text), more = strlen(word) + (used ? 2 : 0);
    if (used + more >= size) return false;
    snprintf(text + used, size - used, "%s%s", used ? ", " : "", word);
    return true;
}

bool base_text_has_word(const char *list, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && strchr(" ,", at[length])) return true;
    return false;
}

bool base_text_ends(const char *text, const char *end) {
    const size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

int base_text_words(const char *list, char *text, size_t size, const char *words[], int most) {
    int count = 0;
    char *rest = NULL;
    if (strlen(list) >= size) return -1;
    memcpy(text, list, strlen(list) + 1);
    for (char *word = strtok_r(text, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
        if (count == most) return -1;
        words[count++] = word;
    }
    return count;
}

bool base_text_color_allowed(FILE *stream) {
    const char *no = getenv("NO_COLOR");
    return (no == NULL || no[0] == '\0') && isatty(fileno(stream));
}
