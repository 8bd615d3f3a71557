// commands.h - the built-in commands of hakbench: each adds itself to the parser.
//
// Purpose:    main.cc need not know what a command takes; a new one is a file and a line here.
// Boundary:   wiring only: options to plain data, then a call into the layers below. A command that
//             was chosen sets *exit_code; failures are thrown as Error.
#ifndef HAKBENCH_CLI_COMMANDS_H_
#define HAKBENCH_CLI_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace hakbench {

void add_run_command(CLI::App *app, int *exit_code);
void add_ab_command(CLI::App *app, int *exit_code);
void add_soak_command(CLI::App *app, int *exit_code);
void add_loop_command(CLI::App *app, int *exit_code);
void add_ledger_command(CLI::App *app, int *exit_code);
void add_check_command(CLI::App *app, int *exit_code);
void add_doctor_command(CLI::App *app, int *exit_code);
void add_list_command(CLI::App *app, int *exit_code);
void add_record_command(CLI::App *app, int *exit_code);
void add_replay_command(CLI::App *app, int *exit_code);
void add_trace_command(CLI::App *app, int *exit_code);

// --format: text or json, else refused.
void add_format_option(CLI::App *command, std::string *format);

// This process's arguments, as they were typed.
std::vector<std::string> command_line();

// Replaces this process by hakbench-NAME. Returns only if there is none.
void exec_tool(const char *name, char **argv);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_COMMANDS_H_
