// SPDX-License-Identifier: Apache-2.0
// A union beside a plain directory, with what tests of open files need: more files, a program, and
// other processes.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>

#include "base/fd.h"
#include "base/sys_event.h"
#include "tests/unionfs/semantics.h"

namespace lyr::unionfs {

class Descriptors : public Semantics {
 protected:
  static constexpr int images_names = 200;

  Descriptors() : Semantics(add) {}

  static void add(const std::string& plain) {
    std::filesystem::create_directory(plain + "/many");
    for (int i = 0; i < images_names; ++i) write_file(name_in(plain, i), "image's");
    write_file(plain + "/cat", read_whole("/usr/bin/cat"));
    std::filesystem::permissions(plain + "/cat", std::filesystem::perms(0755));
  }
  static std::string name_in(const std::string& root, int i) {
    return root + "/many/image" + std::to_string(i);
  }

  static Fd opened(const std::string& path, int flags) {
    Fd file(open(path.c_str(), flags | O_CLOEXEC, 0644));
    EXPECT_TRUE(file.valid()) << path << ": " << strerrorname_np(errno);
    return file;
  }
  static std::string named(long result) {
    return (result >= 0 ? std::to_string(result) : strerrorname_np(errno)) + std::string(" ");
  }
  static std::string got(const Fd& file, size_t size, off_t offset) {
    std::string text(size, '\0');
    ssize_t length = pread(file.get(), text.data(), size, offset);
    if (length < 0) return strerrorname_np(errno);
    text.resize(static_cast<size_t>(length));
    return text;
  }
  static std::string all_of(const Fd& pipe) {
    std::string text;
    char piece[512];
    for (ssize_t length; (length = read(pipe.get(), piece, sizeof piece)) > 0;)
      text.append(piece, static_cast<size_t>(length));
    return text;
  }
  static void await_end(pid_t child) {
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  // What `act` says in a process of its own.
  static std::string in_child(const std::function<std::string()>& act) {
    auto said = sys::pipe();
    pid_t child = fork();
    if (child == 0) {
      std::string text = act();
      ssize_t written = write(said->write.get(), text.data(), text.size());
      _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
    }
    said->write.reset();
    std::string text = all_of(said->read);
    await_end(child);
    return text;
  }
};

}  // namespace lyr::unionfs
