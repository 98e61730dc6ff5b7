// SPDX-License-Identifier: Apache-2.0
// A server takes over from one that was killed: the kernel's node ids mean what they meant, and
// what was half done is either undone or finished. Nobody but the server writes the upper, so what
// lies there tells which. The kernel sends again each request that was not answered; one that was
// carried out is answered from the ledger, any other is carried out as if it came first.
//
// Lost, and harmless: references counted for answers that never arrived (the inode is then kept
// until unmount), and what was to save work only (cached descriptors, no_xattrs).
#include <fcntl.h>

#include <algorithm>

#include "base/sys_file.h"
#include "unionfs/union.h"

namespace lyr::unionfs {
namespace {

// As long as any that the old server may have begun to wait, see Union::doubt and lose_name.
constexpr uint32_t in_doubt_s = 10;

}  // namespace

std::optional<uint64_t> Union::answered_before() const {
  if (ledger_ == nullptr || !current_request.again) return std::nullopt;
  return ledger_->answer(current_request.unique);
}

Result<Found> Union::answer_again(uint64_t id) {
  Node* node = TRY(find(id));
  Found found = describe(*node, TRY(attr(*node)));
  found.attr_lasts = false;  // something may have come in between
  return found;
}

// A descriptor that is another file's was closed after this was written down, or its copy never
// counted.
Result<> Union::take_held(Node& node, int held) {
  Fd fd(held);
  auto status = sys::stat(fd);
  if (!status || status->st_ino != node.more().upper_ino) {
    nodes_.hold(node, nullptr);
    return {};
  }
  node.make_more().held = std::make_shared<const Fd>(std::move(fd));
  if (node.type != S_IFDIR) ++held_count_;
  return {};
}

// Finds the files that have no name but one in the work directory; what nobody has open goes.
Result<> Union::sweep_work() {
  std::vector<std::string> names;
  TRY(sys::read_directory(*upper_.work(), [&](const sys::DirectoryEntry& entry) {
    if (entry.name.front() == Upper::orphan_prefix) names.emplace_back(entry.name);
    return true;
  }));
  for (const std::string& name : names) {
    Node* node = nodes_.find(std::strtoull(name.c_str() + 1, nullptr, 10));
    if (node != nullptr) {
      node->orphan = true;
    } else {
      TRY(sys::unlink_at(*upper_.work(), name.c_str()));
    }
  }
  return {};
}

Result<> Union::resume() {
  std::scoped_lock lock(mutex_);
  TRY(ledger_->resume());
  std::vector<uint64_t> known;
  Result<> taken;
  nodes_.revive([&](Node& node, int held) {
    known.push_back(node.id);
    if (held != 0 && taken) taken = take_held(node, held);
    if (node.type == S_IFDIR) node.told_to = several_askers;
    node.doubt_for(in_doubt_s);
  });
  TRY(std::move(taken));
  if (upper_.present()) TRY(sweep_work());
  for (Slot& slot : ledger_->slots()) TRY(finish(slot));
  // By the names that are left then: another thread may have been changing those.
  for (Slot& slot : ledger_->slots()) {
    if (slot.timing.node != 0) TRY(put_back_time(slot.timing));
    slot.timing.node = 0;
  }
  // What no answer named.
  for (uint64_t id : known) nodes_.forget(id, 0, [this](Node& node) { let_go(node); });
  return {};
}

// Each step may itself be cut short and done once more.
Result<> Union::finish(Slot& slot) {
  if (slot.copying.node != 0) TRY(finish_copy(slot.copying));
  slot.copying.node = 0;
  Intent& intent = slot.intent;
  bool done = false;
  switch (intent.deed.load()) {
    case Intent::Deed::none:
      break;
    case Intent::Deed::create:
      TRY(finish_create(intent));
      break;
    case Intent::Deed::link:
      TRY(finish_link(intent, done));
      break;
    case Intent::Deed::remove:
      TRY(finish_remove(intent, done));
      break;
    case Intent::Deed::rename:
    case Intent::Deed::exchange:
      TRY(finish_rename(intent, done));
      break;
    case Intent::Deed::attribute:
      intent.answer = 0;
      done = true;
      break;
    case Intent::Deed::done:
      done = true;
  }
  if (done) ledger_->keep_answer(intent.unique, intent.answer);
  intent.deed = Intent::Deed::none;
  return {};
}

Result<> Union::put_back_time(const Timing& timing) {
  Node* node = nodes_.find(timing.node);
  if (node == nullptr || !node->in_upper) return {};
  auto where = TRY(place(*node));
  struct timespec mtime{timing.seconds, timing.nanoseconds};
  return change_times(where, {.mtime = mtime});
}

Result<bool> Union::upper_is(Node& directory, std::string_view name, uint64_t upper_ino) {
  if (!directory.in_upper) return false;
  auto fd = TRY(directory_fd(directory));
  auto status = sys::stat_at(*fd, std::string(name).c_str());
  if (!status && status.error().code == ENOENT) return false;
  if (!status) return std::unexpected(std::move(status).error());
  return status->st_ino == upper_ino;
}

// Some of the names are the copy's, the others still the lower's: takes them back. Where all are,
// the node has to know them.
Result<> Union::finish_copy(const Copying& copying) {
  Node* node = nodes_.find(copying.node);
  if (node == nullptr) return {};
  std::vector<Link> names = nodes_.links(*node);
  auto aliases = TRY(lower_->aliases(node->lower));
  for (const store::TreeAlias& alias : aliases) {
    Node* directory = TRY(union_directory(alias.directory));
    if (directory != nullptr) names.push_back({directory, std::string(alias.name)});
  }
  for (const Link& name : names) {
    bool given = TRY(upper_is(*name.parent, name.name, copying.upper_ino));
    if (!given) continue;
    if (node->in_upper) {
      nodes_.link(*node, *name.parent, name.name);
      continue;
    }
    auto fd = TRY(directory_fd(*name.parent));
    TRY(sys::unlink_at(*fd, name.name.c_str()));
    drop_name(*name.parent, name.name);
  }
  return {};
}

// What was made may lack its owner or mode, and the kernel knows nothing of it: it goes.
Result<> Union::finish_create(const Intent& intent) {
  Node* directory = nodes_.find(intent.parent);
  if (directory == nullptr) return {};
  Node* known = nodes_.child(*directory, intent.name.get());
  if (known != nullptr)
    nodes_.forget(known->id, known->lookups, [this](Node& node) { let_go(node); });
  auto shown = TRY(show(*directory, intent.name.get()));
  if (!shown || !shown->in_upper) return {};
  auto fd = TRY(directory_fd(*directory));
  std::string name(intent.name.get());
  auto status = TRY(sys::stat_at(*fd, name.c_str()));
  return remove_upper(*directory, name, S_ISDIR(status.st_mode));
}

Result<> Union::finish_link(Intent& intent, bool& done) {
  Node* node = nodes_.find(intent.node);
  Node* directory = nodes_.find(intent.parent);
  if (node == nullptr || directory == nullptr) return {};
  done = TRY(upper_is(*directory, intent.name.get(), node->more().upper_ino));
  if (!done) return {};
  nodes_.link(*node, *directory, intent.name.get());
  if (node->more().held) {
    nodes_.hold(*node, nullptr);
    node->make_more().held.reset();
    --held_count_;
  }
  nodes_.count(*node);
  intent.answer = node->id;
  return {};
}

Result<> Union::finish_remove(const Intent& intent, bool& done) {
  Node* node = nodes_.find(intent.node);
  Node* directory = nodes_.find(intent.parent);
  if (node == nullptr || directory == nullptr) return {};
  auto shown = TRY(show(*directory, intent.name.get()));
  done = !shown;
  if (!done) return {};
  if (node->type == S_IFDIR) lose_moved(*node);
  lose_name(*node, *directory, intent.name.get());
  return {};
}

// It is one step of several at worst that moves the object; the others hide what was in its places.
Result<> Union::finish_rename(const Intent& intent, bool& done) {
  Node* node = nodes_.find(intent.node);
  Node* from = nodes_.find(intent.parent);
  Node* to = nodes_.find(intent.new_parent);
  Node* target = nodes_.find(intent.target);
  std::string_view name = intent.name.get();
  std::string_view new_name = intent.new_name.get();
  if (node == nullptr || from == nullptr || to == nullptr) return {};
  done = TRY(upper_is(*to, new_name, node->more().upper_ino));
  if (!done) return {};
  if (target != nullptr && target->type == S_IFDIR) lose_moved(*target);
  if (target != nullptr) lose_name(*target, *to, new_name);
  nodes_.unlink(*node, *from, name);
  nodes_.link(*node, *to, new_name);
  if (intent.deed == Intent::Deed::exchange) {
    if (target != nullptr) nodes_.link(*target, *from, name);
    return {};
  }
  auto left = TRY(show(*from, name));
  if (!left) return {};
  return left->in_upper ? remove_upper(*from, name, true) : put_whiteout(*from, name);
}

}  // namespace lyr::unionfs
