/* zisk-coordinator: the first argument decides between the commands and the supervisor. */
#include <stdio.h>
#include <string.h>

#include "services/coordinator/coordinator.h"

static const struct {
    const char *name;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"prove", vn_prove_main},     {"verify", vn_verify_main}, {"status", vn_status_main}, {"jobs", vn_jobs_main},
    {"workers", vn_workers_main}, {"watch", vn_watch_main},   {"cancel", vn_cancel_main}, {"register", vn_register_main}, {"execute", vn_execute_main},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].main(argc - 1, argv + 1);
    if (argc > 1 && argv[1][0] != '-') {
        fprintf(stderr, "zisk-coordinator: unknown command '%s'; see --help\n", argv[1]);
        return vn_status_exit_code(VN_ERR_ARGUMENT);
    }
    return vn_supervisor_main(argc, argv);
}
