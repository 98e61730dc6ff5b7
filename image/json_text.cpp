// SPDX-License-Identifier: Apache-2.0
#include "image/json_text.h"

#include <limits>
#include <set>

namespace lyr::image {
namespace {

// Looks the document over before it is built: depth, number of values, keys given twice.
class Inspector final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return refuse("holds binary data"); }

  bool start_object(size_t) override {
    keys_.emplace_back();
    return deeper();
  }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) return refuse("has the key '" + name + "' twice");
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(size_t) override { return deeper(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    return refuse("is not JSON at byte " + std::to_string(position));
  }

  const std::string& reason() const { return reason_; }

 private:
  bool deeper() {
    if (++depth_ > json_depth_max) return refuse("is nested too deep");
    return count();
  }
  bool count() {
    if (++values_ > json_values_max) return refuse("has too many values");
    return true;
  }
  bool refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  std::vector<std::set<std::string>> keys_;
  size_t depth_ = 0;
  size_t values_ = 0;
  std::string reason_;
};

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(key);
  if (it == object.end() || it->is_null()) return nullptr;
  return &*it;
}

Result<std::string> checked_text(const Json& value, const char* key) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) return bad_json(std::string(key) + " is not a string");
  if (text->find('\0') != std::string::npos) return bad_json(std::string(key) + " holds a NUL");
  return *text;
}

}  // namespace

Failure bad_json(std::string reason) { return fail(EBADMSG, "parse", std::move(reason)); }

Result<Json> parse_json(std::string_view text, const char* what) {
  if (text.size() > json_bytes_max) {
    return bad_json(std::string(what) + " is larger than " + std::to_string(json_bytes_max) +
                    " bytes");
  }
  Inspector inspector;
  try {
    if (!Json::sax_parse(text, &inspector)) {
      return bad_json(std::string(what) + " " + inspector.reason());
    }
    return Json::parse(text);
  } catch (const Json::exception&) {  // only what sax_parse does not report through parse_error
    return bad_json(std::string(what) + " is not JSON");
  }
}

Result<std::string> text_field(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr) return std::string();
  return checked_text(*value, key);
}

Result<std::vector<std::string>> texts_field(const Json& object, const char* key) {
  const Json* array = TRY(array_field(object, key));
  std::vector<std::string> texts;
  if (array == nullptr) return texts;
  for (const Json& value : *array) {
    std::string text = TRY(checked_text(value, key));
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<std::vector<std::string>> text_or_texts_field(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return texts_field(object, key);
  std::string text = TRY(checked_text(*value, key));
  return std::vector<std::string>{std::move(text)};
}

Result<std::map<std::string, std::string>> text_map_field(const Json& object, const char* key) {
  const Json* map = TRY(object_field(object, key));
  std::map<std::string, std::string> texts;
  if (map == nullptr) return texts;
  for (const auto& [name, value] : map->items()) {
    std::string text = TRY(checked_text(value, key));
    if (name.find('\0') != std::string::npos) return bad_json(std::string(key) + " holds a NUL");
    texts.emplace(name, std::move(text));
  }
  return texts;
}

Result<const Json*> object_field(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value != nullptr && !value->is_object()) {
    return bad_json(std::string(key) + " is not an object");
  }
  return value;
}

Result<const Json*> array_field(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value != nullptr && !value->is_array()) {
    return bad_json(std::string(key) + " is not an array");
  }
  return value;
}

Result<Digest> digest_field(const Json& object, const char* key) {
  std::string text = TRY(text_field(object, key));
  auto digest = Digest::parse(text);
  if (!digest) return bad_json(std::string(key) + " '" + text.substr(0, 80) + "' is not sha256:…");
  return *digest;
}

Result<uint64_t> size_field(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_number_unsigned()) {
    return bad_json(std::string(key) + " is not a size");
  }
  auto size = value->get<uint64_t>();
  if (size > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return bad_json(std::string(key) + " is not a size");
  }
  return size;
}

}  // namespace lyr::image
