// SPDX-License-Identifier: Apache-2.0
// A union mounted for a test, with a server process of its own. Below it is a plain directory's
// content: as a store with one layer, or as plain directories themselves.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/store.h"
#include "tests/unionfs/snapshot.h"
#include "unionfs/keeper.h"
#include "unionfs/unionfs.h"

namespace lyr::unionfs {

// Whether this program has ids of its own, as user_namespace_test.cpp runs it: marks are `user.`
// ones there, and passthrough, which takes the host's root, is none of the modes.
bool in_user_namespace();
std::string marks_prefix();

class UnionMount {
 public:
  struct Settings {
    int threads = 1;
    bool trusted_xattrs = !in_user_namespace();
    bool plain_lower = false;  // a copy of the directory, instead of a store
    // With a plain lower: the directories, the first on top; they stay as they are.
    std::vector<std::string> layers = {};
    std::vector<std::string> data_layers = {};
    // The kernel's overlayfs over the image, which the server shows, instead of the union.
    bool hybrid = false;
    std::function<void(Options&)> adjust = {};  // called last; not with `hybrid`
    // The server may be killed, so often.
    std::optional<Patience> survives = {};
  };
  // Takes a private mount namespace for this process (once), imports `plain` as the image, and
  // mounts it. Everything lies below `scratch`. Aborts the test program on failure: it needs root
  // and /dev/fuse.
  UnionMount(const std::string& scratch, const std::string& plain)
      : UnionMount(scratch, plain, Settings()) {}
  UnionMount(const std::string& scratch, const std::string& plain, Settings settings);
  // What the constructors do first, for who has to mount something else before.
  static void enter_private_namespace();
  // Another container of the same image: the same store, an upper of its own.
  UnionMount(const std::string& scratch, const UnionMount& same_image);
  UnionMount(const UnionMount&) = delete;
  UnionMount& operator=(const UnionMount&) = delete;
  ~UnionMount();

  const std::string& path() const { return path_; }
  const std::string& upper() const { return upper_; }
  // Where the server's own file system is seen: the image's, if overlayfs stands on it.
  const std::string& served() const { return settings_.hybrid ? image_ : path_; }
  const std::string& store_path() const { return store_path_; }
  const Digest& chain_id() const { return chain_id_; }  // of the image
  // What the servers of this mount were asked so far.
  const RequestCounts& counts() const { return shared_->counts; }
  // 0: it has not begun.
  pid_t server() const { return shared_->server; }
  // Kills it with SIGKILL, whatever it is doing.
  void kill_server();
  // Unmounts, ends the server, and mounts the same upper again.
  void remount();
  void mount();
  void unmount();
  // While it is not mounted: as if nothing had been changed.
  void empty_upper();

 private:
  struct Shared {  // with the server's process
    RequestCounts counts;
    std::atomic<pid_t> server;
  };
  void prepare();
  Options below();
  Result<> serve_below(const Fd& device, Ledger* ledger);
  void mount_overlay();

  std::string path_, image_, upper_, work_, store_path_;
  Settings settings_;
  Digest chain_id_;
  std::optional<store::Store> store_;  // of the server's process
  std::optional<store::Tree> tree_;
  Shared* shared_ = nullptr;
  pid_t child_ = -1;  // the server, or its keeper
};

// What tests run on: a tree, plain directories, overlayfs over a tree, a tree where the kernel
// reads and writes the upper's files itself, and a tree by FUSE over io_uring.
enum class Below { tree, directories, overlayfs, passthrough, io_uring };
const char* name_of(Below below);  // "Tree", "Directories", "Overlayfs", ...
// What a suite is instantiated with, testing::ValuesIn() of it, and what its instances are called.
// Why a suite leaves one out is said there.
std::vector<Below> every_mode();
std::vector<Below> every_mode_but(std::initializer_list<Below> left_out);
inline constexpr auto mode_name = [](const auto& instance) { return name_of(instance.param); };
UnionMount::Settings settings_for(Below below);
// Whether this kernel has it; FUSE over io_uring is allowed on this host from then on.
bool can_be_had(Below below);
// Of plain layers, links are counted that are hidden, until it is known where they are. Overlayfs
// keeps one inode for several names only among what is new.
Links links_compared(Below below);

}  // namespace lyr::unionfs
