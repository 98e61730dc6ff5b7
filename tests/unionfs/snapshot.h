// SPDX-License-Identifier: Apache-2.0
// A tree as text, to be compared with another: equal texts, equal trees.
#pragma once

#include <map>
#include <string>

namespace lyr::unionfs {

// What of hard links counts: how many there are and the first name of the same inode; the name
// only; nothing.
enum class Links { counted, named, ignored };

// By path: mode, owner, device, extended attributes, links, content, target. `with_times`:
// modification times too.
std::map<std::string, std::string> snapshot(const std::string& root, bool with_times,
                                            Links links = Links::counted);

// Where two of them differ, a line each; empty: nowhere.
std::string differences(const std::map<std::string, std::string>& left,
                        const std::map<std::string, std::string>& right);

std::string read_whole(const std::string& path);
// Its first MiB, or the name of the error.
std::string read_or_error(const std::string& path);
void write_file(const std::string& path, const std::string& text);

}  // namespace lyr::unionfs
