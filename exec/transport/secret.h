// SPDX-License-Identifier: Apache-2.0
// The job's shared secret, and the proofs made with it.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace lockstep::exec {

/// What the processes of one job know and nobody else does. May be empty: then anybody who speaks
/// the protocol is let in.
struct Secret {
  std::string bytes;
};

using Proof = std::array<std::byte, 32>;
using Nonce = std::array<std::byte, 32>;

Secret random_secret();
Nonce random_nonce();
/// The content of a file. Throws ConfigError when it can't be read, is empty or exceeds 64 KiB.
Secret load_secret(const std::string& path);
/// From a descriptor that the launcher left open (it may be shared: the position isn't used), which
/// is closed. Throws ConfigError when there is nothing to read.
Secret read_secret(int descriptor);

/// HMAC-SHA256 (RFC 2104).
Proof hmac_sha256(const Secret& secret, std::span<const std::byte> text);
/// Takes the same time wherever they differ.
bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace lockstep::exec
