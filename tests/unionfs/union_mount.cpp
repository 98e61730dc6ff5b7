// SPDX-License-Identifier: Apache-2.0
#include "tests/unionfs/union_mount.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "tests/unionfs/snapshot.h"
#include "unionfs/image_session.h"
#include "unionfs/ring.h"
#include "unionfs/unionfs.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", what, describe(result.error()).c_str());
    std::abort();
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

store::NodeAttr attr_of(const struct stat& status, const std::string& path) {
  store::NodeAttr attr;
  attr.mode = status.st_mode & 07777;
  attr.uid = status.st_uid;
  attr.gid = status.st_gid;
  attr.mtime_seconds = status.st_mtim.tv_sec;
  attr.mtime_nanoseconds = static_cast<uint32_t>(status.st_mtim.tv_nsec);
  char names[4096];
  ssize_t size = llistxattr(path.c_str(), names, sizeof names);
  for (ssize_t at = 0; at < size;) {
    std::string name = names + at;
    at += static_cast<ssize_t>(name.size()) + 1;
    char value[4096];
    ssize_t length = lgetxattr(path.c_str(), name.c_str(), value, sizeof value);
    if (length >= 0)
      attr.xattrs.emplace_back(name, std::string(value, static_cast<size_t>(length)));
  }
  return attr;
}

// With owners, attributes, holes and several names, as cp -a.
int copy_tree(const std::string& from, const std::string& to) {
  auto child = must(sys::clone_process(), "fork");
  if (child.pid == 0) {
    execlp("cp", "cp", "-a", "--sparse=always", "--reflink=never", from.c_str(), to.c_str(),
           nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child.pid, &status, 0);
  return status;
}

class Mirror {
 public:
  explicit Mirror(store::LayerImport& layer) : layer_(layer) {}

  void add(const std::string& root, const std::string& relative) {
    std::string path = root + "/" + relative;
    struct stat status{};
    lstat(path.c_str(), &status);
    auto attr = attr_of(status, path);
    auto& tree = layer_.tree();
    if (S_ISDIR(status.st_mode)) {
      must(tree.add_directory(relative, attr), "directory");
      for (const auto& entry : fs::directory_iterator(path)) {
        std::string name = entry.path().filename();
        add(root, relative.empty() ? name : relative + "/" + name);
      }
      return;
    }
    auto [first, fresh] = seen_.try_emplace(status.st_ino, relative);
    if (!fresh) {
      must(tree.add_hard_link(relative, first->second), "hard link");
    } else if (S_ISREG(status.st_mode) && status.st_size >= vast_bytes_min) {
      must(tree.add_file(relative, attr, data_of(path, static_cast<uint64_t>(status.st_size))),
           "file");
    } else if (S_ISREG(status.st_mode)) {
      std::string text = read_whole(path);
      must(tree.add_file(relative, attr, put(std::as_bytes(std::span(text)))), "file");
    } else if (S_ISLNK(status.st_mode)) {
      must(tree.add_symlink(relative, attr, fs::read_symlink(path).string()), "symlink");
    } else {
      must(tree.add_special(relative, attr, status.st_mode & S_IFMT, major(status.st_rdev),
                            minor(status.st_rdev)),
           "special");
    }
  }

  Digest diff_id() { return hasher_.finish(); }

 private:
  // A file from this size on is mostly holes: nobody has the time to read them.
  static constexpr off_t vast_bytes_min = 1 << 30;

  store::FileContent put(std::span<const std::byte> bytes) {
    hasher_.update(bytes);
    must(layer_.begin_file(bytes.size()), "file");
    must(layer_.file_bytes(bytes), "file");
    return must(layer_.end_file(), "file");
  }

  store::FileContent data_of(const std::string& path, uint64_t size) {
    store::FileContent content{.size = size, .extents = {}};
    Fd file = must(sys::open(path.c_str(), O_RDONLY), path.c_str());
    for (uint64_t end = 0; end < size;) {
      auto data = sys::seek(file, end, SEEK_DATA);
      if (!data) break;
      end = must(sys::seek(file, *data, SEEK_HOLE), "end of data");
      std::vector<std::byte> bytes(end - *data);
      must(sys::pread_exactly(file, bytes, *data), "data");
      for (auto extent : put(bytes).extents) {
        extent.file_offset += *data;
        content.extents.push_back(extent);
      }
    }
    return content;
  }

  store::LayerImport& layer_;
  Sha256 hasher_;  // the "tar" is just the files' content, one after the other
  std::map<ino_t, std::string> seen_;
};

Digest import(const std::string& store_path, const std::string& plain) {
  auto store = must(store::Store::open(store_path), "store");
  auto import = must(store.begin_import(), "import");
  auto layer = must(import.begin_layer(), "layer");
  Mirror mirror(layer);
  mirror.add(plain, "");
  store::LayerRecord record;
  record.diff_id = mirror.diff_id();
  must(layer.finish(record), "finish");
  store::ImageRecord image;
  image.id = Digest::of("test image");
  image.diff_ids = {record.diff_id};
  image.chain_id = store::chain_id_of(image.diff_ids);
  image.config_json = "{}";
  must(import.commit({&image, 1}, {}), "commit");
  return image.chain_id;
}

}  // namespace

