#include "base/thread_name.h"

#include <pthread.h>

namespace tusfs {

void NameThread(char const* name) {
  // A thread without its name does the same.
  static_cast<void>(::pthread_setname_np(::pthread_self(), name));
}

}  // namespace tusfs
