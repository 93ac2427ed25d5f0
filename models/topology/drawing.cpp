// SPDX-License-Identifier: Apache-2.0
#include "models/topology/drawing.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "models/base/errors.h"
#include "models/base/svg.h"
#include "models/topology/facts.h"
#include "models/topology/picture.h"

namespace lockstep::topology {

namespace {

constexpr double kNodeRadius = 8;

/// At most so many characters of UTF-8.
std::string shortened(const std::string& text, std::size_t most) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (++characters > most) return text.substr(0, i) + "…";
  }
  return text;
}

/// From blue, a link that is little used, over orange to red, a full one.
std::string colour_of(double utilisation) {
  constexpr int kStops[3][3] = {{0x8c, 0xb8, 0xd8}, {0xfd, 0xae, 0x4a}, {0xc8, 0x10, 0x2e}};
  const double place = 2 * std::clamp(utilisation, 0.0, 1.0);
  const int stop = place < 1 ? 0 : 1;
  int mixed[3];
  for (int i = 0; i < 3; ++i)
    mixed[i] = static_cast<int>(
        std::lround(kStops[stop][i] + (place - stop) * (kStops[stop + 1][i] - kStops[stop][i])));
  return formatted("#%02x%02x%02x", mixed[0], mixed[1], mixed[2]);
}

/// The SVG text while it grows, and the space that it takes.
class Drawing {
 public:
  Drawing(const Topology& topology, const std::vector<double>& utilisation)
      : topology_(topology), utilisation_(utilisation), picture_(make_picture(topology)) {
    for (const Link& link : topology.links)
      rates_.insert(link.bytes_per_second);
  }

  std::string draw() {
    for (const Picture::Line& line : picture_.lines)
      draw_line(line);
    for (const Picture::Node& node : picture_.nodes)
      draw_node(node);
    draw_legend();
    const double margin = 20;
    return formatted(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
               "viewBox=\"%.1f %.1f %.1f %.1f\" font-family=\"sans-serif\" "
               "font-size=\"11\">\n"
               "<rect x=\"%.1f\" y=\"%.1f\" width=\"100%%\" height=\"100%%\" "
               "fill=\"#fff\"/>\n",
               high_.x - low_.x + 2 * margin, high_.y - low_.y + 2 * margin, low_.x - margin,
               low_.y - margin, high_.x - low_.x + 2 * margin, high_.y - low_.y + 2 * margin,
               low_.x - margin, low_.y - margin) +
           text_ + "</svg>\n";
  }

 private:
  void cover(double x, double y) {
    low_ = {std::min(low_.x, x), std::min(low_.y, y)};
    high_ = {std::max(high_.x, x), std::max(high_.y, y)};
  }

  double width_of(double rate) const {
    if (rates_.size() < 2) return 2.5;
    return 1.5 +
           4 * std::log(rate / *rates_.begin()) / std::log(*rates_.rbegin() / *rates_.begin());
  }

  /// Of the links that one line stands for, the one that is used most.
  LinkId busiest(const std::vector<LinkId>& links) const {
    LinkId best = links.front();
    for (const LinkId link : links)
      if (!utilisation_.empty() && used(link) > used(best)) best = link;
    return best;
  }
  double used(LinkId link) const { return utilisation_[static_cast<std::size_t>(link)]; }

  /// Whether the straight line would pass over a third node.
  bool is_hidden(const Picture::Line& line) const {
    const Point a = picture_.nodes[line.from].at;
    const Point b = picture_.nodes[line.to].at;
    const Point along{b.x - a.x, b.y - a.y};
    const double square = along.x * along.x + along.y * along.y;
    for (std::size_t i = 0; i < picture_.nodes.size() && square > 0; ++i) {
      if (i == line.from || i == line.to) continue;
      const Point to{picture_.nodes[i].at.x - a.x, picture_.nodes[i].at.y - a.y};
      const double part = (to.x * along.x + to.y * along.y) / square;
      const double off = std::abs(to.x * along.y - to.y * along.x) / std::sqrt(square);
      if (part > 0 && part < 1 && off < kNodeRadius + 2) return true;
    }
    return false;
  }

