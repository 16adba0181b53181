#ifndef VN_COMMANDS_H
#define VN_COMMANDS_H
/* The subcommands of venus-engine. Each takes its own arguments (argv[0] is the subcommand) and returns the exit code:
 * 0, or vn_status_exit_code of what went wrong, after saying it on stderr. */

int vn_command_setup(int argc, char **argv);
int vn_command_execute(int argc, char **argv);
int vn_command_contribute(int argc, char **argv);
int vn_command_prove(int argc, char **argv);
int vn_command_aggregate(int argc, char **argv);
int vn_command_prove_all(int argc, char **argv);
int vn_command_verify(int argc, char **argv);
int vn_command_params(int argc, char **argv);
int vn_command_pack_input(int argc, char **argv);
int vn_command_child(int argc, char **argv);

#endif
