// SPDX-License-Identifier: Apache-2.0
#include "models/compression/codec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "models/base/errors.h"

namespace lockstep::compression {

using schedule::ElementType;

namespace {

/// What a parameter may be; a method without one has largest = 0.
struct Parameter {
  const char* meaning = "";
  double usual = 0;
  double smallest = 0;
  double largest = 0;
  bool is_whole = false;
};

Parameter parameter_of(Method method) {
  switch (method) {
    case Method::TopK:
    case Method::TopKPlain:
    case Method::Dgc:
    case Method::RandomK:
      return {"the share that is sent", 0.01, 1e-6, 1};
    case Method::Qsgd:
      return {"bits per element", 4, 2, 8, true};
    case Method::PowerSgd:
      return {"the rank", 2, 1, 64, true};
    case Method::None:
    case Method::Float32:
    case Method::Float16:
    case Method::BFloat16:
    case Method::SignVote:
    case Method::EfSign:
    case Method::TernGrad:
    case Method::TernGradShared:
    case Method::OneBit:
      return {};
  }
  return {};
}

std::string text_of(double number) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  return {text, end};
}

/// One bit for each element of each tensor, which begin with a new byte.
std::uint64_t plane_bytes(const Group& group) {
  std::uint64_t bytes = 0;
  for (const Tensor& tensor : group.tensors)
    bytes += (tensor.elements() + 7) / 8;
  return bytes;
}

std::uint64_t columns_of(const Group& group) {
  std::uint64_t columns = 0;
  for (const Tensor& tensor : group.tensors)
    columns += tensor.columns;
  return columns;
}

constexpr std::uint64_t kFloat = 4;

/// What one rank's code takes when it is gathered.
std::uint64_t gathered_bytes(const Group& group) {
  const std::uint64_t elements = group.elements();
  switch (group.codec.method) {
    case Method::TopK:
    case Method::TopKPlain:
    case Method::Dgc:
      return kept_of(group.codec, elements) * (kFloat + 4);  // each with its index
    case Method::EfSign:
      return columns_of(group) * kFloat + plane_bytes(group);
    case Method::Qsgd:
      return (elements + kQsgdRun - 1) / kQsgdRun * kFloat +
             static_cast<std::uint64_t>(group.codec.parameter) * ((elements + 7) / 8);
    case Method::TernGrad:
      return group.tensors.size() * kFloat + 2 * plane_bytes(group);
    case Method::OneBit:
      return 2 * columns_of(group) * kFloat + plane_bytes(group);
    case Method::None:
    case Method::Float32:
    case Method::Float16:
    case Method::BFloat16:
    case Method::RandomK:
    case Method::SignVote:
    case Method::TernGradShared:
    case Method::PowerSgd:
      break;
  }
  LOCKSTEP_CHECK(false, name_of(group.codec) + " is not gathered");
}

}  // namespace

const std::vector<Method>& all_methods() {
  using enum Method;
  static const std::vector<Method> all{None,      Float32,  Float16,        BFloat16, TopK,
                                       TopKPlain, Dgc,      RandomK,        SignVote, EfSign,
                                       Qsgd,      TernGrad, TernGradShared, OneBit,   PowerSgd};
  return all;
}

std::string name_of(Method method) {
  switch (method) {
    case Method::None:
      return "none";
    case Method::Float32:
      return "fp32";
    case Method::Float16:
      return "fp16";
    case Method::BFloat16:
      return "bf16";
    case Method::TopK:
      return "top-k";
    case Method::TopKPlain:
      return "top-k-plain";
    case Method::Dgc:
      return "dgc";
    case Method::RandomK:
      return "random-k";
    case Method::SignVote:
      return "sign-vote";
    case Method::EfSign:
      return "ef-sign";
    case Method::Qsgd:
      return "qsgd";
    case Method::TernGrad:
      return "terngrad";
    case Method::TernGradShared:
      return "terngrad-shared";
    case Method::OneBit:
      return "one-bit";
    case Method::PowerSgd:
      return "powersgd";
  }
  return "";
}

std::string name_of(const Codec& codec) {
  const bool has_parameter = parameter_of(codec.method).largest > 0;
  return name_of(codec.method) + (has_parameter ? ":" + text_of(codec.parameter) : "");
}

Codec parse_codec(const std::string& text, const std::string& where) {
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  std::vector<std::string> names;
  Codec codec;
  for (const Method method : all_methods()) {
    names.push_back(name_of(method));
    if (names.back() == name) codec.method = method;
  }
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    std::string known;
    for (const std::string& other : names)
      known += " " + other;
    const std::string guess = nearest(name, names.data(), names.data() + names.size());
    throw ConfigError(where, "unknown codec \"" + name + "\", expected one of" + known +
                                 (guess.empty() ? "" : "; did you mean \"" + guess + "\"?"));
  }
  const Parameter parameter = parameter_of(codec.method);
  codec.parameter = parameter.usual;
  if (colon == std::string::npos) return codec;
  if (parameter.largest == 0)
    throw ConfigError(where, name + " has no parameter, is given \"" + text + "\"");
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, codec.parameter);
  const bool is_fine = error == std::errc() && stop == end &&
                       codec.parameter >= parameter.smallest &&
                       codec.parameter <= parameter.largest &&
                       (!parameter.is_whole || codec.parameter == std::floor(codec.parameter));
  if (!is_fine)
    throw ConfigError(where, std::string(parameter.meaning) + " of " + name + " must be a " +
                                 (parameter.is_whole ? "whole " : "") + "number from " +
                                 text_of(parameter.smallest) + " to " + text_of(parameter.largest) +
                                 ", is \"" + text.substr(colon + 1) + "\"");
  return codec;
}

