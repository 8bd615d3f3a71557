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

}  // namespace hakbench
