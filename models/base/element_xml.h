// SPDX-License-Identifier: Apache-2.0
// Strict reading of XML files, with the line in every error. Included by *_xml.cpp only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// One element: its attributes, the elements in it, and the line where it begins. Every getter
/// throws ConfigError("file:line", …) when the attribute has the wrong form or range, and when it
/// is missing and has no fallback.
class Element {
 public:
  using Names = std::vector<std::string>;
  using Attributes = std::vector<std::pair<std::string, std::string>>;

  Element(std::string name, Attributes attributes, std::shared_ptr<const std::string> file,
          int line);

  const std::string& name() const { return name_; }
  int line() const { return line_; }
  /// "ring.xml:12", for errors.
  std::string place() const;

  /// Throws unless this is a `name` with no attributes other than `known`.
  void expect(const std::string& name, const Names& known) const;
  bool has(const std::string& attribute) const { return find(attribute) != nullptr; }
  std::string text(const std::string& attribute, std::optional<std::string> fallback = {}) const;
  /// A decimal number, low ≤ x ≤ high.
  std::int64_t integer(const std::string& attribute, std::int64_t low, std::int64_t high,
                       std::optional<std::int64_t> fallback = {}) const;

  /// One of `names`: which.
  std::size_t choice(const std::string& attribute, std::span<const char* const> names) const;

  const std::vector<Element>& children() const { return children_; }
  Element& add(Element child) { return children_.emplace_back(std::move(child)); }

 private:
  const std::string* find(const std::string& attribute) const;

  std::string name_;
  Attributes attributes_;
  std::shared_ptr<const std::string> file_;
  int line_;
  std::vector<Element> children_;
};

/// The outermost element of an XML text of at most 64 MiB that holds elements, attributes and
/// comments only: no text, no document type, nothing nested deeper than `depth`. Throws ConfigError
/// with the line when it is anything else, or not well-formed.
Element parse_xml(const std::string& text, const std::string& where, std::size_t depth);

/// `text` as it must stand between the quotes of an attribute.
std::string escape_xml(const std::string& text);

}  // namespace lockstep
