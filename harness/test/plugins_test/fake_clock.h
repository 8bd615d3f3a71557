/* fake_clock.h - included before a control's source: both of its clocks read fake_clock, which
 * moves only when it is read, by fake_clock_step, and when the test moves it (dlsym). The
 * fake_clock_pause_in-th reading from now, if it is not 0, comes fake_clock_pause later.
 */
#ifndef TEST_FAKE_CLOCK_H_
#define TEST_FAKE_CLOCK_H_

#include <stdint.h>

uint64_t fake_clock = 1;
uint64_t fake_clock_step = 1;
uint64_t fake_clock_pause_in;
uint64_t fake_clock_pause;

static inline uint64_t fake_clock_read(void) {
  if (fake_clock_pause_in != 0 && --fake_clock_pause_in == 0) fake_clock += fake_clock_pause;
  return fake_clock += fake_clock_step;
}

#define CONTROL_TICKS() fake_clock_read()
#define CONTROL_NOW_NS() fake_clock_read()

#endif /* TEST_FAKE_CLOCK_H_ */
