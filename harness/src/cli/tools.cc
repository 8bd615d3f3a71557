// tools.cc - what several commands share: hakbench-NAME in our place, --format, our own arguments.
//
// Boundary:   declared in commands.h.
#include <stdio.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/locations.h"

namespace hakbench {

void exec_tool(const char *name, char **argv) {
  const auto tool = find_tool(name);
  if (!tool) return;
  argv[0] = const_cast<char *>(tool->c_str());
  execv(tool->c_str(), argv);
}

void add_format_option(CLI::App *command, std::string *format) {
  command->add_option("--format", *format, "text or json (default text)")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("TEXT");
}

std::vector<std::string> command_line() {
  std::vector<std::string> words;
  FILE *file = fopen("/proc/self/cmdline", "r");
  if (file == nullptr) return words;
  std::string word;
  for (int c; (c = fgetc(file)) != EOF;) {
    if (c != '\0') {
      word += static_cast<char>(c);
      continue;
    }
    words.push_back(word);
    word.clear();
  }
  fclose(file);
  return words;
}

}  // namespace hakbench
