// SPDX-License-Identifier: Apache-2.0
#include "exec/training/safetensors_json.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <filesystem>
#include <limits>

#include "models/base/errors.h"
#include "models/base/object_json.h"

namespace lockstep::exec {

static_assert(std::endian::native == std::endian::little, "the floats are written as they are");

namespace {

constexpr std::uint64_t kLongestHeader = 100'000'000;  // the format's own bound
constexpr const char* kMetadataKey = "__metadata__";

/// Bytes of an element of the type; 0 for one that is not known.
std::uint64_t bytes_of_type(const std::string& dtype) {
  static const std::map<std::string, std::uint64_t> kBytes{
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
      {"I16", 2},  {"U16", 2}, {"F16", 2}, {"BF16", 2},    {"I32", 4},
      {"U32", 4},  {"F32", 4}, {"I64", 8}, {"U64", 8},     {"F64", 8}};
  const auto found = kBytes.find(dtype);
  return found == kBytes.end() ? 0 : found->second;
}

/// Elements of a shape; throws where the product does not fit.
std::uint64_t elements_of(const std::vector<std::uint64_t>& shape, const std::string& where) {
  std::uint64_t product = 1;
  for (const std::uint64_t size : shape)
    if (__builtin_mul_overflow(product, size, &product))
      throw ConfigError(where, "a shape of " + to_string(shape) + " is too large");
  return product;
}

/// Whole numbers that are not negative.
std::vector<std::uint64_t> counts_of(const Json& json, const std::string& where) {
  if (!json.is_array()) throw ConfigError(where, "must be a list, is " + json.dump());
  std::vector<std::uint64_t> counts;
  for (const Json& value : json)
    counts.push_back(checked_count(value, 0, std::numeric_limits<std::uint64_t>::max(), where));
  return counts;
}

TensorInfo parse_tensor(const Json& json, const std::string& path, const std::string& name) {
  const ObjectReader reader(json, path, "/" + name, {"dtype", "shape", "data_offsets"});
  TensorInfo tensor;
  tensor.dtype = reader.text("dtype");
  tensor.shape = counts_of(reader.value("shape"), reader.place("shape"));
  const std::vector<std::uint64_t> offsets =
      counts_of(reader.value("data_offsets"), reader.place("data_offsets"));
  if (offsets.size() != 2 || offsets[0] > offsets[1])
    throw ConfigError(reader.place("data_offsets"), "must be a begin and an end behind it");
  tensor.begin = offsets[0];
  tensor.end = offsets[1];
  const std::uint64_t element = bytes_of_type(tensor.dtype);
  if (element == 0)
    throw ConfigError(reader.place("dtype"), "unknown type \"" + tensor.dtype + "\"");
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements_of(tensor.shape, reader.place("shape")), element, &bytes) ||
      bytes != tensor.end - tensor.begin)
    throw ConfigError(reader.place(), "a shape of " + to_string(tensor.shape) + " of " +
                                          tensor.dtype + " does not fill its " +
                                          std::to_string(tensor.end - tensor.begin) + " bytes");
  return tensor;
}

}  // namespace

std::string to_string(const std::vector<std::uint64_t>& shape) {
  std::string text;
  for (const std::uint64_t size : shape)
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}

SafetensorsReader::SafetensorsReader(const std::string& path) : path_(path) {
  if (!std::filesystem::is_regular_file(path)) throw ConfigError(path, "there is no such file");
  file_.open(path, std::ios::binary);
  if (!file_) throw ConfigError(path, "cannot be read");
  read_header(std::filesystem::file_size(path));
}

