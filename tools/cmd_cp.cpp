// SPDX-License-Identifier: Apache-2.0
// lyr cp: files between a container and the host, by docker cp's rules. One end packs a tar stream,
// the other unpacks it; the host's end is a child of ours.
#include <cstdio>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "base/sys_process.h"
#include "engine/tree_copy.h"
#include "tools/command.h"

namespace lyr::tools {
namespace {

// "CONTAINER:path", a path here, or "-". As docker: what begins with / or . is a path here.
struct Place {
  std::string container;  // empty: here
  std::string path;
  bool stream = false;
};

Place parse_place(const std::string& text) {
  size_t colon = text.find(':');
  if (text == "-") return {"", text, true};
  if (text.starts_with('/') || text.starts_with('.') || colon == std::string::npos || colon == 0) {
    return {"", text};
  }
  return {text.substr(0, colon), text.substr(colon + 1)};
}

// "SOURCE/.", and the root: what is in it, not itself.
bool means_contents(const std::string& path) {
  return path == "." || path.ends_with("/.") || path.find_first_not_of('/') == std::string::npos;
}

Result<std::string> absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  std::string here = TRY(sys::working_directory());
  return here + "/" + path;
}

class CpAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_flag("-a,--archive", keep_owner_, "Keep user and group ids");
    app.add_flag("-L,--follow-link", follow_link_, "Copy what a link at SOURCE points to");
    app.add_flag("-q,--quiet", quiet_, "Say nothing (it never does)");
    app.add_option("source", source_, "")->required();
    app.add_option("destination", destination_, "")->required();
  }

  Result<int> run(Context& context) override {
    Place from = parse_place(source_);
    Place to = parse_place(destination_);
    if (from.container.empty() == to.container.empty()) {
      return fail_saying(EINVAL, from.container.empty()
                                     ? "say a container on one side: CONTAINER:PATH"
                                     : "copying between containers is not built: copy through -");
    }
    auto* engine = TRY(context.engine());
    if (!from.container.empty()) return copy_out(*engine, from, to);
    return copy_in(*engine, from, to);
  }

 private:
  Result<int> copy_out(engine::Engine& engine, const Place& from, const Place& to) const {
    if (to.stream) {
      if (sys::is_terminal(sys::standard_output())) {
        return fail_saying(EINVAL, "refusing to write a tar stream to a terminal: redirect it");
      }
      Fd out = TRY(sys::dup(sys::standard_output()));
      TRY(engine.copy_from(from.container, from.path, follow_link_, std::move(out)));
      return 0;
    }
    std::string path = TRY(absolute(to.path));
    engine::UnpackOptions options{.contents = means_contents(from.path), .keep_owner = keep_owner_};
    auto pipe = TRY(sys::pipe());
    auto child = TRY(sys::spawn([&] {
      pipe.write.reset();
      return told(unpack_here(path, pipe.read, options));
    }));
    pipe.read.reset();
    auto copied = engine.copy_from(from.container, from.path, follow_link_, std::move(pipe.write));
    auto ending = TRY(sys::wait_pidfd(child.pidfd));
    // When unpacking failed, packing failed only for want of a reader.
    if (ending && ending->shell_code() != 0) return 1;
    TRY(std::move(copied));
    return 0;
  }

  Result<int> copy_in(engine::Engine& engine, const Place& from, const Place& to) const {
    engine::UnpackOptions options{.contents = means_contents(from.path),
                                  .any_stream = from.stream,
                                  .keep_owner = keep_owner_ || from.stream};
    if (from.stream) {
      if (sys::is_terminal(sys::standard_input())) {
        return fail_saying(EINVAL, "the tar stream is to come from a pipe or a file");
      }
      Fd in = TRY(sys::dup(sys::standard_input()));
      TRY(engine.copy_to(to.container, to.path, std::move(in), options));
      return 0;
    }
    std::string path = TRY(absolute(from.path));
    TRY(about(sys::stat_at(sys::cwd(), path.c_str()), from.path));
    auto pipe = TRY(sys::pipe());
    auto child = TRY(sys::spawn([&] {
      pipe.read.reset();
      return told(pack_here(path, pipe.write));
    }));
    pipe.write.reset();
    auto copied = engine.copy_to(to.container, to.path, std::move(pipe.read), options);
    auto ending = TRY(sys::wait_pidfd(child.pidfd));
    bool packed = ending && !ending->signaled && ending->value == 0;
    if (!copied && (packed || ending->signaled)) return std::unexpected(std::move(copied).error());
    return packed ? 0 : 1;
  }

  static Result<> unpack_here(const std::string& path, const Fd& tar,
                              const engine::UnpackOptions& options) {
    Fd root = TRY(sys::open("/", O_RDONLY | O_DIRECTORY));
    auto done = engine::unpack_tree(root, path, tar, options);
    // The container's side says why nothing came.
    if (!done && done.error().code == ENODATA) return {};
    return done;
  }

  Result<> pack_here(const std::string& path, const Fd& tar) const {
    Fd root = TRY(sys::open("/", O_RDONLY | O_DIRECTORY));
    return engine::pack_tree(root, path, follow_link_, tar);
  }

  static int told(const Result<>& done) {
    if (done) return 0;
    std::fprintf(stderr, "lyr cp: %s\n", describe(done.error()).c_str());
    return 1;
  }

  bool keep_owner_ = false;
  bool follow_link_ = false;
  bool quiet_ = false;
  std::string source_, destination_;
};

}  // namespace

extern const Command cmd_cp;
const Command cmd_cp{.name = "cp",
                     .summary = "Copy files between a container and the host",
                     .arguments =
                         "[OPTIONS] CONTAINER:SOURCE DESTINATION|-\n"
                         "       lyr cp [OPTIONS] SOURCE|- CONTAINER:DESTINATION",
                     .examples =
                         "lyr cp web:/etc/hosts .\n"
                         "lyr cp ./site/. web:/srv      # what is in it\n"
                         "lyr cp web:/srv - | tar t",
                     .make = make_action<CpAction>};

}  // namespace lyr::tools
