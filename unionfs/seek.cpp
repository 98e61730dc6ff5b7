// SPDX-License-Identifier: Apache-2.0
#include "unionfs/seek.h"

#include <unistd.h>

#include "base/sys_process.h"
#include "unionfs/fuse_session.h"

namespace lyr::unionfs {
namespace {

void reply(fuse_req_t request, const Result<uint64_t>& at) {
  if (!at) {
    fuse_reply_err(request, at.error().code);
  } else {
    fuse_reply_lseek(request, static_cast<off_t>(*at));
  }
}

}  // namespace

Seeker::Seeker(struct fuse_session* session, Union& instance, size_t late_max)
    : session_(session), instance_(instance), late_max_(late_max) {
  auto cpus = sys::cpus_allowed();
  if (cpus) cpus_ = std::move(*cpus);
}

Seeker::~Seeker() {
  {
    std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  asked_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Seeker::answer(struct fuse_req* request, uint64_t node, uint64_t offset, int whence) {
  auto at = instance_.seek(node, offset, whence);
  // Bytes not yet seen only add data: where there is some already, there is some.
  if (at && whence == SEEK_DATA && *at == offset) return reply(request, at);
  {
    std::scoped_lock lock(mutex_);
    if (late_ == late_max_) return reply(request, fail(ENOSYS, "lseek"));
    ++late_;
    questions_.push_back({request, node, offset, whence});
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  }
  asked_.notify_one();
}

void Seeker::work() {
  static_cast<void>(sys::allow_cpus(cpus_));
  std::unique_lock lock(mutex_);
  for (;;) {
    asked_.wait(lock, [this] { return ended_ || !questions_.empty(); });
    if (questions_.empty()) return;
    Question question = questions_.front();
    questions_.pop_front();
    lock.unlock();
    answer_late(question);
    lock.lock();
    --late_;
  }
}

void Seeker::answer_late(const Question& question) {
  // To forget a page the kernel must write it back first. Only from where a hole seems to begin:
  // what lies before it is data, and stays cached.
  auto seems = instance_.seek(question.node, question.offset, question.whence);
  uint64_t from = question.whence == SEEK_HOLE && seems ? *seems : question.offset;
  fuse_lowlevel_notify_inval_inode(session_, question.node, static_cast<off_t>(from), 0);
  reply(question.request, instance_.seek(question.node, question.offset, question.whence));
}

}  // namespace lyr::unionfs
