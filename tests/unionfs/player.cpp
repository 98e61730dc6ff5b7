// SPDX-License-Identifier: Apache-2.0
#include "tests/unionfs/player.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unionfs/snapshot.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

// What one operation did, as text: equal texts, equal behaviour.
std::string outcome(long result) {
  return result >= 0 ? "ok " + std::to_string(result) : "errno " + std::to_string(errno);
}

// A path that may or may not be there: a small set of names makes collisions likely.
std::string pick(uint64_t number) {
  static const std::array directories{"",    "/d0", "/d0/d1",    "/d0/d1/d2", "/d3",
                                      "/n0", "/n1", "/d3/empty", "/n0/n1"};
  static const std::array names{"f0", "f1",  "f2",    "f3",   "f4", "f5", "f6", "f7", "f8",
                                "f9", "f10", "f11",   "h0",   "h1", "h2", "s0", "s1", "n0",
                                "n1", "n2",  "large", "fifo", "d0", "d1", "d2", "d3", "empty"};
  return std::string(directories[number % directories.size()]) + "/" +
         names[number / 64 % names.size()];
}

std::string with_file(const std::string& path, int flags, auto body) {
  int fd = open(path.c_str(), flags | O_NONBLOCK | O_NOFOLLOW, 0644);
  if (fd < 0) return outcome(-1);
  std::string text = body(fd);
  close(fd);
  return text;
}

bool is_link(const std::string& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

std::string read_at(int fd, off_t offset) {
  std::string buffer(6000, '\0');
  ssize_t got = pread(fd, buffer.data(), buffer.size(), offset);
  if (got < 0) return outcome(got);
  buffer.resize(static_cast<size_t>(got));
  return "read " + std::to_string(std::hash<std::string>()(buffer));
}

// What a hole is, of zeros that were allocated, hangs on what the host's file system has cached
// and in what steps it was written (fs/iomap/seek.c). So not where the seek goes is compared, but
// whether it may go there: no byte may lie in a hole.
std::string seek(int fd, off_t offset, off_t size, int whence) {
  off_t found = lseek(fd, offset, whence);
  if (offset >= size || (found < 0 && errno != ENXIO)) return outcome(found);
  if (found < 0 && whence == SEEK_HOLE) return "no hole before the end";
  if (found > size || (found >= 0 && found < offset)) return "out of range";
  off_t begin = whence == SEEK_DATA ? offset : found;
  off_t end = whence == SEEK_DATA ? found : lseek(fd, found, SEEK_DATA);
  if (whence == SEEK_HOLE && found < size && end == found) return "data where a hole begins";
  std::string hole(static_cast<size_t>((end < 0 ? size : end) - begin), 'x');
  if (pread(fd, hole.data(), hole.size(), begin) != static_cast<ssize_t>(hole.size()))
    return "cut short";
  return hole.find_first_not_of('\0') == std::string::npos ? "sought" : "bytes in a hole";
}

std::string map_write(int fd, uint64_t c) {
  struct stat status{};
  fstat(fd, &status);
  if (!S_ISREG(status.st_mode) || status.st_size < 4096) return "too small";
  void* at = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return outcome(-1);
  static_cast<char*>(at)[c % 4096] = static_cast<char>('A' + c % 26);
  std::string result = outcome(msync(at, 4096, MS_SYNC));
  munmap(at, 4096);
  return result;
}

std::string times(const std::string& path, uint64_t c) {
  struct timespec stamps[2] = {{static_cast<time_t>(c % 100000), 5},
                               {static_cast<time_t>(c % 99999), 7}};
  if (utimensat(AT_FDCWD, path.c_str(), stamps, AT_SYMLINK_NOFOLLOW) != 0) return outcome(-1);
  struct stat status{};
  lstat(path.c_str(), &status);
  return std::to_string(status.st_mtim.tv_sec) + "." + std::to_string(status.st_mtim.tv_nsec);
}

std::string xattr(const std::string& path, uint64_t c) {
  // Of a link's, a pipe's and a device's none may start with "user.".
  constexpr const char* names[] = {"user.color", "user.shape", "trusted.color", "trusted.shape"};
  std::string name = names[c / 8 % 4];
  std::string value = pattern(c, c % 40);
  if (c % 3 == 0) return outcome(lremovexattr(path.c_str(), name.c_str()));
  return outcome(lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0));
}

