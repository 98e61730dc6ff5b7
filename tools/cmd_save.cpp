// SPDX-License-Identifier: Apache-2.0
// lyr save: images as one archive.
#include <csignal>

#include "base/sys_event.h"
#include "image/save.h"
#include "tools/command.h"
#include "tools/output_file.h"
#include "tools/progress_line.h"

namespace lyr::tools {
namespace {

class SaveAction : public Action {
 public:
  void define(CLI::App& app) override {
    app.add_option("-o,--output", output_, "Write to this file; - or none: standard output")
        ->type_name("FILE");
    app.add_option("--format", format_, "docker-archive (as docker save), or oci-archive")
        ->type_name("FORMAT")
        ->default_str("docker-archive");
    app.add_flag("-q,--quiet", quiet_, "No progress");
    app.add_option("images", images_, "")->required();
  }

  Result<int> run(Context& context) override {
    auto format = TRY(parse_format());
    auto* engine = TRY(context.engine());
    auto images = TRY(engine->images_to_save(images_));
    auto* store = TRY(engine->store());
    sys::ignore_signal(SIGPIPE);  // a closed pipe is an error to be told
    OutputFile output = TRY(OutputFile::open(output_));
    ProgressLine line("saving", !quiet_);
    auto progress = [&](uint64_t done, uint64_t total) { line.show(done, total); };
    auto saved = image::save_images(
        *store, images, format, [&](auto piece) { return output.write(piece); }, progress);
    line.clear();
    TRY(std::move(saved));
    TRY(output.commit());
    return 0;
  }

 private:
  Result<image::ArchiveFormat> parse_format() const {
    if (format_ == "docker-archive") return image::ArchiveFormat::docker;
    if (format_ == "oci-archive") return image::ArchiveFormat::oci;
    return fail_saying(EINVAL, "'" + format_ +
                                   "' is no format that lyr writes: docker-archive "
                                   "or oci-archive");
  }

  std::string output_;
  std::string format_ = "docker-archive";
  bool quiet_ = false;
  std::vector<std::string> images_;
};

}  // namespace

extern const Command cmd_save;
const Command cmd_save{.name = "save",
                       .summary = "Save images to an archive (docker, OCI)",
                       .arguments = "[OPTIONS] IMAGE [IMAGE...]",
                       .examples =
                           "lyr save -o debian.tar debian:12\n"
                           "lyr save debian:12 busybox | docker load\n"
                           "lyr save --format oci-archive debian:12 | zstd > debian.oci.zst",
                       .make = make_action<SaveAction>};

}  // namespace lyr::tools
