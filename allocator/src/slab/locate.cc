#include "slab/locate.h"

#include "base/check.h"
#include "config/config.h"
#include "slab/slab_pool.h"
#include "superslab/address_window.h"

namespace hakmem {
namespace {

using What = Location::What;

inline Location locate_in_superslab(const void *p) {
  Slab *slab = slab_of(p);
  if (slab == nullptr) return {};
  if (slab->kind() == SlabKind::kSmall) {
    const BlockPlace place = place_of(slab, p);
    if (!place.on_boundary) return {What::kInterior, slab};
    return {place.carved ? What::kSmall : What::kForeign, slab};
  }
  return {address_of(p) == slab_address(slab) ? What::kLarge : What::kInterior, slab};
}

inline Location look_up(const void *p) {
  const address_window::Unit unit = address_window::find(p);
  if (unit.use == address_window::Use::kSuperslab) [[likely]] {
    const auto *superslab = static_cast<const Superslab *>(unit.holder);
    if (align_down(address_of(p), kUnitBytes) == superslab->address()) [[likely]]
      return locate_in_superslab(p);
  } else if (unit.use == address_window::Use::kHuge) {
    auto *huge = static_cast<HugeBlock *>(unit.holder);
    if (p == huge->base) return {What::kHuge, huge};
    const uintptr_t offset = address_of(p) - address_of(huge->base);
    if (offset < huge->usable_bytes) return {What::kInterior, huge};
  }
  return {};
}

// Whether the slab of a block that the program says it holds knows better.
bool is_free(const Location &location, const void *p) {
  if (location.what == What::kLarge) return location.slab->kind() != SlabKind::kLarge;
  return location.what == What::kSmall && knob(g_config.check) != 0 &&
         location.slab->owner->holds_free(location.slab, p);
}

[[noreturn, gnu::cold]] void report(const char *operation, const Location &location,
                                    const void *p) {
  if (location.what == What::kForeign) report_foreign_pointer(operation, p);
  if (location.what == What::kInterior) {
    report_interior_pointer(operation, p, usable_bytes(location));
  }
  report_double_free(p, usable_bytes(location));
}

}  // namespace

Location locate(const void *p) { return look_up(p); }

size_t usable_bytes(const Location &location) {
  if (location.in_huge) return location.huge->usable_bytes;
  if (location.slab->kind() == SlabKind::kSmall) return class_bytes(location.slab->size_class);
  return location.slab->run_slabs * kSlabBytes;
}

Location locate_live(const char *operation, const void *p) {
  const Location location = look_up(p);
  if (location.what <= What::kInterior || is_free(location, p)) [[unlikely]]
    report(operation, location, p);
  return location;
}

}  // namespace hakmem
