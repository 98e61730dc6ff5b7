// SPDX-License-Identifier: Apache-2.0
#include "unionfs/directory_lower.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "base/check.h"
#include "base/sys_file.h"
#include "unionfs/format.h"

namespace lyr::unionfs {
namespace {

// Inode numbers are those of the layers' file systems; the second and further ones are marked above
// all numbers that such have in practice. overlayfs does so with xino=on.
constexpr unsigned device_shift = 56;
constexpr size_t devices_max = 127;

// What a name takes of a directory's size: on ext4 8 bytes and its text, on tmpfs 20.
constexpr uint64_t entry_bytes = 24;

uint32_t pack_device(uint32_t major_number, uint32_t minor_number) {
  return major_number << 20 | (minor_number & 0xfffff);
}

}  // namespace

Result<std::unique_ptr<Lower>> lower_from_directories(DirectoryStack stack) {
  return TRY(DirectoryLower::open(std::move(stack)));
}

Result<std::unique_ptr<DirectoryLower>> DirectoryLower::open(DirectoryStack stack) {
  size_t count = stack.layers.size();
  if (count == 0 || count + stack.data_layers.size() > DirectoryStack::layers_max)
    return fail_saying(EINVAL,
                       "a union has 1 to 500 lower directories, not " + std::to_string(count));
  std::unique_ptr<DirectoryLower> lower(new DirectoryLower(stack));
  auto root = std::make_unique<Listing>();
  for (size_t i = 0; i < count; ++i) {
    lower->layers_.push_back(TRY(Layer::open(std::move(stack.layers[i]))));
    root->sources.push_back({static_cast<LayerIndex>(i), std::make_unique<std::string>()});
  }
  for (Fd& data : stack.data_layers)
    lower->data_layers_.push_back(TRY(Layer::open(std::move(data))));
  lower->listings_.push_back(nullptr);  // so that no directory's place is 0
  const Layer& top = lower->layers_.front();
  auto status = TRY(top.status(top.root(), "."));
  lower->make(status, root_ino, 0);
  lower->listing(root_ino) = std::move(*root);
  return lower;
}

// A new object; of its links, `directory` and `entry` are the first known.
Ino DirectoryLower::make(const struct statx& status, Ino directory, uint32_t entry) {
  Object made{};
  made.number = number_of(makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino);
  made.size = status.stx_size;
  made.blocks = status.stx_blocks;
  made.mtime_seconds = status.stx_mtime.tv_sec;
  made.mtime_nanoseconds = status.stx_mtime.tv_nsec;
  made.ctime_seconds = status.stx_ctime.tv_sec;
  made.ctime_nanoseconds = status.stx_ctime.tv_nsec;
  made.atime_seconds = status.stx_atime.tv_sec;
  made.atime_nanoseconds = status.stx_atime.tv_nsec;
  made.mode = status.stx_mode;
  made.uid = status.stx_uid;
  made.gid = status.stx_gid;
  made.links = status.stx_nlink;
  made.device_or_listing = pack_device(status.stx_rdev_major, status.stx_rdev_minor);
  made.directory = directory;
  made.entry = entry;
  if (S_ISDIR(made.mode)) {
    made.device_or_listing = static_cast<uint32_t>(listings_.size());
    listings_.push_back(std::make_unique<Listing>());
  }
  objects_.push_back(made);
  return static_cast<Ino>(objects_.size());
}

uint64_t DirectoryLower::number_of(dev_t device, uint64_t ino) const {
  auto known = std::ranges::find(devices_, device);
  auto index = static_cast<size_t>(known - devices_.begin());
  if (known == devices_.end()) devices_.push_back(device);
  return ino ^ static_cast<uint64_t>(std::min(index, devices_max)) << device_shift;
}

std::string DirectoryLower::path_of(Ino directory, LayerIndex layer) const {
  std::vector<std::string_view> names;
  std::string path;
  for (Ino at = directory;; at = parent(at)) {
    const Listing& here = listing(at);
    auto source = std::ranges::find(here.sources, layer, &Source::layer);
    if (source != here.sources.end() && source->path != nullptr) {
      path = *source->path;
      break;
    }
    names.push_back(name(at));
  }
  for (size_t left = names.size(); left > 0; --left) {
    if (!path.empty()) path += '/';
    path += names[left - 1];
  }
  return path;
}

Result<SharedFd> DirectoryLower::directory_fd(Ino directory, LayerIndex layer) {
  uint64_t key = uint64_t{directory} << 16 | layer;
  auto known = directory_fds_.find(key);
  if (known) return known;
  Fd fd = TRY(layers_[layer].open_directory(path_of(directory, layer)));
  return directory_fds_.add(key, std::move(fd));
}

Result<> DirectoryLower::load(Ino directory) {
  Listing& here = listing(directory);
  if (here.loaded) return {};
  Merge merge;
  for (size_t i = 0; i < here.sources.size(); ++i) {
    LayerIndex layer = here.sources[i].layer;
    auto fd = directory_fd(directory, layer);
    // Another file system is mounted there, which is not the layer's.
    if (!fd && fd.error().code == EXDEV) continue;
    if (!fd) return std::unexpected(std::move(fd).error());
    auto take = [&](const Layer::Name& name) { merge.add(layer, name); };
    auto says = TRY(layers_[layer].list(**fd, take));
    bool moved = !says.redirect.empty() && directory != root_ino;
    if (!says.opaque && !moved) continue;
    here.sources.erase(here.sources.begin() + static_cast<ptrdiff_t>(i) + 1, here.sources.end());
    if (says.opaque) break;
    auto further = TRY(moved_from(directory, layer, says.redirect));
    std::ranges::move(further, std::back_inserter(here.sources));
  }
  here.names = merge.finish();
  here.sources.shrink_to_fit();
  here.loaded = true;
  return {};
}

uint32_t DirectoryLower::entry_count(Ino directory) const {
  return listing(directory).names.size();
}

std::string_view DirectoryLower::entry_name(Ino directory, uint32_t index) const {
  return listing(directory).names.name(index);
}

uint32_t DirectoryLower::find(Ino directory, std::string_view name) const {
  const Listing& here = listing(directory);
  CHECK(here.loaded);
  uint32_t index = here.names.find(name);
  return index == here.names.size() ? no_entry : index;
}

Result<Ino> DirectoryLower::entry_ino(Ino directory, uint32_t index) {
  Ino known = listing(directory).names.at(index).ino;
  return known != no_ino ? known : identify(directory, index);
}

// Looks at what a name stands for, for the first time.
Result<Ino> DirectoryLower::identify(Ino directory, uint32_t index) {
  MergedNames& names = listing(directory).names;
  LayerIndex layer = names.at(index).layer;
  std::string text(names.name(index));
  auto fd = TRY(directory_fd(directory, layer));
  auto status = TRY(layers_[layer].status(*fd, text.c_str()));
  // The layer has changed under us: what was merged by it does not hold.
  if (IFTODT(status.stx_mode) != names.at(index).type) return fail(ESTALE, "statx");
  Ino ino = no_ino;
  if (!S_ISDIR(status.stx_mode) && status.stx_nlink > 1) {
    FileId id{layer, makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino};
    Ino& known = files_[id];
    if (known == no_ino) known = make(status, directory, index);
    ino = known;
    if (listing(directory).searched) aliases_[ino].push_back({directory, names.name(index)});
  } else {
    ino = make(status, directory, index);
  }
  if (S_ISREG(status.stx_mode) && status.stx_blocks * 512 < status.stx_size) {
    Fd object = TRY(sys::open_no_links(*fd, text.c_str(), O_PATH | O_NOFOLLOW));
    auto marks = TRY(read_marks(object));
    if (lacks_content(marks))
      this->object(ino).blocks =
          static_cast<uint64_t>(blocks_of(static_cast<off_t>(status.stx_size)));
  }
  names.at(index).ino = ino;
  if (S_ISDIR(status.stx_mode)) {
    for (LayerIndex one : names.layers(index)) {
      auto& sources = listing(ino).sources;
      if (sources.empty() || sources.back().layer != one) sources.push_back({one, nullptr});
    }
  }
  return ino;
}

size_t DirectoryLower::entries_expected(Ino directory) const {
  const Listing& here = listing(directory);
  return here.loaded ? here.names.size() : object(directory).size / entry_bytes;
}

std::string_view DirectoryLower::name(Ino directory) const {
  const Object& known = object(directory);
  return directory == root_ino ? std::string_view() : entry_name(known.directory, known.entry);
}

struct stat DirectoryLower::status(Ino ino) const {
  const Object& known = object(ino);
  struct stat status{};
  status.st_ino = known.number;
  status.st_mode = known.mode;
  status.st_nlink = known.links;
  status.st_uid = known.uid;
  status.st_gid = known.gid;
  if (!S_ISDIR(known.mode))
    status.st_rdev = makedev(known.device_or_listing >> 20, known.device_or_listing & 0xfffff);
  status.st_size = static_cast<off_t>(known.size);
  status.st_blksize = 4096;
  status.st_blocks = static_cast<blkcnt_t>(known.blocks);
  status.st_mtim = {known.mtime_seconds, known.mtime_nanoseconds};
  status.st_ctim = {known.ctime_seconds, known.ctime_nanoseconds};
  status.st_atim = {known.atime_seconds, known.atime_nanoseconds};
  return status;
}

// Of any type, O_PATH.
Result<Fd> DirectoryLower::open_object(Ino ino) {
  const Object& known = object(ino);
  if (ino == root_ino) return sys::open_at(layers_.front().root(), ".", O_PATH | O_DIRECTORY);
  const MergedNames& names = listing(known.directory).names;
  auto fd = TRY(directory_fd(known.directory, names.at(known.entry).layer));
  std::string text(names.name(known.entry));
  return sys::open_no_links(*fd, text.c_str(), O_PATH | O_NOFOLLOW);
}

Result<std::string> DirectoryLower::symlink_target(Ino ino) {
  Fd link = TRY(open_object(ino));
  return sys::readlink_at(link, "");
}

Result<std::vector<std::string>> DirectoryLower::xattr_names(Ino ino) {
  std::vector<std::string> none;
  if (object(ino).no_xattrs) return none;
  Fd fd = TRY(open_object(ino));
  auto names = sys::list_xattrs(fd);
  if (!names && names.error().code == EOPNOTSUPP) names = none;
  if (names && names->empty()) object(ino).no_xattrs = true;
  return names;
}

Result<std::optional<std::string>> DirectoryLower::xattr(Ino ino, const std::string& name) {
  if (object(ino).no_xattrs) return std::nullopt;
  Fd fd = TRY(open_object(ino));
  auto value = sys::get_xattr(fd, name.c_str());
  bool none = !value && (value.error().code == ENODATA || value.error().code == EOPNOTSUPP);
  if (none) return std::nullopt;
  if (!value) return std::unexpected(std::move(value).error());
  return std::move(*value);
}

Result<uint32_t> DirectoryLower::flags(Ino ino) {
  if (type(ino) != S_IFREG && type(ino) != S_IFDIR) return 0U;
  Fd found = TRY(open_object(ino));
  auto fd = sys::reopen(found, O_RDONLY);
  if (!fd) return protection_of(found);  // no right to read it is none to know more
  auto flags = sys::file_flags(*fd);
  return flags || !has_no_flags(flags.error()) ? std::move(flags) : Result<uint32_t>(0U);
}

Result<uint32_t> DirectoryLower::protection(Ino ino) {
  Fd found = TRY(open_object(ino));
  return protection_of(found);
}

Result<SharedFd> DirectoryLower::file(Ino ino) {
  auto known = file_fds_.find(ino);
  if (known) return known;
  if (type(ino) != S_IFREG) return fail(EINVAL, "open");
  Fd found = TRY(open_object(ino));
  auto status = TRY(sys::stat(found));
  if (!S_ISREG(status.st_mode)) return fail(ESTALE, "open");
  auto marks = TRY(read_marks(found));
  if (lacks_content(marks)) found = TRY(content_of(ino, std::move(marks)));
  Fd fd = TRY(sys::reopen(found, O_RDONLY));
  return file_fds_.add(ino, std::move(fd));
}

bool DirectoryLower::knows_aliases(Ino ino) const {
  auto known = aliases_.find(ino);
  bool all = known != aliases_.end() && known->second.size() >= object(ino).links;
  return all || unsearched_.empty();
}

// Which of a directory's names are of files that have several.
Result<> DirectoryLower::search(Ino directory) {
  TRY(load(directory));
  Listing& here = listing(directory);
  if (here.searched) return {};
  here.searched = true;
  for (uint32_t i = 0; i < here.names.size(); ++i) {
    Ino ino = here.names.at(i).ino;
    if (ino == no_ino) {
      ino = TRY(identify(directory, i));  // which takes note
    } else if (type(ino) != S_IFDIR && object(ino).links > 1) {
      aliases_[ino].push_back({directory, here.names.name(i)});
    }
    if (type(ino) == S_IFDIR) unsearched_.push_back(ino);
  }
  return {};
}

// The layers say how many names a file has, not which: near the first they are sought first.
Result<std::vector<store::TreeAlias>> DirectoryLower::aliases(Ino ino) {
  TRY(search(object(ino).directory));
  while (!knows_aliases(ino)) {
    Ino next = unsearched_.front();
    auto searched = search(next);
    bool closed = !searched && (searched.error().code == EACCES || searched.error().code == EPERM);
    if (!searched && !closed) return std::unexpected(std::move(searched).error());
    unsearched_.pop_front();
  }
  return aliases_[ino];
}

uint64_t DirectoryLower::upper_number(dev_t device, ino_t upper_ino) const {
  return number_of(device, upper_ino);
}

bool DirectoryLower::may_be(uint64_t number, uint32_t) const { return number != 0; }

Result<struct statvfs> DirectoryLower::statfs() const {
  return sys::stat_vfs(layers_.front().root());
}

}  // namespace lyr::unionfs
