// installation.h - paths within the tree that the running binary belongs to.
//
// Purpose:    results name the project's own files in a way that means the same on every machine.
// Boundary:   paths in, text out; nothing is opened.
#ifndef HAKBENCH_MODEL_INSTALLATION_H_
#define HAKBENCH_MODEL_INSTALLATION_H_

#include <string>

namespace hakbench {

// The folder above the binary's: PREFIX of PREFIX/bin, or TREE/build/PRESET.
std::string installation_folder();

// "plugins/hakmem.so" for a file in the installation folder; any other path as it is.
std::string relative_to_installation(const std::string &path);

// The way back: a relative path that exists below the installation folder, with that folder before it;
// any other path as it is.
std::string resolve_in_installation(const std::string &path);

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_INSTALLATION_H_
