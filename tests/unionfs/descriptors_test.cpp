// SPDX-License-Identifier: Apache-2.0
// What open files are to each other, as a plain directory has it: direct transfers, mappings and
// descriptors from before a copy-up, places in a directory, programs that are executed, files
// without a name.
#include "tests/unionfs/descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/sys_event.h"

namespace lyr::unionfs {
namespace {

namespace fs = std::filesystem;

// Memory as direct transfers want it.
class Pages {
 public:
  explicit Pages(size_t bytes)
      : memory_(static_cast<char*>(std::aligned_alloc(4096, bytes)), std::free) {}
  char* data() const { return memory_.get(); }

 private:
  std::unique_ptr<char, void (*)(void*)> memory_;
};

TEST_P(Descriptors, DirectAndBufferedTransfersSeeEachOther) {
  constexpr size_t all = 64 << 10;
  compare([](const std::string& root) {
    std::string said;
    for (const char* name : {"/large", "/new"}) {
      Fd direct = opened(root + name, O_RDWR | O_CREAT | O_DIRECT);
      Fd buffered = opened(root + name, O_RDWR);
      Pages pages(all);
      auto read_direct = [&](off_t at) {
        ssize_t length = pread(direct.get(), pages.data(), all, at);
        std::string text(pages.data(), static_cast<size_t>(std::max<ssize_t>(length, 0)));
        EXPECT_EQ(text, got(buffered, all, at)) << name << " at " << at;
        said += named(length) + std::to_string(std::hash<std::string>()(text)) + "\n";
      };
      read_direct(8192);
      std::string text(100000, 'b');
      said += named(pwrite(buffered.get(), text.data(), text.size(), 5000));
      read_direct(4096);
      void* mapped = mmap(nullptr, all, PROT_READ, MAP_SHARED, buffered.get(), 0);
      EXPECT_NE(mapped, MAP_FAILED);
      const char* view = static_cast<const char*>(mapped);
      EXPECT_EQ(view[20000], 'b');
      std::fill_n(pages.data(), all, 'd');
      said += named(pwrite(direct.get(), pages.data(), 16384, 12288));
      said += view[12287];
      EXPECT_EQ(view[20000], 'd');
      munmap(mapped, all);
      read_direct(0);
      std::fill_n(pages.data(), all, 'e');
      said += named(pwrite(direct.get(), pages.data(), all, 4 << 20));
      read_direct(4 << 20);
      said += named(ftruncate(buffered.get(), (4 << 20) + 5000));
      read_direct(4 << 20);  // up to the end, which is no block's
      read_direct(8 << 20);  // nothing
      read_direct((4 << 20) - 8192);
    }
    return said;
  });
}

// By FUSE they need no alignment; what the kernel reads and writes of the upper is as there.
TEST_P(Descriptors, UnalignedDirectTransfers) {
  struct Place {
    off_t at;
    size_t length;
    size_t shift;
  };
  constexpr Place places[] = {{100, 4096, 0}, {8192, 1000, 0}, {16384, 4096, 1}, {33, 7, 3}};
  Pages pages(16384);
  auto transfers = [&](const std::string& path, bool writing) {
    std::string said;
    Fd direct = opened(path, O_RDWR | O_DIRECT);
    Fd buffered = opened(path, O_RDONLY);
    for (const Place& place : places) {
      char* memory = pages.data() + place.shift;
      std::string before = got(buffered, place.length, place.at);
      std::fill_n(memory, place.length, '!');
      std::string meant = writing ? std::string(place.length, '!') : before;
      ssize_t done = writing ? pwrite(direct.get(), memory, place.length, place.at)
                             : pread(direct.get(), memory, place.length, place.at);
      said += named(done);
      EXPECT_EQ(got(buffered, place.length, place.at), done < 0 ? before : meant);
      if (done >= 0) {
        EXPECT_EQ(std::string(memory, place.length), meant);
      }
    }
    return said;
  };
  bool upper_by_kernel = GetParam() == Below::overlayfs || GetParam() == Below::passthrough;
  std::string whole = "4096 1000 4096 7 ";
  for (bool writing : {false, true}) {
    SCOPED_TRACE(writing);
    std::string plain = transfers(plain_ + "/large", writing);
    EXPECT_EQ(transfers(at("/large"), writing), upper_by_kernel ? plain : whole);
  }
}

TEST_P(Descriptors, WhatWasOpenedForReadingShowsWhatIsWritten) {
  // There a mapping goes on showing the image's file.
  bool maps_image = GetParam() == Below::overlayfs;
  compare([&](const std::string& root) {
    std::string said;
    for (const char* name : {"/f", "/large"}) {
      Fd reader = opened(root + name, O_RDONLY);
      void* memory = mmap(nullptr, 16384, PROT_READ, MAP_SHARED, reader.get(), 0);
      EXPECT_NE(memory, MAP_FAILED);
      const char* view = static_cast<const char*>(memory);
      std::string before(view, 16384);
      EXPECT_EQ(got(reader, 16384, 0), before);
      Fd writer = opened(root + name, O_RDWR);
      EXPECT_EQ(pwrite(writer.get(), "across pages", 12, 4090), 12);
      std::string after = before;
      after.replace(4090, 12, "across pages");
      EXPECT_EQ(got(reader, 16384, 0), after);
      bool stale = maps_image && root == mounted_->path();
      EXPECT_EQ(std::string(view, 16384), stale ? before : after);

      void* written = mmap(nullptr, 16384, PROT_WRITE | PROT_READ, MAP_SHARED, writer.get(), 0);
      EXPECT_NE(written, MAP_FAILED);
      std::memcpy(static_cast<char*>(written) + 9000, "mapped", 6);
      after.replace(9000, 6, "mapped");
      EXPECT_EQ(got(reader, 16384, 0), after);
      EXPECT_EQ(std::string(view, 16384), stale ? before : after);
      said += named(ftruncate(writer.get(), 10000));
      said += std::to_string(got(reader, 16384, 0).size());
      munmap(written, 16384);
      munmap(memory, 16384);
    }
    return said;
  });
}

// Where places in a directory are the names' own. Overlayfs counts names, and does so anew when
// some came or went.
class UnionDescriptors : public Descriptors {};

// From each place: what stayed and came after it when the places were told, once.
std::string places_that_lead_elsewhere(DIR* directory, const std::vector<std::string>& names,
                                       const std::vector<long>& places,
                                       const std::function<bool(const std::string&)>& stayed) {
  std::string said;
  for (size_t from = 0; from < names.size(); from += 7) {
    seekdir(directory, places[from]);
    std::multiset<std::string> found, meant;
    while (struct dirent* entry = readdir(directory)) {
      if (stayed(entry->d_name)) found.insert(entry->d_name);
    }
    for (size_t i = from; i < names.size(); ++i) {
      if (stayed(names[i])) meant.insert(names[i]);
    }
    if (found != meant) said += names[from] + " ";
  }
  return said;
}

TEST_P(UnionDescriptors, PlacesInADirectoryOutliveOtherNames) {
  compare([](const std::string& root) {
    std::string path = root + "/many";
    for (int i = 0; i < images_names; ++i) write_file(path + "/new" + std::to_string(i), "new");
    DIR* directory = opendir(path.c_str());
    EXPECT_NE(directory, nullptr);
    std::vector<std::string> names;
    std::vector<long> places;
    for (;;) {
      long place = telldir(directory);
      struct dirent* entry = readdir(directory);
      if (entry == nullptr) break;
      names.emplace_back(entry->d_name);
      places.push_back(place);
    }
    EXPECT_EQ(names.size(), 2U * images_names + 2);
    for (int i = 0; i < images_names; i += 3) {
      fs::remove(name_in(root, i));
      fs::remove(path + "/new" + std::to_string(i));
      write_file(path + "/later" + std::to_string(i), "new");
    }
    std::set<std::string> told(names.begin(), names.end());
    auto stayed = [&](const std::string& name) {
      return told.contains(name) && fs::exists(path + "/" + name);
    };
    std::string said = places_that_lead_elsewhere(directory, names, places, stayed);
    rewinddir(directory);
    std::multiset<std::string> now;
    while (struct dirent* entry = readdir(directory)) now.insert(entry->d_name);
    closedir(directory);
    for (const std::string& name : now) said += name + " ";
    EXPECT_TRUE(said.starts_with(". .. ")) << said;
    return said;
  });
}

// For who executes a copy of cat, which goes on until its input ends.
class Executed {
 public:
  explicit Executed(const std::string& path) {
    auto input = sys::pipe(), failed = sys::pipe();
    child_ = fork();
    if (child_ == 0) {
      if (dup2(input->read.get(), STDIN_FILENO) < 0) _exit(1);
      execl(path.c_str(), "cat", nullptr);
      std::string error = strerrorname_np(errno);
      ssize_t told = write(failed->write.get(), error.data(), error.size());
      _exit(told > 0 ? 0 : 1);
    }
    failed->write.reset();
    input_ = std::move(input->write);
    char name[32];
    // Nothing comes once it is executed.
    ssize_t length = read(failed->read.get(), name, sizeof name);
    error_.assign(name, static_cast<size_t>(std::max<ssize_t>(length, 0)));
  }
  Executed(const Executed&) = delete;
  Executed& operator=(const Executed&) = delete;
  ~Executed() {
    input_.reset();
    int status = -1;
    EXPECT_EQ(waitpid(child_, &status, 0), child_);
    EXPECT_EQ(status, 0);
  }
  std::string error() const { return (error_.empty() ? "runs" : error_) + " "; }