ssize_t copy_some(int from, off_t& in, int to, off_t& out, size_t length) {
  ssize_t done = copy_file_range(from, &in, to, &out, length, 0);
  if (done >= 0 || errno != EXDEV) return done;
  std::string bytes(length, '\0');
  done = pread(from, bytes.data(), length, in);
  if (done > 0) done = pwrite(to, bytes.data(), static_cast<size_t>(done), out);
  in += std::max<off_t>(done, 0);
  out += std::max<off_t>(done, 0);
  return done;
}

std::string copy(const std::string& one, const std::string& two, off_t offset) {
  int from = open(one.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  if (from < 0) return outcome(-1);
  int to = open(two.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
  struct stat a{}, b{};
  fstat(from, &a);
  std::string result = to < 0 ? outcome(-1) : "same";
  if (to >= 0 && fstat(to, &b) == 0 && a.st_ino != b.st_ino && S_ISREG(a.st_mode) &&
      S_ISREG(b.st_mode)) {
    off_t out = offset / 2;
    off_t in = offset;
    // The kernel may copy less than asked, and overlayfs nothing from one of its file systems to
    // the other: what is copied in all is what counts.
    long total = 0;
    ssize_t done = 0;
    while (total < 3000 &&
           (done = copy_some(from, in, to, out, static_cast<size_t>(3000 - total))) > 0)
      total += done;
    result = done < 0 ? outcome(done) : outcome(total);
  }
  if (to >= 0) close(to);
  close(from);
  return result;
}

}  // namespace

std::string pattern(uint64_t seed, size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>('a' + (seed * 31 + i * 7 + i / 97) % 26);
  return text;
}

int operations_of_run(int usual) {
  const char* text = getenv("LYR_OPERATIONS");
  return text == nullptr ? usual : std::atoi(text);
}

void plant(const std::string& root, bool links) {
  fs::create_directories(root + "/d0/d1/d2");
  fs::create_directories(root + "/d3/empty");
  for (int i = 0; i < 12; ++i) {
    std::string directory =
        std::array{"", "/d0", "/d0/d1", "/d0/d1/d2", "/d3"}[static_cast<size_t>(i) % 5];
    write_file(root + directory + "/f" + std::to_string(i),
               pattern(static_cast<uint64_t>(i), static_cast<size_t>(i * 1700)));
  }
  write_file(root + "/large", pattern(99, 700000));
  fs::create_symlink("f0", root + "/s0");
  fs::create_symlink("../d0", root + "/d3/s1");
  if (links) {
    fs::create_hard_link(root + "/f0", root + "/h0");
    fs::create_hard_link(root + "/d0/f1", root + "/d3/h1");
    fs::create_hard_link(root + "/d0/f1", root + "/d0/d1/h2");
  }
  mkfifo((root + "/fifo").c_str(), 0644);
  chmod((root + "/f5").c_str(), 0751);
  chown((root + "/d0/f6").c_str(), 12, 34);
  setxattr((root + "/f0").c_str(), "user.color", "blue", 4, 0);
}

Player::Player(std::string left, std::string right, uint64_t seed)
    : roots_{std::move(left), std::move(right)}, random_(seed) {}

void Player::close_all() {
  for (auto& files : open_) {
    for (int fd : files) close(fd);
    files.clear();
  }
}

std::string Player::step(std::string& left, std::string& right) {
  std::string what;
  uint64_t kind = random_() % 24;
  uint64_t a = random_(), b = random_(), c = random_();
  std::string first = pick(a), second = pick(b);
  left = play(0, kind, first, second, c, what);
  right = play(1, kind, first, second, c, what);
  return what;
}

std::string Player::play(size_t side, uint64_t kind, const std::string& first,
                         const std::string& second, uint64_t c, std::string& what) {
  return kind <= 6 || kind >= 21 ? play_content(side, kind, first, second, c, what)
                                 : play_names(side, kind, first, second, c, what);
}

std::string Player::play_content(size_t side, uint64_t kind, const std::string& first,
                                 const std::string& second, uint64_t c, std::string& what) {
  std::string one = roots_[side] + first, two = roots_[side] + second;
  const char* p = one.c_str();
  std::string data = pattern(c, c % 9000);
  auto offset = static_cast<off_t>(c / 7 % 20000);
  auto name = [&](const char* text) {
    what = std::string(text) + " " + first + " " + second + " " + std::to_string(c);
  };
  switch (kind) {
    case 0:
    case 1:
      name("write");
      return with_file(one, O_WRONLY | O_CREAT, [&](int fd) {
        return outcome(pwrite(fd, data.data(), data.size(), offset));
      });
    case 2:
      name("append");
      return with_file(one, O_WRONLY | O_APPEND,
                       [&](int fd) { return outcome(write(fd, data.data(), data.size())); });
    case 3:
      name("rewrite");
      return with_file(one, O_WRONLY | O_CREAT | O_TRUNC,
                       [&](int fd) { return outcome(write(fd, data.data(), data.size())); });
    case 4:
      name("truncate");
      return outcome(truncate(p, offset));
    case 5:
      name("mmap write");
      return with_file(one, O_RDWR, [&](int fd) { return map_write(fd, c); });
    case 6:
      name("read");
      return with_file(one, O_RDONLY, [&](int fd) {
        struct stat status{};
        fstat(fd, &status);
        std::string said = read_at(fd, offset);
        if (!S_ISREG(status.st_mode)) return said;
        return said + " " + seek(fd, offset, status.st_size, c % 2 == 0 ? SEEK_DATA : SEEK_HOLE);
      });
    case 21:
      name("fallocate");
      return with_file(one, O_RDWR, [&](int fd) {
        int mode = c % 2 == 0 ? 0 : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        return outcome(fallocate(fd, mode, offset, 5000));
      });
    case 22:
      name("copy range");
      return copy(one, two, offset);
    default:
      name("hold open");
      return hold_open(side, one, c);
  }
}

std::string Player::rename(size_t side, const std::string& first, const std::string& second,
                           unsigned flags) const {
  std::string from = roots_[side] + first, to = roots_[side] + second;
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0) return outcome(0);
  // A directory that is not empty is in the way by either error, says POSIX. XFS takes EEXIST.
  if (errno == EEXIST && flags == 0) errno = ENOTEMPTY;
  return outcome(-1);
}

