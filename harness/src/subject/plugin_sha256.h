// plugin_sha256.h - the SHA-256 of a file, so that a manifest can name exactly what was measured.
//
// Purpose: FIPS 180-4, nothing else; a small file instead of a cryptography library in the subject.
// Threads: no state.
#pragma once

#include <cstddef>
#include <string>

namespace hakbench {

// Lower-case hex, 64 characters.
std::string sha256_of_bytes(const void *bytes, size_t size);

// Empty if the file can't be read.
std::string sha256_of_file(const std::string &path);

}  // namespace hakbench
