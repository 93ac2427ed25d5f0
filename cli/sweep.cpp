// SPDX-License-Identifier: Apache-2.0
// lockstep sweep: simulates many configurations on all cores.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>

#include "cli/command_line.h"
#include "cli/prediction.h"
#include "cli/sweep_json.h"
#include "models/base/errors.h"
#include "models/base/text_file.h"

namespace lockstep::cli {

namespace {

struct Shard {
  std::uint64_t number = 0;
  std::uint64_t of = 1;
};

/// "3/8": the third of eight.
Shard read_shard(const options::variables_map& values) {
  if (!values.count("shard")) return {};
  const std::string text = values["shard"].as<std::string>();
  unsigned long long number = 0, of = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%llu/%llu%c", &number, &of, &rest) != 2 || number < 1 ||
      number > of || of > 1'000'000)
    throw ConfigError("--shard", "expected as in 3/8, is \"" + text + "\"");
  return {number - 1, of};
}

/// The file of results. Lines are written in the order of the configurations, so that it is the
/// same whichever was done first, and a sweep that was killed goes on after the last whole line.
class Results {
 public:
  Results(const std::string& path, const std::string& header) : path_(path) {
    std::error_code error;
    if (std::filesystem::exists(path, error)) {
      const std::string text = read_text(path);
      const std::size_t whole = text.rfind('\n') + 1;  // 0 when there is none
      if (whole > 0 && text.substr(0, text.find('\n')) != header)
        throw ConfigError(path,
                          "holds results of another sweep, machine or shard; remove it or "
                          "choose another --out");
      std::filesystem::resize_file(path, whole, error);
      if (error) throw ConfigError(path, "cannot be written: " + error.message());
      for (const char c : text.substr(0, whole))
        lines_ += c == '\n' ? 1 : 0;
    }
    file_.open(path, std::ios::binary | std::ios::app);
    if (lines_ == 0) write(header);
    check();
  }

  /// Of this shard, that are done.
  std::uint64_t done() const { return lines_ - 1; }
  /// The `i`-th of this shard.
  void add(std::uint64_t i, std::string line) {
    waiting_[i] = std::move(line);
    for (auto next = waiting_.find(done()); next != waiting_.end(); next = waiting_.find(done())) {
      write(next->second);
      waiting_.erase(next);
    }
    file_.flush();
    check();
  }

 private:
  void write(const std::string& line) {
    file_ << line << '\n';
    ++lines_;
  }
  void check() const {
    if (!file_) throw ConfigError(path_, "cannot be written");
  }

  std::string path_;
  std::ofstream file_;
  std::uint64_t lines_ = 0;
  std::map<std::uint64_t, std::string> waiting_;
};

/// On a terminal: how far it is, a few times a second.
class Progress {
 public:
  Progress(std::uint64_t done, std::uint64_t total) : first_(done), total_(total) {}

