// SPDX-License-Identifier: Apache-2.0
#include "tools/mount_program.h"

#include <cstdio>

#include "tools/mount_options.h"
#include "tools/mount_union.h"

namespace lyr::tools {
namespace {

// What the arguments of a mount helper say.
struct HelperArguments {
  std::vector<std::string> options;
  std::vector<std::string> names;
  bool foreground = false;
  bool debug = false;
  bool help = false;
  bool version = false;
};

Result<HelperArguments> parse_helper(const std::vector<std::string>& args) {
  HelperArguments parsed;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "-o" || arg == "-t" || arg == "-N") {
      if (i + 1 == args.size()) return fail_saying(EINVAL, arg + " needs a value");
      ++i;
      if (arg == "-o") parsed.options.push_back(args[i]);
    } else if (arg.starts_with("-o")) {
      parsed.options.push_back(arg.substr(2));
    } else if (arg == "-f") {
      parsed.foreground = true;
    } else if (arg == "-d" || arg == "--debug") {
      parsed.debug = true;
    } else if (arg == "-h" || arg == "--help") {
      parsed.help = true;
    } else if (arg == "-V" || arg == "--version") {
      parsed.version = true;
    } else if (arg == "-s" || arg == "-n" || arg == "-v") {
      // One thread, or mount(8)'s "sloppy"; no mtab; verbose: it is so, or there is none.
    } else if (arg.starts_with('-') && arg.size() > 1) {
      return fail_saying(EINVAL, "option '" + arg + "' is not known");
    } else {
      parsed.names.push_back(arg);
    }
  }
  return parsed;
}

Result<> run_helper(const HelperArguments& parsed) {
  if (parsed.names.empty() || parsed.names.size() > 2)
    return fail_saying(EINVAL, "a directory to mount on is wanted (--help says more)");
  // mount(8) names a source first, and says "fake" by -f.
  bool by_mount = parsed.names.size() == 2;
  auto options = TRY(parse_mount_options(parsed.options));
  options.debug |= parsed.debug;
  if (by_mount && parsed.foreground) return {};
  if (by_mount && parsed.names[0] != "none") options.source = parsed.names[0];
  return mount_union(options, parsed.names.back(), parsed.foreground || options.debug);
}

}  // namespace

bool is_mount_program(std::string_view program) {
  std::string_view name = program.substr(program.rfind('/') + 1);
  return name == "mount.fuse.lyr" || name == "mount.lyr" || name == "fuse-lyr";
}

int mount_program(const std::vector<std::string>& args) {
  auto parsed = parse_helper(args);
  if (parsed && parsed->help) {
    std::puts(
        "usage: mount.fuse.lyr [-f] [-d] [-o OPTIONS] TARGET\n"
        "       mount.fuse.lyr SOURCE TARGET [-o OPTIONS]     (as mount -t fuse.lyr calls it)\n\n"
        "    -f   stay in the foreground\n"
        "    -d   tell of each request, in the foreground\n"
        "    -o   lowerdir=DIR[:DIR...],upperdir=DIR,workdir=DIR and more: lyr help mount\n"
        "    -V   print the version");
    return 0;
  }
  if (parsed && parsed->version) {
    std::puts("mount.fuse.lyr: version " LYR_VERSION);
    return 0;
  }
  auto done = parsed ? run_helper(*parsed) : Result<>(std::unexpected(std::move(parsed).error()));
  if (done) return 0;
  std::fprintf(stderr, "mount.fuse.lyr: %s\n", describe(done.error()).c_str());
  return 1;
}

}  // namespace lyr::tools
