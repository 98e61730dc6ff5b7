// SPDX-License-Identifier: Apache-2.0
// An image of what a container has become: its image, and a layer of what it changed. The layer's
// tar comes from a process inside and goes into the store as any layer that is loaded; the image
// and its name become visible in one transaction.
#include <algorithm>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "engine/engine_state.h"
#include "engine/inside.h"
#include "engine/layer_pack.h"
#include "engine/log_file.h"
#include "engine/resolve_options.h"
#include "engine/volumes.h"
#include "image/apply_layer.h"
#include "image/child_config.h"
#include "image/reference.h"

namespace lyr::engine {
namespace {

constexpr int pipe_bytes = 1 << 20;
constexpr size_t left_out_told_max = 10;

// Where the container's changes are, on their way into the store.
struct Layer {
  std::vector<unionfs::Change> changes;
  RootOwner root;
  image::LayerTotals totals;
  Digest diff_id;
};

// What the image says, and what the container was given in place of that. What lyr itself filled in
// where neither said anything stays unsaid.
image::Config config_of(const ContainerInfo& info, const image::Config& image) {
  const CreateOptions& options = info.options;
  image::Config config = image;
  config.env = options.env;
  config.entrypoint = options.entrypoint.value_or(std::vector<std::string>());
  config.cmd = options.command;
  config.user = options.user.value_or("");
  config.labels = options.labels;
  std::string directory = options.working_dir.value_or("/");
  if (!image.working_dir.empty() || directory != "/") config.working_dir = directory;
  std::string signal = options.stop_signal.value_or("SIGTERM");
  if (!image.stop_signal.empty() || signal != "SIGTERM") config.stop_signal = signal;
  for (const VolumeMount& volume : options.volumes) {
    if (is_anonymous(volume.source)) config.volumes.push_back(volume.destination);
  }
  std::ranges::sort(config.volumes);
  const auto repeated = std::ranges::unique(config.volumes);
  config.volumes.erase(repeated.begin(), repeated.end());
  return config;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

Result<image::ChildImage> child_of(const ContainerInfo& info, const image::Config& image,
                                   const CommitOptions& options) {
  image::ChildImage child;
  child.change.config = config_of(info, image);
  for (const std::string& change : options.changes)
    TRY(image::apply_instruction(change, child.change));
  // Until here: an instruction may say $PATH.
  if (!has_path(image.env)) std::erase(child.change.config.env, default_path);
  const std::string& signal = child.change.config.stop_signal;
  if (!signal.empty()) TRY(parse_signal(signal));
  child.created = format_time(sys::now_unix_ns());
  child.created_by = joined(info.options.command);
  child.author = options.author;
  child.comment = options.message;
  return child;
}

Result<std::optional<store::Tag>> tag_of(const std::string& name) {
  if (name.empty()) return std::nullopt;
  auto reference = TRY(image::parse_reference(name));
  if (reference.digest) return fail_saying(EINVAL, "a name with a digest cannot be given: " + name);
  return store::Tag{.name = reference.canonical(), .image = {}};
}

// Reads the tar to its end. The descriptor is gone afterwards, whatever happens: who writes to it
// is not to wait for us.
Result<> take_in(Fd tar, store::LayerImport& to, Layer& layer) {
  auto pipe = std::make_unique<image::PipeReader>(tar);
  auto digested = std::make_unique<image::DigestReader>(std::move(pipe));
  image::DigestReader& digest = *digested;
  image::BlockSource source(std::move(digested));
  layer.totals = TRY(image::apply_layer(source, to));
  layer.diff_id = digest.finish();
  return {};
}

store::LayerRecord record_of(const Layer& layer) {
  store::LayerRecord record;
  record.diff_id = layer.diff_id;
  record.tar_bytes = layer.totals.tar_bytes;
  record.content_bytes = layer.totals.content_bytes;
  record.entries = layer.totals.entries;
  return record;
}

Result<store::ImageRecord> record_of(const store::ImageRecord& parent,
                                     const image::ChildImage& child) {
  store::ImageRecord record;
  record.config_json = TRY(image::child_config(parent.config_json, child));
  record.id = Digest::of(record.config_json);
  auto config = TRY(image::parse_config(record.config_json));
  record.chain_id = store::chain_id_of(config.diff_ids);
  record.diff_ids = config.diff_ids;
  record.created_unix = image::created_unix(config);
  return record;
}

void warn_of(const std::vector<std::string>& left_out, std::vector<std::string>& warnings) {
  size_t told = std::min(left_out.size(), left_out_told_max);
  warnings.insert(warnings.end(), left_out.begin(), left_out.begin() + static_cast<long>(told));
  if (told < left_out.size())
    warnings.push_back("and " + std::to_string(left_out.size() - told) + " more are left out");
}

// What would be no image is refused before anything stands still or is packed.
Result<> could_be(const store::ImageRecord& parent, image::ChildImage child) {
  child.layer = parent.id;  // any digest
  TRY(image::child_config(parent.config_json, child));
  return {};
}

}  // namespace

Result<Committed> Engine::commit(std::string_view name_or_id, const CommitOptions& options) {
  auto info = TRY(find(name_or_id));
  auto* images = TRY(store());
  auto parent = TRY(images->image(info.image_id));
  if (!parent) return fail_saying(ENOENT, "the image of " + info.name + " is gone");
  auto config = TRY(image::parse_config(parent->config_json));
  auto child = TRY(child_of(info, config, options));
  auto tag = TRY(tag_of(options.name));
  TRY(could_be(*parent, child));

  Committed committed;
  std::optional<store::Import> import;
  std::optional<store::LayerImport> to;
  Layer layer;
  auto [read, write] = TRY(sys::pipe());
  // Only quicker: both ends come to a stop less often.
  static_cast<void>(sys::set_pipe_bytes(read, pipe_bytes));
  Fd our_end = std::move(read);
  InsideWork work;
  work.our_end = &our_end;
  work.name = "lyr-commit";
  work.volumes = false;
  work.pause = options.pause;
  work.before = [&]() -> Result<> {
    layer.changes = TRY(diff(info.id));
    warn_of(drop_unspeakable(layer.changes), committed.warnings);
    auto tree = TRY(images->open_image_tree(parent->chain_id));
    auto root = tree.attr(store::root_ino);
    layer.root = {.permissions = root.mode & 07777, .uid = root.uid, .gid = root.gid};
    return {};
  };
  work.work = [&](const Fd& root) {
    return pack_layer(root, layer.changes, layer.root, sys::standard_output());
  };
  // The import starts threads, and holds what no process that is forked before is to hold.
  work.meanwhile = [&]() -> Result<> {
    Fd tar = std::move(our_end);
    import = TRY(images->begin_import());
    to = TRY(import->begin_layer());
    return take_in(std::move(tar), *to, layer);
  };
  sandbox::Stdio stdio;
  stdio.in = TRY(sys::open("/dev/null", O_RDONLY));
  stdio.out = std::move(write);
  TRY(work_inside(*this, *state_, info.id, work, std::move(stdio), committed.warnings));

  // As docker: a container that changed nothing adds a line to the history, and no layer.
  if (layer.totals.entries > 0) {
    child.layer = layer.diff_id;
    bool known = TRY(import->has_layer(layer.diff_id));
    if (!known) TRY(to->finish(record_of(layer)));
  }
  to.reset();
  auto record = TRY(record_of(*parent, child));
  std::vector<store::Tag> tags;
  if (tag) tags.push_back({.name = tag->name, .image = record.id});
  TRY(import->commit(std::span(&record, 1), tags));
  committed.id = record.id;
  return committed;
}

}  // namespace lyr::engine
