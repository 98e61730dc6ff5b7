// SPDX-License-Identifier: Apache-2.0
// LMDB behind values: a transaction that aborts unless committed, and gets and puts that yield
// Results.
#pragma once

#include <lmdb.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lyr::store {

// errno for what LMDB said: its own codes are negative.
Failure fail_lmdb(int code, const char* call);

class Transaction {
 public:
  static Result<Transaction> begin(MDB_env* environment, bool read_only);
  Transaction(Transaction&& other) noexcept : txn_(std::exchange(other.txn_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // The bytes are the map's own: valid until the transaction ends.
  Result<std::optional<std::string_view>> get(MDB_dbi table, std::string_view key) const;
  // False when the same bytes were there already, so that nothing was written.
  Result<bool> put(MDB_dbi table, std::string_view key, std::string_view value);
  // False when there was nothing.
  Result<bool> remove(MDB_dbi table, std::string_view key);
  // Every row in key order.
  Result<> each(MDB_dbi table,
                const std::function<Result<>(std::string_view, std::string_view)>& row) const;
  Result<> commit();
  MDB_txn* raw() { return txn_; }

 private:
  explicit Transaction(MDB_txn* txn) : txn_(txn) {}
  MDB_txn* txn_;
};

}  // namespace lyr::store
