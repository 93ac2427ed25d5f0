// SPDX-License-Identifier: Apache-2.0
#include "models/base/intra_host.h"

#include "models/base/errors.h"

namespace lockstep {

std::string name_of(IntraHost how) {
  switch (how) {
    case IntraHost::Tcp:
      return "tcp";
    case IntraHost::Unix:
      return "unix";
    case IntraHost::SharedMemory:
      return "shm";
  }
  return "";
}

IntraHost parse_intra_host(const std::string& name, const std::string& where) {
  for (const IntraHost how : {IntraHost::Tcp, IntraHost::Unix, IntraHost::SharedMemory})
    if (name_of(how) == name) return how;
  throw ConfigError(where, "must be one of tcp, unix, shm, is \"" + name + "\"");
}

}  // namespace lockstep
