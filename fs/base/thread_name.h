// What a thread is called in top, ps and debuggers.
#pragma once

namespace tusfs {

/// Of the calling thread; at most 15 characters.
void NameThread(char const* name);

}  // namespace tusfs
