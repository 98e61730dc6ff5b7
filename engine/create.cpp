// SPDX-License-Identifier: Apache-2.0
// Making a container: everything is in place before its record is, and without a record it does not
// exist.
#include "base/sys_event.h"
#include "base/sys_file.h"
#include "engine/engine_state.h"
#include "engine/make_spec.h"
#include "engine/names.h"
#include "engine/reconcile.h"
#include "engine/record.h"
#include "engine/resolve_options.h"
#include "engine/volumes.h"
#include "image/config.h"

namespace lyr::engine {
namespace {

Result<ContainerInfo> fill(Engine::State& engine, const store::Store& store,
                           const ContainerDirectory& directory, std::string_view image_name,
                           const store::ImageRecord& image, const CreateOptions& asked) {
  ContainerInfo info;
  info.id = directory.id;
  info.image_name = image_name;
  info.image_id = image.id;
  info.created_unix_ns = sys::now_unix_ns();
  auto config = TRY(image::parse_config(image.config_json));
  TRY(resolve_options(config, asked, info));
  TRY(prepare_volumes(engine, store, image, directory, info));
  for (const char* name : {"upper", "work"}) TRY(sys::mkdir_at(directory.persistent, name, 0755));
  TRY(write_network_files(directory, info));
  if (asked.name.empty()) {
    info.name = TRY(claim_made_up_name(engine, info.id));
  } else {
    TRY(check_name(asked.name));
    TRY(claim_name(engine, asked.name, info.id));
    info.name = asked.name;
  }
  info.options.name = info.name;
  auto written = write_container(directory.persistent, info);
  if (!written) {
    static_cast<void>(release_name(engine, info.name, info.id));
    return std::unexpected(std::move(written).error());
  }
  return info;
}

}  // namespace

Result<ContainerInfo> Engine::create(std::string_view image, const CreateOptions& options) {
  auto record = TRY(find_image(image));
  auto* images = TRY(store());
  std::string id = TRY(make_id());
  TRY(sys::mkdir_at(state_->running, id.c_str(), 0700));
  ContainerDirectory runtime_only;
  runtime_only.runtime = TRY(sys::open_at(state_->running, id.c_str(), O_RDONLY | O_DIRECTORY));
  // Held until the record is there: whoever finds a container without one may take it away
  // otherwise.
  auto lock = TRY(ContainerLock::take(runtime_only));
  TRY(sys::mkdir_at(state_->containers, id.c_str(), 0700));
  auto directory = TRY(open_container(*state_, id));
  auto info = fill(*state_, *images, directory, image, record, options);
  if (!info) delete_half_made(*state_, id);
  return info;
}

Result<> Engine::make_durable(const ContainerInfo& info) {
  auto directory = TRY(open_container(*state_, info.id));
  return make_container_durable(directory.persistent);
}

}  // namespace lyr::engine