void SafetensorsReader::read_header(std::uint64_t size) {
  std::uint64_t length = 0;
  if (size < sizeof length || !file_.read(reinterpret_cast<char*>(&length), sizeof length))
    throw ConfigError(path_,
                      "is no safetensors file: it has only " + std::to_string(size) + " bytes");
  if (length > kLongestHeader || length > size - sizeof length)
    throw ConfigError(path_, "is no safetensors file: a header of " + std::to_string(length) +
                                 " bytes is longer than the file or than 100 MB");
  std::string text(static_cast<std::size_t>(length), '\0');
  if (!file_.read(text.data(), static_cast<std::streamsize>(length)))
    throw ConfigError(path_, "cannot be read");
  data_begin_ = sizeof length + length;
  const Json header = parse_json(text, path_);
  if (!header.is_object()) throw ConfigError(path_, "its header must be an object");
  for (const auto& [name, value] : header.items()) {
    if (name != kMetadataKey) {
      tensors_.emplace(name, parse_tensor(value, path_, name));
      continue;
    }
    if (!value.is_object()) throw ConfigError(path_ + ": /" + name, "must be an object");
    for (const auto& [key, entry] : value.items()) {
      if (!entry.is_string()) throw ConfigError(path_ + ": /" + name + "/" + key, "must be a text");
      metadata_[key] = entry.get<std::string>();
    }
  }
  check_places(size - data_begin_);
}

/// The tensors lie one behind the other and fill the file.
void SafetensorsReader::check_places(std::uint64_t data_bytes) const {
  std::vector<std::pair<const TensorInfo*, const std::string*>> in_order;
  for (const auto& [name, tensor] : tensors_)
    in_order.emplace_back(&tensor, &name);
  std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first->begin, a.first->end) < std::pair(b.first->begin, b.first->end);
  });
  std::uint64_t at = 0;
  for (const auto& [tensor, name] : in_order) {
    if (tensor->begin != at)
      throw ConfigError(path_ + ": /" + *name, "begins at " + std::to_string(tensor->begin) +
                                                   ", but the tensor before it ends at " +
                                                   std::to_string(at));
    at = tensor->end;
  }
  if (at != data_bytes)
    throw ConfigError(path_, "its header promises " + std::to_string(at) +
                                 " bytes of data, it has " + std::to_string(data_bytes));
}

const TensorInfo* SafetensorsReader::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::vector<float> SafetensorsReader::read(const std::string& name,
                                           const std::vector<std::uint64_t>& shape) {
  const TensorInfo* tensor = find(name);
  if (tensor == nullptr) throw ConfigError(path_, "has no tensor \"" + name + "\"");
  if (tensor->shape != shape)
    throw ConfigError(path_ + ": /" + name, "has the shape " + to_string(tensor->shape) +
                                                ", expected " + to_string(shape));
  if (tensor->dtype != "F32")
    throw ConfigError(path_ + ": /" + name, "is of type " + tensor->dtype + ", expected F32");
  std::vector<float> elements((tensor->end - tensor->begin) / sizeof(float));
  file_.clear();
  file_.seekg(static_cast<std::streamoff>(data_begin_ + tensor->begin));
  if (!file_.read(reinterpret_cast<char*>(elements.data()),
                  static_cast<std::streamsize>(elements.size() * sizeof(float))))
    throw ConfigError(path_, "cannot be read");
  return elements;
}

void write_safetensors(const std::string& path, const Metadata& metadata,
                       const std::vector<TensorSource>& tensors) {
  Json header = Json::object();
  for (const auto& [key, value] : metadata)
    header[kMetadataKey][key] = value;
  std::uint64_t at = 0;
  for (const TensorSource& tensor : tensors) {
    const std::uint64_t end = at + sizeof(float) * elements_of(tensor.shape, tensor.name);
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();

  const std::string unfinished = path + ".unfinished";
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  for (const TensorSource& tensor : tensors) {
    const std::vector<float> elements = tensor.elements();
    LOCKSTEP_CHECK(elements.size() == elements_of(tensor.shape, tensor.name), tensor.name);
    file.write(reinterpret_cast<const char*>(elements.data()),
               static_cast<std::streamsize>(elements.size() * sizeof(float)));
  }
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(unfinished, path, error);
  if (!file || error) {
    std::filesystem::remove(unfinished, error);
    throw ConfigError(path, "cannot be written");
  }
}

}  // namespace lockstep::exec
