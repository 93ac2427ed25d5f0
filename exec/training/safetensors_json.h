// SPDX-License-Identifier: Apache-2.0
// Safetensors files (github.com/huggingface/safetensors): the length of a JSON header, the header
// with names, shapes and places of tensors, then their elements, little endian.
#pragma once

#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace lockstep::exec {

using Metadata = std::map<std::string, std::string>;

struct TensorInfo {
  std::string dtype;  // "F32"
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // bytes, behind the header
  std::uint64_t end = 0;
};

/// "[64, 3, 7, 7]".
std::string to_string(const std::vector<std::uint64_t>& shape);

/// A file that is read tensor by tensor. Everything its header says is checked against the file's
/// size and against itself before any memory is asked for.
class SafetensorsReader {
 public:
  /// Throws ConfigError: no such file; not a safetensors file, or one that contradicts itself or
  /// ends too early, with what and where.
  explicit SafetensorsReader(const std::string& path);

  const std::string& path() const { return path_; }
  const Metadata& metadata() const { return metadata_; }
  const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  /// Null if there is none.
  const TensorInfo* find(const std::string& name) const;

  /// The elements of a tensor of that name and shape, of type F32. Throws ConfigError: there is
  /// none, it has another shape or type, it cannot be read.
  std::vector<float> read(const std::string& name, const std::vector<std::uint64_t>& shape);

 private:
  void read_header(std::uint64_t size);
  void check_places(std::uint64_t data_bytes) const;

  std::string path_;
  std::ifstream file_;
  std::uint64_t data_begin_ = 0;
  Metadata metadata_;
  std::map<std::string, TensorInfo> tensors_;
};

/// A tensor to be written: its float32 elements are asked for when it is its turn.
struct TensorSource {
  std::string name;
  std::vector<std::uint64_t> shape;
  std::function<std::vector<float>()> elements;  // as many as the shape says
};

/// Writes a file that is there as a whole or, if writing fails, not at all: an older file of that
/// name stays until then. Throws ConfigError.
void write_safetensors(const std::string& path, const Metadata& metadata,
                       const std::vector<TensorSource>& tensors);

}  // namespace lockstep::exec
