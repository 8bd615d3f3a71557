#include "slab/locate.h"

#include "base/check.h"
#include "config/config.h"
#include "slab/slab_pool.h"
#include "superslab/address_window.h"

namespace hakmem {
namespace {

using What = Location::What;

Location locate_in_superslab(const Superslab *superslab, const void *p) {
  if (address_of(p) - superslab->address() >= superslab->bytes()) return {What::kForeign, {}, {}};
  Slab *slab = slab_of(p);
  if (slab == nullptr) return {What::kForeign, nullptr, nullptr};
  if (slab->kind() == SlabKind::kSmall) {
    const BlockPlace place = place_of(slab, p);
    if (!place.on_boundary) return {What::kInterior, slab, nullptr};
    return {place.carved ? What::kSmall : What::kForeign, slab, nullptr};
  }
  return {address_of(p) == slab_address(slab) ? What::kLarge : What::kInterior, slab, nullptr};
}

}  // namespace

Location locate(const void *p) {
  const address_window::Unit unit = address_window::find(p);
  switch (unit.use) {
    case address_window::Use::kSuperslab: {
      const auto *superslab = static_cast<const Superslab *>(unit.holder);
      if (align_down(address_of(p), kUnitBytes) != superslab->address()) break;
      return locate_in_superslab(superslab, p);
    }
    case address_window::Use::kHuge: {
      auto *huge = static_cast<HugeBlock *>(unit.holder);
      if (p == huge->base) return {What::kHuge, nullptr, huge};
      const uintptr_t offset = address_of(p) - address_of(huge->base);
      if (offset < huge->usable_bytes) return {What::kInterior, nullptr, huge};
      break;
    }
    default:
      break;
  }
  return {What::kForeign, nullptr, nullptr};
}

size_t usable_bytes(const Location &location) {
  if (location.huge != nullptr) return location.huge->usable_bytes;
  if (location.slab->kind() == SlabKind::kSmall) return class_bytes(location.slab->size_class);
  return location.slab->run_slabs * kSlabBytes;
}

Location locate_live(const char *operation, const void *p) {
  const Location location = locate(p);
  if (location.what == What::kForeign) report_foreign_pointer(operation, p);
  if (location.what == What::kInterior) {
    report_interior_pointer(operation, p, usable_bytes(location));
  }
  if (location.what == What::kLarge && location.slab->kind() != SlabKind::kLarge) {
    report_double_free(p, 0);
  }
  if (knob(g_config.check) != 0 && location.what == What::kSmall &&
      location.slab->owner->holds_free(location.slab, p)) {
    report_double_free(p, usable_bytes(location));
  }
  return location;
}

}  // namespace hakmem
