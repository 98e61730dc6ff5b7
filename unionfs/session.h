// SPDX-License-Identifier: Apache-2.0
// What the files of the union's session share: what its operations are given, and how they answer.
#pragma once

#include <memory>
#include <optional>

#include "unionfs/fuse_session.h"
#include "unionfs/opens.h"
#include "unionfs/seek.h"
#include "unionfs/union.h"

namespace lyr::unionfs {

// What the operations are given: a session's user data.
struct Served : SessionData {
  std::unique_ptr<Union> instance;
  double timeout_s = 0;
  bool writeback = true;
  bool acls = false;
  struct fuse_session* session = nullptr;
  std::optional<Seeker> seeker;  // once there is a session
  // Of passthrough: what files are open.
  std::optional<Opens> opens;
  bool file_flags = false;
  bool privileged = true;
  bool stacked = false;  // the upper's file system is one over others itself

  bool asks_for_opens() const { return opens.has_value() || file_flags || !privileged; }
};

Served& served(void* user_data);
Served& served(fuse_req_t request);
// The union, asked in the name of who made the request.
Union& of(fuse_req_t request);
Caller caller_of(fuse_req_t request);

// Has the kernel forget the attributes that what was just done put in doubt. It takes no lock that
// anyone waits for us with: an inode's attributes have their own.
void forget_doubted(struct fuse_session* session);

void reply_code(fuse_req_t request, int code);
void reply_error(fuse_req_t request, const Error& error);
struct fuse_entry_param entry_of(fuse_req_t request, const Found& found);

// Answers that what is asked for is not here: the kernel never asks again.
void op_not_here(fuse_req_t request, fuse_ino_t node, struct fuse_file_info* info);

// session_open.cpp
void op_open(fuse_req_t request, fuse_ino_t node, struct fuse_file_info* info);
void op_release(fuse_req_t request, fuse_ino_t node, struct fuse_file_info* info);
void op_create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode,
               struct fuse_file_info* info);
void op_tmpfile(fuse_req_t request, fuse_ino_t parent, mode_t mode, struct fuse_file_info* info);

// session_flags.cpp
void op_ioctl(fuse_req_t request, fuse_ino_t node, unsigned command, void*, struct fuse_file_info*,
              unsigned, const void* input, size_t input_bytes, size_t room);

}  // namespace lyr::unionfs
