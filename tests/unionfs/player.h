// SPDX-License-Identifier: Apache-2.0
// Random operations on two directory trees that should stay the same.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace lyr::unionfs {

// `size` bytes that are different for each seed.
std::string pattern(uint64_t seed, size_t size);
// A tree with a bit of everything; `links`: some files have several names.
void plant(const std::string& root, bool links = true);

// How many operations a test that plays them shall do: LYR_OPERATIONS, else `usual`.
int operations_of_run(int usual);

class Player {
 public:
  Player(std::string left, std::string right, uint64_t seed);
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;
  ~Player() { close_all(); }

  // One random operation on both; its name and outcomes.
  std::string step(std::string& left, std::string& right);
  // The files that are held open without a name.
  void close_all();

 private:
  std::string play(size_t side, uint64_t kind, const std::string& first, const std::string& second,
                   uint64_t c, std::string& what);
  std::string play_content(size_t side, uint64_t kind, const std::string& first,
                           const std::string& second, uint64_t c, std::string& what);
  std::string play_names(size_t side, uint64_t kind, const std::string& first,
                         const std::string& second, uint64_t c, std::string& what);
  std::string rename(size_t side, const std::string& first, const std::string& second,
                     unsigned flags) const;
  std::string hold_open(size_t side, const std::string& path, uint64_t c);

  std::string roots_[2];
  std::mt19937_64 random_;
  std::vector<int> open_[2];
};

}  // namespace lyr::unionfs
