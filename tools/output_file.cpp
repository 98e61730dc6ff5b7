// SPDX-License-Identifier: Apache-2.0
#include "tools/output_file.h"

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_random.h"

namespace lyr::tools {
namespace {

constexpr mode_t new_file_mode = 0666;  // less the umask
constexpr uint64_t flush_step_bytes = 8 << 20;

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Where a file really is: the link that leads to it stays.
Result<std::string> real_path(const std::string& path) {
  Fd file = TRY(about(sys::open(path.c_str(), O_PATH), path));
  return sys::readlink_at(sys::cwd(), ("/proc/self/fd/" + std::to_string(file.get())).c_str());
}

}  // namespace

OutputFile::~OutputFile() {
  if (temporary_.empty() || !directory_.valid()) return;
  static_cast<void>(sys::unlink_at(directory_, temporary_.c_str()));
}

Result<OutputFile> OutputFile::open_stream(Fd file, std::string name) {
  OutputFile output;
  output.name_ = std::move(name);
  if (sys::is_terminal(file)) {
    return fail_saying(EINVAL, "a terminal is no place for an archive: say -o FILE, or redirect");
  }
  auto status = TRY(sys::stat(file));
  output.regular_ = S_ISREG(status.st_mode);
  output.file_ = std::move(file);
  return output;
}

Result<OutputFile> OutputFile::open(const std::string& path) {
  auto standard = TRY(sys::stat(sys::standard_output()));
  auto status = sys::stat_at(sys::cwd(), path.c_str(), 0);
  // /dev/stdout, too: a file that is there already has a place to go on from.
  bool to_standard = path.empty() || path == "-" || (status && same_file(*status, standard));
  if (to_standard) {
    Fd file = TRY(sys::dup(sys::standard_output()));
    return open_stream(std::move(file), "standard output");
  }
  if (status && S_ISDIR(status->st_mode)) return fail_saying(EISDIR, path + " is a directory");
  if (status && !S_ISREG(status->st_mode)) {
    Fd file = TRY(about(sys::open(path.c_str(), O_WRONLY), path));
    return open_stream(std::move(file), path);
  }
  OutputFile output;
  output.name_ = path;
  output.regular_ = true;
  TRY(about(output.open_beside(path), path));
  return output;
}

Result<> OutputFile::open_beside(const std::string& path) {
  auto status = sys::stat_at(sys::cwd(), path.c_str(), 0);
  std::string target = path;
  if (status) {
    if (!sys::is_writable(path.c_str())) return fail(EACCES, "open");
    target = TRY(real_path(path));
  } else if (status.error().code != ENOENT || TRY(sys::exists_at(sys::cwd(), path.c_str()))) {
    return Failure(std::move(status).error());  // ENOENT: a link that leads nowhere
  }
  size_t slash = target.rfind('/');
  base_ = target.substr(slash + 1);  // npos + 1: all of it
  std::string parent = slash == std::string::npos ? "." : target.substr(0, slash + 1);
  directory_ = TRY(sys::open(parent.c_str(), O_RDONLY | O_DIRECTORY));
  auto unnamed = sys::open_unnamed(directory_, O_WRONLY, new_file_mode);
  if (!unnamed && unnamed.error().code == EOPNOTSUPP) {
    uint64_t number = TRY(sys::random_u64());
    std::string name = ".lyr-new." + std::to_string(number);
    unnamed = sys::open_at(directory_, name.c_str(), O_WRONLY | O_CREAT | O_EXCL, new_file_mode);
    if (unnamed) temporary_ = name;
  }
  file_ = TRY(std::move(unnamed));
  if (status) TRY(sys::chmod(file_, status->st_mode & 0777));
  return {};
}

Result<> OutputFile::write(std::span<const std::byte> data) {
  auto done = sys::write_all(file_, data);
  if (!done && done.error().code == EPIPE) {
    return fail_saying(EPIPE, name_ + " was closed before the archive was whole");
  }
  TRY(about(std::move(done), name_));
  written_ += data.size();
  if (directory_.valid() && written_ - flushed_ >= flush_step_bytes) {
    // Only so that commit() has less to wait for.
    static_cast<void>(sys::start_writeback(file_, flushed_, written_ - flushed_));
    flushed_ = written_;
  }
  return {};
}

Result<> OutputFile::commit() {
  if (regular_) TRY(about(sys::fsync(file_), name_));
  return directory_.valid() ? about(commit_named(), name_) : Result<>();
}

Result<> OutputFile::commit_named() {
  if (temporary_.empty()) {
    TRY(sys::link_over(file_, directory_, base_.c_str()));
  } else {
    TRY(sys::rename_at(directory_, temporary_.c_str(), directory_, base_.c_str()));
    temporary_.clear();
  }
  return sys::fsync(directory_);
}

}  // namespace lyr::tools