Options UnionMount::below() {
  Options options;
  options.acls = must(MappedIds::here(), "ids");
  if (!settings_.plain_lower) {
    store_ = must(store::Store::open(store_path_), "store");
    tree_ = must(store_->open_image_tree(chain_id_), "tree");
    options.lower = lower_from_tree(*store_, *tree_);
    return options;
  }
  DirectoryStack stack;
  for (const std::string& layer : settings_.layers)
    stack.layers.push_back(must(sys::open(layer.c_str(), O_RDONLY | O_DIRECTORY), layer.c_str()));
  for (const std::string& data : settings_.data_layers)
    stack.data_layers.push_back(
        must(sys::open(data.c_str(), O_RDONLY | O_DIRECTORY), data.c_str()));
  stack.user_marks = !settings_.trusted_xattrs;
  options.lower = must(lower_from_directories(std::move(stack)), "layers");
  options.whiteout_files = true;
  options.dress_root = false;
  return options;
}

void UnionMount::enter_private_namespace() {
  static bool done = false;
  if (done) return;
  done = true;
  must(sys::unshare(CLONE_NEWNS), "unshare");
  must(sys::mount("none", "/", nullptr, MS_REC | MS_PRIVATE), "private mounts");
}

UnionMount::UnionMount(const std::string& scratch, const std::string& plain, Settings settings)
    : path_(scratch + "/union"),
      image_(scratch + "/image"),
      upper_(scratch + "/upper"),
      work_(scratch + "/work"),
      store_path_(scratch + "/store"),
      settings_(std::move(settings)) {
  prepare();
  if (settings_.plain_lower && settings_.layers.empty()) {
    settings_.layers.push_back(scratch + "/lower");
    if (copy_tree(plain, scratch + "/lower") != 0) std::abort();
  }
  if (!settings_.plain_lower) chain_id_ = import(store_path_, plain);
  mount();
}

UnionMount::UnionMount(const std::string& scratch, const UnionMount& same_image)
    : path_(scratch + "/union"),
      image_(scratch + "/image"),
      upper_(scratch + "/upper"),
      work_(scratch + "/work"),
      store_path_(same_image.store_path_),
      settings_(same_image.settings_),
      chain_id_(same_image.chain_id_) {
  prepare();
  mount();
}

void UnionMount::prepare() {
  enter_private_namespace();
  for (const std::string& directory : {path_, image_, upper_, work_})
    fs::create_directories(directory);
  void* shared =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) std::abort();
  shared_ = new (shared) Shared;
}

UnionMount::~UnionMount() {
  unmount();
  munmap(shared_, sizeof(Shared));
}

Result<> UnionMount::serve_below(const Fd& device, Ledger* ledger) {
  shared_->server = sys::process_id();
  Fd own = TRY(sys::dup(device));
  Fd upper = TRY(sys::open(upper_.c_str(), O_RDONLY | O_DIRECTORY));
  Options options = below();
  if (settings_.hybrid) {
    if (ledger == nullptr || !ledger->resumed())
      TRY(dress_upper(upper, *tree_, settings_.trusted_xattrs));
    ImageOptions image{.store = *store_, .tree = *tree_, .ids = {}};
    image.mapped_ids = must(MappedIds::here(), "ids");
    image.threads = settings_.threads;
    image.counts = &shared_->counts;
    image.ledger = ledger;
    return serve_image(std::move(own), image);
  }
  options.upper = std::move(upper);
  options.work = TRY(sys::open(work_.c_str(), O_RDONLY | O_DIRECTORY));
  options.trusted_xattrs = settings_.trusted_xattrs;
  options.kernel_tells_times = !in_user_namespace();
  options.threads = settings_.threads;
  options.counts = &shared_->counts;
  options.ledger = ledger;
  if (settings_.adjust) settings_.adjust(options);
  return serve(std::move(own), std::move(options));
}

