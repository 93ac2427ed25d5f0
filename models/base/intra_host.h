// SPDX-License-Identifier: Apache-2.0
// How ranks of one host exchange messages.
#pragma once

#include <cstdint>
#include <string>

namespace lockstep {

enum class IntraHost : std::uint8_t {
  Tcp,           // over loopback, as between hosts
  Unix,          // over Unix-domain sockets
  SharedMemory,  // a rank reads straight from its neighbour's buffer
};

/// "tcp", "unix", "shm": as the command line and the job file spell it.
std::string name_of(IntraHost how);
/// Throws ConfigError; `where` is the flag or place.
IntraHost parse_intra_host(const std::string& name, const std::string& where);

}  // namespace lockstep