  /// Both directions as one line if they look alike, otherwise side by side, each on its right.
  void draw_line(const Picture::Line& line) {
    const Point a = picture_.nodes[line.from].at;
    const Point b = picture_.nodes[line.to].at;
    const double length = std::max(1.0, std::hypot(b.x - a.x, b.y - a.y));
    const Point normal{(a.y - b.y) / length, (b.x - a.x) / length};
    const double bend = is_hidden(line) ? std::min(0.18 * length, 160.0) : 0;
    const Point middle{(a.x + b.x) / 2 + normal.x * bend * 2,
                       (a.y + b.y) / 2 + normal.y * bend * 2};
    cover((a.x + b.x) / 2 + normal.x * bend, (a.y + b.y) / 2 + normal.y * bend);
    const auto path = [&](const std::vector<LinkId>& links, double aside) {
      const LinkId shown = busiest(links);
      const Link& link = topology_.links[static_cast<std::size_t>(shown)];
      const auto at = [&](Point point) {
        return formatted("%.1f %.1f", point.x + normal.x * aside, point.y + normal.y * aside);
      };
      std::string title = topology_.link_name(shown);
      if (aside == 0) title += " and back";
      title += "\n" + format_bitrate(link.bytes_per_second) + ", " +
               format_seconds(link.latency.seconds());
      if (!utilisation_.empty()) title += formatted("\n%.1f %% used", 100 * used(shown));
      if (links.size() > 1)
        title += "\n(" + std::to_string(links.size()) + " alike" +
                 (utilisation_.empty() ? ")" : ", the one that is used most)");
      const std::string colour = utilisation_.empty() ? "#8a8f98"
                                 : used(shown) > 0    ? colour_of(used(shown))
                                                      : "#e2e2e2";
      text_ += "<path d=\"M" + at(a) + " Q" + at(middle) + " " + at(b) +
               formatted("\" fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\"><title>",
                         colour.c_str(), width_of(link.bytes_per_second)) +
               escaped(title) + "</title></path>\n";
    };
    const bool alike = utilisation_.empty() && !line.there.empty() && !line.back.empty() &&
                       wire(line.there.front()) == wire(line.back.front());
    if (alike) return path(line.there, 0);
    const auto aside = [&](const std::vector<LinkId>& links) {
      return width_of(wire(links.front()).bytes_per_second) / 2 + 0.7;
    };
    if (!line.there.empty()) path(line.there, aside(line.there));
    if (!line.back.empty()) path(line.back, -aside(line.back));
  }

  const Wire& wire(LinkId link) const { return topology_.links[static_cast<std::size_t>(link)]; }

  void draw_node(const Picture::Node& node) {
    const auto [x, y] = node.at;
    const std::string title = "<title>" + escaped(node.label) + "</title>";
    if (node.hosts > 1)
      text_ += formatted(
                   "<rect x=\"%.1f\" y=\"%.1f\" width=\"36\" height=\"18\" rx=\"4\" "
                   "fill=\"#3b6ea5\">",
                   x - 18, y - 9) +
               title +
               formatted(
                   "</rect><text x=\"%.1f\" y=\"%.1f\" fill=\"#fff\" "
                   "text-anchor=\"middle\">×%d</text>\n",
                   x, y + 4, node.hosts);
    else if (node.is_host)
      text_ += formatted("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.0f\" fill=\"#3b6ea5\">", x, y,
                         kNodeRadius - 1) +
               title + "</circle>\n";
    else
      text_ += formatted(
                   "<rect x=\"%.1f\" y=\"%.1f\" width=\"24\" height=\"14\" rx=\"2\" "
                   "fill=\"#30343b\">",
                   x - 12, y - 7) +
               title + "</rect>\n";
    draw_label(node);
  }

