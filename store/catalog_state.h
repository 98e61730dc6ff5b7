// SPDX-License-Identifier: Apache-2.0
// The open catalogue: LMDB's environment and the tables' handles. LMDB may have a file open only
// once in a process (its file locks are the process's), and not across a fork; both are seen to
// here.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "store/catalog.h"
#include "store/lmdb.h"

namespace lyr::store {

struct Catalog::State {
  // The state of this process that has the file open already, or a new one.
  static Result<std::shared_ptr<State>> open(const std::string& directory);

  explicit State(std::string path) : path_(std::move(path)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State();

  Result<Transaction> reading() const { return begin(true); }
  // Waits for other writers.
  Result<Transaction> writing() const { return begin(false); }
  // Keeps some disk space allocated past the end of the file, so that images can be removed when
  // the disk is full: that, too, writes a few pages.
  void reserve() const;

  Result<bool> put_layers(Transaction& transaction, std::span<const LayerRecord> records) const;
  Result<bool> put_blobs(Transaction& transaction, std::span<const LayerBlob> blobs) const;
  Result<bool> put_images(Transaction& transaction, std::span<const ImageRecord> records) const;
  // Of `candidates` those that no image has; how many.
  Result<size_t> forget_unused_layers(Transaction& transaction, std::set<Digest> candidates,
                                      const MayForget& may_forget) const;

  mutable MDB_dbi meta = 0, images = 0, tags = 0, layers = 0, packs = 0, dropped = 0;

 private:
  Result<Transaction> begin(bool read_only) const;
  static Result<> make_file(const std::string& directory);
  Result<> open_environment() const;  // mutex_ held
  Result<> open_tables() const;
  Result<> open_tables(Transaction& transaction, unsigned flags) const;
  Result<uint64_t> version() const;

  std::string path_;
  mutable std::mutex mutex_;  // guards environment_ and owner_
  mutable MDB_env* environment_ = nullptr;
  mutable pid_t owner_ = 0;  // the process that opened it
};

constexpr char sequence_key[] = "sequence";

std::string_view key_of(const Digest& digest);
std::string_view key_of(const PackNumber& number);
uint64_t number_of(std::string_view value);  // 0 unless it has 8 bytes
// 0 when it is not there.
Result<uint64_t> read_number(const Transaction& transaction, MDB_dbi table, const char* key);
Result<bool> write_number(Transaction& transaction, MDB_dbi table, const char* key,
                          uint64_t number);

}  // namespace lyr::store
