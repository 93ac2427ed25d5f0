// SPDX-License-Identifier: Apache-2.0
// Network namespaces without a name: each lasts as long as the object or a process in it, so that
// the kernel itself removes them, and the links in them, whatever becomes of this process.
#pragma once

#include <string>

namespace lockstep::exec {

class Namespace {
 public:
  /// The calling thread's.
  static Namespace current();
  /// A new one. The calling thread stays in `home`. Throws ConfigError without the privilege.
  static Namespace make(const Namespace& home);
  ~Namespace();
  Namespace(Namespace&& other) noexcept;
  Namespace& operator=(Namespace&&) = delete;

  /// Moves the calling thread there. Returns whether that worked.
  bool enter() const;
  /// A path to it for other processes, while this one runs.
  std::string path() const;

 private:
  explicit Namespace(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
};

/// The calling thread is there while this lives.
class Visit {
 public:
  Visit(const Namespace& there, const Namespace& home);
  ~Visit();
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  const Namespace& home_;
};

/// Runs `ip -batch` or `tc -batch` (package iproute2) with these lines in a namespace. Throws
/// ConfigError with the line that failed and why, or when there is no such program.
void run_batch(const std::string& program, const Namespace& there, const std::string& lines);

}  // namespace lockstep::exec
