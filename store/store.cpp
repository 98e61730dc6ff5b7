// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <linux/fs.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/sys_file.h"
#include "base/sys_process.h"
#include "store/lease.h"
#include "store/store_state.h"

namespace lyr::store {
namespace {

Result<Fd> open_directory(const Fd& parent, const char* name) {
  auto made = sys::mkdir_at(parent, name, 0700);
  if (!made && made.error().code != EEXIST) TRY(about(std::move(made), name));
  return about(sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), name);
}

// On btrfs a write to a mapped page needs a new block: on a full disk, where people come to delete,
// that is a SIGBUS in LMDB's lock file and in the index. So what will be made in here is written in
// place, without the checksums of btrfs, as on other file systems, which know no such flag. Packs,
// recipes and trees have their own.
void write_in_place(const Fd& directory) {
  unsigned flags = 0;
  auto got = sys::ioctl(directory, FS_IOC_GETFLAGS, reinterpret_cast<unsigned long>(&flags));
  if (!got) return;
  flags |= FS_NOCOW_FL;
  static_cast<void>(
      sys::ioctl(directory, FS_IOC_SETFLAGS, reinterpret_cast<unsigned long>(&flags)));
}

// The last name that a store gets which is being made. Without it whoever made the store may have
// been killed, so that none of the names need be on the disk.
constexpr char last_made[] = "index.lock";

// The names in the store's directory outlive a power cut from here on, and its own, and those of
// the directories above it that may have been made with it.
Result<> make_durable(const Fd& directory) {
  auto status = TRY(sys::stat(directory));
  dev_t device = status.st_dev;
  TRY(sys::fsync(directory));
  Fd above = TRY(sys::open_at(directory, "..", O_RDONLY | O_DIRECTORY));
  for (;;) {
    auto before = std::exchange(status, TRY(sys::stat(above)));
    if (status.st_dev != device || status.st_ino == before.st_ino) return {};
    TRY(sys::fsync(above));
    auto next = sys::open_at(above, "..", O_RDONLY | O_DIRECTORY);
    if (!next && next.error().code == EACCES) return {};  // what we make we may read
    above = TRY(std::move(next));
  }
}

}  // namespace

std::string recipe_name(const Digest& diff_id) { return diff_id.hex() + ".recipe"; }
std::string layer_tree_name(const Digest& diff_id) { return diff_id.hex() + ".tree"; }
std::string image_tree_name(const Digest& chain_id) { return chain_id.hex() + ".tree"; }
std::string blob_name(const Digest& digest) { return digest.hex(); }

Result<> publish_file(const Fd& directory, const std::string& name,
                      std::span<const std::byte> data) {
  Fd file = TRY(about(sys::open_unnamed(directory, O_RDWR, 0600), name));
  TRY(about(sys::write_all(file, data), name));
  TRY(about(sys::fsync(file), name));
  return about(sys::link_over(file, directory, name.c_str()), name);
}

Result<Fd> Store::State::open_commit_lock() const {
  return about(sys::open_at(directory, "commit.lock", O_RDWR | O_CREAT, 0600), "commit.lock");
}

Result<Fd> Store::State::lock_collection() const {
  constexpr char name[] = "collect.lock";
  Fd lock = TRY(about(sys::open_at(directory, name, O_RDWR | O_CREAT, 0600), name));
  TRY(about(sys::flock(lock, LOCK_EX), name));
  return lock;
}

Store::Store(std::shared_ptr<State> state) : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::string& directory) {
  auto state = std::make_shared<State>();
  TRY(about(sys::mkdir_all_at(sys::cwd(), directory, 0700), directory));
  state->directory = TRY(about(sys::open(directory.c_str(), O_RDONLY | O_DIRECTORY), directory));
  bool made = TRY(about(sys::exists_at(state->directory, last_made), directory));
  if (!made) write_in_place(state->directory);
  state->packs = TRY(open_directory(state->directory, "packs"));
  state->layers = TRY(open_directory(state->directory, "layers"));
  state->trees = TRY(open_directory(state->directory, "trees"));
  state->blobs = TRY(open_directory(state->directory, "blobs"));
  state->catalog = std::make_unique<Catalog>(TRY(Catalog::open(directory)));
  if (!made) TRY(about(make_durable(state->directory), directory));
  state->index = TRY(Index::open(state->directory));
  state->objects = std::make_unique<ObjectReader>(state->packs, *state->index, *state->catalog);
  state->hot_files = std::make_unique<HotFiles>(state->directory);
  return Store(std::move(state));
}

