// SPDX-License-Identifier: Apache-2.0
// The lower side that is a stack of plain directories. Its table of objects grows as they are
// looked at: a directory's names are read when something in it is first asked for, an object is
// looked at when its name is. Then it is remembered, in about 100 bytes beside its name.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "unionfs/format.h"
#include "unionfs/layer.h"
#include "unionfs/lower.h"
#include "unionfs/merge.h"
#include "unionfs/shared_fd.h"

namespace lyr::unionfs {

class DirectoryLower : public Lower {
 public:
  static Result<std::unique_ptr<DirectoryLower>> open(DirectoryStack stack);

  Result<> load(Ino directory) override;
  uint32_t entry_count(Ino directory) const override;
  std::string_view entry_name(Ino directory, uint32_t index) const override;
  uint32_t find(Ino directory, std::string_view name) const override;
  Result<Ino> entry_ino(Ino directory, uint32_t index) override;
  size_t entries_expected(Ino directory) const override;
  Ino parent(Ino directory) const override { return object(directory).directory; }
  std::string_view name(Ino directory) const override;

  uint32_t type(Ino ino) const override { return object(ino).mode & S_IFMT; }
  uint64_t number(Ino ino) const override { return object(ino).number; }
  uint32_t links(Ino ino) const override { return object(ino).links; }
  struct stat status(Ino ino) const override;
  Result<std::string> symlink_target(Ino ino) override;
  Result<std::vector<std::string>> xattr_names(Ino ino) override;
  Result<std::optional<std::string>> xattr(Ino ino, const std::string& name) override;
  Result<uint32_t> flags(Ino ino) override;
  Result<uint32_t> protection(Ino ino) override;
  Result<std::vector<store::TreeAlias>> aliases(Ino ino) override;
  bool knows_aliases(Ino ino) const override;

  uint64_t upper_number(dev_t device, ino_t upper_ino) const override;
  bool may_be(uint64_t number, uint32_t type) const override;
  Result<struct statvfs> statfs() const override;
  Result<SharedFd> file(Ino ino) override;

 private:
  struct Object {
    uint64_t number;
    uint64_t size;
    uint64_t blocks;
    int64_t mtime_seconds;
    int64_t ctime_seconds;
    int64_t atime_seconds;
    uint32_t mtime_nanoseconds;
    uint32_t ctime_nanoseconds;
    uint32_t atime_nanoseconds;
    uint16_t mode;
    bool no_xattrs;  // it was asked, and there are none
    uint32_t uid;
    uint32_t gid;
    uint32_t links;
    // A device's numbers, 12 bits major and 20 minor, as the kernel has them; a directory's place
    // in listings_.
    uint32_t device_or_listing;
    Ino directory;   // where its first known name is
    uint32_t entry;  // and which that is
  };
  static_assert(sizeof(Object) + sizeof(MergedNames::Entry) <= 100);

  struct Source {  // a directory that one layer has
    LayerIndex layer;
    std::unique_ptr<std::string> path;  // null: by the merged one's name, where its parent is
  };
  struct Listing {
    std::vector<Source> sources;  // from the top; before it is loaded, those that may count
    MergedNames names;
    bool loaded = false;
    bool searched = false;  // for names of files that have several
  };
  struct Place {  // where a layer has a directory
    LayerIndex layer;
    std::string path;
  };
  struct FileId {  // what names of one file have in common; only within a layer
    LayerIndex layer;
    dev_t device;
    uint64_t ino;
    auto operator<=>(const FileId&) const = default;
  };

  explicit DirectoryLower(const DirectoryStack& stack)
      : follow_redirects_(stack.follow_redirects), user_marks_(stack.user_marks) {}

  const Object& object(Ino ino) const { return objects_[ino - 1]; }
  Object& object(Ino ino) { return objects_[ino - 1]; }
  Listing& listing(Ino directory) { return *listings_[object(directory).device_or_listing]; }
  const Listing& listing(Ino directory) const {
    return *listings_[object(directory).device_or_listing];
  }

  std::string path_of(Ino directory, LayerIndex layer) const;
  Result<SharedFd> directory_fd(Ino directory, LayerIndex layer);
  Result<Ino> identify(Ino directory, uint32_t entry);
  Ino make(const struct statx& status, Ino directory, uint32_t entry);
  Result<Fd> open_object(Ino ino);
  uint64_t number_of(dev_t device, uint64_t ino) const;
  Result<> search(Ino directory);

  // redirects.cpp: where a directory is that was renamed in a layer.
  Result<std::vector<Source>> moved_from(Ino directory, LayerIndex layer,
                                         const std::string& redirect);
  Result<std::vector<Place>> resolve(std::vector<Place> parents, std::string_view name);
  Result<std::vector<Place>> resolve_redirect(const std::vector<Place>& parents, LayerIndex layer,
                                              const std::string& redirect);
  std::vector<Place> places(Ino directory, LayerIndex below) const;
  // The directories where what a layer has as `name` in `parents` is in the layers below, and its
  // name there.
  struct Below {
    std::vector<Place> parents;
    std::string name;
  };
  Result<Below> below(std::vector<Place> parents, LayerIndex layer, std::string name,
                      const std::string& redirect);
  bool lacks_content(const Marks& marks) const;
  Result<Fd> content_of(Ino file, Marks marks);
  Result<Fd> content_below(Ino file, Marks marks);
  Result<Fd> content_in_data_layers(const std::string& path) const;
  Result<Fd> find_file(const Below& below, LayerIndex& layer) const;

  bool follow_redirects_;
  bool user_marks_;
  int steps_left_ = 0;  // of one resolution: hostile layers could make it take for ever
  std::vector<Layer> layers_;
  std::vector<Layer> data_layers_;
  std::deque<Object> objects_;  // of inode number N: N - 1
  std::vector<std::unique_ptr<Listing>> listings_;
  mutable std::vector<dev_t> devices_;  // numbers of another than the first are marked
  std::map<FileId, Ino> files_;         // of several names
  std::unordered_map<Ino, std::vector<store::TreeAlias>> aliases_;  // of those
  std::deque<Ino> unsearched_{root_ino};
  FdCache directory_fds_{64};  // by inode number and layer
  FdCache file_fds_{128};      // by inode number
};

}  // namespace lyr::unionfs
