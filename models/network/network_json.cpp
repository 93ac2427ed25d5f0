// SPDX-License-Identifier: Apache-2.0
// The JSON form of a network: reading, with errors that name file, place and layer; writing.
#include <array>
#include <filesystem>
#include <system_error>

#include "models/base/embedded.h"
#include "models/base/errors.h"
#include "models/base/object_json.h"
#include "models/network/network.h"

namespace lockstep::network {
namespace {

using Words = std::vector<std::string>;

constexpr std::array<LayerKind, kLayerKinds> kKinds{
    LayerKind::Convolution,       LayerKind::Dense,
    LayerKind::BatchNorm,         LayerKind::Relu,
    LayerKind::MaxPool,           LayerKind::AveragePool,
    LayerKind::GlobalAveragePool, LayerKind::Dropout,
    LayerKind::Flatten,           LayerKind::Add};
constexpr std::array<Loss, 2> kLosses{Loss::SoftmaxCrossEntropy, Loss::SigmoidCrossEntropy};
constexpr const char* kImagesWord = "images";
constexpr std::size_t kMaxLayers = 10'000;

/// "; did you mean "…"?", or nothing when no candidate is near.
std::string suggestion(const std::string& word, const Words& candidates) {
  const std::string best = nearest(word, candidates.data(), candidates.data() + candidates.size());
  return best.empty() ? "" : "; did you mean \"" + best + "\"?";
}

std::string listed(const Words& words) {
  std::string text;
  for (const std::string& word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string name_of(const ObjectReader& reader) {
  const std::string name = reader.text("name");
  if (name.empty()) throw ConfigError(reader.place("name"), "must not be empty");
  return name;
}

/// The one of `known` whose word stands at `key`.
template <typename Enum, std::size_t Count>
Enum one_of(const std::array<Enum, Count>& known, const ObjectReader& reader,
            const std::string& key) {
  const std::string word = reader.text(key);
  Words words;
  for (const Enum value : known) {
    if (word == to_string(value)) return value;
    words.emplace_back(to_string(value));
  }
  throw ConfigError(reader.place(key), "unknown " + key + " \"" + word + "\"" +
                                           suggestion(word, words) + " (known: " + listed(words) +
                                           ")");
}

/// The keys that mean something to the kind.
Words keys_of(LayerKind kind) {
  Words keys{"kind", "name", "from"};
  const auto add = [&](const Words& more) { keys.insert(keys.end(), more.begin(), more.end()); };
  switch (kind) {
    case LayerKind::Convolution:
      add({"channels", "kernel", "stride", "padding", "groups", "bias"});
      break;
    case LayerKind::Dense:
      add({"features"});
      break;
    case LayerKind::MaxPool:
    case LayerKind::AveragePool:
      add({"kernel", "stride", "padding"});
      break;
    case LayerKind::Dropout:
      add({"rate"});
      break;
    case LayerKind::Add:
      add({"with"});
      break;
    case LayerKind::BatchNorm:
    case LayerKind::Relu:
    case LayerKind::GlobalAveragePool:
    case LayerKind::Flatten:
      break;
  }
  return keys;
}

/// "conv1", "pool2": counted per kind, pooling of all sorts together.
std::string default_name(LayerKind kind, std::array<int, kLayerKinds>& counters) {
  constexpr std::array<const char*, kLayerKinds> kPrefix{
      "conv", "dense", "norm", "relu", "pool", "pool", "pool", "dropout", "flatten", "add"};
  const auto pools = static_cast<std::size_t>(LayerKind::MaxPool);
  const auto index = static_cast<std::size_t>(kind);
  const bool is_pool = kPrefix[index] == std::string("pool");
  return kPrefix[index] + std::to_string(++counters[is_pool ? pools : index]);
}

/// The number of the earlier layer that `key` names.
std::int32_t layer_of(const ObjectReader& reader, const std::string& key,
                      const std::vector<Layer>& earlier) {
  const std::string name = reader.text(key);
  if (name == kImagesWord) return kImages;
  Words names{kImagesWord};
  for (std::size_t i = 0; i < earlier.size(); ++i) {
    if (earlier[i].name == name) return static_cast<std::int32_t>(i);
    names.push_back(earlier[i].name);
  }
  throw ConfigError(reader.place(key),
                    "no earlier layer is called \"" + name + "\"" + suggestion(name, names));
}

/// What the file says of one layer; infer() adds the rest.
Layer parse_layer(const Json& json, const std::string& where, const std::string& pointer,
                  const std::vector<Layer>& earlier, std::array<int, kLayerKinds>& counters) {
  Layer layer;
  // Only when the kind is known is it known which keys are.
  const Words any_kind{"kind",   "name",    "from",   "with", "channels", "features",
                       "kernel", "padding", "stride", "bias", "groups",   "rate"};
  layer.kind = one_of(kKinds, ObjectReader(json, where, pointer, any_kind), "kind");
  const ObjectReader reader(json, where, pointer, keys_of(layer.kind));
  const bool pools = layer.kind == LayerKind::MaxPool || layer.kind == LayerKind::AveragePool;
  if (layer.kind == LayerKind::Dense) {
    layer.output.channels = reader.integer("features", 1, kMaxSize);
  } else if (layer.kind == LayerKind::Convolution || pools) {
    layer.kernel = reader.integer("kernel", 1, pools ? kMaxPoolKernel : kMaxKernel);
    layer.stride = reader.integer("stride", 1, kMaxSize, {pools ? layer.kernel : 1});
    layer.padding = reader.integer("padding", 0, kMaxKernel, {0});
  }
  if (layer.kind == LayerKind::Convolution) {
    layer.output.channels = reader.integer("channels", 1, kMaxSize);
    layer.groups = reader.integer("groups", 1, kMaxSize, {1});
    layer.bias = reader.boolean("bias", {true});
  }
  if (layer.kind == LayerKind::Dropout) {
    layer.rate = reader.number("rate", 0, 1);
    if (layer.rate == 1) throw ConfigError(reader.place("rate"), "must be below 1, is 1");
  }
  const std::string counted = default_name(layer.kind, counters);
  layer.name = reader.has("name") ? name_of(reader) : counted;
  if (layer.name == kImagesWord)
    throw ConfigError(reader.place("name"), "\"images\" stands for the network's input");
  layer.from = reader.has("from") ? layer_of(reader, "from", earlier)
                                  : static_cast<std::int32_t>(earlier.size()) - 1;
  if (layer.kind == LayerKind::Add) layer.with = layer_of(reader, "with", earlier);
  return layer;
}

Json layer_to_json(const Network& network, std::size_t index) {
  const Layer& layer = network.layers[index];
  const auto name_at = [&](std::int32_t l) {
    return l == kImages ? kImagesWord : network.layers[static_cast<std::size_t>(l)].name;
  };
  Json json{{"kind", to_string(layer.kind)}, {"name", layer.name}};
  if (layer.from + 1 != static_cast<std::int32_t>(index)) json["from"] = name_at(layer.from);
  if (layer.kind == LayerKind::Dense) json["features"] = layer.output.channels;
  if (layer.kind == LayerKind::Convolution) json["channels"] = layer.output.channels;
  if (layer.kernel > 0) {
    json["kernel"] = layer.kernel;
    json["stride"] = layer.stride;
    json["padding"] = layer.padding;
  }
  if (layer.kind == LayerKind::Convolution) {
    json["groups"] = layer.groups;
    json["bias"] = layer.bias;
  }
  if (layer.kind == LayerKind::Dropout) json["rate"] = layer.rate;
  if (layer.kind == LayerKind::Add) json["with"] = name_at(layer.with);
  return json;
}

}  // namespace

Network parse_network(const std::string& text, const std::string& where) {
  const Json json = parse_json(text, where);
  const ObjectReader root(json, where, "", {"name", "input", "classes", "loss", "layers"});
  Network network;
  network.name = name_of(root);
  const ObjectReader input = root.object("input", {"height", "width", "channels"});
  network.input = {input.integer("height", 1, kMaxSize), input.integer("width", 1, kMaxSize),
                   input.integer("channels", 1, kMaxSize)};
  if (network.input.elements() > kMaxElements)
    throw ConfigError(input.place(), "an image of " + to_string(network.input) + " has more than " +
                                         std::to_string(kMaxElements) + " elements");
  network.classes = root.integer("classes", 2, kMaxSize);
  if (root.has("loss")) network.loss = one_of(kLosses, root, "loss");
  if (network.loss == Loss::SigmoidCrossEntropy && network.classes != 2)
    throw ConfigError(root.place("loss"), "sigmoid-cross-entropy tells 2 classes apart, not " +
                                              std::to_string(network.classes));
  const Json& layers = root.value("layers");
  if (!layers.is_array() || layers.empty() || layers.size() > kMaxLayers)
    throw ConfigError(root.place("layers"),
                      "must be a list of 1 … " + std::to_string(kMaxLayers) + " layers");
  const auto pointer = [](std::size_t layer) { return "/layers/" + std::to_string(layer); };
  std::array<int, kLayerKinds> counters{};
  for (const Json& layer : layers)
    network.layers.push_back(
        parse_layer(layer, where, pointer(network.layers.size()), network.layers, counters));
  if (const auto misfit = infer(network))
    throw ConfigError(where + ": " + pointer(misfit->layer), misfit->explanation);
  return network;
}

Network load_network(const std::string& name_or_path) {
  Words names;
  for (const EmbeddedFile& file : embedded_networks()) {
    names.push_back(file.name.substr(0, file.name.rfind(".json")));
    if (names.back() == name_or_path) return parse_network(file.content, name_or_path);
  }
  std::error_code ignored;  // what cannot be looked at cannot be read either
  if (!std::filesystem::exists(name_or_path, ignored))
    throw ConfigError(name_or_path, "is neither a network's name nor a file" +
                                        suggestion(name_or_path, names) +
                                        " (names: " + listed(names) + ")");
  return parse_network(read_text(name_or_path), name_or_path);
}

std::string to_json(const Network& network) {
  Json layers = Json::array();
  for (std::size_t i = 0; i < network.layers.size(); ++i)
    layers.push_back(layer_to_json(network, i));
  return to_text({{"name", network.name},
                  {"input",
                   {{"height", network.input.height},
                    {"width", network.input.width},
                    {"channels", network.input.channels}}},
                  {"classes", network.classes},
                  {"loss", to_string(network.loss)},
                  {"layers", layers}});
}

}  // namespace lockstep::network
