// SPDX-License-Identifier: Apache-2.0
#include "tools/mount_union.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "engine/union_mode.h"
#include "tools/fusermount.h"
#include "tools/union_directories.h"
#include "unionfs/opens.h"
#include "unionfs/ring.h"
#include "unionfs/unionfs.h"

namespace lyr::tools {
namespace {

constexpr int server_threads = 4;  // of threaded=1
constexpr size_t complaint_bytes_max = 4096;
constexpr std::string_view is_ready = "+";  // instead of a complaint
// Documentation/admin-guide/devices.txt
constexpr unsigned fuse_major = 10;
constexpr unsigned fuse_minor = 229;
constexpr auto ending_signals = std::to_array({SIGTERM, SIGINT, SIGHUP});

// The layers and the upper stay open, and so do many files.
void raise_descriptor_limit() {
  auto limit = sys::get_rlimit(RLIMIT_NOFILE);
  if (!limit) return;
  limit->rlim_cur = limit->rlim_max;
  static_cast<void>(sys::set_rlimit(RLIMIT_NOFILE, *limit));
}

// Over files and directories; root of a container may have lost some.
bool has_roots_rights() {
  constexpr uint64_t needed =
      uint64_t{1} << CAP_CHOWN | uint64_t{1} << CAP_DAC_OVERRIDE | uint64_t{1} << CAP_FOWNER;
  auto sets = sys::get_capabilities();
  return sets && (sets->effective & needed) == needed;
}

// What is served, and what its server keeps for as long as it does.
struct Service {
  unionfs::Options options;
  Fd upper, work;            // the locks are theirs
  bool is_volatile = false;  // bytes may be lost, of which a mark in the work directory tells
};

// EINVAL, EPERM, ENOTSUP: the message says why not.
Result<> may_pass_through(const MountOptions& options) {
  auto refuse = [](int code, const char* why) {
    return fail_saying(code, std::string("passthrough cannot be had: ") + why);
  };
  if (options.upper.empty()) return refuse(EINVAL, "there is no upperdir to write to");
  if (options.io_uring) return refuse(EINVAL, "not together with io_uring");
  if (!engine::is_host_root()) return refuse(EPERM, "it takes root of the host");
  bool has = TRY(unionfs::kernel_has_passthrough());
  return has ? Result<>() : refuse(ENOTSUP, "it takes Linux 6.9");
}

Result<Service> prepare(const MountOptions& options) {
  raise_descriptor_limit();
  auto directories = TRY(open_directories(options));
  Service service;
  unionfs::Options& served = service.options;
  if (directories.upper) {
    service.upper = TRY(sys::dup(directories.upper));
    service.work = TRY(sys::dup(directories.work));
    service.is_volatile = options.is_volatile;
  }
  served.lower = TRY(unionfs::lower_from_directories(std::move(directories.lower)));
  served.upper = std::move(directories.upper);
  served.work = std::move(directories.work);
  served.trusted_xattrs = directories.trusted_marks;
  served.durable = options.durable;
  served.sync = options.sync;
  served.dress_root = false;
  served.redirects = options.make_redirects;
  served.whiteout_files = true;
  served.static_links = options.static_links;
  served.ids = options.ids;
  if (options.permissions != MountOptions::Permissions::real)
    served.ownership = unionfs::Ownership::overridden;
  served.security_stat = options.permissions == MountOptions::Permissions::security_xattr;
  served.xattrs = options.xattrs;
  auto mapped = TRY(unionfs::MappedIds::here());
  served.kernel_tells_times = mapped.all();
  if (options.acls) served.acls = std::move(mapped);
  served.writeback = options.writeback;
  served.timeout_s = options.timeout_s;
  served.askers = unionfs::Askers::here();
  served.debug = options.debug;
  if (options.io_uring) {
    TRY(about(unionfs::may_use_ring(), "io_uring"));
    served.io_uring = true;
  }
  if (options.passthrough) TRY(may_pass_through(options));
  served.passthrough = options.passthrough;
  served.file_flags = options.file_flags;
  served.privileged = has_roots_rights();
  served.threads = options.several_threads ? server_threads : 1;
  return service;
}

// A directory's name from the root, which still holds after chdir.
Result<std::string> path_from_root(const std::string& path) {
  Fd directory = TRY(about(sys::open(path.c_str(), O_PATH | O_DIRECTORY), path));
  std::string link = "/proc/self/fd/" + std::to_string(directory.get());
  return sys::readlink_at(sys::cwd(), link.c_str());
}

// What fusermount3 has no word for is what it does anyway (nosuid, nodev), or means nothing:
// reading changes no access time.
constexpr auto flag_words =
    std::to_array<std::pair<unsigned long, const char*>>({{MS_RDONLY, "ro"},
                                                          {MS_NOEXEC, "noexec"},
                                                          {MS_NOATIME, "noatime"},
                                                          {MS_NODIRATIME, "nodiratime"},
                                                          {MS_SYNCHRONOUS, "sync"},
                                                          {MS_DIRSYNC, "dirsync"}});

std::string fusermount_options(const MountOptions& options) {
  std::string text = "subtype=lyr,fsname=";
  for (char c : options.source)
    text += c == ',' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  text += ",default_permissions";
  // Users may have it where /etc/fuse.conf says so: it is not asked for unless somebody wants it.
  if (options.allow_other) text += ",allow_other";
  for (auto [flag, word] : flag_words) {
    if ((options.flags & flag) != 0) text += std::string(",") + word;
  }
  for (const std::string& option : options.kernel) text += "," + option;
  return text;
}

// For who is not permitted to mount.
Result<Fd> mount_for_user(const MountOptions& options, const std::string& target) {
  auto device = mount_by_fusermount(fusermount_options(options), target);
  if (device) return device;
  if (device.error().code == ENOENT)
    return fail_saying(EPERM, target +
                                  ": not permitted to mount, and fusermount3 (package fuse3), "
                                  "which could, is missing or not for this user to run; or be "
                                  "root, or root of a user namespace: unshare --user "
                                  "--map-root-user --mount");
  return fail_saying(device.error().code,
                     target + ": not permitted to mount; " + describe(device.error()));
}

Result<Fd> mount_device(const MountOptions& options, const std::string& target) {
  auto device = sys::open("/dev/fuse", O_RDWR);
  if (!device)
    return fail_saying(device.error().code, "/dev/fuse: " + describe(device.error()) +
                                                " (load the fuse module, or let the user have it)");
  std::string data = "fd=" + std::to_string(device->get()) +
                     ",rootmode=40000,user_id=" + std::to_string(::geteuid()) +
                     ",group_id=" + std::to_string(::getegid()) +
                     ",allow_other,default_permissions";
  for (const std::string& option : options.kernel) data += "," + option;
  auto mounted =
      sys::mount(options.source.c_str(), target.c_str(), "fuse.lyr", options.flags, data.c_str());
  // Root that may not mount has had that right taken away: a program in PATH is not to have it.
  if (!mounted && mounted.error().code == EPERM && ::geteuid() != 0)
    return mount_for_user(options, target);
  if (!mounted && mounted.error().code == EPERM)
    return fail_saying(EPERM, target +
                                  ": not permitted to mount (be root with CAP_SYS_ADMIN, or root "
                                  "of a user namespace: unshare --user --map-root-user --mount)");
  if (!mounted) return about(Result<Fd>(std::unexpected(std::move(mounted).error())), target);
  return std::move(*device);
}

// N of /dev/fd/N: the target is a descriptor of ours then, as with libfuse.
std::optional<int> handed_over(std::string_view target) {
  constexpr std::string_view directory = "/dev/fd/";
  if (!target.starts_with(directory)) return std::nullopt;
  std::string_view digits = target.substr(directory.size());
  int number = -1;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && number >= 0 ? std::optional(number) : std::nullopt;
}

// /dev/fuse, which who started us has opened and mounted. To be called before anything is opened,
// which could get that number.
Result<Fd> take_device(int number) {
  auto refuse = [&](int code, const char* why) {
    return fail_saying(code, "/dev/fd/" + std::to_string(number) + why +
                                 " (it is to be /dev/fuse, opened and mounted by who starts lyr)");
  };
  Fd given(number);
  auto copy = sys::dup(given, 3);
  static_cast<void>(given.release());  // it stays until all is well: it may be where errors go
  if (!copy) return refuse(EBADF, ": no such descriptor is open");
  Fd device = std::move(*copy);
  auto status = TRY(sys::stat(device));
  if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(fuse_major, fuse_minor))
    return refuse(ENODEV, " is not /dev/fuse");
  std::array<struct pollfd, 1> waiting{{{device.get(), POLLIN, 0}}};
  TRY(sys::poll(waiting, 0));
  if ((waiting[0].revents & POLLERR) != 0) return refuse(ENOTCONN, " is not mounted");
  // Below 3 what is opened next would become somebody's standard output.
  if (number >= 3) Fd(number).reset();
  return device;
}

// No path: somebody else mounted it, and unmounts.
void unmount_ours(const std::string& target) {
  if (!target.empty()) static_cast<void>(unmount(target, true));
}

// While it lives, a signal to end unmounts; what is not ours just ends. Made before other threads,
// for them to leave the signals to it.
class EndOnSignal {
 public:
  static Result<EndOnSignal> make(const std::string& target) {
    Fd signals = TRY(sys::signal_fd(ending_signals));
    auto stop = TRY(sys::pipe());
    std::thread thread(watch, std::move(signals), std::move(stop.read), target);
    return EndOnSignal(std::move(stop.write), std::move(thread));
  }
  EndOnSignal(EndOnSignal&&) = default;
  EndOnSignal& operator=(EndOnSignal&&) = delete;
  ~EndOnSignal() {
    stop_.reset();
    if (thread_.joinable()) thread_.join();
  }

