// SPDX-License-Identifier: Apache-2.0
#include "fuzz/archive_repair.h"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "image/decode.h"
#include "image/tar_reader.h"
#include "tests/image/tar_maker.h"

namespace lyr::fuzz {
namespace {

using Json = nlohmann::ordered_json;
using namespace lyr::image;

constexpr size_t hex_digits = 64;
constexpr size_t layer_bytes_max = 1 << 20;
constexpr int rounds = 6;  // layer, config, manifest, index, index of indexes, and sizes

struct Member {
  TarType type = TarType::file;
  std::string name;
  std::string text;  // a file's content, a link's target
};

Result<std::vector<Member>> read_members(std::span<const std::byte> archive) {
  MemorySource source(archive);
  TarReader reader(source);
  std::vector<Member> members;
  while (true) {
    const TarEntry* entry = TRY(reader.next());
    if (entry == nullptr) return members;
    Member member{entry->type, entry->path, entry->link_target};
    while (true) {
      auto piece = TRY(reader.payload());
      if (piece.empty()) break;
      member.text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    members.push_back(std::move(member));
  }
}

// "blobs/sha256/HEX", "HEX.json", "HEX.tar": where the digits begin.
size_t hex_at(std::string_view name) {
  size_t at = name.rfind('/') + 1;  // npos + 1 is 0
  std::string_view digits = name.substr(at, hex_digits);
  bool whole = digits.size() == hex_digits &&
               digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return whole ? at : std::string_view::npos;
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    text.replace(at, what.size(), with);
  }
}

std::string text_in(const Json& object, const char* key) {
  auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() && found->is_string()
             ? found->get<std::string>()
             : "";
}

class Archive {
 public:
  explicit Archive(std::vector<Member> members) : members_(std::move(members)) {
    for (Member& member : members_) {
      if (member.type == TarType::file) files_[member.name] = &member;
    }
  }

  void repair() {
    for (Member& member : members_) pair_layers(member);
    for (int round = 0; round < rounds; ++round) {
      for (Member& member : members_) {
        if (member.type == TarType::file) name_by_content(member);
      }
      for (Member& member : members_) put_sizes_right(member);
    }
  }

  std::string tar() const {
    std::string tar;
    for (const Member& member : members_) {
      if (member.name.size() > 100) tar += extension('x', pax_record("path", member.name));
      std::string name = member.name.substr(0, 100);
      bool link = member.type == TarType::hard_link || member.type == TarType::symlink;
      if (member.type == TarType::file) tar += file(name, member.text);
      if (member.type == TarType::directory) tar += header({.name = name, .type = '5'});
      if (!link) continue;
      if (member.text.size() > 100) tar += extension('x', pax_record("linkpath", member.text));
      char type = member.type == TarType::symlink ? '2' : '1';
      tar += header({.name = name, .type = type, .link = member.text});
    }
    return tar + end_of_tar();
  }

 private:
  Member* file_of(const std::string& name) {
    auto found = files_.find(name);
    return found == files_.end() ? nullptr : found->second;
  }
  Member* file_of_digest(const std::string& digest) {
    return digest.starts_with("sha256:") ? file_of("blobs/sha256/" + digest.substr(7)) : nullptr;
  }

  // Gives configs the diffIDs of the layers that a manifest, or docker's manifest.json, puts beside
  // them.
  void pair_layers(const Member& member) {
    if (member.type != TarType::file || member.text.find("ayers") == std::string::npos) return;
    Json json = Json::parse(member.text, nullptr, false);
    if (json.is_object() && json.contains("config") && json.contains("layers")) {
      std::vector<Member*> layers;
      for (const Json& layer : json["layers"]) {
        layers.push_back(file_of_digest(text_in(layer, "digest")));
      }
      set_diff_ids(file_of_digest(text_in(json["config"], "digest")), layers);
    }
    if (!json.is_array()) return;
    for (const Json& image : json) {
      if (!image.is_object() || !image.contains("Layers")) continue;
      std::vector<Member*> layers;
      for (const Json& layer : image["Layers"]) {
        layers.push_back(layer.is_string() ? file_of(layer.get<std::string>()) : nullptr);
      }
      set_diff_ids(file_of(text_in(image, "Config")), layers);
    }
  }

  static void set_diff_ids(Member* config, const std::vector<Member*>& layers) {
    if (config == nullptr) return;
    Json json = Json::parse(config->text, nullptr, false);
    if (!json.is_object() || !json.contains("rootfs") || !json["rootfs"].is_object()) return;
    Json& ids = json["rootfs"]["diff_ids"];
    if (!ids.is_array() || ids.size() != layers.size()) return;
    for (size_t i = 0; i < layers.size(); ++i) {
      if (layers[i] != nullptr) ids[i] = diff_id_of(layers[i]->text);
    }
    rewrite(*config, json);
  }

  static std::string diff_id_of(const std::string& layer) {
    auto decoded = open_decoded(std::make_unique<MemoryReader>(std::as_bytes(std::span(layer))));
    auto tar = decoded ? read_all(*decoded->reader, layer_bytes_max)
                       : Result<std::string>(fail(EBADMSG, "layer"));
    return Digest::of(tar ? *tar : layer).text();
  }

  // Its name becomes the digest of its content, and whoever names it says the new one.
  void name_by_content(Member& member) {
    size_t at = hex_at(member.name);
    if (at == std::string::npos) return;
    const std::string old = member.name.substr(at, hex_digits);
    const std::string hex = Digest::of(member.text).hex();
    if (old == hex) return;
    for (Member& other : members_) {
      replace_all(other.name, old, hex);
      if (&other != &member && other.text.size() < layer_bytes_max) {
        replace_all(other.text, old, hex);
      }
    }
    files_.clear();
    for (Member& each : members_) {
      if (each.type == TarType::file) files_[each.name] = &each;
    }
  }

  void put_sizes_right(Member& member) {
    if (member.type != TarType::file || member.text.find("\"size\"") == std::string::npos) return;
    Json json = Json::parse(member.text, nullptr, false);
    if (json.is_discarded()) return;
    if (put_sizes_right(json)) rewrite(member, json);
  }
  bool put_sizes_right(Json& json) {
    bool changed = false;
    if (json.is_object() && json.contains("size")) {
      Member* named = file_of_digest(text_in(json, "digest"));
      if (named != nullptr && json["size"] != named->text.size()) {
        json["size"] = named->text.size();
        changed = true;
      }
    }
    if (!json.is_structured()) return changed;
    for (auto& part : json) changed = put_sizes_right(part) || changed;
    return changed;
  }

  static void rewrite(Member& member, const Json& json) {
    member.text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  std::vector<Member> members_;
  std::map<std::string, Member*> files_;
};

}  // namespace

std::optional<std::string> repaired_archive(std::span<const std::byte> archive) {
  auto members = read_members(archive);
  if (!members) return std::nullopt;
  Archive whole(std::move(*members));
  whole.repair();
  return whole.tar();
}

}  // namespace lyr::fuzz