std::string Player::play_names(size_t side, uint64_t kind, const std::string& first,
                               const std::string& second, uint64_t c, std::string& what) {
  std::string one = roots_[side] + first, two = roots_[side] + second;
  const char* p = one.c_str();
  auto name = [&](const char* text) {
    what = std::string(text) + " " + first + " " + second + " " + std::to_string(c);
  };
  switch (kind) {
    case 7:
      name("rename");
      return rename(side, first, second, 0);
    case 8:
      name("rename noreplace");
      return rename(side, first, second, RENAME_NOREPLACE);
    case 9:
      name("rename exchange");
      return rename(side, first, second, RENAME_EXCHANGE);
    case 10:
    case 11:
      name("unlink");
      return outcome(unlink(p));
    case 12:
      name("rmdir");
      return outcome(rmdir(p));
    case 13:
      name("mkdir");
      return outcome(mkdir(p, 0711));
    case 14:
      name("link");
      return outcome(linkat(AT_FDCWD, p, AT_FDCWD, two.c_str(), 0));
    case 15:
      name("symlink");
      return outcome(symlink(second.c_str(), p));
    case 16:
      name("mkfifo");
      return outcome(mkfifo(p, 0640));
    case 17:
      name("chmod");
      return is_link(one) ? "a link" : outcome(chmod(p, c % 2 == 0 ? 0600 : 0755));
    case 18:
      name("chown");
      return outcome(lchown(p, static_cast<uid_t>(c % 3 * 11), static_cast<gid_t>(c % 5)));
    case 19:
      name("utimens");
      return times(one, c);
    default:
      name("xattr");
      return xattr(one, c);
  }
}

// Opens and unlinks; what is open goes on being used.
std::string Player::hold_open(size_t side, const std::string& path, uint64_t c) {
  auto& files = open_[side];
  if (c % 3 != 0 && !files.empty()) {
    int fd = files[c % files.size()];
    std::string text = pattern(c, 100);
    std::string result =
        outcome(pwrite(fd, text.data(), text.size(), static_cast<off_t>(c % 5000)));
    return result + read_at(fd, static_cast<off_t>(c % 3000));
  }
  int fd = open(path.c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW);
  if (fd < 0) return outcome(-1);
  struct stat status{};
  fstat(fd, &status);
  if (!S_ISREG(status.st_mode) || files.size() > 20) {
    close(fd);
    return "not held";
  }
  files.push_back(fd);
  return outcome(unlink(path.c_str()));
}

}  // namespace lyr::unionfs
