// SPDX-License-Identifier: Apache-2.0
// Plain directories as lowers, made of any bytes: files, whiteouts in all forms, marks, redirects
// to anywhere. The stack opens or is refused; what it lists it finds, an object's names and a
// directory's path lead back to it, a second reading shows the same, and without redirects it does
// not matter whether they are followed. Nothing outside of the layers is reached.
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/sys_file.h"
#include "fuzz/bytes.h"
#include "fuzz/scratch_directory.h"
#include "unionfs/lower.h"
#include "unionfs/override_stat.h"

namespace {

using namespace lyr;
using namespace lyr::unionfs;

constexpr size_t layers_max = 4;
constexpr int operations_max = 100;
constexpr size_t objects_max = 5000;  // that are looked at: redirects may show a directory often
constexpr size_t depth_max = 300;

// Longer than what any file of a layer has, so that none of them holds it by chance.
constexpr std::string_view beside_text =
    "untouched, and never to be seen from a layer, whatever it says of where things are";

class Layers {
 public:
  Layers(const Fd& scratch, fuzz::Bytes& bytes) {
    size_t count = 1 + bytes.byte() % layers_max;
    for (size_t i = 0; i < count; ++i) {
      std::string name = "layers/" + std::to_string(i);
      CHECK(sys::mkdir_all_at(scratch, name, 0755).has_value());
      directories_.emplace_back();
      add_directory(i, scratch, name.c_str());
    }
    for (int i = 0; i < operations_max && !bytes.empty(); ++i) operate(bytes);
  }

  // `data`: the lowest is one of content alone.
  DirectoryStack stack(bool follow_redirects, bool data) const {
    DirectoryStack stack;
    stack.follow_redirects = follow_redirects;
    stack.user_marks = data;
    for (const auto& directories : directories_) {
      stack.layers.push_back(std::move(*sys::dup(directories[0])));
    }
    if (data && stack.layers.size() > 1) {
      stack.data_layers.push_back(std::move(stack.layers.back()));
      stack.layers.pop_back();
    }
    return stack;
  }
  bool has_redirects() const { return has_redirects_; }

 private:
  void add_directory(size_t layer, const Fd& parent, const char* name) {
    auto opened = sys::open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (opened) directories_[layer].push_back(std::move(*opened));
  }

  static void write(const Fd& parent, const std::string& name, const std::string& text) {
    auto file = sys::open_at(parent, name.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_EXCL, 0644);
    if (file) CHECK(sys::write_all(*file, text).has_value());
  }

  void mark(const Fd& object, fuzz::Bytes& bytes) {
    static constexpr const char* marks[] = {"user.overlay.opaque",       "user.overlay.redirect",
                                            "user.overlay.whiteout",     "user.overlay.metacopy",
                                            "user.overlay.origin",       containers_stat_name,
                                            "user.fuseoverlayfs.opaque", "trusted.overlay.opaque",
                                            "trusted.overlay.redirect",  "user.a",
                                            security_stat_name,          user_stat_name,
                                            "trusted.overlay.metacopy"};
    static constexpr const char* values[] = {"y",  "x", "/",      "/d",       "/d/../..",
                                             "..", "a", "/a/d/e", "1:2:4750", "0:0:100600:file"};
    const char* name = marks[bytes.byte() % std::size(marks)];
    uint8_t choice = bytes.byte();
    std::string value = choice % 12 < std::size(values) ? values[choice % 12] : bytes.content(80);
    if (choice % 12 == 11) value = "/" + bytes.name() + "/" + bytes.name();
    bool set = sys::set_xattr(object, name, value).has_value();
    has_redirects_ |= set && std::string_view(name).ends_with("redirect");
  }

  // What cannot be made is left out: there may be something of the name, or it needs root.
  void operate(fuzz::Bytes& bytes) {
    uint8_t kind = bytes.byte();
    size_t layer = bytes.byte() % directories_.size();
    const Fd& parent = directories_[layer][bytes.byte() % directories_[layer].size()];
    std::string name = bytes.name();
    Result<> made;
    switch (kind % 12) {
      case 0:
        return write(parent, name, bytes.content(40));
      case 1:
      case 2:
        made = sys::mkdir_at(parent, name.c_str(), 0755);
        return add_directory(layer, parent, name.c_str());
      case 3:
        made = sys::symlink_at("../../../beside", parent, name.c_str());
        return;
      case 4:
        made = sys::mknod_at(parent, name.c_str(), S_IFCHR, makedev(0, 0));
        return;
      case 5:
        return write(parent, ".wh." + name, "");
      case 6:
        return write(parent, ".wh..wh..opq", "");
      case 7:
        return mark(parent, bytes);
      case 8:
        made = sys::mknod_at(parent, name.c_str(), S_IFIFO | 0600, 0);
        return;
      case 9:
        made = sys::link_at(parent, name.c_str(), directories_[layer][0], bytes.name().c_str());
        return;
      case 10: {
        write(parent, name, "");
        auto file = sys::open_at(parent, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
        if (file) mark(*file, bytes);
        return;
      }
      default:
        made = sys::rename_at(parent, name.c_str(), parent, bytes.name().c_str());
        return;
    }
  }

  std::vector<std::vector<Fd>> directories_;  // by layer, its root first
  bool has_redirects_ = false;
};

class Walk {
 public:
  explicit Walk(Lower& lower) : lower_(lower) {}

