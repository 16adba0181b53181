/* venus-engine: one short-lived process per piece of work; this file only picks the subcommand. */
#include <stdio.h>
#include <string.h>

#include "services/prover-engine/engine/commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"setup", vn_command_setup, "commit to a program and print its verifying key"},
    {"execute", vn_command_execute, "run a program; with --dir also write witness packages"},
    {"contribute", vn_command_contribute, "phase 1 of the shards in a job directory"},
    {"prove", vn_command_prove, "phase 2 of the shards in a job directory"},
    {"aggregate", vn_command_aggregate, "join the shard proofs of a job directory into the final proof"},
    {"prove-all", vn_command_prove_all, "all of these in one process"},
    {"verify", vn_command_verify, "check a final proof"},
    {"params", vn_command_params, "print the parameters of the proving system"},
    {"pack-input", vn_command_pack_input, "wrap files as the input records of the guest ABI"},
    {"child", vn_command_child, "serve one request of an agent (descriptors 3 and 4)"},
};

static void usage(FILE *f)
{
    fprintf(f, "Usage: venus-engine COMMAND [options]\n\nThe prover of the Venus zkVM. Commands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(f, "  %-12s %s\n", commands[i].name, commands[i].help);
    fprintf(f, "\n`venus-engine COMMAND --help` lists the options of a command.\n"
               "Exit code: 0 on success; otherwise 10 + the error class (docs/errors.md).\n");
}

int main(int argc, char **argv)
{
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? 11 : 0;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        puts("venus-engine " VENUS_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "venus-engine: no command '%s'; see venus-engine --help\n", argv[1]);
    return 11;
}
