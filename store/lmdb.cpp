// SPDX-License-Identifier: Apache-2.0
#include "store/lmdb.h"

namespace lyr::store {
namespace {

MDB_val to_value(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

std::string_view to_view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

}  // namespace

Failure fail_lmdb(int code, const char* call) {
  if (code > 0) return fail(code, call, "catalogue");
  int number = code == MDB_MAP_FULL           ? ENOSPC
               : code == MDB_VERSION_MISMATCH ? EPROTONOSUPPORT
               : code == MDB_READERS_FULL     ? EAGAIN
               : code == MDB_PANIC            ? EIO  // a write failed before
                                              : EUCLEAN;
  return fail(number, call, std::string("catalogue: ") + mdb_strerror(code));
}

Result<Transaction> Transaction::begin(MDB_env* environment, bool read_only) {
  MDB_txn* txn = nullptr;
  int code = mdb_txn_begin(environment, nullptr, read_only ? MDB_RDONLY : 0, &txn);
  if (code != 0) return fail_lmdb(code, "mdb_txn_begin");
  return Transaction(txn);
}

Transaction::~Transaction() {
  if (txn_ != nullptr) mdb_txn_abort(txn_);
}

Result<std::optional<std::string_view>> Transaction::get(MDB_dbi table,
                                                         std::string_view key) const {
  MDB_val raw_key = to_value(key);
  MDB_val value;
  int code = mdb_get(txn_, table, &raw_key, &value);
  if (code == MDB_NOTFOUND) return std::nullopt;
  if (code != 0) return fail_lmdb(code, "mdb_get");
  return to_view(value);
}

Result<bool> Transaction::put(MDB_dbi table, std::string_view key, std::string_view value) {
  auto present = TRY(get(table, key));
  if (present && *present == value) return false;
  MDB_val raw_key = to_value(key);
  MDB_val raw_value = to_value(value);
  int code = mdb_put(txn_, table, &raw_key, &raw_value, 0);
  if (code != 0) return fail_lmdb(code, "mdb_put");
  return true;
}

Result<bool> Transaction::remove(MDB_dbi table, std::string_view key) {
  MDB_val raw_key = to_value(key);
  int code = mdb_del(txn_, table, &raw_key, nullptr);
  if (code == MDB_NOTFOUND) return false;
  if (code != 0) return fail_lmdb(code, "mdb_del");
  return true;
}

Result<> Transaction::each(
    MDB_dbi table, const std::function<Result<>(std::string_view, std::string_view)>& row) const {
  MDB_cursor* cursor = nullptr;
  int code = mdb_cursor_open(txn_, table, &cursor);
  if (code != 0) return fail_lmdb(code, "mdb_cursor_open");
  MDB_val key;
  MDB_val value;
  Result<> result;
  while (result && (code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
    result = row(to_view(key), to_view(value));
  }
  mdb_cursor_close(cursor);
  if (result && code != MDB_NOTFOUND) return fail_lmdb(code, "mdb_cursor_get");
  return result;
}

Result<> Transaction::commit() {
  int code = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (code != 0) return fail_lmdb(code, "mdb_txn_commit");
  return {};
}

}  // namespace lyr::store
