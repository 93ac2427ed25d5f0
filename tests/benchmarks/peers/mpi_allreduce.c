// SPDX-License-Identifier: Apache-2.0
// Times MPI_Allreduce of floats in place: mpi_allreduce BYTES REPETITIONS BACK_TO_BACK
// Rank 0 prints "ok" or "WRONG", then microseconds of each repetition.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reduce(float* data, int count) {
  MPI_Allreduce(MPI_IN_PLACE, data, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  if (argc != 4) {
    fprintf(stderr, "usage: mpi_allreduce BYTES REPETITIONS BACK_TO_BACK\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  const int count = atoi(argv[1]) / 4, repetitions = atoi(argv[2]), back_to_back = atoi(argv[3]);
  int ranks, rank;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  float* data = malloc((size_t)count * 4);
  for (int i = 0; i < count; i++)
    data[i] = (float)(rank + 1);
  reduce(data, count);
  int right = 1;
  for (int i = 0; i < count; i++)
    right = right && data[i] == (float)(ranks * (ranks + 1) / 2);
  memset(data, 0, (size_t)count * 4);
  for (int i = 0; i < back_to_back; i++)
    reduce(data, count);  // warms up
  if (rank == 0) printf("%s", right ? "ok" : "WRONG");
  for (int r = 0; r < repetitions; r++) {
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = MPI_Wtime();
    for (int i = 0; i < back_to_back; i++)
      reduce(data, count);
    if (rank == 0) printf(" %.2f", (MPI_Wtime() - start) / back_to_back * 1e6);
  }
  if (rank == 0) printf("\n");
  MPI_Finalize();
  return 0;
}