bool is_for(const Codec& codec, const Tensor& tensor) {
  switch (codec.method) {
    case Method::None:
    case Method::Float32:
    case Method::Float16:
    case Method::BFloat16:
      return true;
    case Method::TopK:
    case Method::TopKPlain:
    case Method::Dgc:
    case Method::RandomK:
    case Method::SignVote:
    case Method::EfSign:
    case Method::Qsgd:
    case Method::TernGrad:
    case Method::TernGradShared:
    case Method::OneBit:
      return tensor.rows > 1;
    case Method::PowerSgd: {
      // As PyTorch's hook: unless at least half is saved, it isn't worth it.
      constexpr double kLeastSaving = 2;
      return tensor.rows > 1 &&
             static_cast<double>(tensor.rows + tensor.columns) * codec.parameter * kLeastSaving <
                 static_cast<double>(tensor.elements());
    }
  }
  return false;
}

std::uint64_t Group::elements() const {
  std::uint64_t sum = 0;
  for (const Tensor& tensor : tensors)
    sum += tensor.elements();
  return sum;
}

std::vector<Stage> stages_of(const Group& group, std::int32_t ranks) {
  const std::uint64_t elements = group.elements();
  switch (group.codec.method) {
    case Method::None:
      return {};
    case Method::Float32:
      return {{Exchange::Sum, ElementType::Float32, elements}};
    case Method::Float16:
      return {{Exchange::Sum, ElementType::Float16, elements}};
    case Method::BFloat16:
      return {{Exchange::Sum, ElementType::BFloat16, elements}};
    case Method::RandomK:
      return {{Exchange::Sum, ElementType::Float32, kept_of(group.codec, elements)}};
    case Method::SignVote: {
      const auto chunks = static_cast<std::uint64_t>(ranks);
      return {{Exchange::Vote, ElementType::Byte, ((elements + 7) / 8 + chunks - 1) / chunks}};
    }
    case Method::TernGradShared:
      return {{Exchange::Maximum, ElementType::Float32, group.tensors.size()},
              {Exchange::Sum, ElementType::Int8, elements}};
    case Method::PowerSgd: {
      const auto rank = static_cast<std::uint64_t>(group.codec.parameter);
      std::uint64_t rows = 0;
      std::uint64_t columns = 0;
      for (const Tensor& tensor : group.tensors) {
        rows += tensor.rows;
        columns += tensor.columns;
      }
      return {{Exchange::Sum, ElementType::Float32, rows * rank},
              {Exchange::Sum, ElementType::Float32, columns * rank}};
    }
    case Method::TopK:
    case Method::TopKPlain:
    case Method::Dgc:
    case Method::EfSign:
    case Method::Qsgd:
    case Method::TernGrad:
    case Method::OneBit:
      // The next rank's code begins where floats may.
      return {{Exchange::Gather, ElementType::Byte,
               (gathered_bytes(group) + kFloat - 1) / kFloat * kFloat}};
  }
  return {};
}

bool gathers(const Codec& codec) {
  const Group one{codec, {{2, 2}}};
  for (const Stage& stage : stages_of(one, 1))
    if (stage.exchange == Exchange::Gather || stage.exchange == Exchange::Vote) return true;
  return false;
}

bool holds_momentum(const Codec& codec) {
  return codec.method == Method::Dgc || codec.method == Method::EfSign;
}

bool is_advised(const Codec& codec) {
  using enum Method;
  constexpr Method kAdvised[] = {Float16, BFloat16, Dgc, Qsgd, OneBit, PowerSgd};
  return std::find(std::begin(kAdvised), std::end(kAdvised), codec.method) != std::end(kAdvised);
}

std::uint64_t kept_of(const Codec& codec, std::uint64_t elements) {
  if (elements == 0) return 0;
  const double kept = std::ceil(codec.parameter * static_cast<double>(elements));
  return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(kept), 1, elements);
}

Efforts efforts_of(const Codec& codec) {
  switch (codec.method) {
    case Method::None:
      return {};
    case Method::Float32:
      return {.encode = {0, 8}, .decode = {0, 8}};
    case Method::Float16:
    case Method::BFloat16:
      return {.encode = {1, 6}, .decode = {1, 6}};
    case Method::TopKPlain:
      return {.encode = {2, 4}, .decode = {0, 4}};
    case Method::TopK:
    case Method::RandomK:
      return {.encode = {4, 12}, .decode = {0, 4}};  // the residual is read and written
    case Method::Dgc:
      return {.encode = {6, 20}, .decode = {0, 4}};  // and so is the momentum
    case Method::SignVote:
      return {.encode = {2, 4}, .decode = {1, 4}};
    case Method::EfSign:
      return {.encode = {6, 20}, .decode = {2, 5}};
    case Method::OneBit:
      return {.encode = {4, 12}, .decode = {2, 5}};
    case Method::Qsgd:
    case Method::TernGrad:
    case Method::TernGradShared:
      return {.encode = {10, 5}, .decode = {2, 5}};
    case Method::PowerSgd:  // encoding makes both products, of which each reads the matrix
      return {.encode = {4 * codec.parameter + 1, 16}, .decode = {2 * codec.parameter, 8}};
  }
  return {};
}

}  // namespace lockstep::compression
