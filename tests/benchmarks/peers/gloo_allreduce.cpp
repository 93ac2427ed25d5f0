// SPDX-License-Identifier: Apache-2.0
// Times Gloo's all-reduces of floats in place over TCP on loopback:
//   gloo_allreduce ALGORITHM RANKS BYTES REPETITIONS BACK_TO_BACK
// ALGORITHM: v2-ring, v2-bcube, ring, ring-chunked, halving-doubling, bcube.
// Rank 0 prints "ok" or "WRONG", then microseconds of each repetition.
#include <gloo/allreduce.h>
#include <gloo/allreduce_bcube.h>
#include <gloo/allreduce_halving_doubling.h>
#include <gloo/allreduce_ring.h>
#include <gloo/allreduce_ring_chunked.h>
#include <gloo/barrier.h>
#include <gloo/math.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using Context = std::shared_ptr<gloo::rendezvous::Context>;

std::function<void()> make_run(const std::string& name, const Context& context,
                               std::vector<float>& data) {
  using Options = gloo::AllreduceOptions;
  if (name == "v2-ring" || name == "v2-bcube")
    return [&data, context, ring = name == "v2-ring"] {
      Options options(context);
      options.setOutput(data.data(), data.size());
      options.setReduceFunction([](void* sum, const void* a, const void* b, std::size_t count) {
        gloo::sum<float>(sum, a, b, count);
      });
      options.setAlgorithm(ring ? Options::Algorithm::RING : Options::Algorithm::BCUBE);
      gloo::allreduce(options);
    };
  const std::vector<float*> pointers{data.data()};
  const int count = static_cast<int>(data.size());
  std::shared_ptr<gloo::Algorithm> algorithm;
  if (name == "ring")
    algorithm = std::make_shared<gloo::AllreduceRing<float>>(context, pointers, count);
  else if (name == "ring-chunked")
    algorithm = std::make_shared<gloo::AllreduceRingChunked<float>>(context, pointers, count);
  else if (name == "halving-doubling")
    algorithm = std::make_shared<gloo::AllreduceHalvingDoubling<float>>(context, pointers, count);
  else
    algorithm = std::make_shared<gloo::AllreduceBcube<float>>(context, pointers, count);
  return [algorithm] { algorithm->run(); };
}

void time_rank(const std::string& folder, int rank, char** argv) {
  const int ranks = std::atoi(argv[2]), repetitions = std::atoi(argv[4]),
            back_to_back = std::atoi(argv[5]);
  gloo::transport::tcp::attr where;
  where.iface = "lo";
  where.ai_family = AF_UNSPEC;
  auto device = gloo::transport::tcp::CreateDevice(where);
  gloo::rendezvous::FileStore store(folder);
  const auto context = std::make_shared<gloo::rendezvous::Context>(rank, ranks);
  context->setTimeout(std::chrono::seconds(120));
  context->connectFullMesh(store, device);

  std::vector<float> data(static_cast<std::size_t>(std::atol(argv[3])) / 4,
                          static_cast<float>(rank + 1));
  const std::function<void()> run = make_run(argv[1], context, data);
  gloo::BarrierOptions barrier(context);
  run();
  const bool right = std::all_of(data.begin(), data.end(), [&](float sum) {
    return sum == static_cast<float>(ranks * (ranks + 1) / 2);
  });
  std::fill(data.begin(), data.end(), 0.0f);
  for (int i = 0; i < back_to_back; ++i)
    run();  // warms up
  if (rank == 0) std::printf("%s", right ? "ok" : "WRONG");
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    gloo::barrier(barrier);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < back_to_back; ++i)
      run();
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - start;
    if (rank == 0) std::printf(" %.2f", taken.count() / back_to_back);
  }
  if (rank == 0) std::printf("\n");
  std::fflush(stdout);
  gloo::barrier(barrier);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr,
                 "usage: gloo_allreduce ALGORITHM RANKS BYTES REPETITIONS BACK_TO_BACK\n");
    return 2;
  }
  std::string folder = (std::filesystem::temp_directory_path() / "gloo-XXXXXX").string();
  if (!mkdtemp(folder.data())) return 1;
  int rank = 0;
  for (int other = 1; other < std::atoi(argv[2]); ++other)
    if (fork() == 0) {
      rank = other;
      break;
    }
  time_rank(folder, rank, argv);
  if (rank != 0) _exit(0);
  while (wait(nullptr) > 0) {
  }
  std::filesystem::remove_all(folder);
}
