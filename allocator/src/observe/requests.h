// requests.h - the RSS ledger of a running program, on a signal.
//
// Purpose:    let somebody outside ask while the program holds what it holds.
// Owns:       one thread, which does the work: the handler only wakes it. So nothing of the ledger runs
//             where the signal happened to interrupt, and a program that is idle answers too.
// Boundary:   started by libhakmem-observe.so before main, and only if HAKMEM_LEDGER_SIGNAL is set. A
//             program that handles that signal itself later takes it away. A forked child has no such
//             thread: it gives its ledger at exit only.
// Threads:    serve_requests() is called once. The thread blocks all signals and allocates nothing.
#ifndef HAKMEM_OBSERVE_REQUESTS_H_
#define HAKMEM_OBSERVE_REQUESTS_H_

namespace hakmem::observe {

void serve_requests();

}  // namespace hakmem::observe

#endif  // HAKMEM_OBSERVE_REQUESTS_H_
