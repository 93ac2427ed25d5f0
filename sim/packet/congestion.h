// SPDX-License-Identifier: Apache-2.0
// How many packets a TCP sender dares to have under way.
#pragma once

namespace lockstep::sim {

/// What Linux does: a cubic function of the time since the last loss, at which three tenths go
/// (RFC 9438), and a slow start that ends when round trips become longer (HyStart: Ha and Rhee
/// 2011). Of one connection. Windows are in packets, times in seconds.
class Congestion {
 public:
  double window() const { return window_; }
  /// Nothing was under way for so long: for each `timeout` of it the window is halved (RFC 2861).
  void idled(double seconds, double timeout);
  /// `fresh` packets more are acknowledged, the last after `round_trip` (0: not known). At most
  /// `most_under_way` were in the last round trip: a window that is not used does not grow.
  void acknowledged(double fresh, double round_trip, double now, double most_under_way);
  /// A round trip begins with the next acknowledgement.
  void begin_round() { round_begins_ = true; }
  void lost();
  void timed_out();

 private:
  void look_for_delay(double round_trip, double now);
  double cubic_growth(double now) const;
  void reduce();

  static constexpr double kNone = 1e9;
  static constexpr double kInitial = 10;  // RFC 6928
  double window_ = kInitial;
  double threshold_ = kNone;  // slow start is below it
  // The function since the last loss.
  double epoch_ = -1;  // its beginning; < 0: not yet
  double plateau_ = 0;
  double until_plateau_ = 0;
  double friendly_ = 0;  // NewReno's window by now
  // HyStart: round trips.
  double least_ = kNone;
  double least_of_round_ = kNone;
  int samples_ = 0;
  bool round_begins_ = true;
  double round_began_ = 0;
  double last_ = 0;  // acknowledgement of its train
};

}  // namespace lockstep::sim
