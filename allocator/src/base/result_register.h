// result_register.h - a hint to the compiler about one register.
//
// Purpose:    malloc's fast path is an instruction shorter if its result is loaded into the register
//             that results are returned in (docs/analysis/0013).
// Boundary:   malloc gets no code of it; on other processors than x86-64 it does nothing.
#ifndef HAKMEM_BASE_RESULT_REGISTER_H_
#define HAKMEM_BASE_RESULT_REGISTER_H_

namespace hakmem {

// Keeps `p` out of the register of results: in rcx, where no argument of malloc or aligned_alloc lies.
inline void keep_out_of_result(void **&p) {
#ifdef __x86_64__
  asm("" : "+c"(p));
#else
  static_cast<void>(p);
#endif
}

}  // namespace hakmem

#endif  // HAKMEM_BASE_RESULT_REGISTER_H_