  /// Below a host it runs down at an angle, since hosts stand close together; beside a node on a
  /// circle it runs outwards.
  void draw_label(const Picture::Node& node) {
    constexpr double kCharacter = 6.3;  // pixels, about
    const std::string label = shortened(node.label, 18);
    const auto [x, y] = node.at;
    const Point side = node.label_side;
    const double length = kCharacter * static_cast<double>(std::min<std::size_t>(19, label.size()));
    double angle = 0;
    const char* anchor = "middle";
    Point at{x, y + 20};
    if (side.x == 0 && side.y < 0) {
      at.y = y - 12;
    } else if (side.x == 0 && side.y == 1 && node.is_host) {
      angle = 40;
      anchor = "start";
      at = {x + 3, y + kNodeRadius + 10};
    } else {
      anchor = side.x < -0.2 ? "end" : side.x > 0.2 ? "start" : "middle";
      at = {x + side.x * (node.hosts > 1 ? 22 : 14), y + side.y * 18 + 4};
    }
    const double reach = angle > 0 ? length * 0.8 : length;
    cover(at.x - (anchor[0] == 's' ? 0 : reach), at.y - 10);
    cover(at.x + (anchor[0] == 'e' ? 0 : reach), at.y + (angle > 0 ? length * 0.65 : 0) + 6);
    text_ += formatted(
        "<text x=\"%.1f\" y=\"%.1f\" fill=\"#30343b\" "
        "stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\" text-anchor=\"%s\"",
        at.x, at.y, anchor);
    if (angle > 0) text_ += formatted(" transform=\"rotate(%.0f %.1f %.1f)\"", angle, at.x, at.y);
    text_ += ">" + escaped(label) + "</text>\n";
  }

  /// Below the picture: what it is, what widths and what colours mean.
  void draw_legend() {
    const double x = low_.x;
    double y = high_.y + 34;
    const auto write = [&](double left, double size, const std::string& text) {
      text_ += formatted("<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.0f\" fill=\"#30343b\">", left,
                         y, size) +
               escaped(text) + "</text>\n";
      cover(left + size * 0.58 * static_cast<double>(text.size()), y + 6);
    };
    write(x, 15, shortened(topology_.name, 40));
    y += 18;
    write(x, 11,
          describe(topology_.rule) + "; " + std::to_string(topology_.hosts.size()) + " hosts, " +
              std::to_string(topology_.switches.size()) + " switches");
    constexpr std::size_t kRates = 5;
    std::size_t number = 0;
    for (const double rate : rates_) {
      ++number;
      if (number > kRates - 1 && number < rates_.size()) continue;  // and the greatest
      y += 18;
      text_ += formatted("<path d=\"M%.1f %.1fh34\" stroke=\"#8a8f98\" stroke-width=\"%.1f\"/>\n",
                         x, y - 4, width_of(rate));
      write(x + 44, 11, format_bitrate(rate));
    }
    if (utilisation_.empty()) return;
    y += 22;
    constexpr int kSteps = 40;
    for (int i = 0; i < kSteps; ++i)
      text_ += formatted("<rect x=\"%.1f\" y=\"%.1f\" width=\"4.2\" height=\"10\" fill=\"%s\"/>\n",
                         x + 4 * i, y - 9, colour_of((i + 0.5) / kSteps).c_str());
    write(x + 4 * kSteps + 10, 11, "use of a link, 0 … 100 %; unused: grey");
  }

  const Topology& topology_;
  const std::vector<double>& utilisation_;
  Picture picture_;
  std::set<double> rates_;
  std::string text_;
  Point low_{0, 0};
  Point high_{0, 0};
};

}  // namespace

std::string draw(const Topology& topology, const std::vector<double>& utilisation) {
  LOCKSTEP_CHECK(utilisation.empty() || utilisation.size() == topology.links.size(),
                 std::to_string(utilisation.size()) + " figures for " +
                     std::to_string(topology.links.size()) + " links");
  LOCKSTEP_CHECK(drawn_nodes(topology) <= kMostDrawnNodes,
                 std::to_string(drawn_nodes(topology)) + " nodes to draw");
  return Drawing(topology, utilisation).draw();
}

}  // namespace lockstep::topology
