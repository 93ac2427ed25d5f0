// SPDX-License-Identifier: Apache-2.0
#include "exec/testbed/failure.h"

#include <cerrno>
#include <cstring>

#include "models/base/errors.h"

namespace lockstep::exec {

void throw_cannot(const std::string& what) {
  const int reason = errno;
  throw ConfigError("testbed", "cannot " + what + ": " +
                                   (reason == EPERM || reason == EACCES
                                        ? std::string("this needs the privileges of root")
                                        : std::strerror(reason)));
}

}  // namespace lockstep::exec
