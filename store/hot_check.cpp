// SPDX-License-Identifier: Apache-2.0
// Which hot files are of use, and what their names say: a collection removes those that no image
// has, a scrub compares each with what the packs give. What differs goes: nobody needs it.
#include <algorithm>
#include <map>

#include "base/sys_file.h"
#include "store/scrub.h"

namespace lyr::store {
namespace {

constexpr size_t piece_bytes = 1 << 20;

// EUCLEAN: it differs. Another error: nobody can tell.
Result<> compare(const Store::State& state, const Tree& tree, Ino ino, const Fd& file) {
  uint64_t size = tree.attr(ino).size;
  std::vector<std::byte> expected(std::min<uint64_t>(piece_bytes, size));
  std::vector<std::byte> got(expected.size());
  for (uint64_t at = 0; at < size;) {
    size_t bytes = TRY(read_content(state, tree, ino, at, expected));
    if (bytes == 0) return fail(EIO, "hot file");
    auto piece = std::span(got).first(bytes);
    auto read = sys::pread_exactly(file, piece, at);
    if (!read || !std::ranges::equal(piece, std::span(expected).first(bytes))) {
      return fail(EUCLEAN, "hot file");
    }
    at += bytes;
  }
  return {};
}

}  // namespace

Result<> each_hot_content(const Store::State& state, const HotSink& each) {
  std::set<Digest> trees;
  auto images = TRY(state.catalog->images());
  for (const ImageRecord& image : images) {
    if (!trees.insert(image.chain_id).second) continue;
    auto tree = open_image_tree(state, image.chain_id);
    if (!tree) continue;
    for (Ino ino = root_ino; ino <= tree->inode_count(); ++ino) {
      TreeAttr attr = tree->attr(ino);
      if (!S_ISREG(attr.mode) || attr.size < hot_bytes_min) continue;
      TRY(each(*tree, ino, hot_name(*tree, ino)));
    }
  }
  return {};
}

Result<> Scrub::check_hot_files() {
  const HotFiles& hot = *state_.hot_files;
  auto suspect = TRY(hot.files());
  report_.hot_files = suspect.size();
  if (suspect.empty()) return {};
  std::set<Digest> checked;
  auto check = [&](const Tree& tree, Ino ino, const Digest& name) -> Result<> {
    if (!suspect.contains(name) || !checked.insert(name).second) return {};
    auto file = hot.open(name, tree.attr(ino).size);
    auto same = file ? compare(state_, tree, ino, *file) : fail(EUCLEAN, "hot file");
    if (same || same.error().code != EUCLEAN) suspect.erase(name);
    return {};
  };
  TRY(each_hot_content(state_, check));
  report_.hot_files_removed = suspect.size();
  for (const auto& [name, bytes] : suspect) hot.remove(name);
  return {};
}

Result<> Collection::remove_hot_files() {
  const HotFiles& hot = *state_.hot_files;
  auto unneeded = TRY(hot.files());
  if (unneeded.empty()) return {};
  auto spare = [&](const Tree&, Ino, const Digest& name) -> Result<> {
    unneeded.erase(name);
    return {};
  };
  if (!options_.hot_files) TRY(each_hot_content(state_, spare));
  report_.hot_files_removed = unneeded.size();
  for (const auto& [name, bytes] : unneeded) {
    hot_bytes_removed_ += bytes;
    if (!options_.dry_run) hot.remove(name);
  }
  return {};
}

}  // namespace lyr::store