 private:
  EndOnSignal(Fd stop, std::thread thread) : stop_(std::move(stop)), thread_(std::move(thread)) {}
  static void watch(Fd signals, Fd stop, const std::string& target) {
    std::array<struct pollfd, 2> waiting{
        {{signals.get(), POLLIN, 0}, {stop.get(), POLLIN | POLLHUP, 0}}};
    for (;;) {
      auto ready = sys::poll(waiting, -1);
      if (!ready || waiting[1].revents != 0) return;
      auto signal = sys::next_signal(signals);
      // What still uses the mount goes on; the server ends with the last of it.
      if (!signal || !*signal) continue;
      if (target.empty()) ::_exit(0);
      unmount_ours(target);
    }
  }
  Fd stop_;
  std::thread thread_;
};

Result<> serve(Fd device, Service service, const std::string& target) {
  static_cast<void>(sys::prctl(PR_SET_NAME, reinterpret_cast<unsigned long>("lyr-union")));
  auto end_on_signal = TRY(EndOnSignal::make(target));
  if (service.is_volatile) TRY(mark_volatile(service.work));
  auto served = unionfs::serve(std::move(device), std::move(service.options));
  // Who comes so far has written all that the kernel gave him.
  if (service.is_volatile) TRY(unmark_volatile(service.work));
  return served;
}

// The server's process: nothing of who started it is kept from ending.
int serve_alone(Fd device, Service service, const std::string& target, Fd tells) {
  static_cast<void>(sys::new_session_id());
  static_cast<void>(sys::chdir("/"));
  auto null = sys::open("/dev/null", O_RDWR);
  for (int number = 0; null && number <= 2; ++number) static_cast<void>(sys::dup_to(*null, number));
  if (target.empty())
    service.options.ready = [&] { static_cast<void>(sys::write_all(tells, is_ready)); };
  auto served = serve(std::move(device), std::move(service), target);
  if (served) return 0;
  static_cast<void>(sys::write_all(tells, describe(served.error())));
  return 1;
}

std::string read_all(const Fd& pipe) {
  std::array<std::byte, complaint_bytes_max> text;
  auto got = sys::read(pipe, text);
  return got ? std::string(reinterpret_cast<const char*>(text.data()), *got) : std::string();
}

// Waits for a server that was just started. `at`: where its mount is, whose root it is asked for;
// of one that is not ours, whose path nobody knows, it says itself that it serves.
Result<> await_server(const Fd& hears, const std::string& at, const std::string& target) {
  Result<> stands;
  if (!at.empty()) {
    auto root = sys::stat_at(sys::cwd(), at.c_str());
    if (root) return {};
    stands = about(Result<>(std::unexpected(std::move(root).error())), target);
  }
  std::string told = read_all(hears);
  if (told == is_ready) return {};
  unmount_ours(at);
  if (!told.empty()) return fail_saying(EIO, target + ": " + told);
  return stands ? fail_saying(EIO, target + ": the server was killed") : std::move(stands);
}

}  // namespace

Result<> mount_union(const MountOptions& options, const std::string& target, bool foreground) {
  Fd device;
  std::string at;
  auto handed = handed_over(target);
  if (handed) {
    device = TRY(take_device(*handed));
  } else {
    at = TRY(path_from_root(target));
  }
  auto service = TRY(prepare(options));
  // Its mount may be one to be written to: then opening says that there is no upper.
  if (handed && options.upper.empty()) service.options.privileged = false;
  if (!handed) device = TRY(mount_device(options, at));
  if (foreground) {
    auto ended = serve(std::move(device), std::move(service), at);
    if (!ended) unmount_ours(at);
    return ended;
  }
  auto told = TRY(sys::pipe());
  auto child = TRY(sys::clone_process());
  if (child.pid == 0) {
    told.read.reset();
    ::_exit(serve_alone(std::move(device), std::move(service), at, std::move(told.write)));
  }
  // The server alone holds these now: when it ends, so does the connection.
  device.reset();
  told.write.reset();
  service = Service();
  return await_server(told.read, at, target);
}

}  // namespace lyr::tools