Result<size_t> Store::read_object(const ObjectId& object, uint64_t offset,
                                  std::span<std::byte> data) const {
  return state_->objects->read(object, offset, data);
}

bool Store::clone_file(const Tree& tree, Ino ino, const Fd& to) const {
  return state_->hot_files->clone_to(tree, ino, to);
}

void Store::keep_file(const Tree& tree, Ino ino, const Fd& whole) const {
  state_->hot_files->keep(tree, ino, whole);
}

namespace {

// Its import checked every record. A file that others can write may have a right checksum and yet
// be made to mislead us.
Result<Tree> open_committed_tree(const Fd& directory, const std::string& file_name,
                                 const std::string& name) {
  Fd file = TRY(about(sys::open_at(directory, file_name.c_str(), O_RDONLY), name));
  auto status = TRY(about(sys::stat(file), name));
  bool ours = status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  auto check = ours ? TreeCheck::checksum : TreeCheck::everything;
  return about(Tree::open(std::move(file), check), name);
}

}  // namespace

Result<Tree> Store::open_layer_tree(const Digest& diff_id) const {
  return open_committed_tree(state_->layers, layer_tree_name(diff_id), "layer " + diff_id.text());
}

Result<Tree> open_image_tree(const Store::State& state, const Digest& chain_id) {
  std::string name = "image tree " + chain_id.text();
  return open_committed_tree(state.trees, image_tree_name(chain_id), name);
}

Result<Tree> Store::open_image_tree(const Digest& chain_id) const {
  return store::open_image_tree(*state_, chain_id);
}

Result<std::optional<ImageRecord>> Store::image(const Digest& id) const {
  return state_->catalog->image(id);
}
Result<std::vector<ImageRecord>> Store::images() const { return state_->catalog->images(); }
Result<std::optional<LayerRecord>> Store::layer(const Digest& diff_id) const {
  return state_->catalog->layer(diff_id);
}
Result<std::vector<Tag>> Store::tags() const { return state_->catalog->tags(); }
Result<std::optional<Digest>> Store::tag(std::string_view name) const {
  return state_->catalog->tag(name);
}
Result<> Store::set_tag(std::string_view name, const Digest& image) {
  return state_->catalog->set_tag(name, image);
}
Result<bool> Store::remove_tag(std::string_view name) { return state_->catalog->remove_tag(name); }

Result<> Store::remove_image(const Digest& id) {
  auto leases = TRY(Leases::open(state_->directory));
  // A layer that an import builds on stays; if the import comes to nothing, gc finds it.
  auto may_forget = [&](const Digest& diff_id) { return leases.take(diff_id).value_or(false); };
  return state_->catalog->remove_image(id, may_forget);
}

Result<StoreSizes> Store::sizes() const {
  auto images = TRY(state_->catalog->images());
  auto layers = TRY(state_->catalog->layers());
  auto packs = TRY(state_->catalog->packs());
  StoreSizes sizes{.images = images.size(), .layers = layers.size(), .packs = packs.size()};
  for (const LayerRecord& layer : layers) {
    sizes.tar_bytes += layer.tar_bytes;
    if (layer.blob_kept) sizes.blob_bytes += layer.blob_bytes;
  }
  for (const PackRecord& pack : packs) sizes.pack_bytes += pack.bytes;
  return sizes;
}

Result<Fd> Store::open_spool() const {
  return about(sys::open_unnamed(state_->directory, O_RDWR, 0600), "a file to keep input in");
}

Digest chain_id_of(std::span<const Digest> diff_ids) {
  Digest chain;
  for (size_t i = 0; i < diff_ids.size(); ++i) {
    chain = i == 0 ? diff_ids[0] : Digest::of(chain.text() + " " + diff_ids[i].text());
  }
  return chain;
}

}  // namespace lyr::store