  void report(std::uint64_t done) {
    const Clock::time_point now = Clock::now();
    if (!on_terminal_ || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double each = seconds / static_cast<double>(std::max<std::uint64_t>(1, done - first_));
    std::fprintf(stderr, "\r\033[K%llu of %llu configurations, %.0f s left",
                 static_cast<unsigned long long>(done), static_cast<unsigned long long>(total_),
                 each * static_cast<double>(total_ - done));
  }
  void finish() const {
    if (on_terminal_) std::fputs("\r\033[K", stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool on_terminal_ = isatty(STDERR_FILENO) == 1;
  std::uint64_t first_;
  std::uint64_t total_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_{};
};

/// A configuration that does not fit together is a result too.
std::string simulate_line(const Sweep& sweep, std::uint64_t number, Sweep::Networks& networks) {
  try {
    const Sweep::Case one = sweep.at(number, networks);
    return sweep.line(number, predict(one.resolved, one.machines).result);
  } catch (const ConfigError& error) {
    return sweep.line(number, std::string(error.what()));
  }
}

void run(const Sweep& sweep, const Shard& shard, Results& results, unsigned threads) {
  const std::uint64_t total = (sweep.size() + shard.of - 1 - shard.number) / shard.of;
  std::atomic<std::uint64_t> next = results.done();
  Progress progress(results.done(), total);
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    Sweep::Networks networks;
    try {
      for (std::uint64_t i = next++; i < total; i = next++) {
        std::string line = simulate_line(sweep, shard.number + i * shard.of, networks);
        const std::lock_guard lock(mutex);
        results.add(i, std::move(line));
        progress.report(results.done());
      }
    } catch (...) {  // the file cannot be written: ends all, and is told by the main thread
      const std::lock_guard lock(mutex);
      failure = std::current_exception();
      next = total;
    }
  };
  std::vector<std::thread> team;
  for (unsigned i = 1; i < threads; ++i)
    team.emplace_back(work);
  work();
  for (std::thread& thread : team)
    thread.join();
  progress.finish();
  if (failure) std::rethrow_exception(failure);
}

std::map<std::string, std::string> machine_texts(const options::variables_map& values) {
  read_machines(values);  // says what is wrong with the files themselves
  std::map<std::string, std::string> texts;
  if (!values.count("machine"))
    throw ConfigError("--machine", "expected a machine file; lockstep calibrate writes one");
  for (const std::string& text : values["machine"].as<std::vector<std::string>>()) {
    const std::size_t equals = text.find('=');
    const bool has_kind = equals != std::string::npos;
    texts[has_kind ? text.substr(0, equals) : ""] =
        read_text(has_kind ? text.substr(equals + 1) : text);
  }
  return texts;
}

void summarise(const options::variables_map& values, const std::string& path) {
  if (values.count("best")) {
    const std::string field = values["best"].as<std::string>();
    std::cout << "best by " << field << ":\n" << best_of(read_text(path), path, field, 10);
  }
  if (!values.count("pareto")) return;
  const std::string fields = values["pareto"].as<std::string>();
  const std::size_t comma = fields.find(',');
  if (comma == std::string::npos)
    throw ConfigError("--pareto",
                      "expected two fields separated by a comma, is \"" + fields + "\"");
  std::cout << "not beaten in both " << fields.substr(0, comma) << " and "
            << fields.substr(comma + 1) << ":\n"
            << pareto_of(read_text(path), path, fields.substr(0, comma), fields.substr(comma + 1));
}

options::options_description sweep_flags() {
  options::options_description flags(
      "lockstep sweep FILE --machine [KIND=]FILE --out RESULTS [flags]\n"
      "lockstep sweep --merge A --merge B … --out RESULTS\n\n"
      "Simulates many configurations of job, topology and machine on all cores, a line of JSON "
      "for\n"
      "each. Started again after it was interrupted, it goes on. FILE has the job and one of "
      "grid,\n"
      "list and random. It may have a \"topology\", and \"conditions\" as simulate --conditions.\n"
      "  {\"job\": {\"network\": \"resnet50\", \"ranks\": 8, \"topology\": \"star_64_10gbit\"},\n"
      "   \"grid\": {\"job/algorithm\": [\"ring\", \"bcube\"],\n"
      "            \"topology/generate/star/bandwidth\": [\"1 Gbit/s\", \"10 Gbit/s\"],\n"
      "            \"machine/message/latency\": [\"5 us\", \"50 us\"]}}\n"
      "  \"list\": [{\"job/ranks\": 4}, {\"job/ranks\": 16, \"job/batch\": 512}]\n"
      "  \"random\": {\"configurations\": 1000, \"seed\": 1, \"draw\": {\"job/ranks\": [8, 16],\n"
      "     \"machine/message/latency\": {\"low\": 1, \"high\": 50, \"unit\": \"us\"}}}\nFlags");
  auto add = flags.add_options();
  add("help", "this text");
  add("file", options::value<std::string>(), "the sweep (without the flag's name)");
  add("machine", options::value<std::vector<std::string>>()->composing(),
      "[KIND=]FILE: machine file of hosts (of that kind)");
  add("out", options::value<std::string>(), "file of results, a line each");
  add("shard", options::value<std::string>(),
      "3/8: only every eighth configuration, from the third");
  add("threads", options::value<std::string>(), "simulations at one time (default: all cores)");
  add("merge", options::value<std::vector<std::string>>()->composing(),
      "results of a shard; all of them, in any order");
  add("best", options::value<std::string>(),
      "print the ten best by this figure: images_per_second, iteration_seconds, …");
  add("pareto", options::value<std::string>(),
      "print those that no other beats in both of two figures: images_per_second,job/ranks");
  return flags;
}

}  // namespace

int run_sweep(const Arguments& arguments) {
  const options::options_description flags = sweep_flags();
  const options::variables_map values = parse(flags, arguments, "file");
  if (values.count("help")) {
    std::cout << flags;
    return kFine;
  }
  if (!values.count("out")) throw ConfigError("--out", "expected a file for the results");
  check_outputs(values, {"out"});
  const std::string path = values["out"].as<std::string>();
  if (values.count("merge")) {
    std::vector<std::pair<std::string, std::string>> files;
    for (const std::string& name : values["merge"].as<std::vector<std::string>>())
      files.emplace_back(name, read_text(name));
    results::write_file(path, merge_sweeps(files));
  } else {
    if (!values.count("file")) throw ConfigError("sweep", "expected a file, see --help");
    const std::string file = values["file"].as<std::string>();
    const Sweep sweep(read_text(file), file, machine_texts(values));
    const Shard shard = read_shard(values);
    Results results(path, sweep.header(shard.number, shard.of));
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    run(sweep, shard, results,
        values.count("threads") ? static_cast<unsigned>(whole_number(values, "threads", 1, 1024))
                                : cores);
  }
  summarise(values, path);
  return kFine;
}

}  // namespace lockstep::cli
