// SPDX-License-Identifier: Apache-2.0
#include "store/catalog_state.h"

#include <cstring>
#include <map>

#include "base/sys_file.h"
#include "base/sys_process.h"

namespace lyr::store {
namespace {

constexpr size_t map_bytes = size_t{4} << 30;  // address space, not disk: the file grows as needed
constexpr unsigned readers_max = 1024;         // transactions at one moment, of all processes
constexpr uint64_t reserve_bytes = 1 << 20;
constexpr uint64_t format_version = 2;  // 1 had no compressed frames, and dropped none
constexpr char version_key[] = "version";
constexpr char file_name[] = "catalog.mdb";

}  // namespace

std::string_view key_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

std::string_view key_of(const PackNumber& number) {
  return {reinterpret_cast<const char*>(&number), sizeof number};
}

Result<uint64_t> read_number(const Transaction& transaction, MDB_dbi table, const char* key) {
  auto value = TRY(transaction.get(table, key));
  constexpr uint64_t number = 0;
  if (!value) return number;
  if (value->size() != sizeof number) return fail(EUCLEAN, "catalogue", key);
  return number_of(*value);
}

Result<bool> write_number(Transaction& transaction, MDB_dbi table, const char* key,
                          uint64_t number) {
  return transaction.put(table, key, {reinterpret_cast<const char*>(&number), sizeof number});
}

uint64_t number_of(std::string_view value) {
  uint64_t number = 0;
  if (value.size() == sizeof number) std::memcpy(&number, value.data(), sizeof number);
  return number;
}

// LMDB makes a file by writing to it, and takes one that a power cut left in part for none of its
// own, for ever. So an empty catalogue has a name only once it is whole and on the disk.
Result<> Catalog::State::make_file(const std::string& directory) {
  Fd parent = TRY(about(sys::open(directory.c_str(), O_RDONLY | O_DIRECTORY), directory));
  Fd file = TRY(about(sys::open_unnamed(parent, O_RDWR, 0600), file_name));
  MDB_env* environment = nullptr;
  int code = mdb_env_create(&environment);
  if (code != 0) return fail_lmdb(code, "mdb_env_create");
  mdb_env_set_mapsize(environment, map_bytes);
  // No lock file: nobody else knows this one.
  code = mdb_env_open(environment, sys::path_of(file).c_str(), MDB_NOSUBDIR | MDB_NOLOCK, 0600);
  mdb_env_close(environment);
  if (code != 0) return fail_lmdb(code, "mdb_env_open");
  TRY(about(sys::fsync(file), file_name));
  auto linked = sys::link_fd(file, parent, file_name);
  if (!linked && linked.error().code == EEXIST) return {};  // somebody else's
  return about(std::move(linked), file_name);
}

Catalog::State::~State() {
  // In a child the environment is its parent's: closing it would free the parent's reader slots.
  if (environment_ != nullptr && owner_ == sys::process_id()) mdb_env_close(environment_);
}

Result<std::shared_ptr<Catalog::State>> Catalog::State::open(const std::string& directory) {
  static std::mutex mutex;  // guards opened
  static auto* const opened = new std::map<std::pair<dev_t, ino_t>, std::weak_ptr<State>>();
  std::string path = directory + "/" + file_name;
  std::scoped_lock lock(mutex);
  std::erase_if(*opened, [](const auto& entry) { return entry.second.expired(); });
  auto present = sys::stat_at(sys::cwd(), path.c_str());
  if (present) {
    auto found = opened->find({present->st_dev, present->st_ino});
    auto state = found == opened->end() ? nullptr : found->second.lock();
    if (state != nullptr) return state;
  } else if (present.error().code == ENOENT) {
    TRY(make_file(directory));
  } else {
    return about(Result<std::shared_ptr<State>>(std::unexpected(std::move(present).error())), path);
  }
  auto state = std::make_shared<State>(path);
  {
    std::scoped_lock state_lock(state->mutex_);
    TRY(state->open_environment());
  }
  auto status = TRY(about(sys::stat_at(sys::cwd(), path.c_str()), path));
  opened->insert_or_assign({status.st_dev, status.st_ino}, state);
  return state;
}

Result<> Catalog::State::open_environment() const {
  environment_ = nullptr;  // a parent's is left alone
  MDB_env* environment = nullptr;
  int code = mdb_env_create(&environment);
  if (code != 0) return fail_lmdb(code, "mdb_env_create");
  std::unique_ptr<MDB_env, void (*)(MDB_env*)> guard(environment, mdb_env_close);
  mdb_env_set_mapsize(environment, map_bytes);
  mdb_env_set_maxdbs(environment, 8);
  mdb_env_set_maxreaders(environment, readers_max);
  // NOTLS: a read transaction belongs to its object, not to its thread.
  code = mdb_env_open(environment, path_.c_str(), MDB_NOSUBDIR | MDB_NOTLS, 0600);
  if (code != 0) return about(Result<>(fail_lmdb(code, "mdb_env_open")), path_);
  int dead = 0;
  mdb_reader_check(environment, &dead);  // killed readers would keep old pages from being reused
  environment_ = guard.get();
  auto opened = open_tables();
  if (!opened) {
    environment_ = nullptr;
    return opened;
  }
  owner_ = sys::process_id();
  static_cast<void>(guard.release());
  return {};
}

Result<> Catalog::State::open_tables(Transaction& transaction, unsigned flags) const {
  const std::pair<const char*, MDB_dbi*> tables[] = {{"meta", &meta},   {"images", &images},
                                                     {"tags", &tags},   {"layers", &layers},
                                                     {"packs", &packs}, {"dropped", &dropped}};
  for (auto [name, table] : tables) {
    int code = mdb_dbi_open(transaction.raw(), name, flags, table);
    if (code != 0) return fail_lmdb(code, "mdb_dbi_open");
  }
  return {};
}

// 0: a catalogue that was just made.
Result<uint64_t> Catalog::State::version() const {
  auto transaction = TRY(Transaction::begin(environment_, true));
  constexpr uint64_t none = 0;
  MDB_dbi table = 0;
  int code = mdb_dbi_open(transaction.raw(), "meta", 0, &table);
  if (code == MDB_NOTFOUND) return none;
  if (code != 0) return fail_lmdb(code, "mdb_dbi_open");
  return read_number(transaction, table, version_key);
}

Result<> Catalog::State::open_tables() const {
  uint64_t found = TRY(version());
  if (found == format_version) {
    auto transaction = TRY(Transaction::begin(environment_, true));
    TRY(open_tables(transaction, 0));
    return transaction.commit();  // keeps the tables' handles
  }
  if (found > format_version) {
    return fail_saying(EPROTONOSUPPORT, "the store was made by a newer lyr (format " +
                                            std::to_string(found) +
                                            "); use that, or another --root");
  }
  // New, or of a version that has less: what is there stays as it is.
  auto transaction = TRY(Transaction::begin(environment_, false));
  TRY(open_tables(transaction, MDB_CREATE));
  TRY(write_number(transaction, meta, version_key, format_version));
  TRY(transaction.commit());
  reserve();
  return {};
}

Result<Transaction> Catalog::State::begin(bool read_only) const {
  MDB_env* environment = nullptr;
  {
    std::scoped_lock lock(mutex_);
    if (environment_ == nullptr || owner_ != sys::process_id()) TRY(open_environment());
    environment = environment_;
  }
  return Transaction::begin(environment, read_only);
}

void Catalog::State::reserve() const {
  int number = -1;
  if (mdb_env_get_fd(environment_, &number) != 0) return;
  Fd file(number);
  if (auto status = sys::stat(file)) {
    auto size = static_cast<uint64_t>(status->st_size);
    auto allocated = static_cast<uint64_t>(status->st_blocks) * 512;
    if (allocated < size + reserve_bytes / 2) {
      // A precaution only: where it cannot be had, nothing is lost yet.
      static_cast<void>(sys::fallocate(file, FALLOC_FL_KEEP_SIZE, size, reserve_bytes));
    }
  }
  static_cast<void>(file.release());  // LMDB's
}

}  // namespace lyr::store
