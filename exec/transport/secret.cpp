// SPDX-License-Identifier: Apache-2.0
#include "exec/transport/secret.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "models/base/errors.h"

namespace lockstep::exec {

namespace {

constexpr std::size_t kMaximumSecretBytes = std::size_t{64} << 10;

void fill_randomly(unsigned char* bytes, std::size_t count) {
  LOCKSTEP_CHECK(RAND_bytes(bytes, static_cast<int>(count)) == 1, "no random numbers to be had");
}

}  // namespace

Secret random_secret() {
  Secret secret{std::string(32, '\0')};
  fill_randomly(reinterpret_cast<unsigned char*>(secret.bytes.data()), secret.bytes.size());
  return secret;
}

Nonce random_nonce() {
  Nonce nonce;
  fill_randomly(reinterpret_cast<unsigned char*>(nonce.data()), nonce.size());
  return nonce;
}

Secret load_secret(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw ConfigError(path, std::string("cannot be read: ") + std::strerror(errno));
  Secret secret;
  secret.bytes.resize(kMaximumSecretBytes + 1);
  file.read(secret.bytes.data(), static_cast<std::streamsize>(secret.bytes.size()));
  secret.bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (secret.bytes.empty()) throw ConfigError(path, "a secret may not be empty");
  if (secret.bytes.size() > kMaximumSecretBytes)
    throw ConfigError(path, "a secret has at most 64 KiB");
  return secret;
}

Secret read_secret(int descriptor) {
  Secret secret{std::string(kMaximumSecretBytes, '\0')};
  const ssize_t count = ::pread(descriptor, secret.bytes.data(), secret.bytes.size(), 0);
  if (count <= 0)
    throw ConfigError("secret descriptor " + std::to_string(descriptor),
                      count < 0 ? std::string("cannot be read: ") + std::strerror(errno)
                                : std::string("is empty"));
  ::close(descriptor);
  secret.bytes.resize(static_cast<std::size_t>(count));
  return secret;
}

Proof hmac_sha256(const Secret& secret, std::span<const std::byte> text) {
  Proof proof;
  unsigned int size = 0;
  const unsigned char* made =
      HMAC(EVP_sha256(), secret.bytes.data(), static_cast<int>(secret.bytes.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           reinterpret_cast<unsigned char*>(proof.data()), &size);
  LOCKSTEP_CHECK(made != nullptr && size == proof.size(), "HMAC-SHA256 is not available");
  return proof;
}

bool equal_in_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace lockstep::exec
