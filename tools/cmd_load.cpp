// SPDX-License-Identifier: Apache-2.0
// lyr load: images from archives and layouts.
#include <cstdio>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "image/load.h"
#include "image/reference.h"
#include "tools/command.h"
#include "tools/progress_line.h"

namespace lyr::tools {
namespace {

// What an image is called to which its layout gives a tag only: as its directory or archive is.
std::string repository_of(const std::string& path) {
  std::string name = path.substr(0, path.find_last_not_of('/') + 1);
  name = name.substr(name.rfind('/') + 1);
  for (std::string_view ending : {".gz", ".zst", ".tgz", ".tar", ".oci"}) {
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  }
  return name.find(':') == std::string::npos && image::parse_reference(name) ? name : "";
}

class LoadAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("-i,--input", input_, "The archive; - or none: standard input")
        ->type_name("FILE");
    app.add_flag("--keep-blob", keep_blobs_,
                 "Keep compressed layers as they came, too, so that save gives them again");
    app.add_flag("-q,--quiet", quiet_, "No progress");
    app.add_option("directory", directory_, "");
  }

  Result<int> run(Context& context) override {
    if (directory_.empty() && input_.empty() && sys::is_terminal(sys::standard_input())) {
      return fail_saying(
          EINVAL, "nothing to load: say -i FILE, an OCI layout's directory, or pipe an archive in");
    }
    if (!directory_.empty() && !input_.empty())
      return fail_saying(EINVAL, "either -i FILE or a directory, not both");
    auto* engine = TRY(context.engine());
    auto* store = TRY(engine->store());
    ProgressLine line("loading", !quiet_);
    auto progress = [&](uint64_t done, uint64_t total) { line.show(done, total); };
    auto loaded = load(*store, progress);
    line.clear();
    if (!loaded) return std::unexpected(std::move(loaded).error());
    for (const image::Loaded& one : *loaded) {
      for (const std::string& tag : one.tags)
        std::printf("Loaded image: %s\n", image::familiar(tag).c_str());
      if (one.tags.empty()) std::printf("Loaded image ID: %s\n", one.id.text().c_str());
    }
    return 0;
  }

 private:
  Result<std::vector<image::Loaded>> load(store::Store& store,
                                          const image::Progress& progress) const {
    image::LoadOptions options{.keep_blobs = keep_blobs_};
    std::string path = directory_.empty() ? input_ : directory_;
    if (path.empty() || path == "-") {
      Fd input = TRY(sys::dup(sys::standard_input()));
      return image::load_archive(store, std::move(input), progress, options);
    }
    Fd file = TRY(about(sys::open(path.c_str(), O_RDONLY), path));
    auto status = TRY(sys::stat(file));
    std::string repository = repository_of(path);
    options.default_repository = repository;
    auto loaded = S_ISDIR(status.st_mode)
                      ? image::load_layout(store, file, progress, options)
                      : image::load_archive(store, std::move(file), progress, options);
    return about(std::move(loaded), path);
  }

  std::string input_;
  std::string directory_;
  bool keep_blobs_ = false;
  bool quiet_ = false;
};

}  // namespace

extern const Command cmd_load;
const Command cmd_load{
    .name = "load",
    .summary = "Load images from an archive (docker, OCI) or an OCI layout",
    .arguments = "[-i FILE|-] | DIRECTORY",
    .examples = "lyr load -i debian.tar\ndocker save debian | lyr load\nlyr load ./oci-layout",
    .make = make_action<LoadAction>};

}  // namespace lyr::tools
