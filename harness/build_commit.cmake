# cmake -DSOURCE=folder -DOUTPUT=file.cc -P build_commit.cmake: writes which commit is being built. Runs at every
# build; the file is written only where it changes. Outside of git, or where git does not know the sources (a
# tarball unpacked in another tree), the commit is empty.
function(git OUT)
  execute_process(COMMAND git --no-optional-locks ${ARGN} WORKING_DIRECTORY ${SOURCE}
                  OUTPUT_VARIABLE text RESULT_VARIABLE code ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT code EQUAL 0)
    set(text "")
  endif()
  set(${OUT} "${text}" PARENT_SCOPE)
endfunction()

git(known ls-files CMakeLists.txt)
set(commit "")
set(branch "")
set(dirty false)
if(known)
  git(commit rev-parse HEAD)
  git(branch rev-parse --abbrev-ref HEAD)
  git(changes status --porcelain)
  if(changes)
    set(dirty true)
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT [[
#include "cli/build_commit.h"

namespace hakbench {

const BuildCommit kBuildCommit = {R"git(@commit@)git", R"git(@branch@)git", @dirty@};

}  // namespace hakbench
]])
