// SPDX-License-Identifier: Apache-2.0
// A directory of a test's own, taken away with all that is in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/sys_file.h"

namespace lyr::engine {

class Scratch {
 public:
  Scratch() {
    path_ = std::filesystem::temp_directory_path() / "lyr-engine-XXXXXX";
    CHECK(::mkdtemp(path_.data()) != nullptr);
    directory_ = open(".");
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { static_cast<void>(sys::remove_all_at(sys::cwd(), path_.c_str())); }

  const std::string& path() const { return path_; }
  const Fd& directory() const { return directory_; }

  // A directory below, made when it is missing.
  Fd open(const std::string& below) const {
    std::string whole = path_ + "/" + below;
    CHECK(sys::mkdir_all_at(sys::cwd(), whole, 0755).has_value());
    auto opened = sys::open(whole.c_str(), O_RDONLY | O_DIRECTORY);
    CHECK(opened.has_value());
    return std::move(*opened);
  }
  void write(const char* name, std::string_view text) const {
    CHECK(sys::replace_file_at(directory_, name, text, 0644).has_value());
  }
  std::string read(const char* name) const {
    auto text = sys::read_file_at(directory_, name);
    return text ? *text : "cannot be read: " + describe(text.error());
  }
  // An unnamed file of these bytes, to be read from its start.
  Fd stream(std::string_view bytes) const {
    auto file = sys::open_unnamed(directory_, O_RDWR, 0600);
    CHECK(file.has_value() && sys::write_all(*file, bytes).has_value());
    CHECK(sys::seek(*file, 0, SEEK_SET).has_value());
    return std::move(*file);
  }

 private:
  std::string path_;
  Fd directory_;
};

}  // namespace lyr::engine
