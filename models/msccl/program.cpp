// SPDX-License-Identifier: Apache-2.0
#include "models/msccl/program.h"

namespace lockstep::msccl {

using schedule::Collective;

bool sends(Type type) {
  return type == Type::Send || type == Type::RecvCopySend || type == Type::RecvReduceSend ||
         type == Type::RecvReduceCopySend;
}

bool receives(Type type) {
  return type == Type::Recv || type == Type::RecvCopySend || type == Type::RecvReduceSend ||
         type == Type::RecvReduceCopy || type == Type::RecvReduceCopySend;
}

bool reads_from(Type type) {
  return type == Type::Send || type == Type::RecvReduceSend || type == Type::RecvReduceCopy ||
         type == Type::RecvReduceCopySend || type == Type::Copy || type == Type::Reduce;
}

bool writes_into(Type type) {
  return type != Type::Nop && type != Type::Send && type != Type::RecvReduceSend;
}

bool has_shares(Collective collective) {
  return collective == Collective::AllGather || collective == Collective::ReduceScatter;
}

std::int32_t Program::chunks_of_share() const {
  return has_shares(collective) ? chunks / ranks() : chunks;
}

std::int32_t Program::data_chunk(Rank rank, const Place& place) const {
  const bool is_share = (collective == Collective::AllGather && place.buffer == Buffer::Input) ||
                        (collective == Collective::ReduceScatter && place.buffer == Buffer::Output);
  return place.chunk + (is_share ? rank * chunks_of_share() : 0);
}

std::string place_of(const Program& program, int line) {
  return line > 0 ? program.file + ":" + std::to_string(line) : program.file;
}

}  // namespace lockstep::msccl