void UnionMount::mount() {
  Fd device = must(sys::open("/dev/fuse", O_RDWR), "/dev/fuse");
  std::string options = "fd=" + std::to_string(device.get()) +
                        ",rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions";
  const std::string& target = served();
  // As sandbox/root.cpp does.
  unsigned long flags = MS_NODEV | (settings_.hybrid ? MS_RDONLY : 0);
  must(sys::mount("lyr", target.c_str(), "fuse", flags, options.c_str()), "mount");
  auto child = must(sys::clone_process(), "fork");
  if (child.pid == 0) {
    // A program of tests that aborts leaves none behind, for whom who reads its output would wait.
    static_cast<void>(sys::prctl(PR_SET_PDEATHSIG, SIGKILL));
    auto serve_now = [&](Ledger& ledger) { return serve_below(device, &ledger); };
    auto served = settings_.survives ? keep_serving(serve_now, *settings_.survives)
                                     : serve_below(device, nullptr);
    if (!served) std::fprintf(stderr, "serve: %s\n", describe(served.error()).c_str());
    _exit(served ? 0 : 1);
  }
  child_ = child.pid;
  if (settings_.hybrid) mount_overlay();
}

void UnionMount::kill_server() {
  pid_t server = shared_->server;
  if (server > 0) kill(server, SIGKILL);
}

// As sandbox/overlay.cpp does.
void UnionMount::mount_overlay() {
  std::string options = "xino=on,metacopy=off,index=off,lowerdir=" + image_ +
                        ",upperdir=" + upper_ + ",workdir=" + work_;
  options += settings_.trusted_xattrs ? ",redirect_dir=on" : ",userxattr";
  must(sys::mount("lyr", path_.c_str(), "overlay", MS_NODEV, options.c_str()), "overlay");
}

void UnionMount::unmount() {
  auto gone = sys::umount(path_.c_str(), 0);
  if (!gone) gone = sys::umount(path_.c_str(), MNT_DETACH);
  if (settings_.hybrid) static_cast<void>(sys::umount(image_.c_str(), MNT_DETACH));
  int status = 0;
  if (child_ > 0) waitpid(child_, &status, 0);
  child_ = -1;
  shared_->server = 0;
}

const char* name_of(Below below) {
  static const std::array names{"Tree", "Directories", "Overlayfs", "Passthrough", "IoUring"};
  return names[static_cast<size_t>(below)];
}

bool in_user_namespace() {
  std::ifstream map("/proc/self/uid_map");
  uint32_t id = 0, host_id = 0, count = 0;
  map >> id >> host_id >> count;
  return count != UINT32_MAX;
}

std::string marks_prefix() { return in_user_namespace() ? "user.overlay." : "trusted.overlay."; }

std::vector<Below> every_mode() { return every_mode_but({}); }

std::vector<Below> every_mode_but(std::initializer_list<Below> left_out) {
  std::vector<Below> modes{Below::tree, Below::directories, Below::overlayfs, Below::passthrough,
                           Below::io_uring};
  std::erase_if(modes,
                [&](Below mode) { return std::ranges::find(left_out, mode) != left_out.end(); });
  if (in_user_namespace()) std::erase(modes, Below::passthrough);
  return modes;
}

Links links_compared(Below below) {
  static const std::array compared{Links::counted, Links::named, Links::ignored, Links::counted,
                                   Links::counted};
  return compared[static_cast<size_t>(below)];
}

bool can_be_had(Below below) {
  if (below != Below::io_uring || may_use_ring()) return true;
  auto allowed = sys::open("/sys/module/fuse/parameters/enable_uring", O_WRONLY);
  return allowed && sys::write_all(*allowed, "Y") && may_use_ring();
}

UnionMount::Settings settings_for(Below below) {
  UnionMount::Settings settings;
  settings.plain_lower = below == Below::directories;
  settings.hybrid = below == Below::overlayfs;
  if (below == Below::passthrough)
    settings.adjust = [](Options& options) { options.passthrough = true; };
  if (below == Below::io_uring) settings.adjust = [](Options& options) { options.io_uring = true; };
  return settings;
}

void UnionMount::empty_upper() {
  for (const std::string& directory : {upper_, work_}) {
    fs::remove_all(directory);
    fs::create_directories(directory);
  }
}

void UnionMount::remount() {
  unmount();
  mount();
}

}  // namespace lyr::unionfs
