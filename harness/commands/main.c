/* SPDX-License-Identifier: Apache-2.0
 *
 * toise COMMAND [flags]: opens the world, runs the command and prints its error once, on rank 0. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "commands/commands.h"

static const struct {
    const char *name, *about;
    int (*run)(struct comm *world, int argc, char *const *argv, struct base_error *e);
} commands[] = {
#define C(name, about) {#name, about, command_##name},
    COMMANDS(C)
#undef C
};
enum { COUNT = sizeof commands / sizeof *commands };

static int help(FILE *out) {
    fputs("toise measures how much LLM training a machine really does.\n\nusage: toise COMMAND [flags]\n\n", out);
    for (int i = 0; i < COUNT; i++) fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].about);
    fputs("\ntoise COMMAND --help lists a command's flags; toise --version prints the version.\n"
          "Exit codes: 0 PASSED, 1 the answer is no, 2 bad input, 3 inconclusive, 4 the run broke.\n",
          out);
    return BASE_OK;
}

static int run(struct comm *world, int argc, char **argv, struct base_error *e) {
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) return base_fail(e, BASE_USAGE, "no command; see toise --help");
    const bool wants_help = !strcmp(name, "--help") || !strcmp(name, "-h"), wants_version = !strcmp(name, "--version");
    if (wants_help) return world->rank ? BASE_OK : help(stdout);
    if (wants_version) return world->rank || puts("toise " TOISE_VERSION) >= 0 ? BASE_OK : BASE_BROKEN;
    for (int i = 0; i < COUNT; i++)
        if (!strcmp(name, commands[i].name)) return commands[i].run(world, argc - 2, argv + 2, e);
    return base_fail(e, BASE_USAGE, "unknown command \"%s\"; see toise --help", name);
}

int main(int argc, char **argv) {
    struct base_error e = {0};
    struct comm world;
    signal(SIGXFSZ, SIG_IGN); /* report the file-size limit as a write error, like a full disk */
    int code = cli_open(&world, argc, argv, &e);
    if (!code) code = run(&world, argc, argv, &e);
    const bool answered = code != BASE_USAGE && code != BASE_BROKEN; /* else keep the first error */
    if (answered && (fflush(stdout) || ferror(stdout)))
        code = base_fail(&e, BASE_BROKEN, "cannot write to standard output");
    if (e.text[0] && world.rank == 0) fprintf(stderr, "toise: %s\n", e.text);
    comm_close(&world);
    return code;
}
