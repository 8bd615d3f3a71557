// build_commit.h - the commit that this hakbench was built from, for the manifest.
//
// Owns:       nothing; harness/build_commit.cmake writes the definition at each build.
// Invariants: stays what it was when the sources move on, and when the program is installed elsewhere.
#ifndef HAKBENCH_CLI_BUILD_COMMIT_H_
#define HAKBENCH_CLI_BUILD_COMMIT_H_

namespace hakbench {

struct BuildCommit {
  const char *commit;  // "" if git did not know the sources
  const char *branch;
  bool dirty;  // the tree held changes when it was built
};

extern const BuildCommit kBuildCommit;

}  // namespace hakbench

#endif  // HAKBENCH_CLI_BUILD_COMMIT_H_