 private:
  pid_t child_;
  Fd input_;
  std::string error_;
};

// The memory of a process that has ended, and with it what it executed or had mapped, may be kept
// for a moment by who just looked at it in /proc, as the server does.
constexpr int tries_max = 1000;

std::string executed_in_the_end(const std::string& path) {
  std::string said;
  for (int i = 0; i < tries_max && (said = Executed(path).error()) == "ETXTBSY "; ++i)
    sched_yield();
  return said;
}

Fd opened_for_writing_in_the_end(const std::string& path) {
  Fd file;
  for (int i = 0; i < tries_max && !file.valid(); ++i) {
    file = Fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.valid()) sched_yield();
  }
  EXPECT_TRUE(file.valid()) << path << ": " << strerrorname_np(errno);
  return file;
}

TEST_P(Descriptors, WhatIsWrittenToIsNotExecutedAndTheOtherWayRound) {
  compare([](const std::string& root) {
    fs::copy_file(root + "/cat", root + "/new");
    std::string said;
    for (const char* name : {"/cat", "/new"}) {
      std::string path = root + name;
      auto written = [&](int flags) {
        Fd file(open(path.c_str(), flags | O_CLOEXEC));
        return named(file.valid() ? 0 : -1);
      };
      for (int round = 0; round < 2; ++round) {  // an image's file, and then a copied one
        {
          Executed cat(path);
          EXPECT_EQ(cat.error(), "runs ");
          for (int flags : {O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC, O_WRONLY | O_APPEND})
            said += written(flags);
          EXPECT_TRUE(said.ends_with("ETXTBSY ")) << said;
          said += named(truncate(path.c_str(), 10));
          said += named(chmod(path.c_str(), 0700));
        }
        {
          Fd writer = opened_for_writing_in_the_end(path);
          said += Executed(path).error();
          EXPECT_TRUE(said.ends_with("ETXTBSY ")) << said;
          said += named(pwrite(writer.get(), "\x7f", 1, 0));
          said += Executed(path).error();
        }
        said += executed_in_the_end(path);
        EXPECT_TRUE(said.ends_with("runs ")) << said;
      }
    }
    return said;
  });
}

// By who opens it for reading: with passthrough the server hears of O_TRUNC with the open, before
// the kernel looks whether the file is executed. Overlayfs has copied an image's file up without
// its content by then.
class EmptiedPrograms : public Descriptors {};

TEST_P(EmptiedPrograms, WhatIsExecutedIsNotEmptied) {
  compare([](const std::string& root) {
    fs::copy_file(root + "/cat", root + "/new");
    std::string said;
    for (const char* name : {"/cat", "/new"}) {
      Executed cat(root + name);
      Fd file(open((root + name).c_str(), O_RDONLY | O_TRUNC | O_CLOEXEC));
      said += named(file.valid() ? 0 : -1) + cat.error();
    }
    EXPECT_EQ(said, "ETXTBSY runs ETXTBSY runs ");
    return said;
  });
}

// A mapping that outlives its descriptor is the upper file's alone where the kernel maps that: then
// nobody knows of it who executes the file.
TEST_P(Descriptors, WhatIsMappedForWritingIsNotExecuted) {
  bool maps_upper = GetParam() == Below::overlayfs || GetParam() == Below::passthrough;
  for (const std::string& root : {mounted_->path(), plain_}) {
    for (int flags : {O_RDWR, O_RDONLY}) {
      std::string path = root + "/cat";
      Fd file = opened(path, flags);
      int protection = PROT_READ | (flags == O_RDWR ? PROT_WRITE : 0);
      void* mapped = mmap(nullptr, 4096, protection, MAP_SHARED, file.get(), 0);
      ASSERT_NE(mapped, MAP_FAILED);
      file.reset();
      bool runs = flags == O_RDONLY || (maps_upper && root != plain_);
      EXPECT_EQ(runs ? executed_in_the_end(path) : Executed(path).error(),
                runs ? "runs " : "ETXTBSY ")
          << path;
      munmap(mapped, 4096);
      EXPECT_EQ(executed_in_the_end(path), "runs ");
    }
  }
}

TEST_P(Descriptors, FilesWithoutANameGetOne) {
  compare([](const std::string& root) {
    std::string said;
    auto told_of = [&](const Fd& file) {
      struct stat status{};
      said += named(fstat(file.get(), &status));
      said += std::to_string(status.st_mode) + " links " + std::to_string(status.st_nlink) +
              " size " + std::to_string(status.st_size) + "\n";
    };
    auto link = [&](const Fd& file, const std::string& to) {
      std::string shown = "/proc/self/fd/" + std::to_string(file.get());
      said +=
          named(linkat(AT_FDCWD, shown.c_str(), AT_FDCWD, (root + to).c_str(), AT_SYMLINK_FOLLOW));
    };
    for (const std::string directory : {"/d", "/d/inner", "/made"}) {
      fs::create_directory(root + directory);
      auto names = [&] {
        fs::directory_iterator listed(root + directory);
        return std::to_string(std::distance(begin(listed), end(listed))) + " ";
      };
      Fd file = opened(root + directory, O_TMPFILE | O_RDWR);
      EXPECT_EQ(write(file.get(), "unnamed", 7), 7);
      told_of(file);
      said += names();
      link(file, "/f");  // is there
      link(file, directory + "/named");
      EXPECT_EQ(pwrite(file.get(), "then ", 5, 7), 5);
      told_of(file);
      said += named(
          linkat(file.get(), "", AT_FDCWD, (root + directory + "/again").c_str(), AT_EMPTY_PATH));
      told_of(file);
      said += names() + read_whole(root + directory + "/again");
      Fd never = opened(root + directory, O_TMPFILE | O_RDWR | O_EXCL);
      EXPECT_EQ(write(never.get(), "never", 5), 5);
      link(never, directory + "/never");
      EXPECT_TRUE(said.ends_with("ENOENT ")) << said;
      told_of(never);
      said += got(never, 10, 0) + names();
      said += named(open((root + directory).c_str(), O_TMPFILE | O_RDONLY, 0600));
      said += named(open((root + "/f").c_str(), O_TMPFILE | O_RDWR, 0600));
    }
    return said;
  });
}

TEST_P(Descriptors, OneAloneMakesAFile) {
  compare([](const std::string& root) {
    auto make = [&](const std::string& name, int flags = O_WRONLY) {
      Fd file(open((root + name).c_str(), flags | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      return named(file.valid() ? 0 : -1);
    };
    EXPECT_EQ(symlink("nowhere", (root + "/d/dangling").c_str()), 0);
    std::string said;
    for (const char* name : {"/f", "/d", "/link", "/d/dangling", "/d/nowhere", "/f/below"})
      said += make(name) + make(name, O_RDWR | O_TRUNC);
    fs::remove(root + "/f");  // of the image
    said += make("/f") + make("/f");
    fs::remove(root + "/f");
    said += make("/f") + make("/f") + "\n";
    // Of several, each name is one's; half of the names were the image's.
    constexpr int makers = 4;
    for (int i = 0; i < images_names; i += 2) fs::remove(name_in(root, i));
    std::vector<Fd> told;
    std::vector<pid_t> children;
    auto begun = sys::pipe();
    for (int maker = 0; maker < makers; ++maker) {
      auto counted = sys::pipe();
      children.push_back(fork());
      if (children.back() == 0) {
        begun->write.reset();
        char none = 0;
        ssize_t ready = read(begun->read.get(), &none, 1);  // all at once
        std::string made;
        for (int i = 0; i < images_names * 2; ++i)
          made += make("/many/image" + std::to_string(i)) == "0 " ? 'x' : '-';
        ready += write(counted->write.get(), made.data(), made.size());
        _exit(ready == images_names * 2 ? 0 : 1);
      }
      told.push_back(std::move(counted->read));
    }
    begun->write.reset();
    std::string sum(images_names * 2, '0');
    for (int maker = 0; maker < makers; ++maker) {
      std::string made = all_of(told[static_cast<size_t>(maker)]);
      await_end(children[static_cast<size_t>(maker)]);
      for (size_t i = 0; i < made.size(); ++i)
        sum[i] = static_cast<char>(sum[i] + (made[i] == 'x'));
    }
    EXPECT_TRUE(sum.starts_with("1010") && sum.ends_with("1111")) << sum;
    return said + sum;
  });
}

INSTANTIATE_TEST_SUITE_P(Lower, Descriptors, testing::ValuesIn(every_mode()), mode_name);
INSTANTIATE_TEST_SUITE_P(Lower, UnionDescriptors,
                         testing::ValuesIn(every_mode_but({Below::overlayfs})), mode_name);
INSTANTIATE_TEST_SUITE_P(Lower, EmptiedPrograms,
                         testing::ValuesIn(every_mode_but({Below::overlayfs})), mode_name);

}  // namespace
}  // namespace lyr::unionfs
