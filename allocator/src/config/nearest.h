// nearest.h - the name that somebody may have meant.
//
// Purpose:    "did you mean" in the warning about an unknown setting.
// Boundary:   compares text; allocates nothing.
#ifndef HAKMEM_CONFIG_NEAREST_H_
#define HAKMEM_CONFIG_NEAREST_H_

#include <cstddef>

namespace hakmem {

// The one of `known` that takes the fewest insertions, deletions and replacements of a character, if
// that is no more than a third of what follows "HAKMEM_"; else NULL. Names of up to 63 characters.
const char *nearest_name(const char *name, const char *const *known, size_t count);

}  // namespace hakmem

#endif  // HAKMEM_CONFIG_NEAREST_H_
