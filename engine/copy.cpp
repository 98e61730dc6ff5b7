// SPDX-License-Identifier: Apache-2.0
// Files in and out of a container, as tar streams.
#include "base/sys_event.h"
#include "base/sys_file.h"
#include "engine/engine_state.h"
#include "engine/inside.h"

namespace lyr::engine {
namespace {

Result<> copy(Engine& engine, Engine::State& state, std::string_view name,
              std::function<Result<>(const Fd& root)> work, sandbox::Stdio stdio) {
  InsideWork inside;
  inside.name = "lyr-cp";
  inside.work = std::move(work);
  std::vector<std::string> warnings;
  return work_inside(engine, state, name, inside, std::move(stdio), warnings);
}

}  // namespace

Result<> Engine::copy_from(std::string_view name_or_id, const std::string& path, bool follow_link,
                           Fd tar) {
  sandbox::Stdio stdio;
  stdio.in = TRY(sys::open("/dev/null", O_RDONLY));
  stdio.out = std::move(tar);
  auto pack = [&path, follow_link](const Fd& root) {
    return pack_tree(root, path, follow_link, sys::standard_output());
  };
  return copy(*this, *state_, name_or_id, pack, std::move(stdio));
}

Result<> Engine::copy_to(std::string_view name_or_id, const std::string& path, Fd tar,
                         const UnpackOptions& options) {
  sandbox::Stdio stdio;
  stdio.in = std::move(tar);
  stdio.out = TRY(sys::open("/dev/null", O_WRONLY));
  auto unpack = [&path, &options](const Fd& root) {
    return unpack_tree(root, path, sys::standard_input(), options);
  };
  return copy(*this, *state_, name_or_id, unpack, std::move(stdio));
}

}  // namespace lyr::engine
