// SPDX-License-Identifier: Apache-2.0
// Files whose attributes alone are in the upper: overlayfs makes such ones with metacopy=on, where
// only owner, mode or another attribute was changed, and looks for their content below. The union
// makes none, and copies the content when it is asked for.
#include <fcntl.h>

#include "base/sys_file.h"
#include "unionfs/union.h"

namespace lyr::unionfs {

// The lower's file that has the content; no_ino: there is none.
Result<Ino> Union::content_below(const Node& parent, const Marks& marks, Ino same_name) {
  Ino found = same_name;
  if (!marks.content_redirect.empty()) {
    size_t slash = marks.content_redirect.rfind('/');
    bool absolute = marks.content_redirect.starts_with('/');
    Ino directory = parent.lower;
    if (absolute)
      directory = TRY(lower_directory_at(*lower_, marks.content_redirect.substr(0, slash)));
    if (directory == no_ino) return no_ino;
    TRY(lower_->load(directory));
    std::string name = absolute ? marks.content_redirect.substr(slash + 1) : marks.content_redirect;
    found = TRY(lower_->lookup(directory, name));
  }
  return found != no_ino && lower_->type(found) == S_IFREG ? found : no_ino;
}

// In place, as overlayfs does: until all is there the mark says that it is not. EIO: the content is
// not to be found.
Result<> Union::complete(Node& node) {
  if (!node.more().content_from) return {};
  Ino from = *node.more().content_from;
  auto fd = TRY(object(node));
  auto status = TRY(sys::stat(*fd));
  if (from == no_ino || lower_->status(from).st_size != status.st_size)
    return fail(EIO, "metacopy");
  Fd file = TRY(sys::reopen(*fd, O_RDWR));
  constexpr const char* capability_name = "security.capability";
  auto capability = sys::get_xattr(file, capability_name);
  auto copied = copy_content(from, file);
  // What writing took away or changed, also when it failed half-way.
  if (capability) TRY(sys::set_xattr(file, capability_name, *capability));
  struct timespec times[2] = {{0, UTIME_OMIT}, status.st_mtim};
  TRY(sys::utimens(file, times));
  TRY(std::move(copied));
  for (std::string_view mark : {metacopy_mark, redirect_mark}) {
    auto removed = sys::remove_xattr(file, Format{.trusted = true}.name(mark).c_str());
    if (!removed && removed.error().code != ENODATA) return removed;
  }
  node.make_more().content_from.reset();
  return {};
}

}  // namespace lyr::unionfs