  std::string text;

  void directory(Ino directory, const std::string& path, size_t depth) {
    CHECK(depth <= depth_max);
    auto loaded = lower_.load(directory);
    if (!loaded) {
      CHECK(loaded.error().code != EACCES);
      text += path + "? " + std::to_string(loaded.error().code) + "\n";
      return;
    }
    CHECK(lower_path(lower_, directory) == (path.empty() ? "/" : path));
    auto found = lower_directory_at(lower_, path);
    CHECK(found.has_value() && *found == directory);
    std::string previous;
    for (uint32_t i = 0; i < lower_.entry_count(directory); ++i) {
      std::string name(lower_.entry_name(directory, i));
      CHECK(!name.empty() && name.size() <= 255 && name.find('/') == std::string::npos);
      CHECK(i == 0 || previous < name);
      previous = name;
      if (++objects_ > objects_max) return;
      CHECK(lower_.has(directory, name));
      auto ino = lower_.lookup(directory, name);
      CHECK(ino.has_value() && *ino != no_ino);
      object(*ino, path + "/" + name);
      if (lower_.type(*ino) != S_IFDIR) continue;
      CHECK(lower_.parent(*ino) == directory && lower_.name(*ino) == name);
      this->directory(*ino, path + "/" + name, depth + 1);
    }
    CHECK(!lower_.has(directory, "no/name"));
  }

 private:
  void object(Ino ino, const std::string& path) {
    struct stat status = lower_.status(ino);
    CHECK((status.st_mode & S_IFMT) == lower_.type(ino) && status.st_ino == lower_.number(ino));
    text += path + " " + std::to_string(status.st_mode) + " " + std::to_string(status.st_nlink);
    if (S_ISLNK(status.st_mode)) {
      auto target = lower_.symlink_target(ino);
      CHECK(target.has_value());
      text += " -> " + *target;
    }
    xattrs(ino);
    if (S_ISREG(status.st_mode)) content(ino, static_cast<size_t>(status.st_size));
    if (!S_ISDIR(status.st_mode) && status.st_nlink > 1) names(ino);
    text += "\n";
  }

  void xattrs(Ino ino) {
    auto names = lower_.xattr_names(ino);
    if (!names) return;
    std::ranges::sort(*names);
    for (const std::string& name : *names) {
      auto value = lower_.xattr(ino, name);
      CHECK(value.has_value() && value->has_value());
      text += " " + name + "=" + **value;
    }
  }

  void content(Ino ino, size_t size) {
    auto file = lower_.file(ino);
    if (!file) return;
    std::string data(size, '\0');
    auto got = sys::pread(**file, std::as_writable_bytes(std::span(data)), 0);
    CHECK(got.has_value() && *got == size);
    CHECK(!data.contains(beside_text));
    text += " " + data;
  }

  void names(Ino ino) {
    auto aliases = lower_.aliases(ino);
    if (!aliases) return;
    for (const store::TreeAlias& alias : *aliases) {
      auto found = lower_.lookup(alias.directory, alias.name);
      CHECK(found.has_value() && *found == ino);
    }
  }

  Lower& lower_;
  size_t objects_ = 0;
};

// "refused" and why, or all that shows.
std::string shown(const Layers& layers, bool follow_redirects, bool data = false) {
  auto lower = lower_from_directories(layers.stack(follow_redirects, data));
  if (!lower) return "refused: " + std::to_string(lower.error().code);
  Walk walk(**lower);
  walk.directory(root_ino, "", 0);
  return walk.text;
}

// No fence: a layer is read through a private view of it, which Landlock takes for outside. A file
// beside the layers must not show in them, whatever leads to it.
struct Scratch {
  Scratch() { CHECK(sys::replace_file_at(directory.fd(), "beside", beside_text, 0644)); }
  fuzz::ScratchDirectory directory;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Scratch scratch;
  fuzz::Bytes bytes({reinterpret_cast<const char*>(data), size});
  {
    Layers layers(scratch.directory.fd(), bytes);
    std::string first = shown(layers, true);
    CHECK(shown(layers, true) == first);
    CHECK(shown(layers, true, true) == shown(layers, true, true));
    if (!layers.has_redirects()) CHECK(shown(layers, false) == first);
  }
  CHECK(sys::remove_all_at(scratch.directory.fd(), "layers").has_value());
  auto beside = sys::read_file_at(scratch.directory.fd(), "beside");
  CHECK(beside && *beside == beside_text);
  return 0;
}
