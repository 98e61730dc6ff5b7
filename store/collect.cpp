// SPDX-License-Identifier: Apache-2.0
// A collection beside running imports. It marks first, which takes the time, then leases the packs
// that would change, then marks what was committed meanwhile: an import that built on such a pack
// either still holds its lease, so that the pack is left alone, or has committed, so that its
// layers are seen. Every step may be the last one: what was removed from the catalogue is swept
// later, what was dropped is punched later, and neither was needed.
#include "store/collect.h"

#include <sys/file.h>

#include <algorithm>

#include "base/sys_event.h"
#include "base/sys_file.h"
#include "store/pack_rewriter.h"

namespace lyr::store {
namespace {

// So much is lost when a collection that rewrites is killed.
constexpr uint64_t commit_bytes = 192 << 20;

}  // namespace

Result<> mark_layers(const Store::State& state, const std::set<Digest>& layers,
                     Liveness& liveness) {
  for (const Digest& diff_id : layers) {
    std::string name = recipe_name(diff_id);
    std::string layer = "layer " + diff_id.text();
    Fd file = TRY(about(sys::open_at(state.layers, name.c_str(), O_RDONLY), layer));
    auto status = TRY(about(sys::stat(file), layer));
    auto size = static_cast<size_t>(status.st_size);
    auto mapping = TRY(about(sys::Mapping::read_only(file, size), layer));
    auto recipe = Recipe::parse(mapping.bytes());
    if (!recipe) {
      return fail_saying(EUCLEAN, "the recipe of " + layer +
                                      " is damaged, so that nobody knows what it needs: nothing "
                                      "was removed (lyr store scrub tells more)");
    }
    liveness.mark(*recipe);
  }
  return {};
}

Result<> Collection::forget_layers() {
  auto leases = TRY(Leases::open(state_.directory));
  auto may_forget = [&](const Digest& diff_id) { return leases.take(diff_id).value_or(false); };
  report_.layers_forgotten = TRY(state_.catalog->forget_layers(may_forget));
  return sweep(state_);
}

Result<> Collection::mark() {
  std::set<Digest> layers;
  if (options_.dry_run) {
    auto images = TRY(state_.catalog->images());
    for (const ImageRecord& image : images) {
      layers.insert(image.diff_ids.begin(), image.diff_ids.end());
    }
  } else {
    auto records = TRY(state_.catalog->layers());
    for (const LayerRecord& record : records) layers.insert(record.diff_id);
  }
  std::set<Digest> fresh;
  std::ranges::set_difference(layers, layers_, std::inserter(fresh, fresh.end()));
  TRY(mark_layers(state_, fresh, *liveness_));
  layers_.merge(fresh);
  return {};
}

Result<bool> Collection::may_compress(const PackObjects& pack, const struct stat& status) const {
  if (!options_.compress || pack.footer_bytes == 0) return false;
  int64_t written_s = status.st_mtim.tv_sec;
  if (written_s > sys::now_unix_ns() / 1'000'000'000 - options_.older_than_s) return false;
  auto reader = TRY(PackReader::open(state_.packs, pack.record.number, pack.record.bytes));
  bool compacted = TRY(reader.compacted());
  return !compacted;
}

// Of the packs that were leased, or of all of them while none is.
Result<> Collection::plan() {
  planned_.clear();
  for (const PackObjects& pack : liveness_->packs()) {
    if (leased_ && !leased_->contains(pack.record.number)) continue;
    auto status = sys::stat_at(state_.packs, pack_name(pack.record.number).c_str());
    if (!status) continue;
    Planned planned{pack, plan_pack(*liveness_, pack, *status)};
    auto& kind = planned.plan.kind;
    bool compress = TRY(may_compress(pack, *status));
    if (compress && kind != PackPlan::Kind::remove) kind = PackPlan::Kind::rewrite;
    if (kind != PackPlan::Kind::keep) planned_.push_back(std::move(planned));
  }
  return {};
}

Result<> Collection::lease() {
  leased_.emplace();
  for (const Planned& planned : planned_) {
    bool leased = TRY(leases_->take(planned.pack.record.number));
    if (leased) {
      leased_->insert(planned.pack.record.number);
    } else {
      ++report_.packs_busy;
    }
  }
  return {};
}

// Frames in dead places, and those that were dropped before.
Result<DroppedFrames> Collection::dropped_of(const Planned& planned) const {
  auto dropped = TRY(state_.catalog->dropped(planned.pack.record.number));
  auto entries = liveness_->entries(planned.pack);
  for (size_t i = 0; i < entries.size(); ++i) {
    if (liveness_->live(planned.pack, i)) continue;
    dropped.frames.push_back(static_cast<uint32_t>(entries[i].offset / frame_alignment));
  }
  std::ranges::sort(dropped.frames);
  return dropped;
}

Result<> Collection::punch(const Planned& planned) {
  std::string name = pack_name(planned.pack.record.number);
  Fd file = TRY(about(sys::open_at(state_.packs, name.c_str(), O_RDWR | O_NOFOLLOW), name));
  for (const FileRange& hole : planned.plan.holes) {
    constexpr int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    auto punched = sys::fallocate(file, mode, hole.offset, hole.length);
    // Not every file system can: there the space comes back when the pack is written anew.
    if (!punched && punched.error().code == EOPNOTSUPP) return {};
    TRY(about(std::move(punched), name));
  }
  ++report_.packs_punched;
  return {};
}

// One transaction, which works on a full disk, and then what it allows.
Result<> Collection::remove_and_punch(const std::vector<Planned>& packs) {
  PackChange change;
  for (const Planned& planned : packs) {
    if (planned.plan.kind == PackPlan::Kind::remove) {
      change.removed.push_back(planned.pack.record.number);
    } else {
      auto dropped = TRY(dropped_of(planned));
      change.dropped.push_back(std::move(dropped));
    }
  }
  if (packs.empty()) return {};
  TRY(state_.index->advance_epoch());  // whoever could not tell the readers must not begin
  TRY(state_.catalog->change_packs(change));
  TRY(state_.index->advance_epoch());  // before what readers remember is no more
  for (const PackNumber& number : change.removed) {
    static_cast<void>(sys::unlink_at(state_.packs, pack_name(number).c_str()));
    ++report_.packs_removed;
  }
  for (const Planned& planned : packs) {
    if (planned.plan.kind == PackPlan::Kind::punch) TRY(punch(planned));
  }
  return {};
}

Result<> Collection::rewrite(const std::vector<Planned>& packs) {
  uint64_t total = 0;
  for (const Planned& planned : packs) total += planned.plan.live_bytes;
  uint64_t done = 0;
  std::vector<Planned> instead;  // where there is no room for a new pack
  for (size_t at = 0; at < packs.size();) {
    PackRewriter rewriter(state_, options_.compress);
    std::vector<Planned> together;
    Result<> written;
    for (; at < packs.size() && rewriter.uncommitted_bytes() < commit_bytes && written; ++at) {
      written = rewriter.add(*liveness_, packs[at].pack);
      bool damaged = !written && written.error().code == EIO;
      if (damaged) {  // it stays, for whoever can mend it
        written = {};
        ++report_.packs_unreadable;
      } else {
        together.push_back(packs[at]);
      }
      done += packs[at].plan.live_bytes;
      if (options_.progress) options_.progress(done, total);
    }
    if (written) written = rewriter.commit();
    if (written) {
      report_.packs_rewritten += together.size();
    } else if (written.error().code == ENOSPC) {
      std::ranges::move(together, std::back_inserter(instead));
    } else {
      return written;
    }
  }
  for (Planned& planned : instead) planned.plan.kind = PackPlan::Kind::punch;
  return remove_and_punch(instead);
}

void Collection::count() {
  report_.references = liveness_->references();
  for (const PackObjects& pack : liveness_->packs()) {
    report_.objects += pack.count;
    if (pack.footer_bytes == 0) ++report_.packs_unreadable;
    auto entries = liveness_->entries(pack);
    for (size_t i = 0; i < entries.size(); ++i) {
      if (liveness_->live(pack, i)) continue;
      ++report_.dead_objects;
      report_.dead_bytes += sizeof(FrameHeader) + entries[i].stored_bytes;
    }
  }
}

void Collection::foretell() {
  report_.bytes_after = report_.bytes_before - std::min(report_.bytes_before, hot_bytes_removed_);
  for (const Planned& planned : planned_) {
    report_.bytes_after -= planned.plan.disk_bytes - planned.plan.bytes_after();
    if (planned.plan.kind == PackPlan::Kind::remove) ++report_.packs_removed;
    if (planned.plan.kind == PackPlan::Kind::punch) ++report_.packs_punched;
    if (planned.plan.kind == PackPlan::Kind::rewrite) ++report_.packs_rewritten;
  }
}

Result<> Collection::change() {
  auto rewritten = std::ranges::partition(planned_, [](const Planned& planned) {
    return planned.plan.kind != PackPlan::Kind::rewrite;
  });
  std::vector<Planned> sparse(rewritten.begin(), rewritten.end());
  planned_.erase(rewritten.begin(), rewritten.end());
  // First what gives space and needs none.
  TRY(remove_and_punch(planned_));
  TRY(rewrite(sparse));
  state_.objects->packs().clear();
  // The index may go on without what is gone, so that its failure is none of ours.
  if (!planned_.empty() || !sparse.empty()) static_cast<void>(state_.objects->reindex());
  return {};
}

Result<CollectReport> Collection::run() {
  report_.bytes_before = TRY(disk_bytes(state_));
  if (!options_.dry_run) TRY(forget_layers());
  TRY(remove_hot_files());
  liveness_ = TRY(Liveness::of_packs(state_.packs, *state_.catalog));
  leases_ = TRY(Leases::open(state_.directory));
  TRY(mark());
  liveness_->unmark_duplicates(state_.objects->packs());
  TRY(plan());
  if (!options_.dry_run) {
    TRY(lease());
    TRY(mark());
    liveness_->unmark_duplicates(state_.objects->packs());
    TRY(plan());
  }
  count();
  if (options_.dry_run) {
    foretell();
    return report_;
  }
  TRY(change());
  report_.bytes_after = TRY(disk_bytes(state_));
  return report_;
}

Result<CollectReport> Store::collect(const CollectOptions& options) {
  Fd lock = TRY(state_->lock_collection());
  return Collection(*state_, options).run();
}

}  // namespace lyr::store
