// replay.cc - hakmem_fuzz_replay FILE_OR_DIR...: the fuzz target on stored inputs, without a fuzzer.
//
// Purpose: run the committed corpus in every build, and one input of a fuzzer's finding by hand.
// Invariants: exit 0 pass, 1 an input can't be read, 2 an input broke a promise (the line names it).
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "support/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

std::vector<std::filesystem::path> inputs(int argc, char **argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto &entry : std::filesystem::directory_iterator(argv[i]))
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char **argv) {
  const auto files = inputs(argc, argv);
  if (files.empty()) {
    std::fprintf(stderr, "hakmem_fuzz_replay: no inputs; name files or folders\n");
    return 1;
  }
  for (const auto &file : files) {
    std::ifstream in(file, std::ios::binary);
    if (!in) {
      std::fprintf(stderr, "hakmem_fuzz_replay: cannot read %s\n", file.c_str());
      return 1;
    }
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    try {
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
    } catch (const hakmem_test::Violation &violation) {
      std::fprintf(stderr, "FAIL %s: %s\n", file.c_str(), violation.what());
      return 2;
    }
  }
  std::printf("ok: %zu inputs\n", files.size());
}
