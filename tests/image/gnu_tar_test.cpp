// SPDX-License-Identifier: Apache-2.0
// What GNU tar unpacks into a directory is the tree that lyr makes of the same tar: type, mode,
// owner, time, size, content, target, names of one inode, extended attributes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/sys_process.h"
#include "fuzz/stored_layer.h"
#include "tests/image/directory_lines.h"

namespace lyr::image {
namespace {

namespace fs = std::filesystem;

// The exit code of a program, whose output goes nowhere.
int run(std::vector<std::string> arguments) {
  auto child = sys::spawn([&] {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    static_cast<void>(::freopen("/dev/null", "w", stdout));
    static_cast<void>(::freopen("/dev/null", "w", stderr));
    ::execvp(argv[0], argv.data());
    return 127;
  });
  auto ending = child ? sys::wait_pidfd(child->pidfd) : fail(ECHILD, "spawn");
  return ending && *ending ? (*ending)->shell_code() : 127;
}

std::string content_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Of a line in the form of fuzz/layer_model.h: "/PATH TYPE MODE OWNER TIME ...".
struct Parts {
  Parts(const std::string& path, const std::string& line) {
    std::istringstream in(line.substr(path.size() + 1));
    in >> type >> mode >> owner >> time;
    more.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::string rest() const { return mode + " " + owner + " " + time + more; }

  char type = 0;
  std::string mode, owner, time, more;
};

class GnuTarTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string odd = scratch_.path() + "/tars";
    fs::create_directories(odd);
    ASSERT_EQ(run({LYR_ODD_TARS, odd}), 0);
    for (const char* directory : {LYR_TAR_SEEDS, odd.c_str()}) {
      for (const auto& item : fs::directory_iterator(directory)) tars_.push_back(item.path());
    }
    std::ranges::sort(tars_);
  }

  bool unpack(const fs::path& tar, const char* how) {
    fs::remove_all(unpacked_);
    fs::create_directories(unpacked_);
    started_ = ::time(nullptr);
    return run({"tar", "-C", unpacked_, "--xattrs", "--xattrs-include=*", "--numeric-owner",
                "--same-owner", "-p", "--delay-directory-restore", how, "-xf", tar}) == 0;
  }
  // False: GNU tar does not take it, or warns of something in it.
  bool unpack(const fs::path& tar) {
    return unpack(tar, "--overwrite-dir") ||
           unpack(tar, "--recursive-unlink");  // the name of a directory with things in it
  }

  // What is to be equal of the lines of `path`. A symlink's mode is always the same on Linux, which
  // lyr's view sees to. Of a directory that no entry names, each may say what it likes; and GNU tar
  // changes one's time when it puts a link there that leads out, which it does at the end.
  void make_alike(const std::string& path, std::string& ours, std::string& theirs) const {
    if (!theirs.starts_with("/" + path + " ")) return;
    Parts our(path, ours);
    Parts their(path, theirs);
    if (our.type != their.type) return;
    if (our.type == 'l') our.mode = their.mode;
    bool implied = our.type == 'd' && our.rest() == "493 0:0 0.0 0,0 0 ";
    if (our.type == 'd' && std::stoll(their.time) >= started_) their.time = our.time;
    ours = our.rest();
    theirs = implied ? ours : their.rest();
  }

  // What is different, a line each; empty: nothing.
  std::string compare(const std::map<std::string, std::string>& ours) const {
    std::string text;
    auto theirs = lines_of_directory(unpacked_);
    for (auto [path, line] : ours) {
      std::string other = theirs.contains(path) ? theirs[path] : "(nothing)";
      theirs.erase(path);
      make_alike(path, line, other);
      if (line != other) text += path + ": lyr:     " + line + "\nGNU tar: " + other + "\n";
    }
    for (const auto& [path, line] : theirs) text += "only GNU tar: " + line + "\n";
    return text;
  }

  fuzz::ScratchStore store_;
  fuzz::ScratchDirectory scratch_;
  std::string unpacked_ = scratch_.path() + "/unpacked";
  std::vector<fs::path> tars_;
  int64_t started_ = 0;
};

// Taken by both, and not the same: GNU tar begins each segment of a sparse file at a block of its
// own, and forgets a hole at the end that the map does not tell. No writer makes such maps. lyr,
// libarchive and docker read the segments end to end, and go by the size.
const std::set<std::string> otherwise = {
    "sparse-form-0.0",           "sparse-form-0.1", "sparse-form-1.0",
    "sparse-form-1.0-empty-map", "sparse-old-form",
};

// What lyr refuses of what GNU tar takes: where other tools read another thing, or damage.
const std::set<std::string> refused_by_lyr = {
    "global",
    "global-path",
    "hard-link-through-link",
    "header-cut",
    "id-minus-one",
    "long-name-twice",
    "pax-at-the-end",
    "pax-names-differ",
    "pax-of-pax",
    "pax-twice",
    "size-differs",
    "size-of-header-only",
    "size-on-directory",
    "solaris-header",
    "sparse-star-real-size",
    "sparse-too-few-segments",
    "two-sizes",
    "zero-blocks-between",
    "zero-then-entry",
};

TEST_F(GnuTarTest, UnpacksWhatLyrShows) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: GNU tar is to give files to their owners";
  std::set<std::string> refused;
  std::set<std::string> differ;
  size_t same = 0;
  for (const fs::path& path : tars_) {
    std::string tar = content_of(path);
    // GNU tar makes files of whiteouts, and does not know libarchive's own form of xattrs.
    bool others_only =
        tar.find(".wh.") != std::string::npos || tar.find("LIBARCHIVE.xattr") != std::string::npos;
    if (others_only) continue;
    if (!unpack(path)) {
      EXPECT_EQ(path.string().find(scratch_.path()), std::string::npos) << path;
      continue;
    }
    auto layer = fuzz::through_store(store_.store(), std::as_bytes(std::span(tar)));
    if (!layer) {
      refused.insert(path.filename());
      continue;
    }
    std::string difference = compare(layer->lines);
    if (!difference.empty()) differ.insert(path.filename());
    EXPECT_TRUE(difference.empty() || otherwise.contains(path.filename())) << path << ":\n"
                                                                           << difference;
    if (difference.empty()) ++same;
  }
  EXPECT_GE(same, 70u);
  EXPECT_EQ(differ, otherwise);
  EXPECT_EQ(refused, refused_by_lyr);
}

}  // namespace
}  // namespace lyr::image
